/*
 * The lanes of a whole small cluster, without consensus: n real lane_sets, a
 * network that loses, doubles and reorders, disks that forget what was not
 * synced, crashes, and an owner that signs two batches for one seq. A scripted
 * "consensus" commits a cut when q replicas find it ready.
 */
#include "tests/unit/dataplane/lane_net.h"

static int net_order_stored(const void *a, const void *b)
{
	const struct lane_stored *x = a;
	const struct lane_stored *y = b;

	return x->header.seq < y->header.seq ? -1 : x->header.seq > y->header.seq;
}

static void net_start(struct net *net, uint32_t id)
{
	static struct lane_stored stored[NET_NODES * NET_SEQS_MAX * 2];
	struct net_node *node = &net->node[id];
	struct lane_config config = net_config(id);
	struct lane_input input = { .kind = LANE_INPUT_START };

	UNIT_REQUIRE(lane_set_init(node->memory, lane_set_footprint(&config), node->buffers,
				   lane_set_buffer_bytes(&config), &config, &node->set) == 0);
	for (uint32_t i = 0; i < node->disk_count; i++)
		stored[i] = (struct lane_stored){
			.header = node->disk[i].header,
			.position = i,
			.is_verified = true,
		};
	qsort(stored, node->disk_count, sizeof(stored[0]), net_order_stored);
	input.u.start.stored = stored;
	input.u.start.stored_count = node->disk_count;
	input.u.start.committed = &net->cut[node->delivered];
	node->cut_seen = node->delivered;
	node->is_up = true;
	net_step(net, id, &input);
}

/* Power cut: a prefix of what the disk was given survives, nothing else does. */
static void net_crash(struct net *net, uint32_t id)
{
	struct net_node *node = &net->node[id];

	node->is_up = false;
	for (uint64_t survive = prng_below(&net->prng, 3); survive > 0; survive--) {
		struct net_event *first = NULL;

		for (uint32_t i = 0; i < net->event_count; i++) {
			struct net_event *event = net->event[i];

			if (event->kind == NET_DISK && event->to == id &&
			    event->life == node->life && (!first || event->at_ns < first->at_ns))
				first = event;
		}
		if (!first)
			break;
		net_disk_put(net, node, &first->persist);
		first->life = UINT32_MAX;
	}
	node->life++;
}

static void net_client(struct net *net, uint32_t id)
{
	uint8_t bytes[NET_FRAME_BYTES];
	struct lane_input input = { .kind = LANE_INPUT_CLIENT_FRAME };
	uint32_t count = 8 + (uint32_t)prng_below(&net->prng, NET_FRAME_BYTES - 8);

	prng_fill(&net->prng, bytes, count);
	input.u.client.bytes = bytes;
	input.u.client.byte_count = count;
	input.u.client.frame_hash = lane_frame_hash(bytes, count);
	net->node[id].frames_admitted++;
	net_step(net, id, &input);
}

/* One batch of the liar: variant 0 or 1 of its next seq, to one replica. */
static void net_liar_send(struct net *net, uint32_t to, uint32_t variant,
			  const struct crypto_hash *prev, struct lane_header *ret_header)
{
	struct crypto_hash leaf[4];
	struct crypto_hash scratch[4];
	uint8_t bytes[4][NET_FRAME_BYTES];
	struct lane_header header = {
		.lane = NET_LIAR,
		.seq = net->liar_seq,
		.prev_digest = *prev,
		.frame_count = 4,
		.frame_bytes = 4 * NET_FRAME_BYTES,
	};

	for (uint32_t i = 0; i < 4; i++) {
		memset(bytes[i], (int)(net->liar_seq * 16 + variant * 4 + i), NET_FRAME_BYTES);
		bytes[i][0] = (uint8_t)i;
		leaf[i] = lane_frame_hash(bytes[i], NET_FRAME_BYTES);
	}
	header.frames_root = wire_merkle_root(leaf, 4, scratch);
	header.digest = wire_batch_digest(&net->config.chain_id, &header);
	header.signature = net_sign_header(net, &header);
	for (uint32_t i = 0; i < 4 && to < NET_NODES; i++) {
		struct lane_effect effect = { .to = to };

		effect.u.frame = (struct lane_frame){
			.lane = NET_LIAR,
			.seq = header.seq,
			.index = i,
			.frame_hash = leaf[i],
			.is_signed = true,
			.bytes = bytes[i],
			.byte_count = NET_FRAME_BYTES,
		};
		net_post(net, NET_LIAR, to, LANE_INPUT_PEER_FRAME, &effect);
	}
	if (to < NET_NODES) {
		struct lane_effect effect = { .to = to };

		effect.u.header = header;
		net_post(net, NET_LIAR, to, LANE_INPUT_BATCH, &effect);
	}
	*ret_header = header;
}

