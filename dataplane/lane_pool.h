/*
 * lane_pool: batch buffers, shared by all lanes but with W guaranteed to each (PROTOCOL §2.8).
 *
 * A lane may always hold `window_batches` buffers; beyond that it draws on the
 * spares, first come first served. A buffer that is with the disk comes back
 * only when its PERSIST is done.
 */
#ifndef QUORATE_DATAPLANE_LANE_POOL_H
#define QUORATE_DATAPLANE_LANE_POOL_H

#include "dataplane/lane_state.h"

/* Lays the buffers over `region`; called once by lane_set_init(). */
void lane_pool_init(struct lane_set *set, uint8_t *region, struct lane_place *places,
		    struct crypto_hash *hashes);

/* An empty buffer for (lane, seq), or LANE_NONE when the lane's share and the spares are gone. */
uint32_t lane_pool_take(struct lane_set *set, uint32_t lane, uint64_t seq);

/* Gives a buffer back, at once or when the disk returns it. LANE_NONE is accepted. */
void lane_pool_give_back(struct lane_set *set, uint32_t buffer);

/* Ticket of a PERSIST of this buffer, and back; LANE_NONE if the ticket is not current. */
uint64_t lane_pool_ticket(const struct lane_set *set, uint32_t buffer);
uint32_t lane_pool_of_ticket(const struct lane_set *set, uint64_t ticket);

/* The disk returned it; true if somebody still wants its content. */
bool lane_pool_on_persisted(struct lane_set *set, uint32_t buffer);

#endif
