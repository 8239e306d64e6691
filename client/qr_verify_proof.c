/* The stand-alone verifier: needs its header and libsodium, and deliberately nothing else. */
#include "qr_verify_proof.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

enum {
	HASH_BYTES = 32,
	KEY_BYTES = 32,
	SIGNATURE_BYTES = 64,
	MEMBERS_MAX = 100,
	NAME_BYTES_MAX = 31,
	GENESIS_BYTES_MAX = 64 * 1024,
	PROOF_BYTES_MAX = 512 * 1024,
	FRAME_BYTES_MAX = 1400,
	FRAME_TRANSACTIONS_MAX = 256,
	SEAL_DEPTH_MAX = 6,
	BATCH_FRAMES_MAX = 512,
	BATCH_BYTES_MAX = 256 * 1024,
	BATCHES_MAX = 64,
	LINKS_MAX = 64,
	KIND_FC = 1,
	KIND_C2 = 2,
};

struct hash {
	uint8_t b[HASH_BYTES];
};

struct in {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct genesis {
	struct hash chain_id;
	struct hash set_hash;
	struct hash block_id; /* height 0 */
	uint64_t epoch;
	uint32_t members;
	uint8_t key[MEMBERS_MAX][KEY_BYTES];
};

struct header {
	struct hash id;
	uint64_t view;
	uint64_t height;
	uint64_t time_ns;
	struct hash parent_id;
	uint64_t justify_view;
	struct hash justify_digest;
	uint64_t lane_seq[MEMBERS_MAX];
	struct hash lane_digest[MEMBERS_MAX];
};

struct certificate {
	uint64_t view;
	struct hash block_id;
	uint64_t signers[2];
	uint32_t count;
	const uint8_t *signatures;
};

struct frame {
	const uint8_t *bytes;
	uint32_t byte_count;
	uint32_t body_bytes;
	uint32_t count;
	const uint8_t *client;
	uint64_t first_seq;
	uint64_t expires;
	const uint8_t *payload; /* of the transaction asked for */
	uint32_t payload_bytes;
	uint32_t depth;
	uint32_t leaf_index;
	const uint8_t *siblings;
	const uint8_t *signature;
};

static const uint8_t *take(struct in *in, size_t count)
{
	const uint8_t *at = in->at;

	if (in->failed || (size_t)(in->end - in->at) < count) {
		in->failed = true;
		return NULL;
	}
	in->at += count;
	return at;
}

static uint64_t number(struct in *in, size_t bytes)
{
	const uint8_t *at = take(in, bytes);
	uint64_t value = 0;

	for (size_t i = 0; at && i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static void take_hash(struct in *in, struct hash *ret_hash)
{
	const uint8_t *at = take(in, HASH_BYTES);

	if (at)
		memcpy(ret_hash->b, at, HASH_BYTES);
	else
		memset(ret_hash->b, 0, HASH_BYTES);
}

static bool equal(const struct hash *a, const struct hash *b)
{
	return memcmp(a->b, b->b, HASH_BYTES) == 0;
}

/* ---- hashing: H is BLAKE2b-256, every use begins with 8 bytes of its own ---- */

typedef crypto_generichash_blake2b_state hasher;

static void hash_begin(hasher *h, const char tag[8])
{
	(void)crypto_generichash_blake2b_init(h, NULL, 0, HASH_BYTES);
	(void)crypto_generichash_blake2b_update(h, (const uint8_t *)tag, 8);
}

static void hash_add(hasher *h, const void *bytes, size_t count)
{
	(void)crypto_generichash_blake2b_update(h, bytes, count);
}

static void hash_number(hasher *h, uint64_t value, size_t bytes)
{
	uint8_t at[8];

	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
	hash_add(h, at, bytes);
}

static struct hash hash_end(hasher *h)
{
	struct hash hash;

	(void)crypto_generichash_blake2b_final(h, hash.b, HASH_BYTES);
	return hash;
}

static struct hash hash_of(const char tag[8], const void *bytes, size_t count)
{
	hasher h;

	hash_begin(&h, tag);
	hash_add(&h, bytes, count);
	return hash_end(&h);
}

static struct hash hash_pair(const char tag[8], const void *left, const void *right)
{
	hasher h;

	hash_begin(&h, tag);
	hash_add(&h, left, HASH_BYTES);
	hash_add(&h, right, HASH_BYTES);
	return hash_end(&h);
}

/* ---- genesis ---- */

static void skip_name(struct in *in)
{
	uint64_t length = number(in, 1);

	in->failed = in->failed || length == 0 || length > NAME_BYTES_MAX;
	take(in, (size_t)length);
}

static void genesis_members(struct in *in, struct genesis *genesis)
{
	uint64_t count = number(in, 2);

	if (count == 0 || count > MEMBERS_MAX) {
		in->failed = true;
		return;
	}
	genesis->members = (uint32_t)count;
	for (uint32_t i = 0; i < genesis->members; i++) {
		skip_name(in);
		const uint8_t *key = take(in, KEY_BYTES);

		take(in, KEY_BYTES + 16 + 2);           /* session key, address, port */
		for (uint32_t k = 0; key && k < i; k++) /* one member, one signature */
			in->failed = in->failed || memcmp(key, genesis->key[k], KEY_BYTES) == 0;
		if (key)
			memcpy(genesis->key[i], key, KEY_BYTES);
	}
}

static bool genesis_read(const void *bytes, size_t count, struct genesis *genesis)
{
	struct in in = { .at = bytes, .end = (const uint8_t *)bytes + count };
	bool is_known = count <= GENESIS_BYTES_MAX && number(&in, 4) == 0x31475251 &&
			number(&in, 2) == 1;

	if (!is_known)
		return false;
	skip_name(&in);
	take(&in, 8); /* time */
	genesis->epoch = number(&in, 8);
	take(&in, 5 * 8 + 2 * 4); /* timers, lane limits */
	genesis_members(&in, genesis);
	take(&in, 1 + 4 * 4); /* admission: kind, limits */
	take(&in, (size_t)number(&in, 2) * KEY_BYTES);
	return !in.failed && in.at == in.end && genesis->epoch == 1;
}

static enum qr_verdict genesis_open(const void *bytes, size_t count, struct genesis *genesis)
{
	hasher h;

	if (sodium_init() < 0)
		return QR_VERDICT_NO_SODIUM;
	if (!genesis_read(bytes, count, genesis))
		return QR_VERDICT_GENESIS_FORMAT;
	for (uint32_t i = 0; i < genesis->members; i++)
		if (crypto_core_ed25519_is_valid_point(genesis->key[i]) != 1)
			return QR_VERDICT_GENESIS_KEY;
	genesis->chain_id = hash_of("QRchain1", bytes, count);
	hash_begin(&h, "QRvalset");
	hash_number(&h, genesis->epoch, 8);
	hash_number(&h, genesis->members, 4);
	for (uint32_t i = 0; i < genesis->members; i++)
		hash_add(&h, genesis->key[i], KEY_BYTES);
	genesis->set_hash = hash_end(&h);
	genesis->block_id = hash_pair("QRblock0", genesis->chain_id.b, genesis->set_hash.b);
	return QR_VERDICT_PROVED;
}

/* ---- frame ---- */

static void frame_payloads(struct in *in, uint32_t wanted, struct frame *frame)
{
	for (uint32_t i = 0; i < frame->count && !in->failed; i++) {
		uint32_t length = (uint32_t)number(in, 2);
		const uint8_t *payload = take(in, length);

		if (i == wanted) {
			frame->payload = payload;
			frame->payload_bytes = length;
		}
	}
}

static bool frame_read(const uint8_t *bytes, uint32_t count, uint32_t wanted,
		       const struct genesis *genesis, struct frame *frame)
{
	struct in in = { .at = bytes, .end = bytes + count };

	frame->bytes = bytes;
	frame->byte_count = count;
	if (number(&in, 4) != 0x31465251 || number(&in, 1) != 1 || number(&in, 1) != 1)
		return false; /* only frames with transactions prove anything */
	frame->count = (uint32_t)number(&in, 2);
	const uint8_t *chain_tag = take(&in, 8);

	frame->client = take(&in, KEY_BYTES);
	frame->first_seq = number(&in, 8);
	frame->expires = number(&in, 8);
	if (in.failed || memcmp(chain_tag, genesis->chain_id.b, 8) != 0 ||
	    frame->count > FRAME_TRANSACTIONS_MAX || wanted >= frame->count ||
	    frame->first_seq > UINT64_MAX - frame->count)
		return false;
	frame_payloads(&in, wanted, frame);
	frame->body_bytes = (uint32_t)(in.at - bytes);
	frame->depth = (uint32_t)number(&in, 1);
	frame->leaf_index = (uint32_t)number(&in, 1);
	frame->siblings = take(&in, (size_t)frame->depth * HASH_BYTES);
	frame->signature = take(&in, SIGNATURE_BYTES);
	return !in.failed && in.at == in.end && frame->depth <= SEAL_DEPTH_MAX &&
	       frame->leaf_index >> frame->depth == 0;
}

static bool frame_is_signed(const struct frame *frame, const struct genesis *genesis)
{
	struct hash node = hash_of("QRFleaf1", frame->bytes, frame->body_bytes);
	uint8_t signed_bytes[8 + HASH_BYTES + KEY_BYTES + HASH_BYTES];

	for (uint32_t level = 0; level < frame->depth; level++) {
		const uint8_t *sibling = frame->siblings + (size_t)level * HASH_BYTES;

		node = (frame->leaf_index >> level & 1) != 0 ?
			       hash_pair("QRseal-n", sibling, node.b) :
			       hash_pair("QRseal-n", node.b, sibling);
	}
	memcpy(signed_bytes, "QRseal01", 8);
	memcpy(signed_bytes + 8, genesis->chain_id.b, HASH_BYTES);
	memcpy(signed_bytes + 40, frame->client, KEY_BYTES);
	memcpy(signed_bytes + 72, node.b, HASH_BYTES);
	return crypto_core_ed25519_is_valid_point(frame->client) == 1 &&
	       crypto_sign_verify_detached(frame->signature, signed_bytes, sizeof(signed_bytes),
					   frame->client) == 0;
}

/* ---- batches of one lane ---- */

struct batches {
	uint32_t lane;
	uint64_t seq; /* of the first */
	uint64_t last_seq;
	struct hash end;      /* digest of the last */
	struct hash root;     /* of the first */
	uint32_t frame_count; /* of the first */
	uint32_t frame_index;
	struct hash path_root; /* what frame and path come to */
};

static void batch_chain(struct in *in, const struct genesis *genesis, struct batches *b)
{
	static const struct hash zero;
	uint32_t count;

	b->lane = (uint32_t)number(in, 4);
	b->seq = number(in, 8);
	take_hash(in, &b->end);
	count = (uint32_t)number(in, 2);
	if (count == 0 || count > BATCHES_MAX || b->lane >= genesis->members || b->seq == 0 ||
	    b->seq > UINT64_MAX - count || (b->seq == 1 && !equal(&b->end, &zero))) {
		in->failed = true;
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct hash root;
		hasher h;

		take_hash(in, &root);
		uint64_t frames = number(in, 4);
		uint64_t bytes = number(in, 4);

		in->failed = in->failed || frames == 0 || frames > BATCH_FRAMES_MAX || bytes == 0 ||
			     bytes > BATCH_BYTES_MAX;
		if (i == 0) {
			b->root = root;
			b->frame_count = (uint32_t)frames;
		}
		hash_begin(&h, "QRbatch1");
		hash_add(&h, genesis->chain_id.b, HASH_BYTES);
		hash_number(&h, b->lane, 4);
		hash_number(&h, b->seq + i, 8);
		hash_add(&h, b->end.b, HASH_BYTES);
		hash_add(&h, root.b, HASH_BYTES);
		hash_number(&h, frames, 4);
		hash_number(&h, bytes, 4);
		b->end = hash_end(&h);
	}
	b->last_seq = b->seq + count - 1;
}

static void batch_path(struct in *in, const struct frame *frame, struct batches *b)
{
	struct hash node = hash_of("QRframe1", frame->bytes, frame->byte_count);
	uint32_t index = (uint32_t)number(in, 2);
	uint32_t count = b->frame_count;

	b->frame_index = index;
	if (index >= count) {
		in->failed = true;
		return;
	}
	for (; count > 1; index /= 2, count = (count + 1) / 2) {
		struct hash sibling;

		if ((index ^ 1) >= count)
			continue; /* an odd last node rises unpaired */
		take_hash(in, &sibling);
		node = index % 2 != 0 ? hash_pair("QRmerkle", sibling.b, node.b) :
					hash_pair("QRmerkle", node.b, sibling.b);
	}
	b->path_root = node;
}

/* ---- headers ---- */

static void header_cut(struct in *in, const struct genesis *genesis, hasher *h,
		       struct header *header)
{
	static const struct hash zero;
	uint64_t lanes = number(in, 2);

	if (lanes != genesis->members) {
		in->failed = true;
		return;
	}
	hash_number(h, lanes, 4);
	for (uint32_t i = 0; i < genesis->members; i++) {
		header->lane_seq[i] = number(in, 8);
		take_hash(in, &header->lane_digest[i]);
		in->failed = in->failed ||
			     (header->lane_seq[i] == 0 && !equal(&header->lane_digest[i], &zero));
		hash_number(h, header->lane_seq[i], 8);
		hash_add(h, header->lane_digest[i].b, HASH_BYTES);
	}
}

static void header_read(struct in *in, const struct genesis *genesis, struct header *header)
{
	hasher h;

	if (number(in, 8) != genesis->epoch)
		in->failed = true;
	header->view = number(in, 8);
	header->height = number(in, 8);
	header->time_ns = number(in, 8);
	take_hash(in, &header->parent_id);
	header->justify_view = number(in, 8);
	take_hash(in, &header->justify_digest);
	/* Configuration and checkpoint: this version of the verifier knows epoch 1 only. */
	if (number(in, 1) != 0 || header->view == 0 || header->height == 0)
		in->failed = true;
	hash_begin(&h, "HSBLOCK1");
	hash_add(&h, genesis->chain_id.b, HASH_BYTES);
	hash_add(&h, genesis->set_hash.b, HASH_BYTES);
	hash_number(&h, genesis->epoch, 8);
	hash_number(&h, header->view, 8);
	hash_number(&h, header->height, 8);
	hash_number(&h, header->time_ns, 8);
	hash_add(&h, header->parent_id.b, HASH_BYTES);
	hash_number(&h, header->justify_view, 8);
	hash_add(&h, header->justify_digest.b, HASH_BYTES);
	hash_number(&h, 0, 8); /* has_config, has_checkpoint */
	hash_number(&h, 0, 8); /* checkpoint height */
	for (int i = 0; i < 2 * HASH_BYTES / 8; i++)
		hash_number(&h, 0, 8); /* configuration digest, checkpoint root */
	header_cut(in, genesis, &h, header);
	header->id = hash_end(&h);
}

static bool is_parent_of(const struct header *parent, const struct header *child)
{
	return equal(&child->parent_id, &parent->id) && child->height == parent->height + 1;
}

/* ---- certificates ---- */

static uint32_t bits(const uint64_t words[2])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < 128; i++)
		count += (uint32_t)(words[i / 64] >> (i % 64) & 1);
	return count;
}

static void certificate_read(struct in *in, struct certificate *certificate)
{
	certificate->view = number(in, 8);
	take_hash(in, &certificate->block_id);
	certificate->signers[0] = number(in, 8);
	certificate->signers[1] = number(in, 8);
	certificate->count = bits(certificate->signers);
	certificate->signatures = take(in, (size_t)certificate->count * SIGNATURE_BYTES);
}

static bool certificate_is_good(const struct certificate *certificate,
				const struct genesis *genesis, const char tag[8],
				const struct header *header)
{
	uint8_t bytes[8 + HASH_BYTES + 8 + HASH_BYTES + 8 + HASH_BYTES];
	const uint8_t *signature = certificate->signatures;

	if (certificate->view != header->view || !equal(&certificate->block_id, &header->id) ||
	    certificate->count != genesis->members - (genesis->members - 1) / 3)
		return false;
	memcpy(bytes, tag, 8);
	memcpy(bytes + 8, genesis->chain_id.b, HASH_BYTES);
	for (int i = 0; i < 8; i++)
		bytes[40 + i] = (uint8_t)(genesis->epoch >> 8 * i);
	memcpy(bytes + 48, genesis->set_hash.b, HASH_BYTES);
	for (int i = 0; i < 8; i++)
		bytes[80 + i] = (uint8_t)(certificate->view >> 8 * i);
	memcpy(bytes + 88, certificate->block_id.b, HASH_BYTES);
	for (uint32_t member = 0; member < 128; member++) {
		if ((certificate->signers[member / 64] >> (member % 64) & 1) == 0)
			continue;
		if (member >= genesis->members ||
		    crypto_sign_verify_detached(signature, bytes, sizeof(bytes),
						genesis->key[member]) != 0)
			return false;
		signature += SIGNATURE_BYTES;
	}
	return true;
}

/* C2: certificates of exactly consecutive views, the second on a child justified by the first. */
static enum qr_verdict check_child(struct in *in, const struct genesis *genesis,
				   const struct certificate *first, const struct header *block)
{
	struct certificate second = { 0 };
	struct header child;
	struct hash digest;
	hasher h;

	header_read(in, genesis, &child);
	certificate_read(in, &second);
	if (in->failed || in->at != in->end)
		return QR_VERDICT_PROOF_FORMAT;
	hash_begin(&h, "HSJUSTI1");
	hash_add(&h, genesis->chain_id.b, HASH_BYTES);
	hash_number(&h, genesis->epoch, 8);
	hash_add(&h, genesis->set_hash.b, HASH_BYTES);
	hash_number(&h, first->view, 8);
	hash_add(&h, first->block_id.b, HASH_BYTES);
	digest = hash_end(&h);
	if (!is_parent_of(block, &child) || child.justify_view != first->view ||
	    !equal(&child.justify_digest, &digest) || child.view != first->view + 1)
		return QR_VERDICT_NOT_CONSECUTIVE;
	return certificate_is_good(&second, genesis, "HSVOTE01", &child) ? QR_VERDICT_PROVED :
									   QR_VERDICT_NO_QUORUM;
}

static enum qr_verdict check_certificates(struct in *in, const struct genesis *genesis,
					  const struct header *block, uint32_t *ret_signers)
{
	struct certificate first = { 0 };
	uint64_t kind = number(in, 1);

	certificate_read(in, &first);
	if (in->failed || (kind != KIND_FC && kind != KIND_C2) ||
	    (kind == KIND_FC && in->at != in->end))
		return QR_VERDICT_PROOF_FORMAT;
	if (!certificate_is_good(&first, genesis, kind == KIND_FC ? "HSCOMMI1" : "HSVOTE01", block))
		return QR_VERDICT_NO_QUORUM;
	*ret_signers = first.count;
	return kind == KIND_FC ? QR_VERDICT_PROVED : check_child(in, genesis, &first, block);
}

/* Walks from block h up to the certified block; `ret_top` is that one. */
static enum qr_verdict check_links(struct in *in, const struct genesis *genesis,
				   const struct header *block, struct header *ret_top)
{
	uint64_t count = number(in, 2);

	if (in->failed || count > LINKS_MAX)
		return QR_VERDICT_PROOF_FORMAT;
	*ret_top = *block;
	for (uint64_t i = 0; i < count; i++) {
		struct header next;

		header_read(in, genesis, &next);
		if (in->failed)
			return QR_VERDICT_PROOF_FORMAT;
		if (!is_parent_of(ret_top, &next))
			return QR_VERDICT_BROKEN_LINK;
		*ret_top = next;
	}
	return QR_VERDICT_PROVED;
}

/* The batch is in this block's cut, and was not in its parent's. */
static enum qr_verdict check_cut(struct in *in, const struct genesis *genesis,
				 const struct batches *b, struct header *ret_block)
{
	struct header parent;
	uint64_t has_parent;

	header_read(in, genesis, ret_block);
	has_parent = number(in, 1);
	if (in->failed || has_parent > 1)
		return QR_VERDICT_PROOF_FORMAT;
	if (ret_block->lane_seq[b->lane] != b->last_seq ||
	    !equal(&ret_block->lane_digest[b->lane], &b->end))
		return QR_VERDICT_BATCH_NOT_IN_CUT;
	if (has_parent == 0)
		return ret_block->height == 1 && equal(&ret_block->parent_id, &genesis->block_id) ?
			       QR_VERDICT_PROVED :
			       QR_VERDICT_BROKEN_LINK;
	header_read(in, genesis, &parent);
	if (in->failed)
		return QR_VERDICT_PROOF_FORMAT;
	if (!is_parent_of(&parent, ret_block))
		return QR_VERDICT_BROKEN_LINK;
	return parent.lane_seq[b->lane] < b->seq ? QR_VERDICT_PROVED : QR_VERDICT_ORDERED_EARLIER;
}

static enum qr_verdict check_frame(struct in *in, const struct genesis *genesis,
				   uint32_t *ret_transaction, struct frame *ret_frame,
				   struct batches *ret_batches)
{
	*ret_transaction = (uint32_t)number(in, 2);
	uint32_t count = (uint32_t)number(in, 2);
	const uint8_t *bytes = take(in, count);