/* The liar shows one variant to some and the other to the rest, and acknowledges both. */
static void net_liar(struct net *net)
{
	const struct hs_cut_entry *last = &net->cut[net->cut_count - 1].lane[NET_LIAR];
	uint32_t variant[NET_NODES];
	struct lane_header header;

	net->liar_seq = last->seq + 1;
	for (uint32_t to = 0; to < NET_LIAR; to++) {
		static struct lane_ackvec ackvec;
		struct lane_effect effect = { .to = to };

		variant[to] = (uint32_t)prng_below(&net->prng, 2);
		net_liar_send(net, to, variant[to], &last->digest, &header);
		ackvec.count = 1;
		ackvec.lane[0] = NET_LIAR;
		ackvec.ack[0] = (struct lane_ack){
			.stored_seq = header.seq,
			.digest = header.digest,
			.map_base_seq = last->seq,
			.verified_map = 1,
		};
		effect.u.ackvec = &ackvec;
		net_post(net, NET_LIAR, to, LANE_INPUT_ACKVEC, &effect);
	}
}

static uint32_t net_honest(const struct net *net)
{
	return net->has_liar ? NET_NODES - 1 : NET_NODES;
}

/* q less the liar's word: how many honest disks hold each batch of a cut is what §2.6 promises. */
static void net_check_cut(struct net *net, const struct hs_cut *parent, const struct hs_cut *cut)
{
	for (uint32_t lane = 0; lane < NET_NODES; lane++) {
		uint32_t holders = 0;

		UNIT_REQUIRE(cut->lane[lane].seq >= parent->lane[lane].seq);
		UNIT_REQUIRE(cut->lane[lane].seq - parent->lane[lane].seq <=
			     net->config.cut_batches_max);
		if (cut->lane[lane].seq == 0)
			continue;
		for (uint32_t id = 0; id < net_honest(net); id++)
			holders += net_disk_find(&net->node[id], lane, cut->lane[lane].seq,
						 &cut->lane[lane].digest) ?
					   1 :
					   0;
		UNIT_REQUIRE(holders >= 3u - (net->has_liar ? 1 : 0));
	}
}

static void net_name(struct net *net, const struct hs_cut *cut)
{
	for (uint32_t id = 0; id < net_honest(net); id++) {
		struct lane_input input = { .kind = LANE_INPUT_NAMED };

		input.u.cut = cut;
		if (!prng_chance(&net->prng, net->loss_ppm))
			net_step(net, id, &input);
	}
}

/* A lying leader names batches that nobody ever made. */
static void net_name_nonsense(struct net *net)
{
	static struct hs_cut cut;
	uint32_t id = (uint32_t)prng_below(&net->prng, net_honest(net));
	struct lane_input input = { .kind = LANE_INPUT_NAMED };

	cut = net->cut[net->cut_count - 1];
	for (uint32_t lane = 0; lane < NET_NODES; lane++) {
		cut.lane[lane].seq += prng_below(&net->prng, 20);
		prng_fill(&net->prng, &cut.lane[lane].digest, sizeof(cut.lane[lane].digest));
	}
	input.u.cut = &cut;
	net_step(net, id, &input);
}

/* The scripted consensus: propose, wait for q votes (the liar votes for anything), commit. */
static void net_consensus(struct net *net)
{
	const struct hs_cut *parent = &net->cut[net->cut_count - 1];
	uint32_t leader = (uint32_t)prng_below(&net->prng, net_honest(net));
	uint32_t votes = net->has_liar ? 1 : 0;

	if (net->cut_count == NET_CUTS_MAX)
		return;
	if (!net->is_proposed) {
		if (!net->node[leader].is_up ||
		    !lane_set_cut(net->node[leader].set, parent, &net->proposed))
			return;
		net_check_cut(net, parent, &net->proposed);
		net->is_proposed = true;
	}
	net_name(net, &net->proposed);
	for (uint32_t id = 0; id < net_honest(net); id++)
		votes += net->node[id].is_up &&
					 lane_set_payload(net->node[id].set, parent,
							  &net->proposed) == LANE_PAYLOAD_READY ?
				 1 :
				 0;
	if (votes < 3)
		return;
	net->commits_of_liar +=
		net->has_liar && net->proposed.lane[NET_LIAR].seq > parent->lane[NET_LIAR].seq ? 1 :
												 0;
	net->cut[net->cut_count++] = net->proposed;
	net->is_proposed = false;
}

