/*
 * The observer, third part: what really is on the disks. It reads stable images file by
 * file, with the store's cursor but without the store, and compares them with what
 * replicas said, what clients were told and the one order.
 */

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "base/units.h"
#include "dataplane/lane_batch.h"
#include "tests/sim/sim_check.h"

enum { PAGE = BLOCKLOG_PAGE_BYTES };

struct scan {
	struct sim *sim;
	struct sim_node *node;
	struct blocklog_source source;
	struct blocklog_key key;
	void *window;
	size_t window_bytes;
	bool is_faulty;
	bool is_whole; /* from the first record on; else what is new since the last look */
	uint64_t settled[BLOCKLOG_LOG_COUNT];
};

typedef void (*scan_visit)(struct scan *scan, const struct blocklog_record *record);

/* ---- one append, at the moment its ticket is done ---- */

static bool stable_bytes(struct sim *sim, struct sim_node *node, enum blocklog_area area,
			 uint64_t position, const uint8_t *bytes, size_t count)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t page[BLOCKLOG_PAGE_BYTES];
	struct blocklog_source source = sim_disk_stable(node->disk);
	uint64_t segment_bytes = area == BLOCKLOG_AREA_SAFETY ? BLOCKLOG_SAFETY_FILE_BYTES :
								sim->store_config.segment_bytes;

	while (count > 0) {
		uint64_t in_page = position % PAGE;
		size_t part = (size_t)units_min(count, PAGE - in_page);

		if (source.read(source.context, area, position / segment_bytes,
				position % segment_bytes - in_page, page, PAGE) != 0 ||
		    memcmp(page + in_page, bytes, part) != 0)
			return false;
		position += part;
		bytes += part;
		count -= part;
	}
	return true;
}

static bool record_covers(const struct hs_record *stable, const struct hs_record *told)
{
	return stable->last_vote_view >= told->last_vote_view &&
	       stable->last_timeout_view >= told->last_timeout_view &&
	       stable->last_commit_view >= told->last_commit_view &&
	       stable->last_proposed_view >= told->last_proposed_view &&
	       stable->high_qc.view >= told->high_qc.view;
}

/* A newer record may have taken its place in the slot, but not an older one. */
static bool stable_safety(struct sim *sim, struct sim_node *node, const struct sim_append *append,
			  uint32_t copy)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t slot[BLOCKLOG_SAFETY_SLOT_BYTES];
	static struct hs_record record;
	struct blocklog_source source = sim_disk_stable(node->disk);
	uint64_t sequence = append->position / BLOCKLOG_SAFETY_SLOT_BYTES;
	struct blocklog_head head;

	return source.read(source.context, BLOCKLOG_AREA_SAFETY, 0,
			   blocklog_safety_offset(sequence, copy), slot, sizeof(slot)) == 0 &&
	       blocklog_head_read(slot, sizeof(slot), &head) && head.sequence == sequence &&
	       wire_decode_record(slot + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES,
				  head.length - BLOCKLOG_SAFETY_PREFIX_BYTES, sim->knobs.n,
				  &record) == 0 &&
	       record_covers(&record, append->record);
}

void check_stable_append(struct sim *sim, struct sim_node *node, const struct sim_append *append)
{
	enum blocklog_area area = append->kind == REPLICA_RECORD_BATCH ? BLOCKLOG_AREA_LANE :
									 BLOCKLOG_AREA_BLOCK;
	bool is_stable;

	if (sim->options.is_late_look)
		return;
	if (append->kind == REPLICA_RECORD_SAFETY)
		is_stable = stable_safety(sim, node, append, 0) &&
			    stable_safety(sim, node, append, 1);
	else
		is_stable = stable_bytes(sim, node, area, append->position + BLOCKLOG_HEAD_BYTES,
					 append->bytes, append->byte_count);
	if (!is_stable && !sim_check_is_faulty(sim, node->id))
		sim_fail(sim, "replica %u: a record of kind %u is told durable and is not stable",
			 node->id, append->kind);
}

/* ---- one image ---- */

static void scan_fail(const struct scan *scan, const char *what, uint64_t position)
{
	if (!scan->is_faulty)
		sim_fail(scan->sim, "stable image of replica %u: %s (at %llu)", scan->node->id,
			 what, (unsigned long long)position);
}

