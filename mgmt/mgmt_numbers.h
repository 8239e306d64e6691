/*
 * mgmt_numbers: which sequence numbers a key has used: FILE.seq beside key file FILE.
 *
 * Without gaps, and never the same number for two payloads: so numbers are
 * reserved in the file before anything is sent, and while a command works with
 * a key, no other may (the key file is locked). After a command that did not
 * see everything final, [settled, next) were used and their fate is unknown.
 */
#ifndef QUORATE_MGMT_NUMBERS_H
#define QUORATE_MGMT_NUMBERS_H

#include <stdint.h>

#include "mgmt/mgmt_cli.h"

struct mgmt_numbers {
	char path[4096];
	int lock_file;
	uint64_t settled; /* every number below was ordered */
	uint64_t next;    /* no number from here on was ever used */
};

/* Locks the key and reads its numbers. Says why not through `cli`. */
enum mgmt_exit mgmt_numbers_open(const struct mgmt_cli *cli, const char *key_path,
				 struct mgmt_numbers *ret_numbers);

/* Keeps them, durably. Returns 0 or -errno. */
int mgmt_numbers_save(const struct mgmt_numbers *numbers);

void mgmt_numbers_close(struct mgmt_numbers *numbers);

#endif