static void net_deliver(struct net *net, uint32_t id, const struct hs_cut *parent,
			const struct hs_cut *cut)
{
	for (uint32_t lane = 0; lane < NET_NODES; lane++)
		for (uint64_t seq = parent->lane[lane].seq + 1; seq <= cut->lane[lane].seq; seq++) {
			struct lane_input input = { .kind = LANE_INPUT_DELIVERED };
			struct lane_batch_view view;

			input.u.delivered.lane = lane;
			input.u.delivered.seq = seq;
			UNIT_REQUIRE(lane_set_chain_digest(net->node[id].set, lane, seq,
							   &cut->lane[lane],
							   &input.u.delivered.digest));
			UNIT_REQUIRE(lane_set_batch(net->node[id].set, lane, seq,
						    &input.u.delivered.digest, &view));
			UNIT_REQUIRE(view.is_durable);
			net_step(net, id, &input);
		}
}

/* Hands committed cuts over in order and delivers what is stored. */
static void net_follow(struct net *net, uint32_t id)
{
	struct net_node *node = &net->node[id];
	struct lane_input input = { .kind = LANE_INPUT_COMMITTED };

	if (!node->is_up)
		return;
	if (node->cut_seen + 1 < net->cut_count) {
		input.u.cut = &net->cut[++node->cut_seen];
		net_step(net, id, &input);
	}
	if (node->delivered < node->cut_seen) {
		const struct hs_cut *parent = &net->cut[node->delivered];
		const struct hs_cut *cut = &net->cut[node->delivered + 1];

		input.kind = LANE_INPUT_NAMED;
		input.u.cut = cut;
		net_step(net, id, &input);
		if (lane_set_is_stored(node->set, parent, cut)) {
			net_deliver(net, id, parent, cut);
			node->delivered++;
		}
	}
}

static void net_handle(struct net *net, struct net_event *event)
{
	struct net_node *node = &net->node[event->to];

	if (event->kind != NET_INPUT && event->life != node->life)
		return;
	switch (event->kind) {
	case NET_INPUT:
		if (net->has_liar && event->to == NET_LIAR)
			break;
		if (net->has_deaf && event->to == 0 && event->input.kind == LANE_INPUT_WANT)
			break;
		net_step(net, event->to, &event->input);
		break;
	case NET_DISK:
		net_on_disk(net, event);
		break;
	case NET_READ:
		net_on_read(net, event);
		break;
	case NET_SIGNED:
		event->input.kind = LANE_INPUT_SIGNED;
		net_step(net, event->to, &event->input);
		break;
	case NET_CUT:
		break;
	}
}

static void net_tick(struct net *net, uint32_t id)
{
	struct lane_input input = { .kind = LANE_INPUT_TICK };

	for (uint32_t i = 0; i < 3; i++)
		if (net->node[id].is_up && (!net->has_liar || id != NET_LIAR) &&
		    lane_set_deadline_ns(net->node[id].set) <= net->now_ns)
			net_step(net, id, &input);
}

/* Runs the cluster until `end_ns` in slices, with clients and faults as given. */
static void net_run(struct net *net, uint64_t end_ns, uint32_t client_ppm, uint32_t crash_ppm)
{
	while (net->now_ns < end_ns) {
		net->now_ns += 50000;
		for (uint32_t id = 0; id < net_honest(net); id++) {
			for (uint32_t burst = 0; burst < 4; burst++)
				if (prng_chance(&net->prng, client_ppm))
					net_client(net, id);
			if (net->node[id].is_up && prng_chance(&net->prng, crash_ppm))
				net_crash(net, id);
			else if (!net->node[id].is_up && prng_chance(&net->prng, 20000))
				net_start(net, id);
			net_follow(net, id);
			net_tick(net, id);
		}
		if (net->has_liar && client_ppm > 0 && prng_chance(&net->prng, 30000))
			net_liar(net);
		if (net->has_nonsense && client_ppm > 0 && prng_chance(&net->prng, 20000))
			net_name_nonsense(net);
		if (prng_chance(&net->prng, 200000))
			net_consensus(net);
		while (net->event_count > 0) {
			struct net_event *event = net_event_pop(net);

			if (event->at_ns > net->now_ns) {
				net->event[net->event_count++] = event;
				break;
			}
			net_handle(net, event);
			free(event);
		}
	}
}

static void net_open(struct net *net, uint64_t seed)
{
	memset(net, 0, sizeof(*net));
	prng_seed(&net->prng, seed);
	net->config = net_config(0);
	net->cut_count = 1;
	net->cut[0].lane_count = NET_NODES;
	net->has_liar = prng_chance(&net->prng, 300000);
	net->has_nonsense = prng_chance(&net->prng, 300000);
	net->has_deaf = !net->has_liar && prng_chance(&net->prng, 300000);
	net->loss_ppm = prng_chance(&net->prng, 700000) ? (uint32_t)prng_below(&net->prng, 250000) :
							  0;
	net->double_ppm = prng_chance(&net->prng, 500000) ? 100000 : 0;
	net->delay_ns =
		1 + prng_below(&net->prng, prng_chance(&net->prng, 500000) ? 50000 : 900000);
	for (uint32_t id = 0; id < NET_NODES; id++) {
		struct lane_config config = net_config(id);

		net->node[id].memory =
			aligned_alloc(64, (lane_set_footprint(&config) + 63) & ~63ul);
		net->node[id].buffers = aligned_alloc(4096, lane_set_buffer_bytes(&config));
		memset(net->node[id].buffers, 0xa5, lane_set_buffer_bytes(&config));
	}
	for (uint32_t id = 0; id < net_honest(net); id++)
		net_start(net, id);
	net->node[NET_LIAR].is_up = true;
}

