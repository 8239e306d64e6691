#include "node/node_topology.h"

#include <stdio.h>

#include "node/node_tile_control.h"
#include "node/node_tile_net.h"
#include "node/node_tile_replica.h"
#include "node/node_tile_signer.h"
#include "node/node_tile_store.h"
#include "node/node_tile_verify.h"

const struct node_tile_row node_tiles[NODE_TILE_COUNT] = {
	[NODE_TILE_NET] = { "net", &node_tile_net, 0 },
	[NODE_TILE_VERIFY] = { "verify", &node_tile_verify, 1 },
	[NODE_TILE_SIGNER] = { "signer", &node_tile_signer, 2 },
	[NODE_TILE_REPLICA] = { "replica", &node_tile_replica, 2 },
	[NODE_TILE_STORE] = { "store", &node_tile_store, 3 },
	[NODE_TILE_CONTROL] = { "control", &node_tile_control, 3 },
};

#define TILE(name) NODE_TILE_##name

const struct node_ring_row node_rings[NODE_RING_COUNT] = {
	[NODE_RING_NET_CORE] = { "net_core", TILE(NET), TILE(VERIFY), 512,
				 "dropped, counted; the sender repeats" },
	[NODE_RING_NET_LANE] = { "net_lane", TILE(NET), TILE(VERIFY), 2048,
				 "dropped, counted; repaired by NACK" },
	[NODE_RING_NET_CLIENT] = { "net_client", TILE(NET), TILE(VERIFY), 1024,
				   "dropped, counted, the client is told" },
	[NODE_RING_LOCAL_FRAMES] = { "local_frames", TILE(INGRESS), TILE(VERIFY), 512,
				     "the local program is told" },
	[NODE_RING_VERIFIED_CORE] = { "verified_core", TILE(VERIFY), TILE(REPLICA), 512,
				      "verify stops taking" },
	[NODE_RING_VERIFIED_DATA] = { "verified_data", TILE(VERIFY), TILE(REPLICA), 2048,
				      "verify stops taking" },
	[NODE_RING_COMMITS] = { "commits", TILE(REPLICA), TILE(VERIFY), 256, "the replica waits" },
	[NODE_RING_SEND_CORE] = { "send_core", TILE(REPLICA), TILE(NET), 1024,
				  "the replica waits" },
	[NODE_RING_SEND_DATA] = { "send_data", TILE(REPLICA), TILE(NET), 2048,
				  "dropped; repaired by NACK" },
	[NODE_RING_ANSWERS] = { "answers", TILE(REPLICA), TILE(NET), 1024,
				"dropped, counted; a resend is answered again" },
	[NODE_RING_VERIFY_ANSWERS] = { "verify_answers", TILE(VERIFY), TILE(NET), 256,
				       "dropped, counted" },
	[NODE_RING_LOCAL_ANSWERS] = { "local_answers", TILE(REPLICA), TILE(INGRESS), 1024,
				      "dropped, counted; a resend is answered again" },
	[NODE_RING_LOCAL_REFUSALS] = { "local_refusals", TILE(VERIFY), TILE(INGRESS), 256,
				       "dropped, counted" },
	[NODE_RING_SIGN] = { "sign", TILE(REPLICA), TILE(SIGNER), 256, "the replica waits" },
	[NODE_RING_SIGNED] = { "signed", TILE(SIGNER), TILE(REPLICA), 256, "the signer waits" },
	[NODE_RING_APPENDS] = { "appends", TILE(REPLICA), TILE(STORE), 2048, "the replica waits" },
	[NODE_RING_LANE_APPENDS] = { "lane_appends", TILE(REPLICA), TILE(STORE), 256,
				     "the replica waits" },
	[NODE_RING_READS] = { "reads", TILE(REPLICA), TILE(STORE), 256, "the replica waits" },
	[NODE_RING_DONE] = { "done", TILE(STORE), TILE(REPLICA), 512, "the store waits" },
};

const char *node_tile_name(enum node_tile_id tile)
{
	return tile == NODE_TILE_INGRESS ? "ingress" : node_tiles[tile].name;
}

void node_topology_print(void)
{
	puts("tiles, in the order they run on a shared core:");
	for (int i = 0; i < NODE_TILE_COUNT; i++)
		printf("  %-8s spread: core first_core + %u\n", node_tiles[i].name,
		       node_tiles[i].core);
	printf("\n%-16s %-9s %-9s %8s  when full\n", "ring", "from", "to", "KiB");
	for (int i = 0; i < NODE_RING_COUNT; i++)
		printf("%-16s %-9s %-9s %8u  %s\n", node_rings[i].name,
		       node_tile_name(node_rings[i].from), node_tile_name(node_rings[i].to),
		       node_rings[i].kib, node_rings[i].when_full);
}