/* The last segment that was begun: a prepared one is all zeros. */
static uint64_t last_begun(struct blocklog_cursor *cursor, uint64_t first, uint64_t end)
{
	struct blocklog_record record;
	size_t ahead_bytes = cursor->ahead_bytes;
	uint64_t segment = end - 1;

	cursor->ahead_bytes = PAGE;
	for (; segment > first; segment--) {
		blocklog_cursor_seek(cursor, segment * cursor->segment_bytes);
		if (blocklog_cursor_step(cursor, &record) == 1)
			break;
	}
	cursor->ahead_bytes = ahead_bytes;
	return segment;
}

/* From where the last look stopped, or from the first record on. */
static void scan_resume(const struct scan *scan, struct blocklog_cursor *cursor, uint64_t first)
{
	const struct sim_scanned *scanned = &scan->node->looked[cursor->log];

	blocklog_cursor_seek(cursor, first * cursor->segment_bytes);
	if (scan->is_whole || scanned->position == 0)
		return;
	cursor->position = scanned->position;
	cursor->sequence = scanned->sequence;
	cursor->previous = scanned->previous;
	cursor->is_chained = true;
}

static void scan_records(struct scan *scan, struct blocklog_cursor *cursor, uint64_t last,
			 scan_visit visit)
{
	struct blocklog_record record;
	int code = 0;

	if (cursor->position / cursor->segment_bytes < last)
		while ((code = blocklog_cursor_next(cursor, last * cursor->segment_bytes + PAGE,
						    &record)) == 1)
			visit(scan, &record);
	cursor->limit = UINT64_MAX;
	while (code == 0 && blocklog_cursor_step(cursor, &record) == 1)
		if (record.head.kind <= BLOCKLOG_KIND_APPLICATION_MAX)
			visit(scan, &record);
	if (code < 0)
		scan_fail(scan, "a log breaks off before its last segment", cursor->position);
}

/* Every record of one log; the last one may be cut short, those before may not. */
static void scan_log(struct scan *scan, enum blocklog_log log, scan_visit visit)
{
	struct blocklog_cursor cursor;
	struct blocklog_tail tail = { 0 };
	uint64_t first, end;

	blocklog_cursor_init(&cursor, &scan->source, &scan->key, log,
			     scan->sim->store_config.segment_bytes, scan->window,
			     scan->window_bytes);
	if (scan->source.census(scan->source.context, blocklog_area_of(log), &first, &end) != 0) {
		scan_fail(scan, "a log has no files, or misses one", 0);
		return;
	}
	if (scan->is_whole && blocklog_recover_tail(&cursor, scan->settled[log], &tail) != 0) {
		scan_fail(scan, "its tail is damaged", cursor.position);
		return;
	}
	end = last_begun(&cursor, first, end);
	scan_resume(scan, &cursor, first);
	scan_records(scan, &cursor, end, visit);
	if (cursor.position < units_max(tail.end, scan->settled[log]))
		scan_fail(scan, "a log ends before it was durable", cursor.position);
	scan->node->looked[log] = (struct sim_scanned){
		.position = cursor.position,
		.sequence = cursor.sequence,
		.previous = cursor.previous,
	};
}

static void visit_lane(struct scan *scan, const struct blocklog_record *record)
{
	struct check_batch *batch;
	struct lane_record lane;

	if (record->head.kind != REPLICA_RECORD_BATCH ||
	    lane_record_open(record->bytes, record->head.length, &scan->sim->validators.chain_id,
			     &lane) != 0) {
		scan_fail(scan, "a record of the lane log is no batch", record->head.position);
		return;
	}
	batch = check_batch_find(scan->sim->check, &lane.header.digest);
	if (!batch->is_used) {
		scan_fail(scan, "a batch nobody appended", record->head.position);
		return;
	}
	if (!(batch->stable >> scan->node->id & 1))
		batch->first_position[scan->node->id] = record->head.position;
	batch->stable |= UINT32_C(1) << scan->node->id;
	batch->position[scan->node->id] = record->head.position;
}

/* The places a mark names hold what it says: readers go by them. */
static void mark_places(struct scan *scan, const struct replica_mark *mark)
{
	struct replica_mark_batch named;

	for (uint32_t i = 0; i < mark->batch_count; i++) {
		const struct check_batch *batch;

		replica_mark_batch_at(mark, i, &named);
		batch = check_batch_find(scan->sim->check, &named.digest);
		if (!batch->is_used || !(batch->stable >> scan->node->id & 1) ||
		    (batch->position[scan->node->id] != named.position &&
		     batch->first_position[scan->node->id] != named.position))
			scan_fail(scan, "a mark names a batch that is not in its place",
				  named.position);
	}
}

