/* Words: what was said, what can be made of it, and what that must never allow. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "consensus/hs_copy.h"
#include "crypto/crypto_hash.h"
#include "tests/explore/explore_state.h"
#include "tests/lib/hs_make.h"

static uint64_t rotate(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

void digest_add(struct digest *digest, uint64_t value)
{
	digest->a = rotate((digest->a ^ value) * UINT64_C(0x9e3779b97f4a7c15), 29) +
		    UINT64_C(0x632be59bd9b4e019);
	digest->b = rotate((digest->b + value) ^ UINT64_C(0xc2b2ae3d27d4eb4f), 31) *
			    UINT64_C(0xff51afd7ed558ccd) ^
		    digest->a;
}

static uint64_t scramble(uint64_t value)
{
	value = (value ^ value >> 33) * UINT64_C(0xff51afd7ed558ccd);
	value = (value ^ value >> 29) * UINT64_C(0xc4ceb9fe1a85ec53);
	return value ^ value >> 32;
}

struct digest digest_done(const struct digest *digest)
{
	return (struct digest){
		.a = scramble(digest->a + 3 * digest->b),
		.b = scramble(digest->b ^ rotate(digest->a, 17)),
	};
}

static uint64_t head_of(const struct crypto_hash *id)
{
	uint64_t head;

	memcpy(&head, id->b, sizeof(head));
	return head;
}

static bool is_leader(uint32_t member, uint32_t views)
{
	for (uint32_t view = 1; view <= views; view++)
		if (view % EXPLORE_MEMBERS == member)
			return true;
	return false;
}

/* Permutes the members listed in `free`, the first of which is at `at`. */
static void add_renamings(struct explore_words *words, uint8_t *order, const uint32_t *free,
			  uint32_t free_count, uint32_t at)
{
	if (at == free_count) {
		struct renaming *renaming = &words->renaming[words->renaming_count++];

		memcpy(renaming->to, order, sizeof(renaming->to));
		for (uint32_t i = 0; i <= EXPLORE_MEMBERS; i++)
			renaming->from[renaming->to[i]] = (uint8_t)i;
		return;
	}
	for (uint32_t i = at; i < free_count; i++) {
		uint8_t first = order[free[at]];

		order[free[at]] = order[free[i]];
		order[free[i]] = first;
		add_renamings(words, order, free, free_count, at + 1);
		order[free[i]] = order[free[at]];
		order[free[at]] = first;
	}
}

void words_init(struct explore_words *words, const struct explore_options *options)
{
	uint8_t order[EXPLORE_MEMBERS + 1] = { 0, 1, 2, 3, 4 };
	uint32_t free[EXPLORE_MEMBERS];
	uint32_t free_count = 0;

	memset(words, 0, sizeof(*words));
	words->options = *options;
	words->config = hs_make_config(EXPLORE_MEMBERS, 0);
	words->config.heartbeat_ns = 0;
	words->config.block_interval_min_ns = 0;
	words->quorum_votes =
		hs_quorum(EXPLORE_MEMBERS) - (options->byzantine == EXPLORE_NOBODY ? 0 : 1);
	for (uint32_t i = 0; i < EXPLORE_MEMBERS; i++)
		if (i != options->byzantine && !is_leader(i, options->views))
			free[free_count++] = i;
	ensure(free_count <= 3);
	add_renamings(words, order, free, free_count, 0);
	words->block_count = 1;
	hs_make_genesis(&words->config, &words->block[0].block);
	words->block[0].ancestors = 1;
	snprintf(words->block[0].name, sizeof(words->block[0].name), "0");
}

uint32_t words_find_block(const struct explore_words *words, const struct crypto_hash *id)
{
	uint32_t i = 0;

	while (i < words->block_count && !crypto_hash_equal(&words->block[i].block.id, id))
		i++;
	return i < words->block_count ? i : BLOCKS_MAX;
}

