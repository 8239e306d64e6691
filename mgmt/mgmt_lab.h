/*
 * mgmt_lab: a whole cluster on one machine, in one directory.
 *
 *     LAB/lab.json         what it consists of; written last, so its presence means "complete"
 *         genesis, client.key, client.key.pub
 *         node0/           as mgmt_node.h says, and node.conf, quorated.pid, quorated.log,
 *         node1/ ...       mgmtd.pid, mgmtd.log
 *
 * Every name outside the directory (memif sockets, doorbells) carries a hash of
 * its path, so several labs live side by side. Ports are memif: one link a pair
 * of nodes, the lower number serving, and one client port a node. The IPv4
 * addresses never meet a kernel interface.
 *
 *     node i to node j   address 10.77.i.(j+1)/16   socket @qr-HASH-LOW-HIGH
 *     client of node i   address 10.78.i.1/24       socket @qr-HASH-cI, bell @qr-HASH-cbI
 *     doorbell of node i                            @qr-HASH-bI
 *
 * Threads  One command at a time works on a lab: its directory is locked.
 * Errors   Said through `cli`.
 */
#ifndef QUORATE_MGMT_LAB_H
#define QUORATE_MGMT_LAB_H

#include <sys/stat.h>

#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_node.h"
#include "mgmt/mgmt_process.h"
#include "mgmt/mgmt_view.h"

enum {
	MGMT_LAB_NODES_MAX = 7,
	MGMT_LAB_HASH_BYTES = 11, /* ten hexadecimal digits and the end */
	MGMT_LAB_UDP_PORT = 7700,
	MGMT_LAB_SEGMENT_MIB = 16,
};

struct mgmt_lab {
	char dir[MGMT_PATH_BYTES_MAX]; /* absolute */
	char hash[MGMT_LAB_HASH_BYTES];
	uint32_t node_count;
	uint32_t http_port; /* of node 0's control plane; node i has http_port + i */
	int lock_file;
};

/* One of a node's two programs. */
enum mgmt_lab_program { MGMT_LAB_QUORATED, MGMT_LAB_MGMTD };

/* Names the lab of --dir without looking whether there is one. */
enum mgmt_exit mgmt_lab_name(const struct mgmt_cli *cli, struct mgmt_lab *ret_lab);

/* True when the directory holds a complete lab; fills in what it consists of. */
bool mgmt_lab_load(struct mgmt_lab *lab);

/* As name and load, and locked; MGMT_EXIT_REFUSED when there is none. */
enum mgmt_exit mgmt_lab_open(const struct mgmt_cli *cli, struct mgmt_lab *ret_lab);

/* Keeps other commands out until mgmt_lab_close(). */
enum mgmt_exit mgmt_lab_lock(const struct mgmt_cli *cli, struct mgmt_lab *lab);
void mgmt_lab_close(struct mgmt_lab *lab);

/* Makes keys, genesis, stores and configurations; all or nothing. */
enum mgmt_exit mgmt_lab_make(const struct mgmt_cli *cli, struct mgmt_lab *lab);

/* Removes what the lab made, and the directory if nothing of others is in it. */
enum mgmt_exit mgmt_lab_remove(const struct mgmt_cli *cli, struct mgmt_lab *lab);

/* Writes node `id`'s configuration file text. */
void mgmt_lab_config(const struct mgmt_lab *lab, uint32_t id, struct mgmt_text *ret_text);

struct mgmt_path mgmt_lab_node_dir(const struct mgmt_lab *lab, uint32_t id);
struct mgmt_path mgmt_lab_node_path(const struct mgmt_lab *lab, uint32_t id, const char *name);

/* The recorded process; pid 0 when none is recorded or it is gone. */
struct mgmt_process mgmt_lab_process(const struct mgmt_lab *lab, uint32_t id,
				     enum mgmt_lab_program program);

/* Starts a program of a node unless it runs. */
enum mgmt_exit mgmt_lab_start(const struct mgmt_cli *cli, const struct mgmt_lab *lab, uint32_t id,
			      enum mgmt_lab_program program);

/*
 * Stops programs in order: asks all, waits for all, kills who does not go. Returns how many had to
 * be killed.
 */
uint32_t mgmt_lab_stop(const struct mgmt_lab *lab);

/*
 * Waits until every node in the bit set `nodes` orders, printing progress; says which one does not,
 * with the last line of its log.
 */
enum mgmt_exit mgmt_lab_wait(const struct mgmt_cli *cli, const struct mgmt_lab *lab, uint32_t nodes,
			     uint64_t timeout_s);

#endif
