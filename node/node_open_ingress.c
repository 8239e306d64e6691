/* Local programs: the reader of the order, and the ingress thread. */
#include <string.h>

#include "base/bitset.h"
#include "base/err.h"
#include "base/units.h"
#include "node/node_node.h"

enum { REASON_BYTES = 512 };

/* Runs on the ingress thread; reads only what is published. */
static void fill_client_status(void *context, struct wire_client_status *ret_status)
{
	static struct ctl_status page; /* one ingress thread a process */
	const struct node *node = context;

	*ret_status =
		(struct wire_client_status){ .chain_id = node->identity.chain_id,
					     .replica = node->identity.id,
					     .replica_count = node->identity.genesis.member_count };
	if (ctl_status_read(&node->page->status, &page) < 0)
		return;
	ret_status->epoch = page.epoch;
	ret_status->view = page.view;
	ret_status->height = page.delivered_height;
	memcpy(ret_status->block_id.b, page.committed_id, sizeof(ret_status->block_id.b));
	ret_status->transactions = page.transactions_final;
	ret_status->leader = page.leader;
	ret_status->is_observer = page.is_observer;
	for (uint32_t i = 0; i < page.replica_count && i < CTL_REPLICAS_MAX; i++)
		ret_status->peers_up += page.peer[i].is_up;
}

static int open_reader(struct node *node)
{
	struct node_reader_config config = {
		.directory = node->config.data_dir,
		.chain_id = node->identity.chain_id,
		.set_hash = node->identity.validators.set_hash,
		.epoch = node->identity.validators.epoch,
		.replica_id = node->identity.id,
		.replica_count = node->identity.genesis.member_count,
		.block_end = &node->durable_block_end,
		.lane_end = &node->durable_lane_end,
	};
	char reason[REASON_BYTES] = "";
	int code;

	atomic_store(&node->durable_block_end,
		     blocklog_store_durable_end(node->store, BLOCKLOG_BLOCK));
	atomic_store(&node->durable_lane_end,
		     blocklog_store_durable_end(node->store, BLOCKLOG_LANE));
	code = node_reader_open(&config, &node->reader, reason, sizeof(reason));
	return code < 0 ? node_fail(node, code, "reader: %.300s",
				    reason[0] ? reason : err_text(code)) :
			  0;
}

int node_open_ingress(struct node *node)
{
	struct node_ingress_config config = {
		.path = node->config.ingress_socket,
		.connections_max = node->config.ingress_connections_max,
		.frames_per_s = node_client_budget(node).frames_per_s,
		.frames = node->ring[NODE_RING_LOCAL_FRAMES],
		.answers = node->ring[NODE_RING_LOCAL_ANSWERS],
		.refusals = node->ring[NODE_RING_LOCAL_REFUSALS],
		.wake = &node->ingress_wake,
		.verify_wake = &node->core_wake,
		.status = fill_client_status,
		.status_context = node,
		.open_count = &node->local_open,
		.metrics = node->metrics[NODE_TILE_INGRESS],
		.drops = node->drops_ingress,
	};
	int code;

	if (node->config.ingress_socket[0] == '\0')
		return 0;
	code = open_reader(node);
	if (code < 0)
		return code;
	config.reader = node->reader;
	return node_ingress_start(&config, &node->ingress, node->reason);
}
