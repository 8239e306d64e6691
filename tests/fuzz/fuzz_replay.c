/*
 * Replays a corpus without an engine: every file of the folders named, and mutations of each.
 *     fuzz_replay [--seed NUMBER] [--mutations NUMBER] FOLDER...
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fuzz/fuzz_target.h"
#include "tests/lib/wire_fixture.h"

enum { REPLAY_BYTES_MAX = 128 * 1024 };

struct replay {
	struct prng prng;
	unsigned long mutations;
	unsigned long files;
};

static void replay_bytes(const uint8_t *bytes, size_t count)
{
	uint8_t *copy = wire_exact_copy(bytes, count);

	LLVMFuzzerTestOneInput(copy, count);
	free(copy);
}

static bool replay_file(struct replay *replay, const char *path)
{
	static uint8_t bytes[REPLAY_BYTES_MAX];
	static uint8_t changed[REPLAY_BYTES_MAX];
	FILE *file = fopen(path, "rb");
	size_t count;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	count = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	replay_bytes(bytes, count);
	for (unsigned long i = 0; i < replay->mutations; i++) {
		memcpy(changed, bytes, count);
		replay_bytes(changed, wire_mutate(&replay->prng, changed, count, sizeof(changed)));
	}
	replay->files++;
	return true;
}

static bool replay_folder(struct replay *replay, const char *folder)
{
	DIR *open_folder = opendir(folder);
	struct dirent *entry;
	bool is_good = true;
	char path[4096];

	if (!open_folder) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return false;
	}
	while (is_good && (entry = readdir(open_folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		is_good = replay_file(replay, path);
	}
	closedir(open_folder);
	return is_good;
}

int main(int argc, char **argv)
{
	struct replay replay = { .mutations = 200 };
	uint64_t seed = (uint64_t)time(NULL);
	int at = 1;

	for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
		if (strcmp(argv[at], "--seed") == 0)
			seed = strtoull(argv[at + 1], NULL, 0);
		if (strcmp(argv[at], "--mutations") == 0)
			replay.mutations = strtoul(argv[at + 1], NULL, 0);
	}
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	prng_seed(&replay.prng, seed);
	for (; at < argc; at++)
		if (!replay_folder(&replay, argv[at]))
			return 1;
	printf("%lu files, %lu mutations of each\n", replay.files, replay.mutations);
	return replay.files > 0 ? 0 : 1;
}
