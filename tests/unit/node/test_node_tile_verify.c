/* node_tile_verify: only verified bytes go on; everybody refused is told; consensus comes first. */
#define _GNU_SOURCE
#include "node/node_tile_verify.h"

#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "dataplane/dp_tile_net.h"
#include "node/node_message.h"
#include "tests/lib/wire_fixture.h"
#include "tests/unit/node/node_fixture.h"
#include "wire/wire_client.h"

static struct wire_world world;
static struct ctl_page *page;
static struct node_verify_setup io;
static struct node_wake local_wake;
static _Atomic uint64_t height;
static _Atomic uint32_t local_open;
static void *gate_memory;
static void *tile;

static void begin(void)
{
	struct replica_gate_config config = { .validators = &world.validators,
					      .verifier = crypto_verifier_ed25519,
					      .admission = { .is_open = true },
					      .cache_entries = 64 };
	size_t bytes;

	wire_world_init(&world, 4);
	config.genesis_id = world.genesis_id;
	bytes = replica_gate_footprint(&config);
	gate_memory = aligned_alloc(64, units_round_up(bytes, 64));
	UNIT_REQUIRE(gate_memory && node_wake_open(&local_wake) == 0);
	page = fixture_page();
	height = 0;
	local_open = 1;
	io = (struct node_verify_setup){
		.core = fixture_ring(),
		.lane = fixture_ring(),
		.clients = fixture_ring(),
		.local = fixture_ring(),
		.asked = fixture_ring(),
		.ret_core = fixture_ring(),
		.ret_data = fixture_ring(),
		.answer = { .net = fixture_ring(),
			    .local = fixture_ring(),
			    .local_open = &local_open },
		.local_wake = &local_wake,
		.committed_height = &height,
		.metrics = ctl_block_register(page, "verify"),
	};
	io.drops = fixture_family(page, io.metrics, REPLICA_GATE_DROP_COUNT);
	UNIT_REQUIRE(replica_gate_init(gate_memory, bytes, &config, &io.gate) == 0);
	tile = fixture_tile(&node_tile_verify, &io);
}

static void end(void)
{
	struct dp_ring *rings[] = { io.core,     io.lane,       io.clients,
				    io.local,    io.asked,      io.ret_core,
				    io.ret_data, io.answer.net, io.answer.local };

	for (size_t i = 0; i < UNITS_COUNT(rings); i++)
		free(rings[i]);
	node_wake_close(&local_wake);
	free(gate_memory);
	free(tile);
	free(page);
}

static void push_local(const struct wire_world_frame *frame)
{
	const struct dp_ring_header header = { .kind = NODE_MESSAGE_FRAME,
					       .aux = NODE_ORIGIN_LOCAL | 4,
					       .aux_high = 123 };

	UNIT_REQUIRE(dp_ring_push(io.local, &header, frame->bytes, frame->count));
}

static void push_client(const struct wire_client_message *message)
{
	const struct dp_ring_header header = { .kind = DP_NET_CLIENT_MESSAGE,
					       .aux = 9,
					       .aux_high = 321 };
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(message, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0 && dp_ring_push(io.clients, &header, bytes, (uint32_t)count));
}

static void push_submit(const struct wire_world_frame *frame)
{
	push_client(&(struct wire_client_message){
		.kind = WIRE_CLIENT_SUBMIT,
		.u.submit = { .frame = frame->bytes, .frame_bytes = frame->count } });
}

static uint64_t dropped(enum replica_gate_drop reason)
{
	node_tile_verify.on_housekeeping(tile, 5);
	return ctl_word_load(&io.drops->word[reason]);
}

