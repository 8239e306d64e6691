/*
 * ctl_shm: the file that carries a ctl_page between node and control plane.
 *
 * The node makes a new file for every start and puts it in place of the old one
 * in one step, so a reader sees a whole page or none; one that still maps the
 * old file keeps reading the last values of the dead node, finds out with
 * ctl_shm_is_current() and maps again. The file is never made shorter.
 *
 * Errors   Negative codes of base/err.h.
 */
#ifndef QUORATE_CTL_SHM_H
#define QUORATE_CTL_SHM_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/ctl_metrics.h"

/* Names inside a node's run directory. */
#define CTL_SHM_FILE "metrics"
#define CTL_SOCKET_FILE "control"

enum { CTL_PATH_BYTES = 512 };

/*
 * Creates `run_dir`/metrics (mode 0640) with an empty page in state BOOT and maps it writable,
 * all memory behind it allocated. On failure (-errno, ERR_OVERSIZE for a long path) an old file
 * stays as it was.
 */
int ctl_shm_create(const char *run_dir, struct ctl_page **ret_page);

/* Unmaps; the file stays, so that the last values and the state can be read. Accepts NULL. */
void ctl_shm_close(struct ctl_page *page);

struct ctl_shm_view {
	const struct ctl_page *page;
	uint64_t device;
	uint64_t inode;
};

/*
 * Maps `run_dir`/metrics read-only. Returns 0; -ENOENT if no node ever ran there; ERR_FORMAT if it
 * is not such a file; ERR_UNSUPPORTED if a node with another layout wrote it.
 */
int ctl_shm_map(const char *run_dir, struct ctl_shm_view *ret_view);

/* True while the file under `run_dir` is still the mapped one. */
bool ctl_shm_is_current(const struct ctl_shm_view *view, const char *run_dir);

void ctl_shm_unmap(struct ctl_shm_view *view);

#endif
