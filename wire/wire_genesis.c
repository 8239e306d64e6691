#include "wire/wire_genesis.h"

#include <string.h>

#include "base/err.h"
#include "crypto/crypto_hash.h"
#include "wire/wire_parts.h"
#include "wire/wire_put.h"

static bool name_is_good(const char name[WIRE_GENESIS_NAME_BYTES_MAX + 1])
{
	uint32_t length = 0;

	while (length <= WIRE_GENESIS_NAME_BYTES_MAX && name[length] != '\0') {
		char c = name[length];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
			return false;
		length++;
	}
	return length > 0 && length <= WIRE_GENESIS_NAME_BYTES_MAX;
}

static bool exchange_key_is_zero(const struct crypto_exchange_key *key)
{
	static const struct crypto_exchange_key zero;

	return memcmp(key->b, zero.b, sizeof(zero.b)) == 0;
}

static const char *members_check(const struct wire_genesis *genesis)
{
	uint32_t count = genesis->member_count;

	if (count != 1 && (count < 4 || count > HS_REPLICAS_MAX))
		return "members: 1 (development), or 4 to 100";
	for (uint32_t i = 0; i < count; i++) {
		const struct wire_genesis_member *member = &genesis->member[i];

		if (!name_is_good(member->name))
			return "member name: 1 to 31 of a-z 0-9 . -";
		if (exchange_key_is_zero(&member->exchange_key))
			return "member session key: missing";
		for (uint32_t k = 0; k < i; k++) {
			const struct wire_genesis_member *other = &genesis->member[k];

			if (strcmp(member->name, other->name) == 0 ||
			    memcmp(&member->public_key, &other->public_key,
				   sizeof(other->public_key)) == 0 ||
			    memcmp(&member->exchange_key, &other->exchange_key,
				   sizeof(other->exchange_key)) == 0)
				return "members: a name or key occurs twice";
		}
	}
	return NULL;
}

static const char *admission_check(const struct wire_admission *admission)
{
	if (admission->clients_max == 0)
		return "admission: clients_max must be at least 1";
	if (admission->kind == WIRE_ADMISSION_OPEN)
		return admission->listed_count == 0 ? NULL : "admission: open lists no clients";
	if (admission->kind != WIRE_ADMISSION_REGISTERED)
		return "admission: open or registered";
	if (admission->listed_count == 0 ||
	    admission->listed_count > WIRE_GENESIS_CLIENTS_LISTED_MAX ||
	    admission->listed_count > admission->clients_max)
		return "admission: registered lists 1 to 1024 clients, at most clients_max";
	for (uint32_t i = 1; i < admission->listed_count; i++)
		if (memcmp(admission->listed[i - 1].b, admission->listed[i].b,
			   CRYPTO_PUBLIC_KEY_BYTES) >= 0)
			return "admission: client keys must rise, none twice";
	return NULL;
}

static const char *limits_check(const struct wire_genesis *genesis)
{
	if (genesis->delta_ns == 0 || genesis->timeout_max_ns < genesis->delta_ns)
		return "timers: delta must be above 0 and at most timeout_max";
	if (genesis->heartbeat_ns == 0)
		return "timers: heartbeat must be above 0";
	if (genesis->window_batches == 0 || genesis->window_batches > LANE_WINDOW_MAX ||
	    genesis->cut_batches_max == 0 || genesis->cut_batches_max > genesis->window_batches)
		return "lanes: 1 <= cut_batches_max <= window_batches <= 64";
	return NULL;
}

static const char *form_check(const struct wire_genesis *genesis)
{
	const char *why = name_is_good(genesis->name) ? NULL : "name: 1 to 31 of a-z 0-9 . -";

	if (!why)
		why = limits_check(genesis);
	if (!why)
		why = members_check(genesis);
	return why ? why : admission_check(&genesis->admission);
}

static const char *keys_check(const struct wire_genesis *genesis)
{
	for (uint32_t i = 0; i < genesis->member_count; i++)
		if (!crypto_key_is_valid(&genesis->member[i].public_key))
			return "member key: not a usable Ed25519 key";
	for (uint32_t i = 0; i < genesis->admission.listed_count; i++)
		if (!crypto_key_is_valid(&genesis->admission.listed[i]))
			return "admission: a client key is not a usable Ed25519 key";
	return NULL;
}

