#define _GNU_SOURCE
#include "ctl/ctl_status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "tests/lib/unit_main.h"

static struct ctl_status_slot slot;
static struct ctl_status status;
static atomic_bool is_over;

static void nothing_is_read_before_the_first_publication(void)
{
	struct ctl_status_slot empty = { 0 };

	UNIT_EQUAL((uint32_t)-ctl_status_read(&empty, &status), (uint32_t)-ERR_NOT_FOUND);
}

static void what_was_published_is_read_whole(void)
{
	static struct ctl_status copy;

	memset(&slot, 0, sizeof(slot));
	memset(&status, 0, sizeof(status));
	status.committed_height = 41;
	status.port[CTL_PORTS_MAX - 1].frames_missed = 7;
	ctl_status_publish(&slot, &status);
	UNIT_EQUAL(ctl_status_read(&slot, &copy), 0);
	UNIT_CHECK(memcmp(&copy, &status, sizeof(copy)) == 0);
}

static void a_writer_that_died_in_the_middle_is_reported(void)
{
	static struct ctl_status copy;

	memset(&slot, 0, sizeof(slot));
	ctl_status_publish(&slot, &status);
	slot.sequence++;
	copy.view = 99;
	UNIT_EQUAL((uint32_t)-ctl_status_read(&slot, &copy), (uint32_t)-ERR_BUSY);
	UNIT_EQUAL(copy.view, 99);
}

static void *finish_writing_late(void *unused)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	nanosleep(&pause, NULL);
	__atomic_add_fetch(&slot.sequence, 1, __ATOMIC_RELEASE);
	return unused;
}

static void a_writer_without_a_core_is_waited_for(void)
{
	static struct ctl_status copy;
	pthread_t writer;

	memset(&slot, 0, sizeof(slot));
	status.view = 12;
	ctl_status_publish(&slot, &status);
	slot.sequence++;
	UNIT_REQUIRE(pthread_create(&writer, NULL, finish_writing_late, NULL) == 0);
	UNIT_EQUAL(ctl_status_read(&slot, &copy), 0);
	UNIT_EQUAL(copy.view, 12);
	pthread_join(writer, NULL);
}

/* Publishes statuses of which every 8-byte word holds the same number. */
static void *publish_for_ever(void *unused)
{
	static uint64_t words[sizeof(struct ctl_status) / 8];
	static struct ctl_status filled;

	const struct timespec pause = { .tv_nsec = 20000 };

	for (uint64_t n = 1; !is_over; n++) {
		nanosleep(&pause, NULL);
		for (size_t i = 0; i < sizeof(words) / 8; i++)
			words[i] = n;
		memcpy(&filled, words, sizeof(filled));
		ctl_status_publish(&slot, &filled);
	}
	return unused;
}

static void a_copy_never_mixes_two_publications(void)
{
	static struct ctl_status copy;
	static uint64_t words[sizeof(struct ctl_status) / 8];
	uint32_t good = 0;
	pthread_t writer;

	memset(&slot, 0, sizeof(slot));
	memset(&status, 0, sizeof(status));
	ctl_status_publish(&slot, &status);
	is_over = false;
	UNIT_REQUIRE(pthread_create(&writer, NULL, publish_for_ever, NULL) == 0);
	for (uint32_t tries = 0; good < 200 && tries < 2000; tries++) {
		if (ctl_status_read(&slot, &copy) != 0)
			continue;
		good++;
		memcpy(words, &copy, sizeof(copy));
		for (size_t i = 1; i < sizeof(words) / 8; i++)
			if (words[i] != words[0]) {
				UNIT_CHECK(words[i] == words[0]);
				break;
			}
	}
	is_over = true;
	pthread_join(writer, NULL);
	UNIT_CHECK(good > 0);
}

UNIT_SUITE("ctl_status", UNIT_TEST(nothing_is_read_before_the_first_publication),
	   UNIT_TEST(what_was_published_is_read_whole),
	   UNIT_TEST(a_writer_that_died_in_the_middle_is_reported),
	   UNIT_TEST(a_writer_without_a_core_is_waited_for),
	   UNIT_TEST(a_copy_never_mixes_two_publications))
