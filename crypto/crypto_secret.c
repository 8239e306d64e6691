#define _GNU_SOURCE
#include "crypto/crypto_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/err.h"

enum {
	SECRET_ALIGN_BYTES = 64,
	SECRET_HEX_BYTES = 2 * CRYPTO_SEED_BYTES,
	SECRET_FILE_BYTES_MAX = SECRET_HEX_BYTES + 2, /* a newline, and one more to notice excess */
	SECRET_PATH_BYTES_MAX = 4096,
};

void *crypto_secret_take(size_t count)
{
	size_t rounded = (count + SECRET_ALIGN_BYTES - 1) / SECRET_ALIGN_BYTES * SECRET_ALIGN_BYTES;
	void *secret = rounded >= count ? sodium_malloc(rounded) : NULL;

	if (!secret)
		return NULL;
	/* sodium_malloc() goes on without the lock; a secret that can be swapped is none. */
	if (mlock(secret, rounded) != 0) {
		sodium_free(secret);
		return NULL;
	}
	memset(secret, 0, rounded);
	return secret;
}

void crypto_secret_give_back(void *secret)
{
	sodium_free(secret);
}

static int secret_check_file(int file)
{
	struct stat status;

	if (fstat(file, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid())
		return ERR_PERMISSION;
	return (status.st_mode & 07177) != 0 ? ERR_PERMISSION : 0;
}

static int secret_read(int file, char *ret_text, size_t text_bytes, size_t *ret_count)
{
	size_t count = 0;

	while (count < text_bytes) {
		ssize_t got = read(file, ret_text + count, text_bytes - count);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		count += (size_t)got;
	}
	*ret_count = count;
	return 0;
}

static int secret_parse(const char *text, size_t count, uint8_t ret_seed[CRYPTO_SEED_BYTES])
{
	uint8_t seed[CRYPTO_SEED_BYTES];
	size_t seed_bytes = 0;
	int code = ERR_KEY;

	if (count == SECRET_HEX_BYTES + 1 && text[SECRET_HEX_BYTES] == '\n')
		count--;
	if (count == SECRET_HEX_BYTES &&
	    sodium_hex2bin(seed, sizeof(seed), text, count, NULL, &seed_bytes, NULL) == 0 &&
	    seed_bytes == sizeof(seed)) {
		memcpy(ret_seed, seed, sizeof(seed));
		code = 0;
	}
	sodium_memzero(seed, sizeof(seed));
	return code;
}

int crypto_secret_load(const char *path, uint8_t ret_seed[CRYPTO_SEED_BYTES])
{
	char text[SECRET_FILE_BYTES_MAX];
	size_t count = 0;
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int code;

	if (file < 0)
		return errno == ELOOP ? ERR_PERMISSION : -errno;
	code = secret_check_file(file);
	if (code == 0)
		code = secret_read(file, text, sizeof(text), &count);
	if (code == 0)
		code = secret_parse(text, count, ret_seed);
	sodium_memzero(text, sizeof(text));
	close(file);
	return code;
}

/* Makes the name durable: a key whose directory entry is lost in a power cut is a lost key. */
static int secret_sync_folder(const char *path)
{
	char copy[SECRET_PATH_BYTES_MAX];
	int code = 0;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
		return -ENAMETOOLONG;
	int folder = open(dirname(copy), O_RDONLY | O_CLOEXEC | O_DIRECTORY);

	if (folder < 0)
		return -errno;
	if (fsync(folder) < 0)
		code = -errno;
	close(folder);
	return code;
}

static int secret_write(int file, const char *text, size_t count)
{
	size_t written = 0;

	while (written < count) {
		ssize_t step = write(file, text + written, count - written);

		if (step < 0 && errno != EINTR)
			return -errno;
		if (step > 0)
			written += (size_t)step;
	}
	return fsync(file) < 0 ? -errno : 0;
}

int crypto_secret_save(const char *path, const uint8_t seed[CRYPTO_SEED_BYTES])
{
	char text[SECRET_HEX_BYTES + 1];
	int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int code;

	if (file < 0)
		return -errno;
	sodium_bin2hex(text, sizeof(text), seed, CRYPTO_SEED_BYTES);
	text[SECRET_HEX_BYTES] = '\n';
	code = secret_write(file, text, sizeof(text));
	sodium_memzero(text, sizeof(text));
	close(file);
	if (code == 0)
		code = secret_sync_folder(path);
	if (code != 0)
		unlink(path);
	return code;
}
