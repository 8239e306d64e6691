/*
 * mgmt_node: a node's directory, from birth to first start.
 *
 *     DIR/signing.key   Ed25519 seed, mode 0600        made together,
 *         session.key   X25519 secret, mode 0600       by mgmt_node_make()
 *         member.json   the public halves
 *         genesis       the chain it belongs to        made together,
 *         store/        logs, with safety record 0     by mgmt_node_join(),
 *         run/          metrics page, sockets          once in a key's life
 *         born          says that the key has a safety record
 *         node.conf     the operator's
 *
 * Rule R of the protocol: a key votes under one safety record, for ever. The
 * first record is made here and never again for the same key: `born` remembers,
 * so a lost store cannot be replaced by an empty one that forgets its votes.
 *
 * Errors   Said through `cli`; nothing half made is left behind.
 */
#ifndef QUORATE_MGMT_NODE_H
#define QUORATE_MGMT_NODE_H

#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_genesis.h"
#include "mgmt/mgmt_member.h"

enum { MGMT_PATH_BYTES_MAX = 512 };

struct mgmt_path {
	char text[MGMT_PATH_BYTES_MAX];
};

/* Joins with a slash; a path that is too long is ensure()d against by mgmt_path_fits(). */
struct mgmt_path mgmt_path_of(const char *dir, const char *name);

/* True when `dir` leaves room for everything that is made in it. */
bool mgmt_path_fits(const char *dir);

/* Makes `dir` with keys and member file, all or nothing; refuses a directory that is not empty. */
enum mgmt_exit mgmt_node_make(const struct mgmt_cli *cli, const char *dir, const char *name,
			      struct mgmt_member *ret_member);

/* What mgmt_node_join() tells quorate-store about the store it makes. */
struct mgmt_store_shape {
	uint32_t segment_mib;
	bool allows_buffered;
};

/*
 * Makes genesis, store and run directory of the node in `dir`, whose key must be a member's.
 * Returns its number.
 */
enum mgmt_exit mgmt_node_join(const struct mgmt_cli *cli, const char *dir,
			      const struct mgmt_genesis *genesis,
			      const struct mgmt_store_shape *shape, uint32_t *ret_id);

/* Removes a file or a whole directory; a missing one is fine. Never follows symbolic links. */
int mgmt_remove_all(const char *path);

#endif