static void a_good_frame_goes_on_with_its_stamp_and_its_sender_is_subscribed(void)
{
	const struct dp_ring_header *header;
	struct wire_world_frame frame;
	const uint8_t *bytes;

	begin();
	wire_world_frames(&world, 1, 1, 3, &frame);
	push_submit(&frame);
	UNIT_EQUAL(node_tile_verify.on_turn(tile, 1), 1);
	UNIT_REQUIRE((bytes = dp_ring_peek(io.ret_data, &header)) != NULL);
	UNIT_EQUAL(header->kind, NODE_MESSAGE_VERIFIED_FRAME);
	UNIT_EQUAL(header->aux, 9);
	UNIT_EQUAL(header->aux_high, 321);
	UNIT_REQUIRE(header->bytes == sizeof(struct replica_stamp) + frame.count);
	UNIT_CHECK(memcmp(bytes + sizeof(struct replica_stamp), frame.bytes, frame.count) == 0);
	UNIT_REQUIRE(dp_ring_peek(io.answer.net, &header) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_SUBSCRIBE);
	dp_ring_release(io.answer.net);
	UNIT_REQUIRE(dp_ring_peek(io.answer.net, &header) != NULL);
	UNIT_EQUAL(header->kind, DP_NET_CHARGE);
	end();
}

static void a_forged_frame_is_refused_counted_and_never_passed_on(void)
{
	struct wire_client_message message;
	const struct dp_ring_header *header;
	struct wire_world_frame frame;
	const uint8_t *bytes;

	begin();
	wire_world_frames(&world, 1, 1, 3, &frame);
	frame.bytes[frame.count - 1] ^= 1;
	push_local(&frame);
	UNIT_EQUAL(node_tile_verify.on_turn(tile, 1), 1);
	UNIT_EQUAL(fixture_ring_drain(io.ret_data), 0);
	UNIT_REQUIRE((bytes = dp_ring_peek(io.answer.local, &header)) != NULL);
	UNIT_EQUAL(header->aux, NODE_ORIGIN_LOCAL | 4);
	UNIT_REQUIRE(wire_client_decode(bytes, header->bytes, &message) == 0);
	UNIT_EQUAL(message.kind, WIRE_CLIENT_REFUSAL);
	UNIT_EQUAL((uint32_t)message.u.refusal.reason, (uint32_t)ERR_SIGNATURE);
	UNIT_EQUAL(message.u.refusal.first_seq, 1);
	UNIT_EQUAL(dropped(REPLICA_GATE_DROP_BAD_SIGNATURE), 1);
	end();
}

static void an_expired_frame_is_refused_by_the_published_height(void)
{
	struct wire_world_frame frame;

	begin();
	wire_world_frames(&world, 1, 1, 1, &frame);
	height = 1000;
	push_local(&frame);
	node_tile_verify.on_turn(tile, 1);
	UNIT_EQUAL(fixture_ring_drain(io.ret_data), 0);
	UNIT_EQUAL(dropped(REPLICA_GATE_DROP_EXPIRED), 1);
	end();
}

static void a_full_ring_to_the_replica_stops_the_taking_of_data_but_not_of_consensus(void)
{
	const struct dp_ring_header up = { .kind = DP_NET_PEER_UP, .source = 2 };
	const struct dp_ring_header *header;
	struct wire_world_frame frame;

	begin();
	fixture_ring_fill(io.ret_data);
	wire_world_frames(&world, 1, 1, 1, &frame);
	push_submit(&frame);
	push_local(&frame);
	UNIT_REQUIRE(dp_ring_push(io.core, &up, NULL, 0));
	UNIT_EQUAL(node_tile_verify.on_turn(tile, 1), 1);
	UNIT_REQUIRE(dp_ring_peek(io.ret_core, &header) != NULL);
	UNIT_EQUAL(header->kind, NODE_MESSAGE_PEER_UP);
	UNIT_EQUAL(header->source, 2);
	fixture_ring_drain(io.ret_data);
	UNIT_EQUAL(node_tile_verify.on_turn(tile, 1), 2);
	UNIT_EQUAL(fixture_ring_drain(io.ret_data), 2);
	end();
}

