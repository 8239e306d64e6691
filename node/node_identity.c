#define _GNU_SOURCE
#include "node/node_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/crypto_secret.h"
#include "crypto/crypto_session.h"

__attribute__((format(printf, 3, 4))) static int refuse(char *ret_reason, int code,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_reason, NODE_REASON_MAX, format, arguments);
	va_end(arguments);
	return code;
}

int node_identity_genesis(const char *path, struct node_identity *ret_identity, char *ret_reason)
{
	static uint8_t bytes[WIRE_GENESIS_BYTES_MAX + 1];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t count;
	int code;

	if (file < 0)
		return refuse(ret_reason, -errno,
			      "genesis %s: %s; make it with quorate genesis create", path,
			      strerror(errno));
	count = read(file, bytes, sizeof(bytes));
	close(file);
	if (count < 0 || count > WIRE_GENESIS_BYTES_MAX)
		return refuse(ret_reason, ERR_FORMAT, "genesis %s: not readable or too large",
			      path);
	code = wire_genesis_decode(bytes, (size_t)count, &ret_identity->genesis);
	if (code < 0)
		return refuse(ret_reason, code,
			      "genesis %s: %s; it must be the file quorate genesis create wrote",
			      path, err_text(code));
	ret_identity->chain_id = wire_genesis_chain_id(bytes, (size_t)count);
	wire_genesis_validators(&ret_identity->genesis, &ret_identity->chain_id,
				&ret_identity->validators);
	ret_identity->genesis_id =
		wire_genesis_block_id(&ret_identity->chain_id, &ret_identity->validators.set_hash);
	for (uint32_t i = 0; i < ret_identity->genesis.member_count; i++)
		ret_identity->exchange_key[i] = ret_identity->genesis.member[i].exchange_key;
	return 0;
}

static int load_key(const char *path, const char *what, uint8_t ret_seed[CRYPTO_SEED_BYTES],
		    char *ret_reason)
{
	int code = crypto_secret_load(path, ret_seed);

	if (code == 0)
		return 0;
	if (code == ERR_PERMISSION)
		return refuse(ret_reason, code,
			      "%s %s: must be a plain file of this user with mode 0600; "
			      "chmod 600 it, and chown it if needed",
			      what, path);
	if (code == -ENOENT)
		return refuse(ret_reason, code, "%s %s: does not exist; make it with quorate init",
			      what, path);
	return refuse(ret_reason, code, "%s %s: %s; it must be the file quorate init wrote", what,
		      path, err_text(code));
}

static int load_keys(const struct node_config *config, struct node_identity *identity,
		     char *ret_reason)
{
	const struct wire_genesis_member *me = &identity->genesis.member[config->id];
	struct node_secrets *secrets = identity->secrets;
	struct crypto_exchange_key session_public;
	uint8_t seed[CRYPTO_SEED_BYTES];
	int code = load_key(config->signing_key, "signing key", seed, ret_reason);

	if (code < 0)
		return code;
	crypto_sign_key_init(seed, &secrets->signing);
	code = load_key(config->session_key, "session key", seed, ret_reason);
	if (code == 0)
		memcpy(secrets->session.b, seed, sizeof(secrets->session.b));
	crypto_wipe(seed, sizeof(seed));
	if (code < 0)
		return code;
	if (memcmp(secrets->signing.public_key.b, me->public_key.b, sizeof(me->public_key.b)) != 0)
		return refuse(ret_reason, ERR_KEY,
			      "signing key %s: is not the key of member %u in the genesis; "
			      "check 'id' and 'signing_key'",
			      config->signing_key, config->id);
	crypto_exchange_public(&secrets->session, &session_public);
	if (memcmp(session_public.b, me->exchange_key.b, sizeof(session_public.b)) != 0)
		return refuse(ret_reason, ERR_KEY,
			      "session key %s: is not the key of member %u in the genesis; "
			      "check 'id' and 'session_key'",
			      config->session_key, config->id);
	return 0;
}

int node_identity_open(const struct node_config *config, struct node_identity *ret_identity,
		       char *ret_reason)
{
	int code = node_identity_genesis(config->genesis, ret_identity, ret_reason);

	if (code < 0)
		return code;
	if (config->id >= ret_identity->genesis.member_count)
		return refuse(ret_reason, ERR_CONFIG, "id %u: the genesis has only members 0 to %u",
			      config->id, ret_identity->genesis.member_count - 1);
	ret_identity->id = config->id;
	ret_identity->secrets = crypto_secret_take(sizeof(*ret_identity->secrets));
	if (!ret_identity->secrets)
		return refuse(ret_reason, ERR_MEMORY,
			      "no locked memory for keys: raise the limit of locked memory "
			      "(ulimit -l, or LimitMEMLOCK in the unit)");
	code = load_keys(config, ret_identity, ret_reason);
	if (code < 0)
		node_identity_close(ret_identity);
	return code;
}

void node_identity_close(struct node_identity *identity)
{
	crypto_secret_give_back(identity->secrets);
	identity->secrets = NULL;
}

void node_identity_party(const struct node_identity *identity, struct wire_party *ret_party)
{
	*ret_party = (struct wire_party){
		.role = WIRE_ROLE_PEER,
		.chain_id = identity->chain_id,
		.set_hash = identity->validators.set_hash,
		.epoch = identity->validators.epoch,
		.build_id = crypto_build_id(),
		.replica = identity->id,
		.ciphers = wire_ciphers_usable(),
		.secret = identity->secrets->session,
		.public_key = identity->exchange_key[identity->id],
	};
}
