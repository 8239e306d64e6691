#include "wire/wire_genesis.h"

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"

static struct wire_world world;
static struct wire_genesis back;

static void document_comes_back_whole(void)
{
	static uint8_t again[WIRE_GENESIS_BYTES_MAX];

	for (uint32_t n = 1; n <= 100; n += n == 1 ? 3 : 48) {
		wire_world_init(&world, n);
		UNIT_REQUIRE(wire_genesis_decode(world.genesis_bytes, world.genesis_byte_count,
						 &back) == 0);
		UNIT_CHECK(memcmp(&back, &world.genesis, sizeof(back)) == 0);
		UNIT_EQUAL(wire_genesis_encode(&back, again, sizeof(again)),
			   world.genesis_byte_count);
		UNIT_CHECK(memcmp(again, world.genesis_bytes, world.genesis_byte_count) == 0);
	}
}

static void registered_clients_are_listed_in_order(void)
{
	static uint8_t bytes[WIRE_GENESIS_BYTES_MAX];
	struct wire_admission *admission = &world.genesis.admission;
	const char *why = "";

	wire_world_init(&world, 4);
	admission->kind = WIRE_ADMISSION_REGISTERED;
	UNIT_CHECK(wire_genesis_check(&world.genesis, &why) == ERR_CONFIG);
	admission->listed_count = 2;
	admission->listed[0] = world.key[0].public_key;
	admission->listed[1] = world.key[1].public_key;
	if (memcmp(admission->listed[0].b, admission->listed[1].b, 32) > 0) {
		admission->listed[0] = world.key[1].public_key;
		admission->listed[1] = world.key[0].public_key;
	}
	int count = wire_genesis_encode(&world.genesis, bytes, sizeof(bytes));

	UNIT_REQUIRE(count > 0);
	UNIT_EQUAL(wire_genesis_decode(bytes, (size_t)count, &back), 0);
	UNIT_EQUAL(back.admission.listed_count, 2);
	admission->listed[1] = admission->listed[0];
	UNIT_CHECK(wire_genesis_encode(&world.genesis, bytes, sizeof(bytes)) == ERR_CONFIG);
}

static int check_after(void (*change)(struct wire_genesis *genesis))
{
	const char *why = NULL;
	int code;

	wire_world_init(&world, 4);
	change(&world.genesis);
	code = wire_genesis_check(&world.genesis, &why);
	if (code != 0)
		UNIT_CHECK(why && strlen(why) > 10);
	return code;
}

static void no_change(struct wire_genesis *genesis)
{
	(void)genesis;
}

static void three_members(struct wire_genesis *genesis)
{
	genesis->member_count = 3;
}

static void same_key(struct wire_genesis *genesis)
{
	genesis->member[2].public_key = genesis->member[1].public_key;
}

static void same_name(struct wire_genesis *genesis)
{
	memcpy(genesis->member[2].name, genesis->member[1].name, sizeof(genesis->member[1].name));
}

static void zero_key(struct wire_genesis *genesis)
{
	memset(&genesis->member[3].public_key, 0, 32);
}

static void no_session_key(struct wire_genesis *genesis)
{
	memset(&genesis->member[3].exchange_key, 0, 32);
}

static void bad_name(struct wire_genesis *genesis)
{
	genesis->name[0] = 'X';
}

static void no_name(struct wire_genesis *genesis)
{
	genesis->name[0] = '\0';
}

static void endless_name(struct wire_genesis *genesis)
{
	memset(genesis->name, 'a', sizeof(genesis->name));
}

static void no_delta(struct wire_genesis *genesis)
{
	genesis->delta_ns = 0;
}

static void wide_cut(struct wire_genesis *genesis)
{
	genesis->cut_batches_max = 65;
}

static void no_clients(struct wire_genesis *genesis)
{
	genesis->admission.clients_max = 0;
}

static void every_impossible_document_is_named(void)
{
	static void (*const change[])(struct wire_genesis *) = {
		three_members, same_key,     same_name, zero_key, no_session_key, bad_name,
		no_name,       endless_name, no_delta,  wide_cut, no_clients,
	};

	UNIT_EQUAL(check_after(no_change), 0);
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++)
		UNIT_CHECK(check_after(change[i]) == ERR_CONFIG);
}

static void every_truncation_is_refused(void)
{
	wire_world_init(&world, 4);
	for (size_t count = 0; count < world.genesis_byte_count; count++) {
		uint8_t *copy = wire_exact_copy(world.genesis_bytes, count);

		UNIT_CHECK(wire_genesis_decode(copy, count, &back) < 0);
		free(copy);
	}
	UNIT_CHECK(wire_genesis_decode(world.genesis_bytes, world.genesis_byte_count + 1, &back) ==
		   ERR_OVERSIZE);
	world.genesis_bytes[4] = 2;
	UNIT_CHECK(wire_genesis_decode(world.genesis_bytes, world.genesis_byte_count, &back) ==
		   ERR_NEWER);
}

static void accepted_bytes_are_canonical(void)
{
	static uint8_t changed[WIRE_GENESIS_BYTES_MAX];
	static uint8_t again[WIRE_GENESIS_BYTES_MAX];
	struct prng prng;

	wire_world_init(&world, 4);
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 3000; i++) {
		memcpy(changed, world.genesis_bytes, world.genesis_byte_count);
		size_t count =
			wire_mutate(&prng, changed, world.genesis_byte_count, sizeof(changed));
		uint8_t *copy = wire_exact_copy(changed, count);

		if (wire_genesis_decode(copy, count, &back) == 0) {
			UNIT_EQUAL(wire_genesis_encode(&back, again, sizeof(again)), count);
			UNIT_CHECK(memcmp(again, copy, count) == 0);
		}
		free(copy);
	}
}

static void chain_id_and_set_hash_cover_everything(void)
{
	struct crypto_hash id;
	struct crypto_hash set;

	wire_world_init(&world, 4);
	id = world.validators.chain_id;
	set = world.validators.set_hash;
	world.genesis_bytes[20] ^= 1;
	struct crypto_hash other =
		wire_genesis_chain_id(world.genesis_bytes, world.genesis_byte_count);

	UNIT_CHECK(!crypto_hash_equal(&id, &other));
	other = wire_set_hash(2, world.validators.key, 4);
	UNIT_CHECK(!crypto_hash_equal(&set, &other));
	other = wire_set_hash(1, world.validators.key, 3);
	UNIT_CHECK(!crypto_hash_equal(&set, &other));
	other = wire_genesis_block_id(&id, &set);
	UNIT_CHECK(crypto_hash_equal(&world.genesis_id, &other));
}

UNIT_SUITE("wire_genesis", UNIT_TEST(document_comes_back_whole),
	   UNIT_TEST(registered_clients_are_listed_in_order),
	   UNIT_TEST(every_impossible_document_is_named), UNIT_TEST(every_truncation_is_refused),
	   UNIT_TEST(accepted_bytes_are_canonical),
	   UNIT_TEST(chain_id_and_set_hash_cover_everything))