uint32_t words_block(struct explore_words *words, const struct hs_block *block, char variant)
{
	uint32_t index = words_find_block(words, &block->id);
	uint32_t parent = words_find_block(words, &block->header.parent_id);
	struct known_block *known = &words->block[words->block_count];
	char below[NAME_MAX];

	if (index != BLOCKS_MAX || parent == BLOCKS_MAX)
		return index;
	ensure(words->block_count < BLOCKS_MAX);
	known->view = (uint8_t)block->header.view;
	known->height = (uint8_t)block->header.height;
	known->parent = (uint8_t)parent;
	known->variant = variant;
	known->ancestors = words->block[parent].ancestors | UINT64_C(1) << words->block_count;
	memcpy(below, words->block[parent].name, sizeof(below));
	snprintf(known->name, sizeof(known->name), "%u%c.%.*s", known->view, variant, NAME_MAX - 8,
		 below);
	memset(&known->block, 0, sizeof(known->block));
	hs_copy_block(&known->block, block);
	known->block.has_tc = false;
	hs_make_qc(&words->config, words->block[parent].view, &words->block[parent].block.id, 0,
		   &known->block.justify);
	return words->block_count++;
}

static void make_name(const struct explore_words *words, struct word *word)
{
	static const char *kind[] = {
		[WORD_PROPOSE] = "propose", [WORD_VOTE] = "vote", [WORD_COMMIT] = "commit",
		[WORD_TIMEOUT] = "timeout", [WORD_QC] = "qc",     [WORD_TC] = "tc",
		[WORD_FC] = "fc",
	};
	static const char *entry[] = { "", "+qc", "" };
	char block[NAME_MAX];
	char tc[16] = "";
	size_t room = sizeof(word->name);

	memcpy(block, words->block[word->block].name, sizeof(block));
	if (word->tc_max != NO_TC)
		snprintf(tc, sizeof(tc), "+tc%u", word->tc_max);
	switch (word->kind) {
	case WORD_PROPOSE:
		snprintf(word->name, room, "propose:%s%s", block, tc);
		break;
	case WORD_VOTE:
	case WORD_COMMIT:
		snprintf(word->name, room, "%s:%u:%s", kind[word->kind], word->author, block);
		break;
	case WORD_TIMEOUT:
		snprintf(word->name, room, "timeout:%u:%u:%u:%s%s%s", word->author, word->view,
			 word->qc_view, block, tc, entry[word->entry]);
		break;
	case WORD_TC:
		snprintf(word->name, room, "tc:%u.%u", word->view, word->tc_max);
		break;
	case WORD_QC:
	case WORD_FC:
		snprintf(word->name, room, "%s:%s", kind[word->kind], block);
		break;
	}
}

static void make_digests(const struct explore_words *words, struct word *word)
{
	for (uint32_t i = 0; i < words->renaming_count; i++) {
		struct digest digest = { word->kind, word->view };

		digest_add(&digest, words->renaming[i].to[word->author]);
		digest_add(&digest, head_of(&words->block[word->block].block.id));
		digest_add(&digest, (uint64_t)word->qc_view << 16 | (uint64_t)word->entry << 8 |
					    word->tc_max);
		word->digest[i] = digest_done(&digest);
	}
}

static void make_timeout(const struct explore_words *words, const struct word *word,
			 const struct hs_tc *tc, struct hs_timeout *ret)
{
	const struct hs_config *config = &words->config;
	const struct known_block *block = &words->block[word->block];
	struct hs_qc qc;

	hs_make_qc(config, block->view, &block->block.id, 0, &qc);
	hs_make_timeout(config, word->author, word->view, &qc,
			word->entry == HS_ENTRY_TC ? tc : NULL, ret);
	ret->qc_view = word->qc_view;
	if (word->entry != HS_ENTRY_QC)
		return;
	ret->entry.kind = HS_ENTRY_QC;
	hs_copy_qc(&ret->entry.qc, &qc);
}

