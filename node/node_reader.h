/*
 * node_reader: answers TAIL, GET and PROVE from the log files. One thread.
 *
 * Sees a record only once its block is delivered here (MARK durable), and checks
 * every checksum on the way: damaged bytes are ERR_CORRUPT, never an answer.
 */
#ifndef QUORATE_NODE_READER_H
#define QUORATE_NODE_READER_H

#include "wire/wire_client.h"

struct node_reader;

/* The first record at or after (*height, *index): 1 and the position moved behind it; 0 none yet; or negative. */
int node_reader_next(struct node_reader *reader, uint64_t *height, uint32_t *index,
		     struct wire_client_record *ret_record);

/* 0, ERR_NOT_FOUND, or ERR_CORRUPT and the like. The record's bytes stay valid until the next call. */
int node_reader_find(struct node_reader *reader, const struct wire_client_name *name,
		     struct wire_client_record *ret_record);

/* The whole proof; valid until the next call. ERR_NOT_FOUND while no certificate can be carried. */
int node_reader_prove(struct node_reader *reader, const struct wire_client_name *name,
		      const uint8_t **ret_bytes, uint32_t *ret_count);

/* Newest height readers may see. */
uint64_t node_reader_height(struct node_reader *reader);

void node_reader_close(struct node_reader *reader); /* accepts NULL */

#endif
