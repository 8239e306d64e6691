/*
 * qr_verify_proof: checks a proof of Quorate with nothing but libsodium.
 *
 * This header and qr_verify_proof.c are the whole verifier. They share no code
 * with the rest of Quorate, allocate nothing, read no file and know no clock:
 * copy the two files, link libsodium, and judge for yourself.
 *
 *     genesis bytes -> chain id, members          proof bytes -> verdict and what is proved
 *
 * Both inputs are plain files as Quorate writes them; docs/wire-format.md has the
 * layout. Any bytes give a verdict. Usable from C and C++. Thread-safe.
 */
#ifndef QUORATE_CLIENT_QR_VERIFY_PROOF_H
#define QUORATE_CLIENT_QR_VERIFY_PROOF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum qr_verdict {
	QR_VERDICT_PROVED = 0,
	QR_VERDICT_NO_SODIUM,       /* libsodium does not start */
	QR_VERDICT_GENESIS_FORMAT,  /* the genesis file is not one */
	QR_VERDICT_GENESIS_KEY,     /* a member's key in it is not usable */
	QR_VERDICT_PROOF_FORMAT,    /* the proof file is not one, or damaged */
	QR_VERDICT_OTHER_CHAIN,     /* a proof, but of another chain */
	QR_VERDICT_FRAME_SIGNATURE, /* the client did not sign this frame */
	QR_VERDICT_FRAME_NOT_IN_BATCH,
	QR_VERDICT_BATCH_NOT_IN_CUT, /* the lane's chain does not end in the block's cut */
	QR_VERDICT_ORDERED_EARLIER,  /* the parent's cut has the batch already */
	QR_VERDICT_EXPIRED,          /* ordered after the height the client set */
	QR_VERDICT_BROKEN_LINK,      /* a header does not name the one below as its parent */
	QR_VERDICT_NO_QUORUM,        /* too few members, or a bad member signature */
	QR_VERDICT_NOT_CONSECUTIVE,  /* the two certificates do not commit the block */
	QR_VERDICT_COUNT,
};

/* One line of text, never NULL. */
const char *qr_verdict_text(enum qr_verdict verdict);

/* What a proof proves; `payload` points into the proof's bytes. */
struct qr_proved {
	uint8_t chain_id[32];
	uint8_t txid[32];
	uint8_t client[32]; /* Ed25519 public key */
	uint64_t seq;
	const uint8_t *payload;
	uint32_t payload_bytes;
	uint64_t height;  /* of the block that ordered it */
	uint64_t time_ns; /* that block's, since 1970 */
	uint8_t block_id[32];
	uint32_t lane;         /* member whose lane carried it */
	uint64_t batch;        /* in that lane, from 1 */
	uint32_t frame;        /* in that batch, from 0 */
	uint32_t transaction;  /* in that frame, from 0 */
	uint64_t final_height; /* of the block the certificate is for: height or above */
	uint32_t signers;      /* members whose signatures were checked for it */
	uint32_t members;
};

/* Fills `ret_proved` only on QR_VERDICT_PROVED. */
enum qr_verdict qr_verify_proof(const void *genesis, size_t genesis_bytes, const void *proof,
				size_t proof_bytes, struct qr_proved *ret_proved);

/* The chain id of a genesis file: what people compare by telephone. */
enum qr_verdict qr_genesis_chain_id(const void *genesis, size_t genesis_bytes,
				    uint8_t ret_chain_id[32]);

#ifdef __cplusplus
}
#endif

#endif
