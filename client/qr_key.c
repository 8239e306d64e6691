#include "client/qr_key.h"

#include <string.h>

#include "base/err.h"
#include "crypto/crypto_secret.h"
#include "crypto/crypto_session.h"

_Static_assert((int)QR_ERROR_TIMEOUT == (int)ERR_TIMEOUT && (int)QR_ERROR_AHEAD == (int)ERR_AHEAD &&
		       (int)QR_ERROR_FULL == (int)ERR_FULL &&
		       (int)QR_ERROR_NOT_FOUND == (int)ERR_NOT_FOUND &&
		       (int)QR_ERROR_OVERSIZE == (int)ERR_OVERSIZE &&
		       (int)QR_ERROR_CONFIG == (int)ERR_CONFIG &&
		       (int)QR_ERROR_FORMAT == (int)ERR_FORMAT &&
		       (int)QR_ERROR_EXPIRED == (int)ERR_EXPIRED &&
		       (int)QR_ERROR_UNKNOWN_CLIENT == (int)ERR_UNKNOWN_CLIENT &&
		       (int)QR_ERROR_KEY == (int)ERR_KEY &&
		       (int)QR_ERROR_PERMISSION == (int)ERR_PERMISSION,
	       "the public codes are those of base/err.def");

const char *qr_error_text(int code)
{
	return err_text(code);
}

int qr_start(void)
{
	return crypto_start();
}

int qr_key_from_seed(const uint8_t seed[32], struct qr_key **ret_key)
{
	struct qr_key *key = crypto_secret_take(sizeof(*key));

	if (!key)
		return ERR_MEMORY;
	memcpy(key->seed, seed, sizeof(key->seed));
	crypto_sign_key_init(key->seed, &key->signing);
	*ret_key = key;
	return 0;
}

int qr_key_generate(struct qr_key **ret_key)
{
	uint8_t seed[CRYPTO_SEED_BYTES];
	int code;

	crypto_random(seed, sizeof(seed));
	code = qr_key_from_seed(seed, ret_key);
	crypto_wipe(seed, sizeof(seed));
	return code;
}

int qr_key_load(const char *path, struct qr_key **ret_key)
{
	uint8_t seed[CRYPTO_SEED_BYTES];
	int code = crypto_secret_load(path, seed);

	if (code == 0)
		code = qr_key_from_seed(seed, ret_key);
	crypto_wipe(seed, sizeof(seed));
	return code;
}

int qr_key_save(const struct qr_key *key, const char *path)
{
	return crypto_secret_save(path, key->seed);
}

void qr_key_public(const struct qr_key *key, uint8_t ret_public[QR_KEY_BYTES])
{
	memcpy(ret_public, key->signing.public_key.b, QR_KEY_BYTES);
}

void qr_key_close(struct qr_key *key)
{
	crypto_secret_give_back(key);
}
