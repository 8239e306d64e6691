#define _GNU_SOURCE
#include "mgmt/mgmt_view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

/* Sets take the value over, also when they fail; what is missing then shows as a failed text. */

static void mgmt_set_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void mgmt_set_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

static void mgmt_set_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

static void mgmt_set_hex(json_t *object, const char *key, const uint8_t bytes[CTL_ID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * CTL_ID_BYTES + 1];

	for (int i = 0; i < CTL_ID_BYTES; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * CTL_ID_BYTES] = '\0';
	mgmt_set_string(object, key, text);
}

/* Age in milliseconds of something that happened at `then_ns`; null if it never did. */
static void mgmt_set_age(json_t *object, const char *key, uint64_t now_ns, uint64_t then_ns)
{
	if (then_ns == 0)
		json_object_set_new(object, key, json_null());
	else
		mgmt_set_number(object, key,
				now_ns > then_ns ? (now_ns - then_ns) / UNITS_NS_PER_MS : 0);
}

static json_t *mgmt_node_json(const struct mgmt_view *view)
{
	const struct ctl_header *header = &view->shm.page->header;
	const struct ctl_status *status = &view->status;
	json_t *node = json_object();

	mgmt_set_number(node, "pid", header->pid);
	mgmt_set_number(node, "started_unix_ms", header->started_unix_ns / UNITS_NS_PER_MS);
	mgmt_set_number(node, "uptime_ms", (view->now_ns - header->started_ns) / UNITS_NS_PER_MS);
	if (!view->has_status)
		return node;
	mgmt_set_number(node, "id", status->replica_id);
	mgmt_set_string(node, "version", status->version);
	mgmt_set_bool(node, "observer", status->is_observer != 0);
	mgmt_set_string(node, "observer_reason", status->observer_reason);
	mgmt_set_bool(node, "catching_up", status->is_catching_up != 0);
	mgmt_set_string(node, "crypto", status->crypto);
	mgmt_set_string(node, "disk", status->disk);
	mgmt_set_string(node, "memory", status->memory);
	mgmt_set_string(node, "cores", status->cores);
	mgmt_set_string(node, "ingress", status->ingress);
	return node;
}

static json_t *mgmt_order_json(const struct mgmt_view *view)
{
	const struct ctl_status *status = &view->status;
	json_t *order = json_object();

	mgmt_set_hex(order, "chain", status->chain_id);
	mgmt_set_number(order, "members", status->replica_count);
	mgmt_set_number(order, "quorum", status->quorum);
	mgmt_set_number(order, "epoch", status->epoch);
	mgmt_set_number(order, "view", status->view);
	mgmt_set_number(order, "leader", status->leader);
	mgmt_set_number(order, "high_qc_view", status->high_qc_view);
	mgmt_set_number(order, "committed_height", status->committed_height);
	mgmt_set_hex(order, "committed_id", status->committed_id);
	mgmt_set_age(order, "committed_age_ms", view->now_ns, status->committed_ns);
	mgmt_set_number(order, "delivered_height", status->delivered_height);
	mgmt_set_number(order, "transactions_final", status->transactions_final);
	return order;
}

static json_t *mgmt_latency_json(const struct ctl_page *page, enum ctl_histogram histogram)
{
	struct ctl_latency latency;
	json_t *object = json_object();

	ctl_histogram_sum(page, histogram, &latency);
	mgmt_set_number(object, "p50_us",
			ctl_latency_percentile_ns(&latency, 50000) / UNITS_NS_PER_US);
	mgmt_set_number(object, "p99_us",
			ctl_latency_percentile_ns(&latency, 99000) / UNITS_NS_PER_US);
	mgmt_set_number(object, "p999_us",
			ctl_latency_percentile_ns(&latency, 99900) / UNITS_NS_PER_US);
	mgmt_set_number(object, "max_us", latency.max_ns / UNITS_NS_PER_US);
	return object;
}

static json_t *mgmt_peers_json(const struct mgmt_view *view)
{
	const struct ctl_status *status = &view->status;
	json_t *peers = json_array();

	for (uint32_t i = 0; i < status->replica_count && i < CTL_REPLICAS_MAX; i++) {
		const struct ctl_status_peer *peer = &status->peer[i];
		json_t *object = json_object();

		if (i == status->replica_id) {
			json_decref(object);
			continue;
		}
		mgmt_set_number(object, "id", i);
		mgmt_set_bool(object, "up", peer->is_up != 0);
		mgmt_set_age(object, "last_seen_age_ms", view->now_ns, peer->last_seen_ns);
		mgmt_set_number(object, "committed_height", peer->committed_height);
		mgmt_set_number(object, "lag_blocks",
				status->committed_height > peer->committed_height ?
					status->committed_height - peer->committed_height :
					0);
		json_array_append_new(peers, object);
	}
	return peers;
}