	if (!bytes || count > FRAME_BYTES_MAX ||
	    !frame_read(bytes, count, *ret_transaction, genesis, ret_frame))
		return QR_VERDICT_PROOF_FORMAT;
	batch_chain(in, genesis, ret_batches);
	if (!in->failed)
		batch_path(in, ret_frame, ret_batches);
	if (in->failed)
		return QR_VERDICT_PROOF_FORMAT;
	if (!frame_is_signed(ret_frame, genesis))
		return QR_VERDICT_FRAME_SIGNATURE;
	return equal(&ret_batches->path_root, &ret_batches->root) ? QR_VERDICT_PROVED :
								    QR_VERDICT_FRAME_NOT_IN_BATCH;
}

static void fill(const struct genesis *genesis, const struct frame *frame,
		 const struct batches *batches, const struct header *block,
		 struct qr_proved *ret_proved)
{
	hasher h;
	struct hash txid;

	memcpy(ret_proved->chain_id, genesis->chain_id.b, HASH_BYTES);
	memcpy(ret_proved->client, frame->client, KEY_BYTES);
	memcpy(ret_proved->block_id, block->id.b, HASH_BYTES);
	ret_proved->seq = frame->first_seq + ret_proved->transaction;
	ret_proved->payload = frame->payload;
	ret_proved->payload_bytes = frame->payload_bytes;
	ret_proved->height = block->height;
	ret_proved->time_ns = block->time_ns;
	ret_proved->lane = batches->lane;
	ret_proved->batch = batches->seq;
	ret_proved->frame = batches->frame_index;
	ret_proved->members = genesis->members;
	hash_begin(&h, "QRtxid01");
	hash_add(&h, frame->client, KEY_BYTES);
	hash_number(&h, ret_proved->seq, 8);
	hash_add(&h, frame->payload, frame->payload_bytes);
	txid = hash_end(&h);
	memcpy(ret_proved->txid, txid.b, HASH_BYTES);
}

enum qr_verdict qr_verify_proof(const void *genesis_file, size_t genesis_bytes, const void *proof,
				size_t proof_bytes, struct qr_proved *ret_proved)
{
	struct in in = { .at = proof, .end = (const uint8_t *)proof + proof_bytes };
	struct genesis genesis = { 0 };
	struct frame frame = { 0 };
	struct batches batches = { 0 };
	struct header block;
	struct header top;
	struct hash chain_id;
	struct hash txid;
	struct qr_proved proved = { 0 };
	enum qr_verdict verdict = genesis_open(genesis_file, genesis_bytes, &genesis);

	if (verdict != QR_VERDICT_PROVED)
		return verdict;
	if (proof_bytes > PROOF_BYTES_MAX || number(&in, 4) != 0x31505251 || number(&in, 2) != 1)
		return QR_VERDICT_PROOF_FORMAT;
	take_hash(&in, &chain_id);
	take_hash(&in, &txid);
	if (in.failed)
		return QR_VERDICT_PROOF_FORMAT;
	if (!equal(&chain_id, &genesis.chain_id))
		return QR_VERDICT_OTHER_CHAIN;
	verdict = check_frame(&in, &genesis, &proved.transaction, &frame, &batches);
	if (verdict == QR_VERDICT_PROVED)
		verdict = check_cut(&in, &genesis, &batches, &block);
	if (verdict == QR_VERDICT_PROVED && block.height > frame.expires)
		verdict = QR_VERDICT_EXPIRED;
	if (verdict == QR_VERDICT_PROVED)
		verdict = check_links(&in, &genesis, &block, &top);
	if (verdict == QR_VERDICT_PROVED)
		verdict = check_certificates(&in, &genesis, &top, &proved.signers);
	if (verdict != QR_VERDICT_PROVED)
		return verdict;
	fill(&genesis, &frame, &batches, &block, &proved);
	if (memcmp(proved.txid, txid.b, HASH_BYTES) != 0)
		return QR_VERDICT_PROOF_FORMAT;
	proved.final_height = top.height;
	*ret_proved = proved;
	return QR_VERDICT_PROVED;
}

enum qr_verdict qr_genesis_chain_id(const void *genesis_file, size_t genesis_bytes,
				    uint8_t ret_chain_id[32])
{
	struct genesis genesis = { 0 };
	enum qr_verdict verdict = genesis_open(genesis_file, genesis_bytes, &genesis);

	if (verdict == QR_VERDICT_PROVED)
		memcpy(ret_chain_id, genesis.chain_id.b, HASH_BYTES);
	return verdict;
}

const char *qr_verdict_text(enum qr_verdict verdict)
{
	static const char *const text[QR_VERDICT_COUNT] = {
		[QR_VERDICT_PROVED] = "proved",
		[QR_VERDICT_NO_SODIUM] = "libsodium does not start",
		[QR_VERDICT_GENESIS_FORMAT] = "this is not a genesis file",
		[QR_VERDICT_GENESIS_KEY] = "the genesis file holds an unusable member key",
		[QR_VERDICT_PROOF_FORMAT] = "this is not a proof file, or it is damaged",
		[QR_VERDICT_OTHER_CHAIN] = "the proof belongs to another chain",
		[QR_VERDICT_FRAME_SIGNATURE] = "the client's signature does not verify",
		[QR_VERDICT_FRAME_NOT_IN_BATCH] = "the frame is not in the batch",
		[QR_VERDICT_BATCH_NOT_IN_CUT] = "the batch is not in the block",
		[QR_VERDICT_ORDERED_EARLIER] = "the batch was in the block before already",
		[QR_VERDICT_EXPIRED] = "the frame had expired at that height",
		[QR_VERDICT_BROKEN_LINK] = "the headers do not form a chain",
		[QR_VERDICT_NO_QUORUM] = "the certificate lacks a quorum of good signatures",
		[QR_VERDICT_NOT_CONSECUTIVE] = "the two certificates do not commit the block",
	};

	return (unsigned int)verdict < QR_VERDICT_COUNT ? text[verdict] : "unknown verdict";
}
