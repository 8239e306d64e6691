#define _GNU_SOURCE
#include "mgmt/mgmt_numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "client/quorate.h"

enum { MGMT_NUMBERS_BYTES_MAX = 64 };

static int mgmt_numbers_read(struct mgmt_numbers *numbers)
{
	struct mgmt_text text = { 0 };
	int result = mgmt_text_read_file(numbers->path, MGMT_NUMBERS_BYTES_MAX, &text);

	if (result == -ENOENT)
		return 0;
	if (result == 0 && (sscanf(mgmt_text_of(&text), "%" SCNu64 " %" SCNu64, &numbers->settled,
				   &numbers->next) != 2 ||
			    numbers->settled < QR_SEQ_FIRST || numbers->next < numbers->settled))
		result = ERR_FORMAT;
	mgmt_text_fini(&text);
	return result;
}

enum mgmt_exit mgmt_numbers_open(const struct mgmt_cli *cli, const char *key_path,
				 struct mgmt_numbers *ret_numbers)
{
	struct mgmt_numbers numbers = { .settled = QR_SEQ_FIRST, .next = QR_SEQ_FIRST };
	int count = snprintf(numbers.path, sizeof(numbers.path), "%s.seq", key_path);

	if (count < 0 || (size_t)count >= sizeof(numbers.path))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "choose a shorter one",
				     "--key: the path is too long");
	numbers.lock_file = open(key_path, O_RDONLY | O_CLOEXEC);
	if (numbers.lock_file < 0)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "make one with `quorate keygen FILE`",
				     "%s: %s", key_path, err_text(-errno));
	if (flock(numbers.lock_file, LOCK_EX | LOCK_NB) != 0) {
		close(numbers.lock_file);
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED,
				     "wait for it to end, or use a key of your own",
				     "another command submits with %s", key_path);
	}
	int result = mgmt_numbers_read(&numbers);

	if (result == 0) {
		*ret_numbers = numbers;
		return MGMT_EXIT_OK;
	}
	close(numbers.lock_file);
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "restore it, or make a new key", "%s: %s",
			     numbers.path, err_text(result));
}

int mgmt_numbers_save(const struct mgmt_numbers *numbers)
{
	char text[MGMT_NUMBERS_BYTES_MAX];
	int count = snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 "\n", numbers->settled,
			     numbers->next);

	return mgmt_text_write_file(numbers->path, text, (size_t)count, 0644, false);
}

void mgmt_numbers_close(struct mgmt_numbers *numbers)
{
	close(numbers->lock_file);
	numbers->lock_file = -1;
}
