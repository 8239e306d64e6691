/* What the builder refuses; that its proofs verify is tested with the verifier, in client. */
#include "wire/wire_proof.h"

#include "base/err.h"
#include "tests/lib/proof_fixture.h"
#include "tests/lib/unit_main.h"

static struct proof_world world;

static int build(void)
{
	return wire_proof_build(&world.parts, world.bytes, sizeof(world.bytes));
}

static void parts_that_do_not_fit_are_refused(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_C2);
	UNIT_CHECK(build() > 0);
	world.parts.frame_index = 4; /* the odd last one: its path is shorter */
	UNIT_CHECK(build() == ERR_FORMAT);
	world.parts.frame_index = 5;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.parts.frame_index = 2;
	world.parts.transaction = 3;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.parts.transaction = 2;
	world.parts.batch_count = 2;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.parts.batch_count = 0;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.parts.batch_count = 3;
	world.batch[1].seq++;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.batch[1].seq--;
	world.link[1].header.height++;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.link[1].header.height--;
	world.parts.child_qc = NULL;
	UNIT_CHECK(build() == ERR_FORMAT);
	world.parts.kind = WIRE_PROOF_FC;
	UNIT_CHECK(build() > 0);
}

static void too_many_parts_are_oversize(void)
{
	proof_world_init(&world, 4, WIRE_PROOF_FC);
	world.parts.link_count = WIRE_PROOF_LINKS_MAX + 1;
	UNIT_CHECK(build() == ERR_OVERSIZE);
	world.parts.link_count = PROOF_LINKS;
	world.parts.batch_count = WIRE_PROOF_BATCHES_MAX + 1;
	UNIT_CHECK(build() == ERR_OVERSIZE);
	world.parts.batch_count = PROOF_BATCHES;
	for (size_t room = 0; room < world.count; room += 11)
		UNIT_CHECK(wire_proof_build(&world.parts, world.bytes, room) == ERR_OVERSIZE);
}

static void largest_proof_of_a_hundred_members_fits(void)
{
	static const struct hs_header *link[WIRE_PROOF_LINKS_MAX];
	static struct hs_header header[WIRE_PROOF_LINKS_MAX];

	proof_world_init(&world, 100, WIRE_PROOF_C2);
	for (uint32_t i = 0; i < WIRE_PROOF_LINKS_MAX; i++) {
		header[i] = world.link[0].header;
		header[i].height = 9 + i;
		link[i] = &header[i];
	}
	world.parts.link = link;
	world.parts.link_count = WIRE_PROOF_LINKS_MAX;
	UNIT_CHECK(build() > 64 * 4000);
}

UNIT_SUITE("wire_proof", UNIT_TEST(parts_that_do_not_fit_are_refused),
	   UNIT_TEST(too_many_parts_are_oversize),
	   UNIT_TEST(largest_proof_of_a_hundred_members_fits))
