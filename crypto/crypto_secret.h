/*
 * crypto_secret: memory and files for secrets.
 *
 * Secret memory lies on pages of its own: locked (never swapped), left out of
 * core dumps, between guard pages, wiped when given back. It is taken at
 * start, by programs; pure rooms only ever see a pointer.
 *
 * A key file is one line: a seed as 64 hexadecimal digits. It must be a plain
 * file that belongs to the effective user and that nobody else can read or
 * write (mode 0600 or stricter).
 */
#ifndef QUORATE_CRYPTO_SECRET_H
#define QUORATE_CRYPTO_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/crypto_types.h"

/*
 * Returns `count` bytes of secret memory, zeroed and 64-byte aligned, or NULL when the system
 * has none to lock (RLIMIT_MEMLOCK). Call crypto_start() first.
 */
void *crypto_secret_take(size_t count);

/* Wipes and releases what crypto_secret_take() returned. Accepts NULL. */
void crypto_secret_give_back(void *secret);

/*
 * Reads the seed in key file `path`. For programs only: the one place in this room that opens a
 * file. Returns 0; ERR_PERMISSION for a foreign owner, a mode wider than 0600 or something that
 * is not a plain file (symbolic links included); ERR_KEY if it does not hold one seed; -errno if
 * it cannot be read. `ret_seed` is written only on success.
 */
int crypto_secret_load(const char *path, uint8_t ret_seed[CRYPTO_SEED_BYTES]);

/*
 * Creates key file `path`, mode 0600, with `seed`, durable when it returns. For programs only.
 * Returns 0, or -errno and leaves no file; -EEXIST if there is one already: keys are never
 * overwritten.
 */
int crypto_secret_save(const char *path, const uint8_t seed[CRYPTO_SEED_BYTES]);

#endif
