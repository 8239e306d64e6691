/*
 * hs_trace: one line of text per input and effect.
 *
 * For golden tests, the simulator's trace hash and a reader's eye:
 *
 *     > vote from=2 author=2 view=3 block=5be01c77
 *     < send all vote view=3 block=5be01c77
 *
 * Only what decides is printed, never bytes of signatures; ids by their first
 * four bytes. The same input gives the same text on every machine.
 */
#ifndef QUORATE_CONSENSUS_HS_TRACE_H
#define QUORATE_CONSENSUS_HS_TRACE_H

#include <stddef.h>

#include "consensus/hs_core.h"

enum { HS_TRACE_LINE_MAX = 256 }; /* no line is longer, its zero byte included */

/* Writes one line without newline, zero-terminated, cut at `room`; returns its length. */
size_t hs_trace_input(const struct hs_input *input, char *ret_text, size_t room);
size_t hs_trace_effect(const struct hs_effect *effect, char *ret_text, size_t room);

/* The name of a drop reason ("VIEW_OLD") and its line of text. */
const char *hs_drop_name(enum hs_drop reason);
const char *hs_drop_text(enum hs_drop reason);

#endif
