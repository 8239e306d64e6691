/* Keys and sealed frames: qr_key.c, qr_frame.c. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "client/quorate.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"
#include "wire/wire_verify.h"

static struct wire_world world;
static struct qr_frame frames[QR_SEAL_FRAMES_MAX];

static void key_file_comes_back(void)
{
	char path[] = "/tmp/qr_key_XXXXXX";
	uint8_t first[QR_KEY_BYTES];
	uint8_t second[QR_KEY_BYTES];
	struct qr_key *key;
	struct stat status;

	UNIT_EQUAL(qr_start(), 0);
	UNIT_REQUIRE(qr_key_generate(&key) == 0);
	qr_key_public(key, first);
	int file = mkstemp(path);

	UNIT_REQUIRE(file >= 0);
	close(file);
	UNIT_CHECK(qr_key_save(key, path) < 0); /* never overwrites */
	unlink(path);
	UNIT_EQUAL(qr_key_save(key, path), 0);
	qr_key_close(key);
	UNIT_EQUAL(stat(path, &status), 0);
	UNIT_EQUAL(status.st_mode & 0777, 0600);
	UNIT_REQUIRE(qr_key_load(path, &key) == 0);
	qr_key_public(key, second);
	UNIT_CHECK(memcmp(first, second, sizeof(first)) == 0);
	qr_key_close(key);
	UNIT_EQUAL(chmod(path, 0644), 0);
	UNIT_CHECK(qr_key_load(path, &key) == QR_ERROR_PERMISSION);
	unlink(path);
	UNIT_CHECK(strlen(qr_error_text(QR_ERROR_PERMISSION)) > 0);
	qr_key_close(NULL);
}

static struct wire_verifier *verifier_make(void)
{
	static void *memory;
	struct wire_verifier_config config = { .validators = &world.validators,
					       .verifier = crypto_verifier_ed25519,
					       .cache_entries = 256 };
	size_t bytes = wire_verifier_footprint(&config);
	struct wire_verifier *verifier;

	free(memory);
	memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
	ensure(memory && wire_verifier_init(memory, bytes, &config, &verifier) == 0);
	return verifier;
}

static struct qr_key *key_make(void)
{
	uint8_t seed[32] = { 9 };
	struct qr_key *key;

	ensure(qr_key_from_seed(seed, &key) == 0);
	return key;
}

/* Seals `count` payloads of `bytes` and checks that every frame verifies; returns those taken. */
static uint32_t sealed(uint32_t count, size_t bytes, uint32_t per_frame, uint32_t frames_max)
{
	static uint8_t filling[QR_PAYLOAD_BYTES_MAX];
	struct qr_payload *payload = calloc(count, sizeof(*payload));
	struct qr_key *key = key_make();
	uint32_t taken = 0;
	uint32_t seen = 0;

	ensure(payload);
	for (uint32_t i = 0; i < count; i++)
		payload[i] = (struct qr_payload){ .bytes = filling, .byte_count = bytes };
	struct qr_frames_spec spec = { .key = key,
				       .chain_id = world.validators.chain_id.b,
				       .first_seq = 7,
				       .expires = 99,
				       .payloads = payload,
				       .payload_count = count,
				       .frame_transactions_max = per_frame,
				       .frames_max = frames_max };
	int written = qr_frames_seal(&spec, frames, &taken);
	struct wire_verifier *verifier = verifier_make();

	UNIT_CHECK(written > 0 && written <= (int)frames_max);
	for (int i = 0; i < written; i++) {
		struct wire_frame frame;

		UNIT_REQUIRE(wire_frame_parse(frames[i].bytes, frames[i].byte_count, &frame) == 0);
		UNIT_CHECK(wire_verify_frame(verifier, &frame));
		UNIT_EQUAL(frame.first_seq, 7 + seen);
		UNIT_EQUAL(frame.count, frames[i].count);
		UNIT_CHECK(per_frame == 0 || frame.count <= per_frame);
		seen += frame.count;
	}
	UNIT_EQUAL(seen, taken);
	UNIT_EQUAL(wire_verify_counters(verifier)->checks, 1);
	free(payload);
	qr_key_close(key);
	return taken;
}

static void bundles_of_every_shape_verify(void)
{
	wire_world_init(&world, 4);
	UNIT_EQUAL(sealed(1, 128, 0, 64), 1);
	UNIT_EQUAL(sealed(10, 128, 0, 64), 10);
	UNIT_EQUAL(sealed(160, 128, 10, 16), 160 < 16 * 8 ? 160 : 16 * 8);
	UNIT_EQUAL(sealed(64, 20, 1, 64), 64);
	UNIT_EQUAL(sealed(65, 20, 1, 64), 64);
	UNIT_EQUAL(sealed(3, 20, 1, 1), 1);
	UNIT_EQUAL(sealed(5, QR_PAYLOAD_BYTES_MAX, 0, 64), 1); /* no room for a sibling hash */
	UNIT_EQUAL(sealed(5, QR_PAYLOAD_BYTES_MAX - 32, 0, 64), 2);
	UNIT_CHECK(sealed(4000, 0, 0, 64) >= 256);
}

static void payload_too_large_is_refused_whole(void)
{
	static uint8_t filling[QR_PAYLOAD_BYTES_MAX + 1];
	struct qr_payload payload = { .bytes = filling, .byte_count = sizeof(filling) };
	struct qr_key *key = key_make();
	struct qr_frames_spec spec = { .key = key,
				       .chain_id = world.validators.chain_id.b,
				       .payloads = &payload,
				       .payload_count = 1,
				       .frames_max = 1 };
	uint32_t taken;

	wire_world_init(&world, 4);
	UNIT_CHECK(qr_frames_seal(&spec, frames, &taken) == QR_ERROR_OVERSIZE);
	spec.frames_max = 65;
	UNIT_CHECK(qr_frames_seal(&spec, frames, &taken) == QR_ERROR_CONFIG);
	qr_key_close(key);
}

static void skip_frame_verifies(void)
{
	struct qr_key *key = key_make();
	struct wire_frame frame;
	struct qr_frame skip;

	wire_world_init(&world, 4);
	UNIT_EQUAL(qr_frame_skip(key, world.validators.chain_id.b, 5, 4096, 10, &skip), 0);
	UNIT_REQUIRE(wire_frame_parse(skip.bytes, skip.byte_count, &frame) == 0);
	UNIT_EQUAL(frame.kind, WIRE_FRAME_SKIP);
	UNIT_CHECK(wire_verify_frame(verifier_make(), &frame));
	qr_key_close(key);
}

UNIT_SUITE("qr_frame", UNIT_TEST(key_file_comes_back), UNIT_TEST(bundles_of_every_shape_verify),
	   UNIT_TEST(payload_too_large_is_refused_whole), UNIT_TEST(skip_frame_verifies))
