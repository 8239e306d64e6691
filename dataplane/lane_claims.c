#include "dataplane/lane_claims.h"

#include "base/units.h"
#include "crypto/crypto_hash.h"
#include "dataplane/lane_own.h"
#include "dataplane/lane_slots.h"

bool lane_duty(const struct lane_set *set, uint32_t lane, uint64_t seq,
	       const struct crypto_hash *digest, uint32_t replica)
{
	(void)lane;
	(void)seq;
	(void)digest;
	return replica < set->config.replica_count;
}

/* A map relative to `from_seq` as one relative to `to_seq`. */
static uint64_t lane_map_shift(uint64_t map, uint64_t from_seq, uint64_t to_seq)
{
	if (to_seq >= from_seq)
		return to_seq - from_seq < 64 ? map >> (to_seq - from_seq) : 0;
	return from_seq - to_seq < 64 ? map << (from_seq - to_seq) : 0;
}

enum lane_kinship { LANE_KIN_UNKNOWN, LANE_KIN_SAME, LANE_KIN_OTHER };

/* Are two claims on one chain? */
static enum lane_kinship lane_kinship(const struct lane_set *set, const struct lane *lane,
				      const struct hs_cut_entry *a, const struct hs_cut_entry *b)
{
	const struct hs_cut_entry *low = a->seq <= b->seq ? a : b;
	const struct hs_cut_entry *high = low == a ? b : a;
	struct crypto_hash digest;

	if (low->seq == 0)
		return LANE_KIN_SAME;
	if (!lane_chain_at(set, lane, low->seq, high, &digest))
		return LANE_KIN_UNKNOWN;
	return crypto_hash_equal(&digest, &low->digest) ? LANE_KIN_SAME : LANE_KIN_OTHER;
}

static bool lane_claim_is_known(const struct lane_set *set, const struct lane *lane,
				const struct hs_cut_entry *entry)
{
	struct lane_link link;

	return entry->seq == 0 || lane_link_at(set, lane, entry->seq, &entry->digest, &link);
}

static void lane_claim_take(struct lane_set *set, struct lane *lane, struct lane_claim *claim,
			    const struct lane_ack *ack)
{
	const struct hs_cut_entry entry = { .seq = ack->stored_seq, .digest = ack->digest };
	enum lane_kinship kinship = lane_kinship(set, lane, &claim->newest, &entry);
	uint64_t base_seq = lane->committed.seq;
	uint64_t kept = 0;

	if (kinship == LANE_KIN_SAME && entry.seq < claim->newest.seq)
		return; /* overtaken by a newer one on the way */
	if (kinship == LANE_KIN_SAME)
		kept = lane_map_shift(claim->verified_map, claim->map_base_seq, base_seq);
	if (kinship == LANE_KIN_OTHER)
		claim->known = (struct hs_cut_entry){ 0 };
	claim->verified_map = kept | lane_map_shift(ack->verified_map, ack->map_base_seq, base_seq);
	claim->map_base_seq = base_seq;
	claim->newest = entry;
	if (lane_claim_is_known(set, lane, &entry))
		claim->known = entry;
	if (entry.seq > lane->expected_seq && lane_claims_expect(set, lane, entry.seq))
		lane->expected_seq = entry.seq;
	if (lane->tip.seq < lane->expected_seq)
		lane_due(lane, set->now_ns);
}

void lane_claims_on_ackvec(struct lane_set *set, uint32_t from, const struct lane_ackvec *ackvec)
{
	for (uint32_t i = 0; i < ackvec->count; i++) {
		const struct lane_ack *ack = &ackvec->ack[i];

		if (ackvec->lane[i] >= set->config.replica_count ||
		    (ack->stored_seq == 0) != crypto_hash_is_zero(&ack->digest)) {
			lane_emit_drop(set, LANE_DROP_CLAIM);
			continue;
		}
		struct lane *lane = &set->lanes[ackvec->lane[i]];

		lane_claim_take(set, lane, &lane->claims[from], ack);
	}
	set->is_changed = true;
	lane_own_on_claims(set);
}

bool lane_claim_has_bit(const struct lane_claim *claim, uint64_t seq)
{
	return seq > claim->map_base_seq && seq - claim->map_base_seq <= 64 &&
	       (claim->verified_map >> (seq - claim->map_base_seq - 1) & 1) != 0;
}

