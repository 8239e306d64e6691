/*
 * hs_image: the live part of a core, so that one is copied in about a microsecond.
 *
 * A core has room for 64 blocks and 128 views; a small scenario uses a few of
 * each. An image holds what a step may read: everything before the tree, the
 * used nodes of the tree with their blocks, and the rounds of the lowest
 * `views` views. What a step only writes (outbox, scratch) is left out.
 *
 * Model     A core is moved as bytes (hs_state.h): nothing in it points anywhere
 *           between steps. Only views below `views` were ever heard of in the
 *           core; the caller sees to it. The target was made by hs_core_init()
 *           with the same configuration.
 * Ownership The caller owns both core and image; an image holds no pointer.
 */
#ifndef QUORATE_TESTS_LIB_HS_IMAGE_H
#define QUORATE_TESTS_LIB_HS_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "consensus/hs_state.h"

/* The most bytes hs_image_save() writes for so many views. */
size_t hs_image_bytes_max(const struct hs_core *core, uint32_t views);

/* Between steps only. Returns the bytes written. */
size_t hs_image_save(const struct hs_core *core, uint32_t views, uint8_t *ret_image);

void hs_image_load(const uint8_t *image, struct hs_core *core);

/* Empties the rounds of the views in [first, last). */
void hs_image_clear(struct hs_core *core, uint32_t first, uint32_t last);

#endif
