/*
 * The abstract trace of a run, for the reference machine of tests/conform: what each replica
 * heard, said, made durable and delivered, a line each. The machine's header says what they mean.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "tests/sim/sim_check.h"

enum { TRACE_BLOCKS_MAX = 1 << 14 };

struct id {
	char text[18];
};

static struct id id_of(const struct crypto_hash *hash)
{
	struct id id = { .text = "#" };

	for (int i = 0; i < 8; i++)
		snprintf(id.text + 1 + 2 * i, 3, "%02x", hash->b[i]);
	return id;
}

/* Rules hold for members whose disk and will are their own. */
static bool is_traced(const struct sim *sim, uint32_t node)
{
	return sim->trace_file && !sim->nodes[node].is_frail && !sim_adversary_has(sim, node);
}

/* Once a block and run; `trace_blocks` holds the first bytes of those written. */
static bool is_new(struct sim *sim, const struct crypto_hash *hash)
{
	uint64_t key;
	uint32_t at;

	memcpy(&key, hash->b, sizeof(key));
	for (at = (uint32_t)key % TRACE_BLOCKS_MAX; sim->trace_blocks[at] != 0;
	     at = (at + 1) % TRACE_BLOCKS_MAX)
		if (sim->trace_blocks[at] == key)
			return false;
	sim->trace_blocks[at] = key;
	ensure(++sim->trace_block_count < TRACE_BLOCKS_MAX - 1);
	return true;
}

static void write_signers(FILE *out, const struct bitset *signers)
{
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		if (bitset_has(signers, i))
			fprintf(out, " %u", i);
	fprintf(out, "\n");
}

static void write_list(FILE *out, const char *verb, uint32_t node, const char *kind,
		       const struct hs_qc *qc)
{
	fprintf(out, "%s %u %s %" PRIu64 " %s", verb, node, kind, qc->view,
		id_of(&qc->block_id).text);
	write_signers(out, &qc->signers);
}

static void write_tc(FILE *out, const char *verb, uint32_t node, const struct hs_tc *tc)
{
	uint32_t at = 0;

	fprintf(out, "%s %u tc %" PRIu64, verb, node, tc->view);
	for (uint32_t i = 0; i < SIM_NODES_MAX && at < tc->count; i++)
		if (bitset_has(&tc->signers, i))
			fprintf(out, " %u:%" PRIu64, i, tc->qc_view[at++]);
	fprintf(out, "\n");
}

static void write_entry(FILE *out, const char *verb, uint32_t node, const struct hs_entry *entry)
{
	if (entry->kind == HS_ENTRY_QC)
		write_list(out, verb, node, "qc", &entry->qc);
	if (entry->kind == HS_ENTRY_TC)
		write_tc(out, verb, node, &entry->tc);
}

static void write_block(struct sim *sim, const struct hs_block *block)
{
	const struct hs_header *header = &block->header;

	if (!is_new(sim, &block->id))
		return;
	fprintf(sim->trace_file, "block %s %u %" PRIu64 " %" PRIu64 " %" PRIu64,
		id_of(&block->id).text, block->author, header->view, header->height,
		header->time_ns);
	fprintf(sim->trace_file, " %s %" PRIu64, id_of(&header->parent_id).text,
		header->justify_view);
	for (uint32_t i = 0; i < header->cut.lane_count; i++)
		fprintf(sim->trace_file, " %" PRIu64, header->cut.lane[i].seq);
	fprintf(sim->trace_file, "\n");
}

static void write_whole_block(struct sim *sim, const char *verb, uint32_t node,
			      const struct hs_block *block, const char *kind)
{
	FILE *out = sim->trace_file;

	write_block(sim, block);
	write_list(out, verb, node, "qc", &block->justify);
	if (block->has_tc)
		write_tc(out, verb, node, &block->tc);
	fprintf(out, "%s %u %s %s\n", verb, node, kind, id_of(&block->id).text);
}

static void write_core(struct sim *sim, const char *verb, uint32_t node,
		       const struct hs_message *core)
{
	FILE *out = sim->trace_file;
	const struct hs_timeout *timeout = &core->u.timeout;

	switch (core->kind) {
	case HS_MESSAGE_PROPOSE:
		write_whole_block(sim, verb, node, &core->u.propose, "propose");
		break;
	case HS_MESSAGE_VOTE:
	case HS_MESSAGE_COMMIT: /* same shape */
		fprintf(out, "%s %u %s %u %" PRIu64 " %s\n", verb, node,
			core->kind == HS_MESSAGE_VOTE ? "vote" : "commit", core->u.vote.author,
			core->u.vote.view, id_of(&core->u.vote.block_id).text);
		break;
	case HS_MESSAGE_TIMEOUT:
		write_list(out, verb, node, "qc", &timeout->qc);
		write_entry(out, verb, node, &timeout->entry);
		fprintf(out, "%s %u timeout %u %" PRIu64 " %" PRIu64 "\n", verb, node,
			timeout->author, timeout->view, timeout->qc_view);
		break;
	case HS_MESSAGE_QC:
		write_list(out, verb, node, "qc", &core->u.qc);
		break;
	case HS_MESSAGE_TC:
		write_tc(out, verb, node, &core->u.tc);
		break;
	case HS_MESSAGE_FC:
		write_list(out, verb, node, "fc", &core->u.fc.c);
		break;
	}
}

