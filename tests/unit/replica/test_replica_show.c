/* Rule R's proof of rollback, and evidence: replica_show.c. Replica 1 of 4. */

#include "tests/lib/replica_bench.h"
#include "tests/lib/unit_main.h"

static struct replica_bench *bench;
static struct wire_message message;

static void set_up(void)
{
	bench = replica_bench_new(4, 1);
	memset(&message, 0, sizeof(message));
}

static bool is_observer(void)
{
	struct replica_status status;

	replica_status(bench->replica, &status);
	return status.view.is_observer;
}

static void fill_vote(uint32_t author, uint64_t view, uint8_t id)
{
	struct hs_vote *vote = &message.u.core.u.vote;

	memset(&message, 0, sizeof(message));
	message.kind = WIRE_VOTE;
	message.u.core.kind = HS_MESSAGE_VOTE;
	vote->author = author;
	vote->view = view;
	memset(vote->block_id.b, id, sizeof(vote->block_id.b));
	wire_world_sign(&bench->world, HS_MESSAGE_VOTE, author, view, &vote->block_id, 0,
			&vote->signature);
}

static void fill_show(uint64_t view)
{
	struct hs_statement *statement = &message.u.show.statement;

	memset(&message, 0, sizeof(message));
	message.kind = WIRE_SHOW;
	statement->kind = HS_MESSAGE_VOTE;
	statement->view = view;
	wire_world_sign(&bench->world, HS_MESSAGE_VOTE, 1, view, &statement->block_id, 0,
			&statement->signature);
}

static void peer_up(uint32_t peer)
{
	struct replica_input input = { .kind = REPLICA_INPUT_PEER_UP };

	input.u.peer = peer;
	replica_bench_step(bench, &input);
}

static void a_statement_above_our_record_makes_us_observe(void)
{
	set_up();
	fill_show(40);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	UNIT_CHECK(is_observer());
	UNIT_EQUAL(bench->alarm[REPLICA_ALARM_ROLLED_BACK], 1);
	UNIT_EQUAL(replica_bench_hear(bench, 3, &message), 0);
	UNIT_EQUAL(bench->alarm[REPLICA_ALARM_ROLLED_BACK], 1);
	replica_bench_free(bench);
}

static void a_statement_our_record_knows_changes_nothing(void)
{
	set_up();
	fill_show(0);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	UNIT_CHECK(!is_observer());
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_SHOW_FOREIGN], 1);
	replica_bench_free(bench);
}

static void the_highest_statement_of_a_peer_is_shown_when_it_comes_up(void)
{
	static struct wire_message said;

	set_up();
	peer_up(2);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_SHOW, NULL), 0);
	fill_vote(2, 7, 1);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	fill_vote(2, 5, 1);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	peer_up(2);
	UNIT_REQUIRE(replica_bench_said(bench, WIRE_SHOW, &said) == 1);
	UNIT_EQUAL(said.u.show.statement.view, 7);
	UNIT_EQUAL(said.u.show.statement.kind, HS_MESSAGE_VOTE);
	peer_up(3);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_SHOW, NULL), 1);
	replica_bench_free(bench);
}

static void two_votes_of_one_view_become_evidence_once(void)
{
	set_up();
	fill_vote(2, 3, 1);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	fill_vote(2, 3, 9);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE), 1);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_EVIDENCE, &message), 1);
	UNIT_EQUAL(bench->alarm[REPLICA_ALARM_EVIDENCE], 1);
	UNIT_EQUAL(message.u.evidence.core.author, 2);
	UNIT_EQUAL(replica_bench_hear(bench, 3, &message), 0);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_EVIDENCE, NULL), 1);
	UNIT_EQUAL(bench->dropped[REPLICA_DROP_REPLICA][REPLICA_DROP_EVIDENCE_KNOWN], 1);
	replica_bench_free(bench);
}

