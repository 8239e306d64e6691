#include "consensus/hs_trace.h"

#include <string.h>

#include "tests/lib/hs_make.h"
#include "tests/lib/unit_main.h"

static char line[HS_TRACE_LINE_MAX];

static void an_input_is_one_line_of_what_decides(void)
{
	struct hs_config config = hs_make_config(4, 1);
	struct crypto_hash id = { .b = { 0x5b, 0xe0, 0x1c, 0x77 } };
	struct hs_vote vote = hs_make_vote(&config, 2, 3, &id);
	struct hs_input input = { .kind = HS_INPUT_VOTE, .from = 2, .u.vote = &vote };
	size_t count = hs_trace_input(&input, line, sizeof(line));

	UNIT_CHECK(strcmp(line, "> vote from=2 author=2 view=3 block=5be01c77") == 0);
	UNIT_EQUAL(count, strlen(line));
}

static void an_effect_is_one_line_of_what_decides(void)
{
	struct hs_message message = { .kind = HS_MESSAGE_VOTE,
				      .u.vote = { .view = 18446744073709551615u } };
	struct hs_effect effect = { .kind = HS_EFFECT_SEND,
				    .to = HS_REPLICA_ALL,
				    .u.message = &message };

	hs_trace_effect(&effect, line, sizeof(line));
	UNIT_CHECK(strcmp(line, "< send all vote view=18446744073709551615 block=00000000") == 0);
	effect = (struct hs_effect){ .kind = HS_EFFECT_DROPPED, .u.drop = HS_DROP_VIEW_OLD };
	hs_trace_effect(&effect, line, sizeof(line));
	UNIT_CHECK(strcmp(line, "< dropped VIEW_OLD") == 0);
}

static void every_kind_has_a_line_that_fits(void)
{
	static struct hs_block block;
	static struct hs_timeout timeout;
	static struct hs_record record;
	struct hs_start start = { .record = &record };
	struct hs_input input = { .kind = HS_INPUT_START, .from = 1, .u.start = &start };

	memset(&record, 0xff, sizeof(record));
	record.epoch = 1;
	UNIT_CHECK(hs_trace_input(&input, line, sizeof(line)) < sizeof(line) - 1);
	memset(&block.header, 0xff, sizeof(block.header));
	block.has_tc = true;
	input.kind = HS_INPUT_PROPOSE;
	input.u.block = &block;
	UNIT_CHECK(hs_trace_input(&input, line, sizeof(line)) < sizeof(line) - 1);
	timeout.entry.kind = HS_ENTRY_TC;
	input.kind = HS_INPUT_TIMEOUT;
	input.u.timeout = &timeout;
	UNIT_CHECK(hs_trace_input(&input, line, sizeof(line)) < sizeof(line) - 1);
	UNIT_CHECK(strstr(line, "entry=tc0") != NULL);
}

static void a_line_is_cut_at_the_room(void)
{
	struct hs_input input = { .kind = HS_INPUT_TICK, .from = HS_REPLICA_NONE };
	char small[5] = "xxxx";

	UNIT_EQUAL(hs_trace_input(&input, small, sizeof(small)), 4);
	UNIT_CHECK(strcmp(small, "> ti") == 0);
}

static void every_drop_has_a_name_and_a_text(void)
{
	for (uint32_t i = 0; i < HS_DROP_COUNT; i++) {
		UNIT_CHECK(strlen(hs_drop_name((enum hs_drop)i)) > 0);
		UNIT_CHECK(strlen(hs_drop_text((enum hs_drop)i)) > 0);
	}
	UNIT_CHECK(strcmp(hs_drop_name(HS_DROP_OBSERVER), "OBSERVER") == 0);
}

/* Kinds that do not exist, as zeroed or damaged memory holds them. */
static void an_unknown_kind_says_no_more_than_it_knows(void)
{
	struct hs_message message = { .kind = 0 };
	struct hs_effect effect = { .kind = HS_EFFECT_SEND, .to = 2, .u.message = &message };

	hs_trace_effect(&effect, line, sizeof(line));
	UNIT_CHECK(strcmp(line, "< send 2") == 0);
	effect.kind = (enum hs_effect_kind)(HS_EFFECT_OBSERVER + 1);
	UNIT_EQUAL(hs_trace_effect(&effect, line, sizeof(line)), 2);
	UNIT_CHECK(strcmp(line, "< ") == 0);
}

UNIT_SUITE("hs_trace", UNIT_TEST(an_input_is_one_line_of_what_decides),
	   UNIT_TEST(an_effect_is_one_line_of_what_decides),
	   UNIT_TEST(every_kind_has_a_line_that_fits), UNIT_TEST(a_line_is_cut_at_the_room),
	   UNIT_TEST(every_drop_has_a_name_and_a_text),
	   UNIT_TEST(an_unknown_kind_says_no_more_than_it_knows))
