#include "node/node_tile_signer.h"

#include "node/node_beat.h"
#include "node/node_message.h"

enum { SIGN_BURST = 8 };

struct signer_tile {
	struct node_signer_setup io;
};

static size_t signer_footprint(const void *setup)
{
	(void)setup;
	return sizeof(struct signer_tile);
}

static int signer_setup(void *memory, const void *setup)
{
	struct signer_tile *self = memory;

	self->io = *(const struct node_signer_setup *)setup;
	return 0;
}

static uint32_t signer_on_turn(void *memory, uint64_t now_ns)
{
	struct signer_tile *self = memory;
	const struct dp_ring_header *request;
	const uint8_t *bytes;
	uint32_t made = 0;

	(void)now_ns;
	while (made < SIGN_BURST && (bytes = dp_ring_peek(self->io.requests, &request)) != NULL) {
		struct dp_ring_header answer = { .kind = NODE_MESSAGE_SIGNED, .aux = request->aux };
		struct crypto_signature signature;

		crypto_sign_message(self->io.key, bytes, request->bytes, &signature);
		if (!dp_ring_push(self->io.ret_signed, &answer, &signature, sizeof(signature)))
			break;
		dp_ring_release(self->io.requests);
		made++;
	}
	ctl_metric_add(self->io.metrics, CTL_METRIC_SIGNATURES_MADE, made);
	return made;
}

static void signer_on_housekeeping(void *memory, uint64_t now_ns)
{
	struct signer_tile *self = memory;

	node_beat(self->io.metrics, self->io.loop, now_ns);
}

const struct dp_tile node_tile_signer = {
	.name = "signer",
	.footprint = signer_footprint,
	.setup = signer_setup,
	.on_turn = signer_on_turn,
	.on_housekeeping = signer_on_housekeeping,
};
