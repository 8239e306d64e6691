/*
 * store_worker: writes to a store and says what is durable, until it is killed.
 *
 *     store_worker write DIR [fallback]   prints "LOG TICKET" for every done ticket
 *     store_worker check DIR FILE         every line of FILE is there, and all bytes are right
 *     store_worker fill DIR               appends until the disk is full; prints what is done
 *
 * The record of a ticket follows from log and ticket. Exit 0 right, 1 wrong, 77 no O_DIRECT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/prng.h"
#include "storage/blocklog_dev_file.h"
#include "storage/blocklog_store.h"

enum { RECORD_MAX = 20000, LOANS = 8, LOAN_BYTES = RECORD_MAX + 3 * BLOCKLOG_PAGE_BYTES };

static const struct blocklog_config config = {
	.identity = { .node_id = 1 },
	.segment_bytes = 1 << 20,
	.group_bytes_max = 1 << 17,
	.segments_max = 1000,
	.salt = { 1, 2, 3 },
};

struct worker {
	struct blocklog_dev *dev;
	struct blocklog_store *store;
	void *memory;
	size_t memory_bytes;
	uint8_t *loans;
	uint64_t next[BLOCKLOG_LOG_COUNT];
	uint64_t under_way;
	bool says;
};

_Noreturn static void fail(const char *what, int code)
{
	(void)fprintf(stderr, "store_worker: %s: %s\n", what, err_text(code));
	exit(1);
}

static size_t record_of(enum blocklog_log log, uint64_t ticket, uint8_t *ret_bytes)
{
	struct prng prng;
	size_t max = log == BLOCKLOG_SAFETY ? 3000 : log == BLOCKLOG_LANE ? RECORD_MAX : 900;
	size_t count;

	prng_seed(&prng, ticket * 3 + (uint64_t)log);
	count = 8 + (size_t)prng_below(&prng, max - 8);
	prng_fill(&prng, ret_bytes, count);
	memcpy(ret_bytes, &ticket, sizeof(ticket));
	return count;
}

static bool is_record_of(enum blocklog_log log, uint64_t ticket, const void *bytes, size_t count)
{
	static uint8_t right[RECORD_MAX];

	return record_of(log, ticket, right) == count && memcmp(right, bytes, count) == 0;
}

static int count_record(void *context, uint16_t kind, uint64_t position, const void *bytes,
			size_t count)
{
	uint64_t *next = context;

	(void)position;
	if (!is_record_of((enum blocklog_log)kind, *next, bytes, count))
		return ERR_CORRUPT;
	(*next)++;
	return 0;
}

static void worker_open(struct worker *worker, const char *directory, bool avoid_uring)
{
	struct blocklog_dev_file_options options = { .directory = directory,
						     .make_directory = true,
						     .avoid_uring = avoid_uring };
	char reason[BLOCKLOG_REASON_BYTES];
	const void *bytes;
	size_t count;
	int code = blocklog_dev_file_open(&options, &worker->dev, reason, sizeof(reason));

	if (code != 0) {
		(void)fprintf(stderr, "store_worker: %s\n", reason);
		exit(code == ERR_UNSUPPORTED ? 77 : 1);
	}
	worker->memory_bytes = blocklog_store_footprint(&config);
	worker->memory = malloc(worker->memory_bytes);
	worker->loans = aligned_alloc(BLOCKLOG_PAGE_BYTES,
				      (size_t)LOANS * (LOAN_BYTES / BLOCKLOG_PAGE_BYTES + 1) *
					      BLOCKLOG_PAGE_BYTES);
	code = blocklog_store_open(worker->dev, &config, worker->memory, worker->memory_bytes,
				   &worker->store);
	if (code == ERR_NOT_FOUND) {
		code = blocklog_store_format(worker->dev, &config, &(uint64_t){ 0 }, 8,
					     worker->memory, worker->memory_bytes);
		if (code == 0)
			code = blocklog_store_open(worker->dev, &config, worker->memory,
						   worker->memory_bytes, &worker->store);
	}
	if (code != 0) {
		blocklog_store_reason(worker->memory, code, reason, sizeof(reason));
		(void)fprintf(stderr, "store_worker: %s\n", reason);
		exit(1);
	}
	for (enum blocklog_log log = BLOCKLOG_LANE; log <= BLOCKLOG_BLOCK; log++) {
		code = blocklog_store_scan(worker->store, log, 0, count_record, &worker->next[log]);
		if (code != 0)
			fail("scan", code);
	}
	code = blocklog_store_safety(worker->store, &bytes, &count);
	if (code != 0)
		fail("safety record", code);
	memcpy(&worker->next[BLOCKLOG_SAFETY], bytes, sizeof(uint64_t));
	if (worker->next[BLOCKLOG_SAFETY] != 0 &&
	    !is_record_of(BLOCKLOG_SAFETY, worker->next[BLOCKLOG_SAFETY], bytes, count))
		fail("safety record", ERR_CORRUPT);
	worker->next[BLOCKLOG_SAFETY]++;
}

static void worker_close(struct worker *worker)
{
	blocklog_store_close(worker->store);
	blocklog_dev_file_close(worker->dev);
	free(worker->memory);
	free(worker->loans);
}

static void worker_turn(struct worker *worker)
{
	struct pollfd bell = { .fd = blocklog_dev_event_fd(worker->dev), .events = POLLIN };
	struct blocklog_done done[64];
	uint32_t count = blocklog_store_turn(worker->store, done, 64);
	uint64_t rings;

	for (uint32_t i = 0; i < count; i++) {
		char line[40];
		int bytes = snprintf(line, sizeof(line), "%d %llu\n", (int)done[i].log,
				     (unsigned long long)done[i].ticket);

		if (done[i].code != 0)
			fail("append", done[i].code);
		if (worker->says && write(STDOUT_FILENO, line, (size_t)bytes) != bytes)
			exit(1);
	}
	worker->under_way -= count;
	if (count == 0 && poll(&bell, 1, 1) == 1)
		(void)!read(bell.fd, &rings, sizeof(rings));
}

static bool worker_append(struct worker *worker, enum blocklog_log log)
{
	static uint8_t copied[RECORD_MAX];
	uint64_t ticket = worker->next[log];
	uint8_t *lent = worker->loans + BLOCKLOG_PAGE_BYTES +
			ticket % LOANS * (LOAN_BYTES / BLOCKLOG_PAGE_BYTES * BLOCKLOG_PAGE_BYTES);
	bool lends = log == BLOCKLOG_LANE && ticket % 3 == 0 && worker->under_way == 0;
	uint64_t position;
	int code;

	if (lends)
		code = blocklog_store_append_borrowed(worker->store, log, (uint16_t)log, lent,
						      record_of(log, ticket, lent), ticket,
						      &position);
	else
		code = blocklog_store_append(worker->store, log, (uint16_t)log, copied,
					     record_of(log, ticket, copied), ticket, &position);
	if (code == ERR_FULL)
		return false;
	if (code != 0)
		fail("append", code);
	worker->next[log]++;
	worker->under_way++;
	return true;
}

_Noreturn static void run_write(struct worker *worker)
{
	for (uint64_t round = 0;; round++) {
		(void)worker_append(worker, BLOCKLOG_LANE);
		if (round % 3 == 0)
			(void)worker_append(worker, BLOCKLOG_BLOCK);
		(void)worker_append(worker, BLOCKLOG_SAFETY);
		worker_turn(worker);
	}
}

static int run_check(struct worker *worker, const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t lines = 0;
	unsigned long long ticket;
	int log;

	if (!file)
		fail(path, -errno);
	while (fscanf(file, "%d %llu\n", &log, &ticket) == 2) {
		lines++;
		if (log < 0 || log >= BLOCKLOG_LOG_COUNT || ticket >= worker->next[log]) {
			(void)fprintf(stderr, "store_worker: lost: log %d ticket %llu\n", log,
				      ticket);
			return 1;
		}
	}
	(void)fclose(file);
	(void)printf("%llu acknowledged, %llu lane and %llu block records\n",
		     (unsigned long long)lines, (unsigned long long)worker->next[BLOCKLOG_LANE],
		     (unsigned long long)worker->next[BLOCKLOG_BLOCK]);
	return 0;
}

/* Fills the disk; then the condition is ENOSPC, the safety log still works, and reads do. */
static int run_fill(struct worker *worker)
{
	static uint8_t buffer[RECORD_MAX];
	uint64_t position;
	uint64_t safety_end;

	for (uint32_t i = 0; i < 1000000 && blocklog_store_condition(worker->store) == 0; i++) {
		(void)worker_append(worker, BLOCKLOG_LANE);
		worker_turn(worker);
	}
	if (blocklog_store_condition(worker->store) != -ENOSPC)
		fail("condition", blocklog_store_condition(worker->store));
	for (uint32_t i = 0; i < 5000; i++)
		(void)blocklog_store_turn(worker->store, NULL, 0);
	safety_end = blocklog_store_durable_end(worker->store, BLOCKLOG_SAFETY);
	if (blocklog_store_append(worker->store, BLOCKLOG_SAFETY, 0, buffer,
				  record_of(BLOCKLOG_SAFETY, worker->next[BLOCKLOG_SAFETY], buffer),
				  worker->next[BLOCKLOG_SAFETY], &position) != 0)
		fail("safety append on a full disk", ERR_FULL);
	worker->next[BLOCKLOG_SAFETY]++;
	worker->under_way++;
	for (uint32_t i = 0;
	     i < 10000 && blocklog_store_durable_end(worker->store, BLOCKLOG_SAFETY) == safety_end;
	     i++)
		worker_turn(worker);
	if (blocklog_store_durable_end(worker->store, BLOCKLOG_SAFETY) == safety_end)
		fail("safety write on a full disk", ERR_TIMEOUT);
	(void)printf("full\n");
	(void)fflush(stdout);
	if (scanf("%*s") == EOF && ferror(stdin)) /* somebody makes room and says so */
		return 1;
	for (uint32_t i = 0; i < 1000000 && blocklog_store_condition(worker->store) != 0; i++)
		worker_turn(worker);
	for (uint32_t i = 0; i < 100000 && worker->under_way > 0; i++)
		worker_turn(worker);
	if (worker->under_way > 0)
		fail("appends after room was made", ERR_FULL);
	(void)printf("resumed\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct worker worker = { 0 };
	int code = 2;

	if (argc < 3)
		return 2;
	worker.says = strcmp(argv[1], "write") == 0;
	worker_open(&worker, argv[2], argc > 3 && strcmp(argv[3], "fallback") == 0);
	if (strcmp(argv[1], "write") == 0)
		run_write(&worker);
	if (strcmp(argv[1], "check") == 0 && argc > 3)
		code = run_check(&worker, argv[3]);
	else if (strcmp(argv[1], "fill") == 0)
		code = run_fill(&worker);
	worker_close(&worker);
	return code;
}