/* A message that says this, signed by whoever it takes; makers of a certificate do not matter. */
static void make_message(const struct explore_words *words, struct word *word)
{
	const struct hs_config *config = &words->config;
	const struct known_block *block = &words->block[word->block];
	const struct crypto_hash *id = &block->block.id;
	struct hs_message *message = &word->message;
	uint32_t tc_view = word->kind == WORD_TC ? word->view : word->view - 1u;
	struct hs_tc tc;

	message->kind = (enum hs_message_kind)word->kind;
	if (word->tc_max != NO_TC)
		hs_make_tc(config, tc_view, word->tc_max, word->tc_max, &tc);
	switch (word->kind) {
	case WORD_PROPOSE:
		hs_copy_block(&message->u.propose, &block->block);
		message->u.propose.author = word->view % EXPLORE_MEMBERS;
		message->u.propose.has_tc = word->tc_max != NO_TC;
		if (message->u.propose.has_tc)
			hs_copy_tc(&message->u.propose.tc, &tc);
		break;
	case WORD_VOTE:
		message->u.vote = hs_make_vote(config, word->author, word->view, id);
		break;
	case WORD_COMMIT:
		message->u.commit = hs_make_commit(config, word->author, word->view, id);
		break;
	case WORD_TIMEOUT:
		make_timeout(words, word, &tc, &message->u.timeout);
		break;
	case WORD_QC:
		hs_make_qc(config, word->view, id, 0, &message->u.qc);
		break;
	case WORD_TC:
		hs_copy_tc(&message->u.tc, &tc);
		break;
	case WORD_FC:
		hs_make_fc(config, word->view, id, &message->u.fc);
		break;
	}
}

static uint32_t enter(struct explore_words *words, struct word word)
{
	struct word *new = &words->word[words->word_count];

	for (uint32_t i = 0; i < words->word_count; i++) {
		const struct word *known = &words->word[i];

		if (known->kind == word.kind && known->author == word.author &&
		    known->view == word.view && known->block == word.block &&
		    known->qc_view == word.qc_view && known->entry == word.entry &&
		    known->tc_max == word.tc_max)
			return i;
	}
	ensure(words->word_count < WORDS_MAX);
	*new = word;
	make_name(words, new);
	make_digests(words, new);
	make_message(words, new);
	return words->word_count++;
}

static uint32_t enter_propose(struct explore_words *words, uint32_t block, uint32_t tc_max)
{
	uint8_t view = words->block[block].view;

	return enter(words, (struct word){ .kind = WORD_PROPOSE,
					   .author = view % EXPLORE_MEMBERS,
					   .view = view,
					   .block = (uint8_t)block,
					   .tc_max = (uint8_t)tc_max });
}

static uint32_t enter_statement(struct explore_words *words, enum word_kind kind, uint32_t author,
				uint32_t block)
{
	return enter(words, (struct word){ .kind = kind,
					   .author = (uint8_t)author,
					   .view = words->block[block].view,
					   .block = (uint8_t)block,
					   .tc_max = NO_TC });
}

static uint32_t enter_tc(struct explore_words *words, uint32_t view, uint32_t tc_max)
{
	return enter(words, (struct word){ .kind = WORD_TC,
					   .author = EXPLORE_NOBODY,
					   .view = (uint8_t)view,
					   .tc_max = (uint8_t)tc_max });
}

uint32_t words_certificate(struct explore_words *words, enum word_kind kind, uint32_t block)
{
	return enter_statement(words, kind, EXPLORE_NOBODY, block);
}

uint32_t words_of_block(struct explore_words *words, const struct hs_block *block)
{
	uint32_t index = words_block(words, block, 'h');

	ensure(index != BLOCKS_MAX);
	return enter_propose(words, index,
			     block->has_tc ? (uint32_t)hs_rules_tc_max(&block->tc) : NO_TC);
}

static uint32_t word_of_timeout(struct explore_words *words, const struct hs_timeout *timeout)
{
	bool has_tc = timeout->entry.kind == HS_ENTRY_TC;

	return enter(words,
		     (struct word){
			     .kind = WORD_TIMEOUT,
			     .author = (uint8_t)timeout->author,
			     .view = (uint8_t)timeout->view,
			     .block = (uint8_t)words_find_block(words, &timeout->qc.block_id),
			     .qc_view = (uint8_t)timeout->qc_view,
			     .entry = (uint8_t)timeout->entry.kind,
			     .tc_max = has_tc ? (uint8_t)hs_rules_tc_max(&timeout->entry.tc) :
						NO_TC,
		     });
}

static uint32_t word_of_statement(struct explore_words *words, enum word_kind kind, uint32_t author,
				  uint64_t view, const struct crypto_hash *id)
{
	uint32_t block = words_find_block(words, id);

	if (view > words->options.views || block == BLOCKS_MAX)
		return WORDS_MAX;
	return enter_statement(words, kind, author, block);
}