static void net_close(struct net *net)
{
	for (uint32_t i = 0; i < net->event_count; i++)
		free(net->event[i]);
	for (uint32_t id = 0; id < NET_NODES; id++) {
		for (uint32_t i = 0; i < net->node[id].disk_count; i++)
			free(net->node[id].disk[i].bytes);
		free(net->node[id].memory);
		free(net->node[id].buffers);
	}
}

/*
 * Everything that an honest owner announced is in the order, everywhere, and nothing is held any
 * more.
 */
static void net_check_end(struct net *net)
{
	const struct hs_cut *last = &net->cut[net->cut_count - 1];
	uint32_t first = net->has_deaf ? 1 : 0; /* what only the deaf one holds may be lost */

	UNIT_CHECK(net->cut_count > 2);
	for (uint32_t id = first; id < net_honest(net); id++) {
		struct lane_status status;

		lane_set_status(net->node[id].set, &status);
		UNIT_EQUAL(net->node[id].delivered, net->cut_count - 1);
		UNIT_EQUAL(status.own_seq, last->lane[id].seq);
		for (uint32_t lane = first; lane < net_honest(net); lane++)
			UNIT_EQUAL(status.stored_seq[lane], last->lane[lane].seq);
		if (!net->has_liar && !net->has_deaf && !net->has_nonsense)
			UNIT_EQUAL(status.buffers_used, 0);
	}
	for (uint32_t lane = first; lane < net_honest(net); lane++)
		for (uint64_t seq = 1; seq < NET_SEQS_MAX; seq++)
			UNIT_CHECK(crypto_hash_is_zero(&net->announced[lane][seq]) ||
				   seq <= last->lane[lane].seq);
}

/* What the seeds must have reached, or they prove little. */
struct net_reached {
	uint64_t crashes;
	uint64_t evidences;
	uint64_t commits_of_liar;
	uint64_t repairs;
	uint64_t refusals;
};

static struct net_reached net_reached;

static void net_reach(const struct net *net)
{
	net_reached.commits_of_liar += net->commits_of_liar;
	for (uint32_t id = 0; id < net_honest(net); id++) {
		struct lane_status status;

		lane_set_status(net->node[id].set, &status);
		net_reached.crashes += net->node[id].life;
		net_reached.evidences += net->node[id].evidences;
		net_reached.refusals += net->node[id].frames_refused;
		net_reached.repairs += status.repairs_served;
	}
}

static void net_seed(uint64_t seed)
{
	struct net *net = &net_world;

	net_open(net, seed);
	net_run(net, 40000000, 80000,
		prng_chance(&net->prng, 600000) ? (uint32_t)prng_below(&net->prng, 4000) : 0);
	net->loss_ppm = 0;
	for (uint32_t id = 0; id < net_honest(net); id++)
		if (!net->node[id].is_up)
			net_start(net, id);
	net_run(net, net->now_ns + 200000000, 0, 0);
	net_check_end(net);
	net_reach(net);
	if (CU_get_number_of_failures() != 0)
		fprintf(stderr, "lane network failed with seed %llu\n", (unsigned long long)seed);
	net_close(net);
}

static void all_replicas_end_with_the_same_batches_whatever_the_network_and_crashes_do(void)
{
	const char *count = getenv("LANE_SEEDS");
	uint64_t seeds = count ? strtoull(count, NULL, 0) : 40;

	for (uint64_t i = 0; i < seeds && CU_get_number_of_failures() == 0; i++)
		net_seed(unit_seed() + i);
	UNIT_CHECK(seeds < 40 || net_reached.crashes > 0);
	UNIT_CHECK(seeds < 40 || net_reached.evidences > 0);
	UNIT_CHECK(seeds < 40 || net_reached.commits_of_liar > 0);
	UNIT_CHECK(seeds < 40 || net_reached.repairs > 0);
	UNIT_CHECK(seeds < 40 || net_reached.refusals > 0);
}

UNIT_SUITE("lane_set",
	   UNIT_TEST(all_replicas_end_with_the_same_batches_whatever_the_network_and_crashes_do))