static void write_message(struct sim *sim, const char *verb, uint32_t node,
			  const struct wire_message *message)
{
	static struct hs_block block;
	const struct wire_certificates *certificates = &message->u.certificates;

	if (message->kind <= WIRE_FC)
		write_core(sim, verb, node, &message->u.core);
	if (message->kind == WIRE_CERTIFICATES) {
		write_list(sim->trace_file, verb, node, "qc", &certificates->high_qc);
		write_entry(sim->trace_file, verb, node, &certificates->entry);
		if (certificates->has_fc)
			write_list(sim->trace_file, verb, node, "fc", &certificates->fc.c);
	}
	if (message->kind != WIRE_BLOCKS)
		return;
	/* Blocks are served from the disk, with the certificates that lie there with them. */
	for (uint32_t i = 0; i < message->u.blocks.count; i++) {
		ensure(wire_decode_block(message->u.blocks.block_bytes[i],
					 message->u.blocks.block_byte_count[i],
					 &sim->validators.chain_id, &sim->validators.set_hash,
					 sim->knobs.n, &block) == 0);
		write_whole_block(sim, strcmp(verb, "say") == 0 ? "have" : verb, node, &block,
				  "block");
	}
	if (message->u.blocks.has_fc)
		write_list(sim->trace_file, verb, node, "fc", &message->u.blocks.fc.c);
}

void sim_conform_begin(struct sim *sim)
{
	if (!sim->options.trace_name)
		return;
	sim->trace_file = fopen(sim->options.trace_name, "w");
	sim->trace_blocks = calloc(TRACE_BLOCKS_MAX, sizeof(*sim->trace_blocks));
	ensure(sim->trace_file && sim->trace_blocks);
	fprintf(sim->trace_file, "replicas %u %s\n", sim->knobs.n, id_of(&sim->genesis_id).text);
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		if (!is_traced(sim, i))
			fprintf(sim->trace_file, "liar %u\n", i);
}

void sim_conform_end(struct sim *sim)
{
	if (!sim->trace_file)
		return;
	ensure(fclose(sim->trace_file) == 0);
	free(sim->trace_blocks);
}

void sim_conform_said(struct sim *sim, uint32_t node, const struct wire_message *message)
{
	if (is_traced(sim, node))
		write_message(sim, "say", node, message);
}

void sim_conform_heard(struct sim *sim, uint32_t node, uint32_t from, const uint8_t *bytes,
		       uint32_t count)
{
	static struct wire_message message;

	if (is_traced(sim, node) &&
	    wire_decode(bytes, count, from, &sim->validators.chain_id, &sim->validators.set_hash,
			sim->knobs.n, 1, &message) == 0)
		write_message(sim, "hear", node, &message);
}

void sim_conform_record(struct sim *sim, uint32_t node, const char *verb,
			const struct hs_record *record)
{
	FILE *out = sim->trace_file;

	if (!is_traced(sim, node))
		return;
	fprintf(out, "%s %u vote %" PRIu64 " %s timeout %" PRIu64 " %" PRIu64, verb, node,
		record->last_vote_view, id_of(&record->last_vote_id).text,
		record->last_timeout_view, record->last_timeout_qc_view);
	fprintf(out, " commit %" PRIu64 " %s proposed %" PRIu64 " qc %" PRIu64 " %s",
		record->last_commit_view, id_of(&record->last_commit_id).text,
		record->last_proposed_view, record->high_qc.view,
		id_of(&record->high_qc.block_id).text);
	fprintf(out, " intent %" PRIu64 " %s %" PRIu64 " %s tc %" PRIu64 " committed %" PRIu64 "\n",
		record->intent_view, id_of(&record->intent_id).text, record->intent_justify.view,
		id_of(&record->intent_justify.block_id).text,
		record->has_entry_tc ? record->entry_tc.view : 0, record->committed_height);
}

void sim_conform_block(struct sim *sim, uint32_t node, const struct crypto_hash *id)
{
	if (is_traced(sim, node))
		fprintf(sim->trace_file, "keep %u %s\n", node, id_of(id).text);
}

/* A block decoded on its way to the disk: it may have come from nowhere but the proposer itself. */
void sim_conform_append(struct sim *sim, uint32_t node, const struct hs_block *block)
{
	if (is_traced(sim, node))
		write_whole_block(sim, "have", node, block, "block");
}

void sim_conform_final(struct sim *sim, uint32_t node, uint64_t height,
		       const struct crypto_hash *id)
{
	if (is_traced(sim, node))
		fprintf(sim->trace_file, "deliver %u %" PRIu64 " %s\n", node, height,
			id_of(id).text);
}
