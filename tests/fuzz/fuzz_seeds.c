/*
 * Writes the first corpus: fuzz_seeds FOLDER makes FOLDER/<target>/<name>. Run by hand when the
 * format changes; the files are kept in the repository.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/stat.h>

#include "tests/lib/proof_fixture.h"
#include "tests/lib/wire_samples.h"
#include "wire/wire_client.h"
#include "wire/wire_session.h"

static const char *root;

static void keep(const char *target, const char *name, uint32_t number, const void *bytes,
		 size_t count)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s_%02u", root, target, name, number);
	file = fopen(path, "wb");
	ensure(file && fwrite(bytes, 1, count, file) == count);
	fclose(file);
}

static void keep_client(uint32_t number, struct wire_client_message message)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	int count = wire_client_encode(&message, bytes, sizeof(bytes));

	ensure(count > 0);
	keep("fuzz_wire_client", "message", number, bytes, (size_t)count);
}

static void keep_clients(void)
{
	struct wire_client_message submit = { .kind = WIRE_CLIENT_SUBMIT };

	submit.u.submit.frame = frames[0].bytes;
	submit.u.submit.frame_bytes = frames[0].count;
	keep_client(0, submit);
	keep_client(1, (struct wire_client_message){ .kind = WIRE_CLIENT_TAIL,
						     .u.tail = { .max = 10 } });
	keep_client(2, (struct wire_client_message){ .kind = WIRE_CLIENT_GET });
	keep_client(3, (struct wire_client_message){ .kind = WIRE_CLIENT_RECEIPT,
						     .u.receipt = { .count = 9 } });
	keep_client(4, (struct wire_client_message){ .kind = WIRE_CLIENT_STATUS_ANSWER });
	keep_client(5,
		    (struct wire_client_message){ .kind = WIRE_CLIENT_PROOF,
						  .u.proof = { .total = 3,
							       .byte_count = 3,
							       .bytes = (const uint8_t *)"abc" } });
	keep("fuzz_wire_client", "frame", 0, frames[1].bytes, frames[1].count);
	keep("fuzz_wire_client", "genesis", 0, world.genesis_bytes, world.genesis_byte_count);
}

static void keep_sessions(void)
{
	static const uint8_t piece[] = { 6, 1, 3, 1, 0, 5 };
	struct wire_party me = { .role = WIRE_ROLE_CLIENT, .ciphers = wire_ciphers_usable() };
	struct crypto_exchange_secret secret = { { 1, 3 } };
	struct crypto_exchange_key peer;
	struct wire_initiator initiator;
	struct wire_chance chance;
	uint8_t data[WIRE_DATA_OVERHEAD_BYTES] = { WIRE_PACKET_DATA, 0, 0, 1 };

	memset(&chance, 5, sizeof(chance));
	crypto_exchange_public(&secret, &peer);
	ensure(wire_initiator_init(&initiator, &me, 3, &peer, &chance) == 0);
	keep("fuzz_wire_session", "initiation", 0, initiator.packet, sizeof(initiator.packet));
	keep("fuzz_wire_session", "data", 0, data, sizeof(data));
	keep("fuzz_wire_session", "piece", 0, piece, sizeof(piece));
}

static void keep_proofs(void)
{
	static struct proof_world proof;
	static uint8_t both[2 + WIRE_GENESIS_BYTES_MAX + 8192];

	for (int kind = WIRE_PROOF_FC; kind <= WIRE_PROOF_C2; kind++) {
		proof_world_init(&proof, 4, (enum wire_proof_certificate)kind);
		size_t genesis = proof.wire.genesis_byte_count;

		both[0] = (uint8_t)genesis;
		both[1] = (uint8_t)(genesis >> 8);
		memcpy(both + 2, proof.wire.genesis_bytes, genesis);
		memcpy(both + 2 + genesis, proof.bytes, proof.count);
		keep("fuzz_proof", "proof", (uint32_t)kind, both, 2 + genesis + proof.count);
	}
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	root = argv[1];
	mkdir(root, 0755);
	samples_make(4);
	for (uint32_t i = 0; i < sample_count; i++)
		keep("fuzz_wire_message", "message", i, sample[i].bytes, sample[i].count);
	keep("fuzz_wire_message", "block", 0, block_bytes[0],
	     sample[0].count - WIRE_MESSAGE_HEAD_BYTES);
	keep_clients();
	keep_sessions();
	keep_proofs();
	return 0;
}
