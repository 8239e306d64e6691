/*
 * wire_parts: the pieces that several encodings share; for files of wire/ only.
 *
 * A reader of outside bytes is a wire_in: it knows the epoch and the number of
 * replicas, and keeps the first reason to refuse. Getters go on after that and
 * return harmless values, so a decoder asks wire_in_end() once.
 */
#ifndef QUORATE_WIRE_PARTS_H
#define QUORATE_WIRE_PARTS_H

#include "base/bytes.h"
#include "consensus/hs_types.h"
#include "dataplane/lane_types.h"

struct wire_in {
	struct bytes_reader r;
	const struct crypto_hash *chain_id;
	const struct crypto_hash *set_hash;
	uint32_t replica_count;
	uint64_t epoch;
	int code; /* first refusal, or 0 */
};

/* Notes that the bytes read so far are not canonical or out of range. */
void wire_in_refuse(struct wire_in *in, bool is_bad);

/* 0, the first refusal, ERR_TRUNCATED, or ERR_OVERSIZE for bytes left over. */
int wire_in_end(const struct wire_in *in);

bool wire_in_flag(struct wire_in *in);

/* Epochs of certificates are those of what carries them: not on the wire. */
void wire_put_qc(struct bytes_writer *w, const struct hs_qc *qc);
void wire_get_qc(struct wire_in *in, struct hs_qc *ret_qc);
void wire_get_fc(struct wire_in *in, struct hs_fc *ret_fc);
void wire_put_tc(struct bytes_writer *w, const struct hs_tc *tc);
void wire_get_tc(struct wire_in *in, struct hs_tc *ret_tc);
void wire_put_entry(struct bytes_writer *w, const struct hs_entry *entry);
void wire_get_entry(struct wire_in *in, struct hs_entry *ret_entry);
void wire_put_header(struct bytes_writer *w, const struct hs_header *header);
void wire_get_header(struct wire_in *in, struct hs_header *ret_header);
void wire_put_block(struct bytes_writer *w, const struct hs_block *block);
void wire_get_block(struct wire_in *in, struct hs_block *ret_block);
void wire_put_statement(struct bytes_writer *w, const struct hs_statement *statement);
void wire_get_statement(struct wire_in *in, struct hs_statement *ret_statement);
void wire_put_batch_header(struct bytes_writer *w, const struct lane_header *header);
void wire_get_batch_header(struct wire_in *in, struct lane_header *ret_header);

#endif
