/*
 * fuzz_target: one entry a parser. An engine (libFuzzer) or fuzz_replay.c calls it.
 */
#ifndef QUORATE_TESTS_FUZZ_FUZZ_TARGET_H
#define QUORATE_TESTS_FUZZ_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Must survive any bytes; a broken promise aborts. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#endif
