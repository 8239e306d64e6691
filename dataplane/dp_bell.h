/*
 * dp_bell: a doorbell between processes that share cores and memory links.
 *
 * A process that sleeps cannot see its memif rings. It has one bell: an abstract Unix datagram
 * socket, and one word of shared memory that says whether it sleeps. A sender that has put
 * something on a link looks at the word and rings only when the receiver sleeps, once a sleep.
 *
 *     sleeper   word = odd;  full fence;  look at every ring once more;  sleep;  word = even
 *     sender    put on ring; full fence;  read word: odd and not yet rung? send one datagram
 *
 * Each side writes, then fences, then reads what the other wrote: at least one of the two sees
 * the other's write, so either the sleeper finds the message or the sender rings.
 *
 * The word is in a sealed memfd, handed over the socket on request, read-only for others; no
 * file has a name. A ringer that does not have it yet (the peer started later, or
 * restarted) asks for it, and until then rings every time.
 * Trust    The name is the right to ring; a false ring costs one turn of the loop.
 * Threads  One owner a bell, one owner a ringer.
 */
#ifndef QUORATE_DATAPLANE_DP_BELL_H
#define QUORATE_DATAPLANE_DP_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { DP_BELL_NAME_BYTES = 64 };

/* The way to ring somebody else. */
struct dp_bell_ringer {
	struct dp_bell_ringer *next;
	char name[DP_BELL_NAME_BYTES];
	int page_fd;
	const _Atomic uint32_t *word; /* NULL: not known yet */
	uint32_t rung;                /* the sleep already rung for */
	bool is_absent;               /* nobody has that name; asked again now and then */
	uint64_t asked_ns;
	uint64_t rings; /* sent */
	uint64_t lost;  /* nobody there */
};

/* The process's own bell. */
struct dp_bell {
	int socket_fd;
	int page_fd;
	_Atomic uint32_t *word; /* odd: asleep */
	struct dp_bell_ringer *ringers;
	uint64_t rings; /* received */
};

/*
 * Opens the bell `name` ("@quorate-lab-0"; the @ is optional). 0; ERR_BUSY if taken; ERR_CONFIG;
 * -errno.
 */
int dp_bell_open(struct dp_bell *bell, const char *name);
void dp_bell_close(struct dp_bell *bell); /* accepts one that never opened (all zero) */

/* Readable when somebody rang or asked. */
int dp_bell_fd(const struct dp_bell *bell);

void dp_bell_arm(struct dp_bell *bell);    /* from here on senders ring */
void dp_bell_disarm(struct dp_bell *bell); /* and from here on not; one store, no system call */

/* Answers who asked for the word and takes the rings out; call after a wake and in housekeeping. */
void dp_bell_housekeep(struct dp_bell *bell);

/*
 * `name` is the other process's bell; it need not exist yet. The ringer lives in caller's memory
 * and is linked to `own`, which receives the word for it, until closed. Returns 0 or ERR_CONFIG.
 */
int dp_bell_ringer_open(struct dp_bell *own, struct dp_bell_ringer *ringer, const char *name);
void dp_bell_ringer_close(struct dp_bell *own, struct dp_bell_ringer *ringer);

/* After a burst was sent: rings through `own`'s socket if the other end sleeps. */
void dp_bell_ring(struct dp_bell *own, struct dp_bell_ringer *ringer);

/* Now and then: asks for the word if it is not known; `peer_restarted` forgets the old one. */
void dp_bell_ringer_housekeep(struct dp_bell *own, struct dp_bell_ringer *ringer, uint64_t now_ns,
			      bool peer_restarted);

#endif
