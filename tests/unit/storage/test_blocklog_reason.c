#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/store_fixture.h"

static void every_reason_is_one_line_with_a_remedy(void)
{
	static const int codes[] = { ERR_MEMORY, ERR_DUPLICATE, ERR_NOT_FOUND, ERR_NEWER,
				     ERR_CONFIG, ERR_FOREIGN,   ERR_CORRUPT,   -ENOSPC };
	struct fixture f;

	fixture_start(&f, 1);
	for (uint32_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		char text[BLOCKLOG_REASON_BYTES];

		blocklog_store_reason(f.memory, codes[i], text, sizeof(text));
		UNIT_CHECK(strlen(text) > 20 && strlen(text) < sizeof(text) - 1);
		UNIT_CHECK(strchr(text, '\n') == NULL);
		UNIT_CHECK(strchr(text, ':') != NULL);
	}
	fixture_end(&f);
}

static void a_foreign_store_is_refused_with_both_names(void)
{
	struct fixture f;
	char text[BLOCKLOG_REASON_BYTES];

	fixture_start(&f, 1);
	f.config.identity.node_id = 4294967295;
	UNIT_EQUAL(fixture_open(&f), ERR_FOREIGN);
	blocklog_store_reason(f.memory, ERR_FOREIGN, text, sizeof(text));
	UNIT_CHECK(strstr(text, "node 7 of chain 01020300") != NULL);
	UNIT_CHECK(strstr(text, "node 4294967295 of chain 01020300") != NULL);
	fixture_end(&f);
}

static void damage_is_named_by_log_and_position(void)
{
	struct fixture f;
	char text[BLOCKLOG_REASON_BYTES];

	fixture_start(&f, 1);
	fixture_fill(&f, BLOCKLOG_BLOCK, 4);
	sim_disk_flip(f.disk, BLOCKLOG_AREA_BLOCK, 0, f.position[0] + 1, 1);
	UNIT_EQUAL(fixture_open(&f), ERR_CORRUPT);
	blocklog_store_reason(f.memory, ERR_CORRUPT, text, sizeof(text));
	UNIT_CHECK(strstr(text, "block log is damaged at position 4096 ") != NULL);
	fixture_end(&f);
}

static void a_short_buffer_is_not_overrun(void)
{
	struct fixture f;
	char text[20];

	fixture_start(&f, 1);
	memset(text, 'x', sizeof(text));
	blocklog_store_reason(f.memory, ERR_FOREIGN, text, 10);
	UNIT_EQUAL(strlen(text), 9);
	UNIT_EQUAL(text[10], 'x');
	fixture_end(&f);
}

UNIT_SUITE("blocklog_reason", UNIT_TEST(every_reason_is_one_line_with_a_remedy),
	   UNIT_TEST(a_foreign_store_is_refused_with_both_names),
	   UNIT_TEST(damage_is_named_by_log_and_position), UNIT_TEST(a_short_buffer_is_not_overrun))