int wire_genesis_check(const struct wire_genesis *genesis, const char **ret_why)
{
	const char *why = form_check(genesis);

	if (!why)
		why = keys_check(genesis);
	if (!why)
		return 0;
	*ret_why = why;
	return ERR_CONFIG;
}

static void put_name(struct bytes_writer *w, const char name[WIRE_GENESIS_NAME_BYTES_MAX + 1])
{
	bytes_put_u8(w, (uint8_t)strlen(name));
	bytes_put(w, name, strlen(name));
}

static void get_name(struct wire_in *in, char ret_name[WIRE_GENESIS_NAME_BYTES_MAX + 1])
{
	uint8_t length = bytes_get_u8(&in->r);

	memset(ret_name, 0, WIRE_GENESIS_NAME_BYTES_MAX + 1);
	if (length > WIRE_GENESIS_NAME_BYTES_MAX) {
		wire_in_refuse(in, true);
		return;
	}
	bytes_get(&in->r, ret_name, length);
	wire_in_refuse(in, strlen(ret_name) != length);
}

static void put_member(struct bytes_writer *w, const struct wire_genesis_member *member)
{
	put_name(w, member->name);
	wire_put_key(w, &member->public_key);
	wire_put_exchange_key(w, &member->exchange_key);
	bytes_put(w, member->address, sizeof(member->address));
	bytes_put_u16(w, member->port);
}

static void get_member(struct wire_in *in, struct wire_genesis_member *ret_member)
{
	get_name(in, ret_member->name);
	wire_get_key(&in->r, &ret_member->public_key);
	wire_get_exchange_key(&in->r, &ret_member->exchange_key);
	bytes_get(&in->r, ret_member->address, sizeof(ret_member->address));
	ret_member->port = bytes_get_u16(&in->r);
}

static void put_admission(struct bytes_writer *w, const struct wire_admission *admission)
{
	bytes_put_u8(w, (uint8_t)admission->kind);
	bytes_put_u32(w, admission->clients_max);
	bytes_put_u32(w, admission->frames_per_s);
	bytes_put_u32(w, admission->bytes_per_s);
	bytes_put_u32(w, admission->checks_per_s);
	bytes_put_u16(w, (uint16_t)admission->listed_count);
	for (uint32_t i = 0; i < admission->listed_count; i++)
		wire_put_key(w, &admission->listed[i]);
}

static void get_admission(struct wire_in *in, struct wire_admission *ret_admission)
{
	ret_admission->kind = bytes_get_u8(&in->r);
	ret_admission->clients_max = bytes_get_u32(&in->r);
	ret_admission->frames_per_s = bytes_get_u32(&in->r);
	ret_admission->bytes_per_s = bytes_get_u32(&in->r);
	ret_admission->checks_per_s = bytes_get_u32(&in->r);
	ret_admission->listed_count = bytes_get_u16(&in->r);
	if (ret_admission->listed_count > WIRE_GENESIS_CLIENTS_LISTED_MAX) {
		wire_in_refuse(in, true);
		ret_admission->listed_count = 0;
	}
	for (uint32_t i = 0; i < ret_admission->listed_count; i++)
		wire_get_key(&in->r, &ret_admission->listed[i]);
}

int wire_genesis_encode(const struct wire_genesis *genesis, void *ret_bytes, size_t room)
{
	struct bytes_writer w = bytes_writer_of(
		ret_bytes, room < WIRE_GENESIS_BYTES_MAX ? room : WIRE_GENESIS_BYTES_MAX);
	const char *why;
	int code = wire_genesis_check(genesis, &why);

	if (code != 0)
		return code;
	bytes_put_u32(&w, WIRE_GENESIS_MAGIC);
	bytes_put_u16(&w, WIRE_GENESIS_VERSION);
	put_name(&w, genesis->name);
	bytes_put_u64(&w, genesis->time_ns);
	bytes_put_u64(&w, WIRE_GENESIS_EPOCH);
	bytes_put_u64(&w, genesis->delta_ns);
	bytes_put_u64(&w, genesis->timeout_max_ns);
	bytes_put_u64(&w, genesis->heartbeat_ns);
	bytes_put_u64(&w, genesis->block_interval_min_ns);
	bytes_put_u64(&w, genesis->clock_skew_max_ns);
	bytes_put_u32(&w, genesis->window_batches);
	bytes_put_u32(&w, genesis->cut_batches_max);
	bytes_put_u16(&w, (uint16_t)genesis->member_count);
	for (uint32_t i = 0; i < genesis->member_count; i++)
		put_member(&w, &genesis->member[i]);
	put_admission(&w, &genesis->admission);
	return w.failed ? ERR_OVERSIZE : (int)bytes_written(&w);
}

