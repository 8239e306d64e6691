/*
 * wire_put: the byte strings of crypto/ through bounded cursors; for files of wire/ only.
 */
#ifndef QUORATE_WIRE_PUT_H
#define QUORATE_WIRE_PUT_H

#include "base/bytes.h"
#include "crypto/crypto_types.h"

void wire_put_hash(struct bytes_writer *w, const struct crypto_hash *hash);
void wire_put_key(struct bytes_writer *w, const struct crypto_public_key *key);
void wire_put_exchange_key(struct bytes_writer *w, const struct crypto_exchange_key *key);
void wire_put_signature(struct bytes_writer *w, const struct crypto_signature *signature);

void wire_get_hash(struct bytes_reader *r, struct crypto_hash *ret_hash);
void wire_get_key(struct bytes_reader *r, struct crypto_public_key *ret_key);
void wire_get_exchange_key(struct bytes_reader *r, struct crypto_exchange_key *ret_key);
void wire_get_signature(struct bytes_reader *r, struct crypto_signature *ret_signature);

#endif
