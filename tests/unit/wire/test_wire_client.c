#include "wire/wire_client.h"

#include "base/err.h"
#include "tests/lib/unit_main.h"
#include "tests/lib/wire_fixture.h"
#include "wire/wire_proof.h"

enum { SAMPLES_MAX = 24 };

struct sample {
	struct wire_client_message message;
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	size_t count;
};
static struct sample sample[SAMPLES_MAX];
static uint32_t sample_count;
static const uint8_t filling[LANE_FRAME_BYTES_MAX];

static struct wire_client_message *add(enum wire_client_kind kind)
{
	struct wire_client_message *message = &sample[sample_count++].message;

	memset(message, 0, sizeof(*message));
	message->kind = kind;
	message->request = 0x01020304;
	return message;
}

static void add_requests(void)
{
	struct wire_client_message *m = add(WIRE_CLIENT_SUBMIT);

	m->u.submit.frame = filling;
	m->u.submit.frame_bytes = LANE_FRAME_BYTES_MAX;
	m = add(WIRE_CLIENT_SUBSCRIBE);
	m->u.subscribe.b[0] = 4;
	m = add(WIRE_CLIENT_GET);
	m->u.get.by_txid = true;
	m = add(WIRE_CLIENT_GET);
	m->u.get.seq = 8;
	m = add(WIRE_CLIENT_TAIL);
	m->u.tail = (struct wire_client_tail){ .height = 4, .index = 2, .follows = true, .max = 9 };
	m = add(WIRE_CLIENT_PROVE);
	m->u.prove.offset = 2 * WIRE_CLIENT_PROOF_BYTES;
	add(WIRE_CLIENT_STATUS);
}

static void add_answers(void)
{
	struct wire_client_message *m = add(WIRE_CLIENT_RECEIPT);

	m->u.receipt = (struct wire_client_receipt){
		.first_seq = 7, .count = 70, .height = 3, .ordered_map = { 5, 33 }
	};
	m = add(WIRE_CLIENT_REFUSAL);
	m->u.refusal =
		(struct wire_client_refusal){ .first_seq = 7, .reason = ERR_AHEAD, .limit = 4096 };
	m = add(WIRE_CLIENT_RECORD);
	m->u.record = (struct wire_client_record){
		.height = 2, .index = 1, .payload = filling, .payload_bytes = WIRE_PAYLOAD_BYTES_MAX
	};
	m = add(WIRE_CLIENT_TAIL_END);
	m->u.tail_end = (struct wire_client_tail_end){ .height = 9, .final_height = 9 };
	m = add(WIRE_CLIENT_PROOF);
	m->u.proof = (struct wire_client_proof){
		.tag = 3, .total = 1300, .offset = 1280, .bytes = filling, .byte_count = 20
	};
	m = add(WIRE_CLIENT_STATUS_ANSWER);
	m->u.status.replica_count = 4;
	m->u.status.is_observer = true;
	m = add(WIRE_CLIENT_ERROR);
	m->u.error = (struct wire_client_error){ .code = ERR_NOT_FOUND,
						 .text = "not here",
						 .text_bytes = 8 };
}

static void samples_make(void)
{
	sample_count = 0;
	add_requests();
	add_answers();
	for (uint32_t i = 0; i < sample_count; i++) {
		int count = wire_client_encode(&sample[i].message, sample[i].bytes,
					       sizeof(sample[i].bytes));

		ensure(count > 0);
		sample[i].count = (size_t)count;
	}
}

static void every_message_comes_back_the_same(void)
{
	uint8_t again[WIRE_CLIENT_BYTES_MAX];
	struct wire_client_message back;

	samples_make();
	for (uint32_t i = 0; i < sample_count; i++) {
		UNIT_REQUIRE(wire_client_decode(sample[i].bytes, sample[i].count, &back) == 0);
		UNIT_EQUAL(back.kind, sample[i].message.kind);
		UNIT_EQUAL(back.request, 0x01020304);
		UNIT_EQUAL(wire_client_encode(&back, again, sizeof(again)), sample[i].count);
		UNIT_CHECK(memcmp(again, sample[i].bytes, sample[i].count) == 0);
	}
}

static void accepted_bytes_are_canonical(void)
{
	uint8_t again[WIRE_CLIENT_BYTES_MAX];
	struct wire_client_message back;
	struct prng prng;

	samples_make();
	prng_seed(&prng, unit_seed());
	for (uint32_t i = 0; i < 40000; i++) {
		uint8_t changed[WIRE_CLIENT_BYTES_MAX];
		const struct sample *s = &sample[i % sample_count];

		memcpy(changed, s->bytes, s->count);
		size_t count = wire_mutate(&prng, changed, s->count, sizeof(changed));
		uint8_t *copy = wire_exact_copy(changed, count);

		if (wire_client_decode(copy, count, &back) == 0) {
			UNIT_EQUAL(wire_client_encode(&back, again, sizeof(again)), count);
			UNIT_CHECK(memcmp(again, copy, count) == 0);
		}
		free(copy);
	}
}

static void room_too_small_is_oversize(void)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];

	samples_make();
	for (uint32_t i = 0; i < sample_count; i++)
		UNIT_CHECK(wire_client_encode(&sample[i].message, bytes, sample[i].count - 1) ==
			   ERR_OVERSIZE);
}

static void impossible_values_are_refused(void)
{
	struct wire_client_message back;
	/* sample, offset, value: TAIL max 0, PROVE offset odd, RECEIPT count 0 and a bit too far,
	 * PROOF offset, ERROR text and code, reserved bytes, flag of GET */
	static const struct {
		enum wire_client_kind kind;
		uint8_t offset;
		uint8_t value;
	} change[] = {
		{ WIRE_CLIENT_TAIL, 21, 0 },    { WIRE_CLIENT_PROVE, 49, 1 },
		{ WIRE_CLIENT_RECEIPT, 48, 0 }, { WIRE_CLIENT_RECEIPT, 60, 0xff },
		{ WIRE_CLIENT_PROOF, 20, 1 },   { WIRE_CLIENT_ERROR, 12, 7 },
		{ WIRE_CLIENT_ERROR, 11, 0 },   { WIRE_CLIENT_STATUS, 2, 1 },
		{ WIRE_CLIENT_GET, 8, 2 },
	};

	for (size_t k = 0; k < sizeof(change) / sizeof(change[0]); k++) {
		samples_make();
		for (uint32_t i = 0; i < sample_count; i++) {
			if (sample[i].message.kind != change[k].kind)
				continue;
			UNIT_CHECK(sample[i].bytes[change[k].offset] != change[k].value);
			sample[i].bytes[change[k].offset] = change[k].value;
			UNIT_CHECK(wire_client_decode(sample[i].bytes, sample[i].count, &back) ==
				   ERR_FORMAT);
		}
	}
}

static void newer_version_says_so(void)
{
	struct wire_client_message back;

	samples_make();
	sample[0].bytes[1] = 2;
	UNIT_CHECK(wire_client_decode(sample[0].bytes, sample[0].count, &back) == ERR_NEWER);
}

UNIT_SUITE("wire_client", UNIT_TEST(every_message_comes_back_the_same),
	   UNIT_TEST(accepted_bytes_are_canonical), UNIT_TEST(room_too_small_is_oversize),
	   UNIT_TEST(impossible_values_are_refused), UNIT_TEST(newer_version_says_so))