static void genesis_read(struct wire_in *in, struct wire_genesis *genesis)
{
	get_name(in, genesis->name);
	genesis->time_ns = bytes_get_u64(&in->r);
	wire_in_refuse(in, bytes_get_u64(&in->r) != WIRE_GENESIS_EPOCH);
	genesis->delta_ns = bytes_get_u64(&in->r);
	genesis->timeout_max_ns = bytes_get_u64(&in->r);
	genesis->heartbeat_ns = bytes_get_u64(&in->r);
	genesis->block_interval_min_ns = bytes_get_u64(&in->r);
	genesis->clock_skew_max_ns = bytes_get_u64(&in->r);
	genesis->window_batches = bytes_get_u32(&in->r);
	genesis->cut_batches_max = bytes_get_u32(&in->r);
	genesis->member_count = bytes_get_u16(&in->r);
	if (genesis->member_count > HS_REPLICAS_MAX) {
		wire_in_refuse(in, true);
		genesis->member_count = 0;
	}
	for (uint32_t i = 0; i < genesis->member_count; i++)
		get_member(in, &genesis->member[i]);
	get_admission(in, &genesis->admission);
}

int wire_genesis_decode(const void *bytes, size_t count, struct wire_genesis *ret_genesis)
{
	struct wire_in in = { .r = bytes_reader_of(bytes, count) };
	uint16_t version;
	int code;

	if (count > WIRE_GENESIS_BYTES_MAX)
		return ERR_OVERSIZE;
	memset(ret_genesis, 0, sizeof(*ret_genesis));
	if (bytes_get_u32(&in.r) != WIRE_GENESIS_MAGIC)
		return in.r.failed ? ERR_TRUNCATED : ERR_FORMAT;
	version = bytes_get_u16(&in.r);
	if (!in.r.failed && version != WIRE_GENESIS_VERSION)
		return version > WIRE_GENESIS_VERSION ? ERR_NEWER : ERR_FORMAT;
	genesis_read(&in, ret_genesis);
	code = wire_in_end(&in);
	if (code != 0)
		return code;
	if (form_check(ret_genesis))
		return ERR_FORMAT;
	return keys_check(ret_genesis) ? ERR_KEY : 0;
}

struct crypto_hash wire_genesis_chain_id(const void *bytes, size_t count)
{
	struct crypto_hasher hasher;

	crypto_hasher_init(&hasher);
	crypto_hasher_add(&hasher, "QRchain1", 8);
	crypto_hasher_add(&hasher, bytes, count);
	return crypto_hasher_done(&hasher);
}

struct crypto_hash wire_genesis_block_id(const struct crypto_hash *chain_id,
					 const struct crypto_hash *set_hash)
{
	return crypto_hash_pair("QRblock0", chain_id, set_hash);
}

void wire_genesis_validators(const struct wire_genesis *genesis, const struct crypto_hash *chain_id,
			     struct wire_validators *ret_validators)
{
	struct wire_validators *validators = ret_validators;

	memset(validators, 0, sizeof(*validators));
	validators->chain_id = *chain_id;
	validators->epoch = WIRE_GENESIS_EPOCH;
	validators->count = genesis->member_count;
	for (uint32_t i = 0; i < genesis->member_count; i++)
		validators->key[i] = genesis->member[i].public_key;
	validators->set_hash = wire_set_hash(validators->epoch, validators->key, validators->count);
}
