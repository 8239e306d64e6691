/*
 * A planted crash, to try the fuzzer itself: tools/fuzz must find it within seconds from nothing,
 * and the stored one must crash every replay. No product code is in reach.
 */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	if (count >= 4 && bytes[0] == 'T' && bytes[1] == 'W' && bytes[2] == 'E' && bytes[3] == 'E')
		abort();
	return 0;
}
