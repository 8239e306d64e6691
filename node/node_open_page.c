/* The metrics page: blocks, label families, control socket; and what status shows. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_session.h"
#include "dataplane/dp_env_dpdk.h"
#include "node/node_node.h"

static const char *const gate_labels[] = {
#define REPLICA_GATE_DROP(name, text) #name,
#include "replica/replica_gate_drop.def"
#undef REPLICA_GATE_DROP
};

static const char *const consensus_labels[] = {
#define HS_DROP(name, text) #name,
#include "consensus/hs_drop.def"
#undef HS_DROP
};

static const char *const lane_labels[] = {
#define LANE_DROP(name, text) #name,
#include "dataplane/lane_drop.def"
#undef LANE_DROP
};

static const char *const ingress_labels[NODE_INGRESS_DROP_COUNT] = {
	[NODE_INGRESS_DROP_MALFORMED] = "malformed",
	[NODE_INGRESS_DROP_CONNECTIONS_FULL] = "connections_full",
	[NODE_INGRESS_DROP_ANSWERS_LOST] = "answers_lost",
};

static const char *const net_labels[] = {
#define DP_DROP(name, text) #name,
#include "dataplane/dp_drop.def"
#undef DP_DROP
};

/* Label values are lower case: label_names keeps them for ctl_family_register() to copy. */
static struct ctl_family *add_family(struct node *node, enum node_tile_id tile, const char *name,
				     const char *help, const char *const *labels, uint32_t count)
{
	static char lower[CTL_FAMILY_LABELS_MAX][CTL_LABEL_BYTES];
	const char *label[CTL_FAMILY_LABELS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(lower[i], sizeof(lower[i]), "%s", labels[i]);
		for (char *c = lower[i]; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
		label[i] = lower[i];
	}
	return ctl_family_register(node->page, node->metrics[tile],
				   &(struct ctl_family_config){ .name = name,
								.label_key = "reason",
								.help = help,
								.kind = CTL_KIND_COUNTER,
								.unit = CTL_UNIT_ONE,
								.labels = label,
								.label_count = count });
}

static void add_families(struct node *node)
{
	node->drops_net = add_family(node, NODE_TILE_NET, "quorate_net_drops_total",
				     "Packets and messages dropped by ports, network and sessions.",
				     net_labels, UNITS_COUNT(net_labels));
	node->drops_gate = add_family(node, NODE_TILE_VERIFY, "quorate_gate_drops_total",
				      "Messages and frames refused before the replica saw them.",
				      gate_labels, UNITS_COUNT(gate_labels));
	node->drops_consensus = add_family(node, NODE_TILE_REPLICA, "quorate_consensus_drops_total",
					   "Verified consensus messages the core ignored.",
					   consensus_labels, UNITS_COUNT(consensus_labels));
	node->drops_lane = add_family(node, NODE_TILE_REPLICA, "quorate_lane_drops_total",
				      "Verified lane messages that were ignored.", lane_labels,
				      UNITS_COUNT(lane_labels));
	node->drops_ingress =
		add_family(node, NODE_TILE_INGRESS, "quorate_ingress_drops_total",
			   "What local programs sent or should have got, and did not.",
			   ingress_labels, UNITS_COUNT(ingress_labels));
}

int node_open_page(struct node *node)
{
	int code;

	if (mkdir(node->config.run_dir, 0750) < 0 && errno != EEXIST)
		return node_fail(node, -errno, "run_dir %s: %s; make the directory it lies in",
				 node->config.run_dir, strerror(errno));
	code = ctl_socket_open(node->config.run_dir, &node->control);
	if (code == ERR_BUSY)
		return node_fail(node, code, "run_dir %s: another node runs there; stop it first",
				 node->config.run_dir);
	if (code < 0)
		return node_fail(node, code,
				 "run_dir %s: %s; it must be a directory this user may write to",
				 node->config.run_dir, err_text(code));
	node->control_is_open = true;
	code = ctl_shm_create(node->config.run_dir, &node->page);
	if (code < 0)
		return node_fail(node, code, "metrics page in %s: %s", node->config.run_dir,
				 err_text(code));
	for (int i = 0; i <= NODE_TILE_COUNT; i++)
		node->metrics[i] =
			ctl_block_register(node->page, node_tile_name((enum node_tile_id)i));
	add_families(node);
	return 0;
}

static void fill_ports(const struct node *node, struct ctl_status *status)
{
	status->port_count = node->config.port_count;
	for (uint32_t i = 0; i < node->config.port_count; i++) {
		const struct node_port_config *config = &node->config.port[i];
		struct ctl_status_port *port = &status->port[i];

		snprintf(port->name, sizeof(port->name), "%s", config->name);
		snprintf(port->kind, sizeof(port->kind), "%s",
			 config->kind == NODE_PORT_MEMIF ? "memif" : "af_packet");
		snprintf(port->role, sizeof(port->role), "%s",
			 config->role == NODE_PORT_CLIENT ? "client" :
			 config->role == NODE_PORT_PEER   ? "peer" :
							    "both");
		port->link = atomic_load(&node->net_view.port[i].is_up) ? CTL_LINK_UP :
									  CTL_LINK_DOWN;
		port->frames_in = atomic_load(&node->net_view.port[i].rx_packets);
		port->frames_out = atomic_load(&node->net_view.port[i].tx_packets);
		port->bytes_in = atomic_load(&node->net_view.port[i].rx_bytes);
		port->bytes_out = atomic_load(&node->net_view.port[i].tx_bytes);
		port->frames_missed = atomic_load(&node->net_view.port[i].missed);
	}
}

void node_fill_status(void *context, struct ctl_status *status)
{
	const struct node *node = context;
	struct bitset up = { .word = { atomic_load(&node->net_view.peers_up[0]),
				       atomic_load(&node->net_view.peers_up[1]) } };

	status->replica_id = node->identity.id;
	status->replica_count = node->identity.genesis.member_count;
	status->quorum = hs_quorum(status->replica_count);
	memcpy(status->chain_id, node->identity.chain_id.b, sizeof(status->chain_id));
	for (uint32_t i = 0; i < status->replica_count; i++)
		status->peer[i].is_up = bitset_has(&up, i);
	snprintf(status->version, sizeof(status->version), "%s", node_version);
	snprintf(status->crypto, sizeof(status->crypto), "%s, build %08x",
		 crypto_cipher_best() == CRYPTO_CIPHER_AES256GCM ? "AES-256-GCM" :
								   "ChaCha20-Poly1305",
		 node->party.build_id);
	snprintf(status->disk, sizeof(status->disk), "%s",
		 blocklog_dev_info(node->dev)->description);
	snprintf(status->memory, sizeof(status->memory), "%s",
		 dp_env_has_hugepages() ? "hugepages" : "no hugepages");
	snprintf(status->cores, sizeof(status->cores), "%s",
		 node->config.cores_mode == NODE_CORES_SHARED ? "shared" : "spread");
	snprintf(status->ingress, sizeof(status->ingress), "%.107s", node->config.ingress_socket);
	if (status->is_observer && status->observer_reason[0] == '\0')
		snprintf(status->observer_reason, sizeof(status->observer_reason), "%s",
			 "its safety record is missing or older than its votes");
	fill_ports(node, status);
}
