/*
 * qr_key: what is inside a key handle; for files of client/ only.
 */
#ifndef QUORATE_CLIENT_QR_KEY_H
#define QUORATE_CLIENT_QR_KEY_H

#include "client/quorate.h"
#include "crypto/crypto_sign.h"

/* Lies in secret memory. */
struct qr_key {
	uint8_t seed[CRYPTO_SEED_BYTES];
	struct crypto_signing_key signing;
};

#endif
