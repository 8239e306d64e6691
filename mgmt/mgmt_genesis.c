#define _GNU_SOURCE
#include "mgmt/mgmt_genesis.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/units.h"

/* What a chain gets that says nothing else; PROTOCOL §6, §2.8. */
enum {
	MGMT_DELTA_MS = 20,
	MGMT_TIMEOUT_MAX_MS = 1000,
	MGMT_HEARTBEAT_MS = 1000,
	MGMT_BLOCK_INTERVAL_MIN_MS = 2,
	MGMT_CLOCK_SKEW_MAX_MS = 500,
	MGMT_WINDOW_BATCHES = 32,
	MGMT_CUT_BATCHES_MAX = 32,
	MGMT_CLIENTS_MAX = 65536,
};

static void mgmt_genesis_fill(struct wire_genesis *value, const char *chain,
			      const struct mgmt_member *members, uint32_t member_count)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(value->name, chain, strlen(chain) + 1);
	value->time_ns = (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
	value->delta_ns = MGMT_DELTA_MS * UNITS_NS_PER_MS;
	value->timeout_max_ns = MGMT_TIMEOUT_MAX_MS * UNITS_NS_PER_MS;
	value->heartbeat_ns = MGMT_HEARTBEAT_MS * UNITS_NS_PER_MS;
	value->block_interval_min_ns = MGMT_BLOCK_INTERVAL_MIN_MS * UNITS_NS_PER_MS;
	value->clock_skew_max_ns = MGMT_CLOCK_SKEW_MAX_MS * UNITS_NS_PER_MS;
	value->window_batches = MGMT_WINDOW_BATCHES;
	value->cut_batches_max = MGMT_CUT_BATCHES_MAX;
	value->admission.kind = WIRE_ADMISSION_OPEN;
	value->admission.clients_max = MGMT_CLIENTS_MAX;
	value->member_count = member_count;
	for (uint32_t i = 0; i < member_count; i++) {
		struct wire_genesis_member *member = &value->member[i];

		memcpy(member->name, members[i].name, sizeof(member->name));
		member->public_key = members[i].public_key;
		member->exchange_key = members[i].exchange_key;
	}
}

/* Takes `value` over. */
static enum mgmt_exit mgmt_genesis_encode(const struct mgmt_cli *cli, struct wire_genesis *value,
					  struct mgmt_genesis *ret_genesis)
{
	const char *why = "";
	uint8_t *bytes = malloc(WIRE_GENESIS_BYTES_MAX);
	int count = ERR_MEMORY;

	if (bytes && wire_genesis_check(value, &why) == 0)
		count = wire_genesis_encode(value, bytes, WIRE_GENESIS_BYTES_MAX);
	if (count >= 0) {
		*ret_genesis = (struct mgmt_genesis){ .value = value };
		mgmt_text_put(&ret_genesis->bytes, (const char *)bytes, (size_t)count);
		ret_genesis->chain_id = wire_genesis_chain_id(bytes, (size_t)count);
		free(bytes);
		return MGMT_EXIT_OK;
	}
	free(bytes);
	free(value);
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "change the member files or their number",
			     "no valid genesis: %s", why[0] ? why : err_text(count));
}

enum mgmt_exit mgmt_genesis_make(const struct mgmt_cli *cli, const char *chain,
				 const struct mgmt_member *members, uint32_t member_count,
				 struct mgmt_genesis *ret_genesis)
{
	struct wire_genesis *value;

	if (!mgmt_member_name_is_valid(chain))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "use 1 to 31 of a-z, 0-9, dot, hyphen",
				     "'%s' is not a chain name", chain);
	if (member_count > HS_REPLICAS_MAX)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "name fewer", "more than %d members",
				     (int)HS_REPLICAS_MAX);
	value = calloc(1, sizeof(*value));
	if (!value)
		return mgmt_cli_fail(cli, MGMT_EXIT_FAILED, "free some memory", "no memory");
	mgmt_genesis_fill(value, chain, members, member_count);
	return mgmt_genesis_encode(cli, value, ret_genesis);
}

enum mgmt_exit mgmt_genesis_read(const struct mgmt_cli *cli, const char *path,
				 struct mgmt_genesis *ret_genesis)
{
	struct mgmt_genesis genesis = { .value = calloc(1, sizeof(*genesis.value)) };
	int result = ERR_MEMORY;