uint32_t words_of_message(struct explore_words *words, const struct hs_message *message)
{
	uint32_t views = words->options.views;

	switch (message->kind) {
	case HS_MESSAGE_PROPOSE:
		return message->u.propose.header.view > views ?
			       WORDS_MAX :
			       words_of_block(words, &message->u.propose);
	case HS_MESSAGE_VOTE:
		return word_of_statement(words, WORD_VOTE, message->u.vote.author,
					 message->u.vote.view, &message->u.vote.block_id);
	case HS_MESSAGE_COMMIT:
		return word_of_statement(words, WORD_COMMIT, message->u.commit.author,
					 message->u.commit.view, &message->u.commit.block_id);
	case HS_MESSAGE_TIMEOUT:
		return message->u.timeout.view > views ?
			       WORDS_MAX :
			       word_of_timeout(words, &message->u.timeout);
	case HS_MESSAGE_QC:
		return word_of_statement(words, WORD_QC, EXPLORE_NOBODY, message->u.qc.view,
					 &message->u.qc.block_id);
	case HS_MESSAGE_TC:
		return message->u.tc.view > views ?
			       WORDS_MAX :
			       enter_tc(words, (uint32_t)message->u.tc.view,
					(uint32_t)hs_rules_tc_max(&message->u.tc));
	case HS_MESSAGE_FC:
		break;
	}
	return word_of_statement(words, WORD_FC, EXPLORE_NOBODY, message->u.fc.c.view,
				 &message->u.fc.c.block_id);
}

/* What honest members said, counted. */
struct tally {
	uint8_t votes[BLOCKS_MAX];
	uint8_t commits[BLOCKS_MAX];
	uint8_t timeouts[ROUNDS];
	uint8_t authors[ROUNDS]; /* of TIMEOUTs; one may attach other certificates after a crash */
	uint8_t reports[ROUNDS][ROUNDS]; /* of qc_view, by view */
	bool is_certified[BLOCKS_MAX];
	bool is_final[BLOCKS_MAX];
};

static void count(const struct explore_words *words, const struct soup *soup, struct tally *tally)
{
	memset(tally, 0, sizeof(*tally));
	tally->is_certified[0] = true;
	for (uint32_t i = 0; i < words->word_count; i++) {
		const struct word *word = &words->word[i];

		if (!soup_has(soup, i) || word->author == words->options.byzantine)
			continue;
		if (word->kind == WORD_VOTE)
			tally->votes[word->block]++;
		if (word->kind == WORD_COMMIT)
			tally->commits[word->block]++;
		if (word->kind != WORD_TIMEOUT || (tally->authors[word->view] >> word->author & 1))
			continue;
		tally->authors[word->view] |= (uint8_t)(1u << word->author);
		tally->timeouts[word->view]++;
		tally->reports[word->view][word->qc_view]++;
	}
	for (uint32_t i = 1; i < words->block_count; i++)
		if (tally->votes[i] >= words->quorum_votes)
			tally->is_certified[i] = true;
}

static bool is_certified_view(const struct explore_words *words, const struct tally *tally,
			      uint32_t view)
{
	for (uint32_t i = 0; i < words->block_count; i++)
		if (tally->is_certified[i] && words->block[i].view == view)
			return true;
	return false;
}

/* Every TC.max that q TIMEOUTs of the view can have, the adversary's claims included. */
static void add_tcs(struct explore_words *words, struct soup *soup, const struct tally *tally)
{
	bool has_liar = words->options.byzantine != EXPLORE_NOBODY;

	for (uint32_t view = 1; view <= words->options.views; view++) {
		uint32_t below = 0;

		if (tally->timeouts[view] < words->quorum_votes)
			continue;
		for (uint32_t max = 0; max < view; max++) {
			below += tally->reports[view][max];
			if (below >= words->quorum_votes &&
			    (tally->reports[view][max] > 0 ||
			     (has_liar && is_certified_view(words, tally, max))))
				soup_add(soup, enter_tc(words, view, max));
		}
	}
}