static void a_peers_vote_goes_on_and_a_forged_one_is_counted(void)
{
	const struct dp_ring_header header = { .kind = DP_NET_PEER_MESSAGE,
					       .source = 1,
					       .aux = 44 };
	struct wire_message message = { .kind = WIRE_VOTE, .epoch = world.validators.epoch };
	const struct dp_ring_header *out;
	uint8_t bytes[WIRE_MESSAGE_BYTES_MAX];
	int count;

	begin();
	message.epoch = world.validators.epoch;
	message.u.core.kind = HS_MESSAGE_VOTE;
	message.u.core.u.vote.view = 3;
	message.u.core.u.vote.block_id = (struct crypto_hash){ { 8 } };
	wire_world_sign(&world, HS_MESSAGE_VOTE, 1, 3, &message.u.core.u.vote.block_id, 0,
			&message.u.core.u.vote.signature);
	count = wire_encode(&message, bytes, sizeof(bytes));
	UNIT_REQUIRE(count > 0 && dp_ring_push(io.core, &header, bytes, (uint32_t)count));
	node_tile_verify.on_turn(tile, 1);
	UNIT_REQUIRE(dp_ring_peek(io.ret_core, &out) != NULL);
	UNIT_EQUAL(out->kind, NODE_MESSAGE_VERIFIED_PEER);
	UNIT_EQUAL(out->source, 1);
	UNIT_EQUAL(out->aux, 44);
	dp_ring_release(io.ret_core);
	bytes[count - 1] ^= 1;
	UNIT_REQUIRE(dp_ring_push(io.core, &header, bytes, (uint32_t)count));
	node_tile_verify.on_turn(tile, 1);
	UNIT_EQUAL(fixture_ring_drain(io.ret_core), 0);
	UNIT_EQUAL(dropped(REPLICA_GATE_DROP_BAD_SIGNATURE), 1);
	end();
}

static void what_is_no_client_message_is_counted_as_malformed(void)
{
	const struct dp_ring_header header = { .kind = DP_NET_CLIENT_MESSAGE, .aux = 9 };

	begin();
	UNIT_REQUIRE(dp_ring_push(io.clients, &header, "nonsense", 8));
	push_client(&(struct wire_client_message){ .kind = WIRE_CLIENT_STATUS });
	node_tile_verify.on_turn(tile, 1);
	UNIT_EQUAL(dropped(REPLICA_GATE_DROP_MALFORMED), 2);
	UNIT_EQUAL(fixture_ring_drain(io.answer.net), 0);
	end();
}

static void commits_are_told_good_from_bad(void)
{
	static struct node_commits commits;
	const struct dp_ring_header header = { .kind = NODE_MESSAGE_COMMITS, .aux = 6 };
	const struct dp_ring_header *out;
	struct node_commits_checked checked;
	const uint8_t *bytes;

	begin();
	memset(&commits, 0, sizeof(commits));
	commits.block_id = (struct crypto_hash){ { 3 } };
	commits.count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		commits.commit[i].author = i;
		commits.commit[i].epoch = world.validators.epoch;
		commits.commit[i].view = 6;
		commits.commit[i].block_id = commits.block_id;
		wire_world_sign(&world, HS_MESSAGE_COMMIT, i, 6, &commits.block_id, 0,
				&commits.commit[i].signature);
	}
	commits.commit[1].signature.b[5] ^= 1;
	UNIT_REQUIRE(dp_ring_push(io.asked, &header, &commits, sizeof(commits)));
	node_tile_verify.on_turn(tile, 1);
	UNIT_REQUIRE((bytes = dp_ring_peek(io.ret_core, &out)) != NULL);
	UNIT_EQUAL(out->kind, NODE_MESSAGE_COMMITS_CHECKED);
	UNIT_EQUAL(out->aux, 6);
	memcpy(&checked, bytes, sizeof(checked));
	UNIT_CHECK(bitset_has(&checked.good, 0) && !bitset_has(&checked.good, 1));
	UNIT_CHECK(bitset_has(&checked.bad, 1) && !bitset_has(&checked.bad, 0));
	end();
}

UNIT_SUITE("node_tile_verify",
	   UNIT_TEST(a_good_frame_goes_on_with_its_stamp_and_its_sender_is_subscribed),
	   UNIT_TEST(a_forged_frame_is_refused_counted_and_never_passed_on),
	   UNIT_TEST(an_expired_frame_is_refused_by_the_published_height),
	   UNIT_TEST(a_full_ring_to_the_replica_stops_the_taking_of_data_but_not_of_consensus),
	   UNIT_TEST(a_peers_vote_goes_on_and_a_forged_one_is_counted),
	   UNIT_TEST(what_is_no_client_message_is_counted_as_malformed),
	   UNIT_TEST(commits_are_told_good_from_bad))
