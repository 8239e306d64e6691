#include <string.h>

#include <sodium.h>

#include "base/ensure.h"
#include "base/err.h"
#include "crypto/crypto_sign.h"
#include "crypto/crypto_vectors.h"

struct vector_text {
	const char *name;
	bool verifies;
	bool key_is_valid;
	const char *key;
	const char *message;
	const char *signature;
};

static const struct vector_text vector_texts[] = {
#define VECTOR(name, verifies, key_is_valid, key, message, signature)                              \
	{ (name), (verifies), (key_is_valid), (key), (message), (signature) },
#include "crypto/crypto_vectors.def"
#undef VECTOR
};

static size_t vector_decode(const char *hex, uint8_t *ret_bytes, size_t bytes_max)
{
	size_t count = 0;

	ensure(sodium_hex2bin(ret_bytes, bytes_max, hex, strlen(hex), NULL, &count, NULL) == 0);
	return count;
}

size_t crypto_vectors_count(void)
{
	return sizeof(vector_texts) / sizeof(vector_texts[0]);
}

void crypto_vectors_at(size_t index, struct crypto_vector *ret_vector)
{
	ensure(index < crypto_vectors_count());
	const struct vector_text *text = &vector_texts[index];

	*ret_vector = (struct crypto_vector){
		.name = text->name,
		.verifies = text->verifies,
		.key_is_valid = text->key_is_valid,
	};
	ensure(vector_decode(text->key, ret_vector->key.b, sizeof(ret_vector->key.b)) ==
	       sizeof(ret_vector->key.b));
	ensure(vector_decode(text->signature, ret_vector->signature.b,
			     sizeof(ret_vector->signature.b)) == sizeof(ret_vector->signature.b));
	ret_vector->message_bytes =
		vector_decode(text->message, ret_vector->message, sizeof(ret_vector->message));
}

int crypto_vectors_replay(size_t count, void (*at)(size_t index, struct crypto_vector *ret_vector))
{
	struct crypto_public_key key = { 0 };
	bool key_is_valid = crypto_key_is_valid(&key);

	for (size_t i = 0; i < count; i++) {
		struct crypto_vector vector;

		at(i, &vector);
		if (memcmp(&key, &vector.key, sizeof(key)) != 0) {
			key = vector.key;
			key_is_valid = crypto_key_is_valid(&key);
		}
		if (key_is_valid != vector.key_is_valid)
			return ERR_SIGNATURE;
		if (crypto_verify(&vector.key, vector.message, vector.message_bytes,
				  &vector.signature) != vector.verifies)
			return ERR_SIGNATURE;
	}
	return 0;
}
