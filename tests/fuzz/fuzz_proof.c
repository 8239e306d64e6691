/* Any file given to the verifier: genesis and proof; the first two bytes say where to cut. */
#include "tests/fuzz/fuzz_target.h"

#include "client/qr_verify_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct qr_proved proved;
	size_t genesis;

	if (count < 2)
		return 0;
	genesis = (size_t)bytes[0] | (size_t)bytes[1] << 8;
	if (genesis > count - 2)
		genesis = count - 2;
	(void)qr_verify_proof(bytes + 2, genesis, bytes + 2 + genesis, count - 2 - genesis,
			      &proved);
	return 0;
}