/* Marks rise by one from height 1, whole, and say what everybody's say. */
static void visit_mark(struct scan *scan, const struct blocklog_record *record)
{
	struct sim_scanned_marks *marks;
	struct check_height *known;
	struct crypto_hash content;
	struct replica_mark mark;

	if (replica_mark_decode(record->bytes, record->head.length, &mark) != 0) {
		scan_fail(scan, "a mark does not decode", record->head.position);
		return;
	}
	marks = &scan->node->looked_marks;
	if (mark.part == 0) {
		marks->next_part = 0;
		crypto_hasher_init(&marks->hasher);
	}
	if (mark.height != marks->height + 1 || mark.part != marks->next_part++)
		scan_fail(scan, "marks do not follow each other", record->head.position);
	mark_places(scan, &mark);
	check_mark_hash(&marks->hasher, &mark);
	if (!mark.is_last)
		return;
	marks->height = mark.height;
	content = crypto_hasher_done(&marks->hasher);
	known = check_height_of(scan->sim->check, mark.height);
	if (!known->is_known || !crypto_hash_equal(&known->content, &content))
		scan_fail(scan, "a height is ordered differently from the one order",
			  record->head.position);
	if (!(check_block_find(scan->sim->check, &mark.block_id)->stable >> scan->node->id & 1))
		scan_fail(scan, "a height is marked without its block", record->head.position);
}

static void visit_block(struct scan *scan, const struct blocklog_record *record)
{
	struct sim_check *check = scan->sim->check;
	struct check_block *block;

	if (record->head.kind == REPLICA_RECORD_MARK)
		visit_mark(scan, record);
	if (record->head.kind != REPLICA_RECORD_BLOCK)
		return;
	if (wire_decode_block(record->bytes, record->head.length, &scan->sim->validators.chain_id,
			      &scan->sim->validators.set_hash, scan->sim->knobs.n,
			      &check->block) != 0) {
		scan_fail(scan, "a block does not decode", record->head.position);
		return;
	}
	block = check_block_find(check, &check->block.id);
	if (!block->is_used) {
		scan_fail(scan, "a block nobody appended", record->head.position);
		return;
	}
	block->stable |= UINT32_C(1) << scan->node->id;
	block->position[scan->node->id] = record->head.position;
	block->byte_count = record->head.length;
}

static void scan_safety(struct scan *scan)
{
	static _Alignas(BLOCKLOG_PAGE_BYTES) uint8_t slot[BLOCKLOG_SAFETY_SLOT_BYTES];
	static struct hs_record record;
	struct blocklog_safety_found found = { 0 };
	struct sim_node *node = scan->node;

	if (blocklog_recover_safety(&scan->source, &scan->key, scan->window, slot, &found) != 0 ||
	    wire_decode_record(slot + BLOCKLOG_HEAD_BYTES + BLOCKLOG_SAFETY_PREFIX_BYTES,
			       found.head.length - BLOCKLOG_SAFETY_PREFIX_BYTES, scan->sim->knobs.n,
			       &record) != 0) {
		scan_fail(scan, "no safety record can be read", 0);
		return;
	}
	if (node->has_durable && !record_covers(&record, &node->durable))
		scan_fail(scan, "the safety record is older than one told durable",
			  found.head.position);
	memcpy(scan->settled, found.settled, sizeof(scan->settled));
}

/* What the replica was told is durable is there, power or no power. */
static void scan_promises(struct scan *scan)
{
	struct sim_check *check = scan->sim->check;
	uint32_t bit = UINT32_C(1) << scan->node->id;

	for (uint32_t i = 0; i < check->block_count; i++) {
		const struct check_block *block = &check->blocks[check->block_slot[i]];

		if (block->durable & ~block->stable & bit)
			scan_fail(scan, "a block told durable is missing", block->height);
	}
	for (uint32_t i = 0; i < check->batch_count; i++) {
		const struct check_batch *batch = &check->batches[check->batch_slot[i]];

		if (batch->durable & ~batch->stable & bit)
			scan_fail(scan, "a batch told durable is missing", batch->seq);
	}
	if (scan->node->looked_marks.height < scan->node->marked_height)
		scan_fail(scan, "a height told delivered has no mark", scan->node->marked_height);
}

static void forget_look(struct sim *sim, struct sim_node *node)
{
	struct sim_check *check = sim->check;
	uint32_t bit = UINT32_C(1) << node->id;

	for (uint32_t i = 0; i < check->block_count; i++)
		check->blocks[check->block_slot[i]].stable &= ~bit;
	for (uint32_t i = 0; i < check->batch_count; i++)
		check->batches[check->batch_slot[i]].stable &= ~bit;
	node->looked_marks = (struct sim_scanned_marks){ 0 };
}

