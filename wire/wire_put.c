#include "wire/wire_put.h"

void wire_put_hash(struct bytes_writer *w, const struct crypto_hash *hash)
{
	bytes_put(w, hash->b, sizeof(hash->b));
}

void wire_put_key(struct bytes_writer *w, const struct crypto_public_key *key)
{
	bytes_put(w, key->b, sizeof(key->b));
}

void wire_put_exchange_key(struct bytes_writer *w, const struct crypto_exchange_key *key)
{
	bytes_put(w, key->b, sizeof(key->b));
}

void wire_put_signature(struct bytes_writer *w, const struct crypto_signature *signature)
{
	bytes_put(w, signature->b, sizeof(signature->b));
}

void wire_get_hash(struct bytes_reader *r, struct crypto_hash *ret_hash)
{
	bytes_get(r, ret_hash->b, sizeof(ret_hash->b));
}

void wire_get_key(struct bytes_reader *r, struct crypto_public_key *ret_key)
{
	bytes_get(r, ret_key->b, sizeof(ret_key->b));
}

void wire_get_exchange_key(struct bytes_reader *r, struct crypto_exchange_key *ret_key)
{
	bytes_get(r, ret_key->b, sizeof(ret_key->b));
}

void wire_get_signature(struct bytes_reader *r, struct crypto_signature *ret_signature)
{
	bytes_get(r, ret_signature->b, sizeof(ret_signature->b));
}
