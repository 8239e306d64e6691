/*
 * conform: a reference machine that accepts or refuses the abstract trace of a run.
 *
 * Written from PROTOCOL §3 to §5 alone; it shares no line with the product and is short enough
 * to be read beside it. A trace is one line an event, in the order in which they happened
 * (tests/sim/sim_conform.c writes them); numbers are decimal, ids '#' and hexadecimal:
 *
 *     replicas N #GENESIS
 *     block #ID author view height time #PARENT jview cut...
 *     start R record...                        a life begins, with what is on the disk
 *     ask R record...   record R record...     it decided this; this became durable
 *     keep R #BLOCK                            the block is durable
 *     deliver R height #BLOCK                  it is in the order
 *     V R qc|fc view #BLOCK signer...          V is hear, have (from or for the disk) or say
 *     V R tc view signer:qc_view...
 *     V R vote|commit author view #BLOCK
 *     V R timeout author view qc_view
 *     V R propose|block #BLOCK                 after the certificates it carries
 *     liar R                                   what R does is not judged from here on
 *
 * Knowledge What a replica heard, has on its disk, or said; a crash takes what is not on the
 *           disk. What was said counts for ever.
 * Not here  Timers, lanes and pacing: a machine that sees no clock cannot judge them.
 */
#ifndef QUORATE_TESTS_CONFORM_CONFORM_H
#define QUORATE_TESTS_CONFORM_CONFORM_H

#include <stdint.h>

enum { CONFORM_WORDS_MAX = 64 };

/* One line, in words; a word that is a number has it, "a:b" both. */
struct conform_line {
	uint32_t count;
	const char *word[CONFORM_WORDS_MAX];
	uint64_t number[CONFORM_WORDS_MAX];
	uint64_t second[CONFORM_WORDS_MAX];
};

/* Judges the next event. Does not return when it is refused: conform_refuse() is called. */
void conform_judge(const struct conform_line *line);

/* Of conform_main.c: says which rule was broken and ends the process. */
_Noreturn void conform_refuse(const char *rule, const char *why);

#endif