static void scan_node(struct sim *sim, struct sim_node *node, void *window, size_t window_bytes,
		      bool is_whole)
{
	struct blocklog_identity identity = sim->store_config.identity;
	struct scan scan = {
		.sim = sim,
		.node = node,
		.source = sim_disk_stable(node->disk),
		.window = window,
		.window_bytes = window_bytes,
		.is_faulty = sim_check_is_faulty(sim, node->id),
		.is_whole = is_whole || sim_check_is_faulty(sim, node->id),
	};

	identity.node_id = node->id;
	scan.key = blocklog_key_of(&identity, sim->store_config.salt);
	if (scan.is_whole)
		forget_look(sim, node);
	scan_safety(&scan);
	scan_log(&scan, BLOCKLOG_LANE, visit_lane);
	scan_log(&scan, BLOCKLOG_BLOCK, visit_block);
	scan_promises(&scan);
}

/* ---- what clients were told ---- */

static void want_quorum(struct sim *sim, uint32_t replicas, const char *what, uint64_t number)
{
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		replicas |= (uint32_t)sim_check_is_faulty(sim, i) << i;
	if ((uint32_t)__builtin_popcount(replicas) < hs_quorum(sim->knobs.n))
		sim_fail(sim, "%s %llu, receipted, is on fewer than q stable images", what,
			 (unsigned long long)number);
}

/* The batches by which the block's cut goes beyond its parent's, from the newest down. */
static void want_batches(struct sim *sim, const struct check_block *block,
			 const struct check_block *parent, uint32_t lane)
{
	uint64_t from = parent->is_used ? parent->cut[lane].seq : 0;
	const struct crypto_hash *digest = &block->cut[lane].digest;

	for (uint64_t seq = block->cut[lane].seq; seq > from; seq--) {
		const struct check_batch *batch = check_batch_find(sim->check, digest);

		if (!batch->is_used)
			sim_fail(sim, "a receipted block orders a batch nobody stored");
		want_quorum(sim, batch->stable, "batch", seq);
		digest = &batch->prev_digest;
	}
}

/* Everything up to the highest receipted block is on q disks, whatever happens now. */
static void want_receipted(struct sim *sim)
{
	struct sim_check *check = sim->check;
	const struct check_block *block;

	if (check->receipted_height == 0)
		return;
	block = check_block_find(check,
				 &check_height_of(check, check->receipted_height)->receipt_id);
	while (block->is_used) {
		const struct check_block *parent = check_block_find(check, &block->parent_id);

		want_quorum(sim, block->stable, "block at height", block->height);
		for (uint32_t lane = 0; lane < sim->knobs.n; lane++)
			want_batches(sim, block, parent, lane);
		if (!parent->is_used && block->height != 1)
			sim_fail(sim, "the receipted chain breaks off at height %llu",
				 (unsigned long long)block->height);
		block = parent;
	}
}

void sim_check_stable(struct sim *sim, bool is_whole)
{
	struct sim_check *check = sim->check;
	size_t window_bytes = blocklog_window_bytes(sim->store_config.group_bytes_max);
	void *window = aligned_alloc(PAGE, window_bytes);

	ensure(window);
	for (uint32_t i = 0; i < sim->knobs.n; i++)
		scan_node(sim, &sim->nodes[i], window, window_bytes, is_whole);
	want_receipted(sim);
	check->looks++;
	free(window);
}

/* Batches of a block are counted over its lanes; `pick` beyond them is the block itself. */
void sim_check_place(struct sim *sim, uint32_t node, uint64_t height, uint32_t pick,
		     enum blocklog_log *ret_log, uint64_t *ret_position, uint32_t *ret_bytes)
{
	struct sim_check *check = sim->check;
	const struct check_block *block =
		check_block_find(check, &check_height_of(check, height)->id);
	const struct check_block *parent = check_block_find(check, &block->parent_id);
	uint32_t lane = pick % (2 * sim->knobs.n);
	const struct check_batch *batch;

	ensure(block->is_used && (block->stable >> node & 1));
	*ret_log = BLOCKLOG_BLOCK;
	*ret_position = block->position[node];
	*ret_bytes = block->byte_count;
	if (lane >= sim->knobs.n ||
	    block->cut[lane].seq <= (parent->is_used ? parent->cut[lane].seq : 0))
		return;
	batch = check_batch_find(check, &block->cut[lane].digest);
	ensure(batch->is_used && (batch->stable >> node & 1));
	*ret_log = BLOCKLOG_LANE;
	*ret_position = batch->position[node];
	*ret_bytes = batch->byte_count;
}