static void add_proposals_on(struct explore_words *words, struct soup *soup, uint32_t parent,
			     uint32_t view)
{
	struct hs_block block;

	for (uint64_t x = 0; x < 2; x++) {
		uint32_t index;

		hs_make_block(&words->config, &words->block[parent].block, view, NULL, x, &block);
		index = words_block(words, &block, x == 0 ? 'a' : 'b');
		soup_add(soup, enter_propose(words, index, NO_TC));
		if (words->block[parent].view + 1u == view)
			continue;
		for (uint32_t max = 0; max + 1 < view; max++)
			if (soup_has(soup, enter_tc(words, view - 1, max)))
				soup_add(soup, enter_propose(words, index, max));
	}
}

static void add_proposals(struct explore_words *words, struct soup *soup, const struct tally *tally)
{
	uint32_t block_count = words->block_count;

	for (uint32_t view = 1; view <= words->options.views; view++) {
		if (view % EXPLORE_MEMBERS != words->options.byzantine)
			continue;
		for (uint32_t i = 0; i < block_count; i++)
			if (tally->is_certified[i] && words->block[i].view < view)
				add_proposals_on(words, soup, i, view);
	}
}

/* Votes, commits and timeouts of the Byzantine member, for all it has seen. */
static void add_statements(struct explore_words *words, struct soup *soup,
			   const struct tally *tally)
{
	uint8_t liar = (uint8_t)words->options.byzantine;
	uint32_t word_count = words->word_count;

	for (uint32_t i = 0; i < word_count; i++) {
		if (words->word[i].kind != WORD_PROPOSE || !soup_has(soup, i))
			continue;
		soup_add(soup, enter_statement(words, WORD_VOTE, liar, words->word[i].block));
		soup_add(soup, enter_statement(words, WORD_COMMIT, liar, words->word[i].block));
	}
	for (uint32_t view = 1; view <= words->options.views; view++)
		for (uint32_t i = 0; i < words->block_count; i++)
			if (tally->is_certified[i] && words->block[i].view < view)
				soup_add(soup, enter(words,
						     (struct word){ .kind = WORD_TIMEOUT,
								    .author = liar,
								    .view = (uint8_t)view,
								    .block = (uint8_t)i,
								    .qc_view = words->block[i].view,
								    .tc_max = NO_TC }));
}

static void close_certificates(struct explore_words *words, struct soup *soup, struct tally *tally)
{
	for (uint32_t i = 1; i < words->block_count; i++) {
		uint32_t parent = words->block[i].parent;

		if (tally->is_certified[i])
			soup_add(soup, words_certificate(words, WORD_QC, i));
		if (tally->commits[i] >= words->quorum_votes) {
			soup_add(soup, words_certificate(words, WORD_FC, i));
			tally->is_final[i] = true;
		}
		if (tally->is_certified[i] && parent != 0 &&
		    hs_rules_c2_commits_parent(words->block[i].view, words->block[parent].view))
			tally->is_final[parent] = true;
	}
}

static const char *judge(const struct explore_words *words, const struct tally *tally)
{
	for (uint32_t i = 1; i < words->block_count; i++) {
		if (!tally->is_certified[i])
			continue;
		for (uint32_t k = 1; k < words->block_count; k++) {
			if (k != i && tally->is_certified[k] &&
			    words->block[k].view == words->block[i].view)
				return "two blocks of one view can be certified";
			if (tally->is_final[k] && words->block[k].view < words->block[i].view &&
			    (words->block[i].ancestors >> k & 1) == 0)
				return "a block can be certified that leaves out a final one";
		}
	}
	for (uint32_t i = 1; i < words->block_count; i++)
		if (tally->is_final[i] && !tally->is_certified[i])
			return "a block can be final that nobody can certify";
	return NULL;
}

const char *soup_close(struct explore_words *words, struct soup *soup)
{
	struct tally tally;

	count(words, soup, &tally);
	close_certificates(words, soup, &tally);
	add_tcs(words, soup, &tally);
	if (words->options.byzantine == EXPLORE_NOBODY)
		return judge(words, &tally);
	add_proposals(words, soup, &tally);
	if (words->options.has_tallies)
		add_statements(words, soup, &tally);
	return judge(words, &tally);
}