static bool lane_entry_covers(const struct lane_set *set, const struct lane *lane,
			      const struct hs_cut_entry *claim, uint64_t seq,
			      const struct crypto_hash *digest)
{
	struct crypto_hash at;

	return claim->seq >= seq && lane_chain_at(set, lane, seq, claim, &at) &&
	       crypto_hash_equal(&at, digest);
}

bool lane_claims_cover(const struct lane_set *set, const struct lane *lane, uint32_t peer,
		       uint64_t seq, const struct crypto_hash *digest)
{
	const struct lane_claim *claim = &lane->claims[peer];

	return lane_entry_covers(set, lane, &claim->newest, seq, digest) ||
	       lane_entry_covers(set, lane, &claim->known, seq, digest);
}

uint32_t lane_claims_verified(const struct lane_set *set, const struct lane *lane, uint64_t seq,
			      const struct crypto_hash *digest)
{
	uint32_t count = 0;

	for (uint32_t peer = 0; peer < set->config.replica_count; peer++) {
		if (peer == set->config.replica_id || !lane_claim_has_bit(&lane->claims[peer], seq))
			continue;
		if (!lane_duty(set, lane->id, seq, digest, peer))
			continue;
		count += lane_claims_cover(set, lane, peer, seq, digest) ? 1 : 0;
	}
	return count;
}

bool lane_claims_expect(const struct lane_set *set, const struct lane *lane, uint64_t seq)
{
	uint32_t count = 0;

	for (uint32_t peer = 0; peer < set->config.replica_count; peer++)
		count += lane->claims[peer].newest.seq >= seq ? 1 : 0;
	return count > hs_faulty_max(set->config.replica_count);
}

static struct lane_ack lane_ack_of(const struct lane_set *set, const struct lane *lane)
{
	struct lane_ack ack = {
		.stored_seq = lane->tip.seq,
		.digest = lane->tip.digest,
		.map_base_seq = lane->committed.seq,
	};
	struct hs_cut_entry at = lane->tip;
	struct lane_link link;

	while (at.seq > lane->committed.seq && lane_link_at(set, lane, at.seq, &at.digest, &link)) {
		uint64_t bit = at.seq - lane->committed.seq - 1;

		if (link.is_verified && bit < 64)
			ack.verified_map |= UINT64_C(1) << bit;
		at.digest = link.header->prev_digest;
		at.seq--;
	}
	return ack;
}

static void lane_ackvec_add(struct lane_set *set, struct lane *lane)
{
	uint32_t at = set->ackvec.count++;

	set->ackvec.lane[at] = lane->id;
	set->ackvec.ack[at] = lane_ack_of(set, lane);
	lane->is_claim_changed = false;
}

static uint64_t lane_resend_interval_ns(const struct lane_set *set)
{
	uint64_t shift = units_min(set->ack_resend_count, LANE_CLAIMS_SHIFT_MAX);

	return set->config.repair_interval_ns << shift;
}

static bool lane_claims_collect(struct lane_set *set, bool is_all)
{
	bool is_open = false;

	set->ackvec.count = 0;
	for (uint32_t i = 0; i < set->config.replica_count; i++) {
		struct lane *lane = &set->lanes[i];
		bool is_uncommitted = lane->tip.seq > lane->committed.seq;

		is_open |= is_uncommitted;
		if (lane->is_claim_changed || (is_all && is_uncommitted))
			lane_ackvec_add(set, lane);
	}
	return is_open;
}

void lane_claims_flush(struct lane_set *set)
{
	bool is_news = set->is_ack_wanted;
	bool is_resend = set->now_ns >= set->ack_resend_ns;

	if (set->now_ns < lane_claims_deadline_ns(set))
		return;

	bool is_open = lane_claims_collect(set, is_resend);

	set->is_ack_wanted = false;
	set->ack_resend_count = is_news ? 0 : set->ack_resend_count + 1;
	set->ack_resend_ns = is_open ? set->now_ns + lane_resend_interval_ns(set) : UINT64_MAX;
	if (set->ackvec.count == 0)
		return;
	set->ack_ns = set->now_ns;
	lane_emit(set, LANE_EFFECT_SEND_ACKVEC, HS_REPLICA_ALL)->u.ackvec = &set->ackvec;
}

uint64_t lane_claims_deadline_ns(const struct lane_set *set)
{
	uint64_t news_ns = UINT64_MAX;

	if (set->is_ack_wanted)
		news_ns = set->ack_ns == 0 ? 0 : set->ack_ns + set->config.ack_interval_ns;
	return units_min(news_ns, set->ack_resend_ns);
}