static void evidence_is_known_after_a_restart(void)
{
	set_up();
	fill_vote(2, 3, 1);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	fill_vote(2, 3, 9);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	UNIT_EQUAL(replica_bench_said(bench, WIRE_EVIDENCE, &message), 1);
	UNIT_REQUIRE(replica_bench_restart(bench) == 0);
	UNIT_EQUAL(replica_bench_hear(bench, 3, &message), 0);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE), 1);
	replica_bench_free(bench);
}

static void seal_header(struct lane_header *header)
{
	uint8_t covered[CRYPTO_SIGNED_BYTES_MAX];
	uint32_t count;

	header->digest = wire_batch_digest(&bench->world.validators.chain_id, header);
	count = wire_batch_signed_bytes(&bench->world.validators.chain_id,
					bench->world.validators.epoch,
					&bench->world.validators.set_hash, &header->digest,
					covered);
	crypto_sign_message(&bench->world.key[header->lane], covered, count, &header->signature);
}

static void a_bad_frame_is_believed_of_nobody_on_a_peers_word(void)
{
	struct lane_header *header = &message.u.evidence.lane.first;

	set_up();
	message.kind = WIRE_EVIDENCE;
	message.u.evidence.is_lane = true;
	message.u.evidence.lane.has_bad_frame = true;
	*header = (struct lane_header){ .lane = 3, .seq = 1, .frame_count = 1, .frame_bytes = 200 };
	seal_header(header);
	UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	UNIT_EQUAL(bench->alarm[REPLICA_ALARM_EVIDENCE], 0);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE), 0);
	replica_bench_free(bench);
}

/* Two batches of one number of a lane. */
static void fill_fork(uint32_t lane, uint64_t seq)
{
	struct lane_evidence *fork = &message.u.evidence.lane;

	memset(&message, 0, sizeof(message));
	message.kind = WIRE_EVIDENCE;
	message.u.evidence.is_lane = true;
	fork->first = (struct lane_header){
		.lane = lane, .seq = seq, .frame_count = 1, .frame_bytes = 200
	};
	fork->second = fork->first;
	fork->second.frame_bytes = 300;
	seal_header(&fork->first);
	seal_header(&fork->second);
}

static void two_votes(uint32_t author)
{
	fill_vote(author, 3, 1);
	UNIT_EQUAL(replica_bench_hear(bench, author, &message), 0);
	fill_vote(author, 3, 9);
	UNIT_EQUAL(replica_bench_hear(bench, author, &message), 0);
}

static void a_member_that_forks_without_end_hides_nobody_and_nothing_else(void)
{
	uint32_t kept;

	set_up();
	for (uint64_t seq = 1; seq <= 300; seq++) {
		fill_fork(3, seq);
		UNIT_EQUAL(replica_bench_hear(bench, 2, &message), 0);
	}
	kept = replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE);
	UNIT_CHECK(kept >= 1 && kept < 30);
	two_votes(2);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE), kept + 1);
	two_votes(3);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE), kept + 2);
	fill_fork(2, 1);
	UNIT_EQUAL(replica_bench_hear(bench, 3, &message), 0);
	UNIT_EQUAL(replica_bench_records(bench, BLOCKLOG_BLOCK, REPLICA_RECORD_EVIDENCE), kept + 3);
	replica_bench_free(bench);
}

UNIT_SUITE("replica_show", UNIT_TEST(a_statement_above_our_record_makes_us_observe),
	   UNIT_TEST(a_statement_our_record_knows_changes_nothing),
	   UNIT_TEST(the_highest_statement_of_a_peer_is_shown_when_it_comes_up),
	   UNIT_TEST(two_votes_of_one_view_become_evidence_once),
	   UNIT_TEST(evidence_is_known_after_a_restart),
	   UNIT_TEST(a_bad_frame_is_believed_of_nobody_on_a_peers_word),
	   UNIT_TEST(a_member_that_forks_without_end_hides_nobody_and_nothing_else))