	if (genesis.value)
		result = mgmt_text_read_file(path, WIRE_GENESIS_BYTES_MAX, &genesis.bytes);
	if (result == 0)
		result = wire_genesis_decode(mgmt_text_of(&genesis.bytes), genesis.bytes.count,
					     genesis.value);
	if (result != 0) {
		mgmt_genesis_fini(&genesis);
		return mgmt_cli_fail(cli, result == -ENOENT ? MGMT_EXIT_USAGE : MGMT_EXIT_REFUSED,
				     "give the genesis file every member has", "%s: %s", path,
				     err_text(result));
	}
	genesis.chain_id = wire_genesis_chain_id(genesis.bytes.bytes, genesis.bytes.count);
	*ret_genesis = genesis;
	return MGMT_EXIT_OK;
}

uint32_t mgmt_genesis_member_of(const struct mgmt_genesis *genesis,
				const struct crypto_public_key *key)
{
	for (uint32_t i = 0; i < genesis->value->member_count; i++)
		if (memcmp(&genesis->value->member[i].public_key, key, sizeof(*key)) == 0)
			return i;
	return UINT32_MAX;
}

static json_t *mgmt_members_json(const struct wire_genesis *value)
{
	json_t *members = json_array();

	for (uint32_t i = 0; i < value->member_count; i++) {
		char signing_key[MGMT_HEX_BYTES];
		char session_key[MGMT_HEX_BYTES];

		mgmt_hex_of(&value->member[i].public_key, signing_key);
		mgmt_hex_of(&value->member[i].exchange_key, session_key);
		json_array_append_new(members, json_pack("{sIssssss}", "id", (json_int_t)i, "name",
							 value->member[i].name, "signing_key",
							 signing_key, "session_key", session_key));
	}
	return members;
}

static json_t *mgmt_admission_json(const struct wire_admission *admission)
{
	json_t *object = json_object();
	json_t *listed = json_array();

	for (uint32_t i = 0; i < admission->listed_count; i++) {
		char key[MGMT_HEX_BYTES];

		mgmt_hex_of(&admission->listed[i], key);
		json_array_append_new(listed, json_string(key));
	}
	json_object_set_new(object, "kind",
			    json_string(admission->kind == WIRE_ADMISSION_OPEN ? "open" :
										 "registered"));
	json_object_set_new(object, "clients_max", json_integer(admission->clients_max));
	json_object_set_new(object, "frames_per_s", json_integer(admission->frames_per_s));
	json_object_set_new(object, "bytes_per_s", json_integer(admission->bytes_per_s));
	json_object_set_new(object, "checks_per_s", json_integer(admission->checks_per_s));
	json_object_set_new(object, "listed", listed);
	return object;
}

void mgmt_genesis_json(const struct mgmt_genesis *genesis, struct mgmt_text *ret_text)
{
	const struct wire_genesis *value = genesis->value;
	char chain_id[MGMT_HEX_BYTES];
	json_t *root = json_object();

	mgmt_hex_of(&genesis->chain_id, chain_id);
	json_object_set_new(root, "name", json_string(value->name));
	json_object_set_new(root, "chain", json_string(chain_id));
	json_object_set_new(root, "time_ns", json_integer((json_int_t)value->time_ns));
	json_object_set_new(root, "delta_ns", json_integer((json_int_t)value->delta_ns));
	json_object_set_new(root, "timeout_max_ns",
			    json_integer((json_int_t)value->timeout_max_ns));
	json_object_set_new(root, "heartbeat_ns", json_integer((json_int_t)value->heartbeat_ns));
	json_object_set_new(root, "block_interval_min_ns",
			    json_integer((json_int_t)value->block_interval_min_ns));
	json_object_set_new(root, "clock_skew_max_ns",
			    json_integer((json_int_t)value->clock_skew_max_ns));
	json_object_set_new(root, "window_batches", json_integer(value->window_batches));
	json_object_set_new(root, "cut_batches_max", json_integer(value->cut_batches_max));
	json_object_set_new(root, "members", mgmt_members_json(value));
	json_object_set_new(root, "admission", mgmt_admission_json(&value->admission));

	char *dump = json_dumps(root, JSON_INDENT(2));

	mgmt_text_print(ret_text, "%s\n", dump ? dump : "{}");
	free(dump);
	json_decref(root);
}

void mgmt_genesis_fini(struct mgmt_genesis *genesis)
{
	free(genesis->value);
	mgmt_text_fini(&genesis->bytes);
	*genesis = (struct mgmt_genesis){ 0 };
}
