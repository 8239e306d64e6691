#include <string.h>

#include "storage/blocklog_dev_file.h"
#include "tests/lib/unit_main.h"
#include "tests/unit/storage/dev_conformance.h"

static const bool avoid_uring = true;

static void a_created_file_holds_zeros_and_has_its_full_size(void)
{
	conformance_creates_zeros_of_full_size(avoid_uring);
}

static void a_file_is_created_once(void)
{
	conformance_creates_a_file_once(avoid_uring);
}

static void what_was_written_is_read(void)
{
	conformance_reads_what_was_written(avoid_uring);
}

static void what_is_not_there_is_reported(void)
{
	conformance_reports_what_is_not_there(avoid_uring);
}

static void a_removed_file_is_gone(void)
{
	conformance_removes(avoid_uring);
}

static void segments_are_counted_and_a_gap_is_damage(void)
{
	conformance_counts_segments(avoid_uring);
}

static void many_operations_run_at_once_and_each_completes_once(void)
{
	conformance_serves_many_operations_at_once(avoid_uring);
}

static void completions_ring_the_event_descriptor(void)
{
	conformance_rings_its_bell(avoid_uring);
}

static void a_store_lives_on_it(void)
{
	conformance_carries_a_store(avoid_uring);
}

static void the_description_says_what_it_is(void)
{
	struct conformance c;
	const struct blocklog_dev_info *info;

	conformance_start(&c, avoid_uring);
	info = blocklog_dev_info(c.dev);
	UNIT_CHECK(strcmp(info->kind, "file") == 0);
	UNIT_CHECK(strstr(info->description, "O_DIRECT") != NULL);
	UNIT_EQUAL(info->is_fallback, avoid_uring);
	UNIT_CHECK(strstr(info->description, avoid_uring ? "pwritev2" : "io_uring") != NULL);
	conformance_end(&c);
}

UNIT_SUITE("blocklog_dev_pwrite", UNIT_TEST(a_created_file_holds_zeros_and_has_its_full_size),
	   UNIT_TEST(a_file_is_created_once), UNIT_TEST(what_was_written_is_read),
	   UNIT_TEST(what_is_not_there_is_reported), UNIT_TEST(a_removed_file_is_gone),
	   UNIT_TEST(segments_are_counted_and_a_gap_is_damage),
	   UNIT_TEST(many_operations_run_at_once_and_each_completes_once),
	   UNIT_TEST(completions_ring_the_event_descriptor), UNIT_TEST(a_store_lives_on_it),
	   UNIT_TEST(the_description_says_what_it_is))