static json_t *mgmt_lanes_json(const struct ctl_status *status)
{
	json_t *lanes = json_array();

	for (uint32_t i = 0; i < status->replica_count && i < CTL_REPLICAS_MAX; i++) {
		json_t *object = json_object();

		mgmt_set_number(object, "lane", i);
		mgmt_set_number(object, "stored", status->lane[i].stored_seq);
		mgmt_set_number(object, "committed", status->lane[i].committed_seq);
		json_array_append_new(lanes, object);
	}
	return lanes;
}

static json_t *mgmt_ports_json(const struct ctl_status *status)
{
	json_t *ports = json_array();

	for (uint32_t i = 0; i < status->port_count && i < CTL_PORTS_MAX; i++) {
		const struct ctl_status_port *port = &status->port[i];
		json_t *object = json_object();

		mgmt_set_string(object, "name", port->name);
		mgmt_set_string(object, "kind", port->kind);
		mgmt_set_string(object, "role", port->role);
		mgmt_set_string(object, "link", port->link == CTL_LINK_UP ? "up" : "down");
		mgmt_set_number(object, "frames_in", port->frames_in);
		mgmt_set_number(object, "frames_out", port->frames_out);
		mgmt_set_number(object, "bytes_in", port->bytes_in);
		mgmt_set_number(object, "bytes_out", port->bytes_out);
		mgmt_set_number(object, "frames_missed", port->frames_missed);
		json_array_append_new(ports, object);
	}
	return ports;
}

/* What was dropped and why: families by reason, only what happened. */
static json_t *mgmt_drops_json(const struct ctl_page *page)
{
	uint32_t count = __atomic_load_n(&page->header.family_count, __ATOMIC_ACQUIRE);
	json_t *drops = json_object();

	for (uint32_t i = 0; i < count && i < CTL_FAMILIES_MAX; i++) {
		const struct ctl_family *family = &page->family[i];

		if (strncmp(family->label_key, "reason", sizeof(family->label_key)) != 0)
			continue;
		for (uint32_t j = 0; j < family->label_count && j < CTL_FAMILY_LABELS_MAX; j++) {
			char key[CTL_LABEL_BYTES];
			uint64_t value = ctl_word_load(&family->word[j]);

			if (value == 0)
				continue;
			memcpy(key, family->label[j], sizeof(key));
			key[sizeof(key) - 1] = '\0';
			value += (uint64_t)json_integer_value(json_object_get(drops, key));
			mgmt_set_number(drops, key, value);
		}
	}
	return drops;
}

static json_t *mgmt_view_json(const struct mgmt_view *view)
{
	struct mgmt_text text = { 0 };
	json_t *root = json_object();
	bool is_healthy = mgmt_view_is_healthy(view, &text);

	mgmt_text_clear(&text);
	mgmt_set_number(root, "format", 1);
	mgmt_set_string(root, "state", mgmt_verdict_name(view->verdict));
	mgmt_set_bool(root, "healthy", is_healthy);
	mgmt_set_bool(root, "ready", mgmt_view_is_ready(view, &text));
	mgmt_set_string(root, "reason", mgmt_text_of(&text));
	mgmt_text_clear(&text);
	mgmt_view_sentence(view, &text);
	mgmt_set_string(root, "sentence", mgmt_text_of(&text));
	mgmt_text_fini(&text);
	if (view->verdict <= MGMT_NODE_FOREIGN)
		return root;
	json_object_set_new(root, "node", mgmt_node_json(view));
	json_object_set_new(root, "finality",
			    mgmt_latency_json(view->shm.page, CTL_HISTOGRAM_FINALITY));
	json_object_set_new(root, "durable_write",
			    mgmt_latency_json(view->shm.page, CTL_HISTOGRAM_STORE_DURABLE));
	json_object_set_new(root, "drops", mgmt_drops_json(view->shm.page));
	if (!view->has_status)
		return root;
	json_object_set_new(root, "order", mgmt_order_json(view));
	json_object_set_new(root, "peers", mgmt_peers_json(view));
	json_object_set_new(root, "lanes", mgmt_lanes_json(&view->status));
	json_object_set_new(root, "ports", mgmt_ports_json(&view->status));
	return root;
}

void mgmt_view_status_json(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	json_t *root = mgmt_view_json(view);
	char *dump = json_dumps(root, JSON_COMPACT);

	if (dump) {
		mgmt_text_string(ret_text, dump);
		mgmt_text_string(ret_text, "\n");
	} else {
		ret_text->failed = true;
	}
	free(dump);
	json_decref(root);
}
