/*
 * quorate: the C client library of Quorate (libquorate). Usable from C and C++.
 *
 *     payloads --> frames, sealed --> qr_client --bytes--> node  (any number of nodes)
 *     events  <-- final / refused <-- qr_client <--bytes-- node
 *
 * Parts    qr_key     an Ed25519 key that writes under its own numbers
 *          qr_frame   up to 64 signed datagrams with one signature
 *          qr_client  outstanding numbers, resending, belief; moves no bytes itself
 *          qr_link    a node's local socket: submit, get, tail, prove, status
 *          qr_session a network session with one node; moves no bytes itself
 *          qr_verify_proof()  offline, in qr_verify_proof.h
 * Numbers  A key numbers its transactions itself, from QR_SEQ_FIRST on, without gaps.
 *          The same number is ordered once, however often and wherever it is sent.
 *          At most QR_WINDOW may be outstanding. One process writes under one key.
 * Belief   A result counts when `receipts_needed` nodes said exactly the same: f + 1
 *          over the network, 1 when the node is your own; or when a proof verifies.
 * Errors   Functions return 0 or a count, or a negative code: -errno, or -1000 and
 *          below; qr_error_text() says what it means. Outputs come last, `ret_`.
 * Threads  An object has one owner at a time; different objects are independent.
 * Time     Nanoseconds of any clock that does not run backwards.
 */
#ifndef QUORATE_CLIENT_QUORATE_H
#define QUORATE_CLIENT_QUORATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qr_verify_proof.h"

#ifdef __cplusplus
extern "C" {
#endif

enum qr_limit {
	QR_SEQ_FIRST = 1,
	QR_WINDOW = 4096,
	QR_KEY_BYTES = 32,
	QR_HASH_BYTES = 32,
	QR_FRAME_BYTES_MAX = 1400,
	QR_FRAME_TRANSACTIONS_MAX = 256,
	QR_SEAL_FRAMES_MAX = 64,
	QR_PAYLOAD_BYTES_MAX = 1268, /* alone in a frame of its own signature */
	QR_MESSAGE_BYTES_MAX = 1436, /* between client and node, either way */
	QR_PACKET_BYTES_MAX = 1472,  /* of a network session: a UDP payload */
	QR_NODES_MAX = 100,
	QR_PROOF_BYTES_MAX = 512 * 1024,
};

/* Codes a program may want to tell apart; the others have texts too. */
enum qr_error {
	QR_ERROR_CONFIG = -1000,
	QR_ERROR_FORMAT = -1001,
	QR_ERROR_OVERSIZE = -1003,
	QR_ERROR_FULL = -1008,
	QR_ERROR_AHEAD = -1009,
	QR_ERROR_EXPIRED = -1011,
	QR_ERROR_UNKNOWN_CLIENT = -1012,
	QR_ERROR_NOT_FOUND = -1018,
	QR_ERROR_KEY = -1019,
	QR_ERROR_PERMISSION = -1020,
	QR_ERROR_TIMEOUT = -1021,
};

const char *qr_error_text(int code);

/* Call once before anything else. */
int qr_start(void);

/* ---- keys ---- */

struct qr_key;

int qr_key_generate(struct qr_key **ret_key);
int qr_key_from_seed(const uint8_t seed[32], struct qr_key **ret_key);
/* A key file is one line of 64 hexadecimal digits, mode 0600, owned by the caller. */
int qr_key_load(const char *path, struct qr_key **ret_key);
/* Creates the file; never overwrites one (-EEXIST). */
int qr_key_save(const struct qr_key *key, const char *path);
void qr_key_public(const struct qr_key *key, uint8_t ret_public[QR_KEY_BYTES]);
/* Wipes the secret. Accepts NULL. */
void qr_key_close(struct qr_key *key);

/* ---- frames ---- */

struct qr_payload {
	const void *bytes;
	size_t byte_count;
};

struct qr_frame {
	uint8_t bytes[QR_FRAME_BYTES_MAX];
	uint32_t byte_count;
	uint64_t first_seq;
	uint32_t count; /* transactions, first_seq on */
};

struct qr_frames_spec {
	const struct qr_key *key;
	const uint8_t *chain_id; /* QR_HASH_BYTES */
	uint64_t first_seq;
	uint64_t expires; /* last height at which they may be ordered */
	const struct qr_payload *payloads;
	uint32_t payload_count;
	uint32_t frame_transactions_max; /* 0: as many as fit */
	uint32_t frames_max;             /* 1..QR_SEAL_FRAMES_MAX: room in ret_frames */
};

/*
 * Packs payloads into frames in order and seals all with one signature. Returns the
 * frames written and in `ret_taken` how many payloads they hold; call again for the
 * rest. QR_ERROR_OVERSIZE if one payload does not fit a datagram.
 */
int qr_frames_seal(const struct qr_frames_spec *spec, struct qr_frame *ret_frames,
		   uint32_t *ret_taken);

/* Gives up the numbers [first_seq, first_seq + count), count at most 65535. */
int qr_frame_skip(const struct qr_key *key, const uint8_t chain_id[QR_HASH_BYTES],
		  uint64_t first_seq, uint32_t count, uint64_t expires, struct qr_frame *ret_frame);

/* Id of a transaction; what `get` and `prove` find it by. */
void qr_txid(const uint8_t client[QR_KEY_BYTES], uint64_t seq, const void *payload,
	     size_t payload_bytes, uint8_t ret_txid[QR_HASH_BYTES]);

/* ---- client ---- */

struct qr_client;

struct qr_client_config {
	const struct qr_key *key; /* kept; outlives the client */
	uint8_t chain_id[QR_HASH_BYTES];
	uint32_t node_count;      /* nodes that may be talked to: 0 .. node_count - 1 */
	uint32_t receipts_needed; /* f + 1, or 1 for a node of one's own */
	uint64_t next_seq;        /* first number to use; 0 means QR_SEQ_FIRST */
	uint64_t height;          /* a recent height of the chain; grows with receipts */
	uint64_t expires_heights; /* how long a frame stays valid; 0 means 100 000 */
	uint64_t resend_ns;       /* without a result; 0 means 250 ms */
	uint32_t window;          /* numbers outstanding; 0 means QR_WINDOW */
};

int qr_client_open(const struct qr_client_config *config, struct qr_client **ret_client);
/* Accepts NULL. Outstanding numbers may still be ordered. */
void qr_client_close(struct qr_client *client);

/* Tells that bytes can (or cannot) be moved to and from `node`. All begin down. */
void qr_client_node(struct qr_client *client, uint32_t node, bool is_up);

/*
 * Takes payloads under the next numbers. Returns how many were taken (fewer than given
 * when the window is full) and the first number; QR_ERROR_AHEAD if none could be.
 */
int qr_client_submit(struct qr_client *client, const struct qr_payload *payloads, uint32_t count,
		     uint64_t *ret_first_seq);

/* Next message to move to `ret_node`, if one is due: its bytes, else 0. Call until 0. */
int qr_client_output(struct qr_client *client, uint64_t now_ns, uint32_t *ret_node,
		     uint8_t ret_bytes[QR_MESSAGE_BYTES_MAX]);

/* A message that came from `node`. Returns 1 if it was the client's business, else 0. */
int qr_client_input(struct qr_client *client, uint32_t node, const void *bytes, size_t count,
		    uint64_t now_ns);

/* When qr_client_output() will next have something; UINT64_MAX: not by time alone. */
uint64_t qr_client_deadline_ns(const struct qr_client *client);

enum qr_event_kind {
	QR_EVENT_FINAL,   /* ordered for good, as far as `ordered` says */
	QR_EVENT_REFUSED, /* not taken and not worth repeating: `reason`, `limit` */
};

/*
 * A run of numbers that is settled; no number is reported twice. A refused run leaves a gap in the
 * numbers that nothing can pass by more than QR_WINDOW: fill it, or give it up (qr_frame_skip()).
 */
struct qr_event {
	enum qr_event_kind kind;
	uint64_t first_seq;
	uint32_t count;
	uint64_t ordered[4]; /* bit i: first_seq + i is ordered; else it is not, and never was */
	uint64_t height;
	uint32_t first_index; /* of the first ordered one in its block */
	uint8_t block_id[QR_HASH_BYTES];
	int reason;
	uint64_t limit;
};

/* Returns 1 and the oldest event, or 0. */
int qr_client_event(struct qr_client *client, struct qr_event *ret_event);
bool qr_client_has_event(const struct qr_client *client);

/* Numbers taken and not settled yet; and the next number that would be used. */
uint32_t qr_client_outstanding(const struct qr_client *client);
uint64_t qr_client_next_seq(const struct qr_client *client);

/* ---- a node's local socket ---- */

struct qr_link;

int qr_link_open(const char *path, struct qr_link **ret_link);
void qr_link_close(struct qr_link *link);
/* For poll(); readable when qr_link_receive() has something. */
int qr_link_file(const struct qr_link *link);
int qr_link_send(struct qr_link *link, const void *bytes, size_t count);
/* Returns the bytes of one message; QR_ERROR_TIMEOUT; -EPIPE when the node is gone. */
int qr_link_receive(struct qr_link *link, uint64_t timeout_ns,
		    uint8_t ret_bytes[QR_MESSAGE_BYTES_MAX]);

/*
 * Moves bytes between `client` and this node (as node 0) until an event is there
 * (returns 1), or `timeout_ns` passed (returns 0).
 */
int qr_link_run(struct qr_link *link, struct qr_client *client, uint64_t timeout_ns);

struct qr_status {
	uint8_t chain_id[QR_HASH_BYTES];
	uint32_t node;
	uint32_t node_count;
	uint64_t epoch;
	uint64_t view;
	uint64_t height;
	uint8_t block_id[QR_HASH_BYTES];
	uint64_t transactions;
	uint32_t leader;
	uint32_t peers_up;
	bool is_observer;
};
int qr_status(struct qr_link *link, uint64_t timeout_ns, struct qr_status *ret_status);

/* How a transaction is asked for. */
struct qr_name {
	bool by_txid;
	uint8_t txid[QR_HASH_BYTES];
	uint8_t client[QR_KEY_BYTES]; /* else by key and number */
	uint64_t seq;
};

struct qr_record {
	uint64_t height;
	uint32_t index; /* in its block */
	uint8_t txid[QR_HASH_BYTES];
	uint8_t client[QR_KEY_BYTES];
	uint64_t seq;
	uint64_t time_ns; /* the block's, since 1970 */
	uint32_t payload_bytes;
	uint8_t payload[QR_PAYLOAD_BYTES_MAX];
};

/* QR_ERROR_NOT_FOUND: not ordered, or not yet. */
int qr_get(struct qr_link *link, const struct qr_name *name, uint64_t timeout_ns,
	   struct qr_record *ret_record);

/* Returns the proof's bytes; write them to a file as they are. */
int qr_prove(struct qr_link *link, const struct qr_name *name, uint64_t timeout_ns,
	     uint8_t *ret_bytes, size_t room);

/* Where a reader is: the next record wanted. Store it with what was read. */
struct qr_cursor {
	uint64_t height;
	uint32_t index;
};

/*
 * Called for each record, in order. Anything but 0 stops and is qr_tail()'s result; the cursor then
 * still stands before that record.
 */
typedef int (*qr_record_visit)(void *context, const struct qr_record *record);

/*
 * Reads the order from `cursor` on, moving it behind each record visited. Returns 0 at
 * the end of the order; with `follows` it waits there for more instead, until `idle_ns`
 * pass without any (then QR_ERROR_TIMEOUT; UINT64_MAX: for ever).
 */
int qr_tail(struct qr_link *link, struct qr_cursor *cursor, bool follows, uint64_t idle_ns,
	    qr_record_visit visit, void *context);

/* ---- network sessions ---- */

struct qr_session;

/* A session with member `node` of the genesis file. */
int qr_session_open(const void *genesis, size_t genesis_bytes, uint32_t node,
		    struct qr_session **ret_session);
void qr_session_close(struct qr_session *session);

/* The next handshake packet to send, if one is due: its bytes, else 0. */
int qr_session_output(struct qr_session *session, uint64_t now_ns,
		      uint8_t ret_packet[QR_PACKET_BYTES_MAX]);
uint64_t qr_session_deadline_ns(const struct qr_session *session);

/* A packet that came. Returns the bytes of a message, or 0: nothing for the caller in it. */
int qr_session_input(struct qr_session *session, const void *packet, size_t count, uint64_t now_ns,
		     uint8_t ret_message[QR_MESSAGE_BYTES_MAX]);

/* True once messages can be sealed. */
bool qr_session_is_up(const struct qr_session *session);

/* Seals one message into a packet: its bytes, or QR_ERROR_FULL when the session must be renewed. */
int qr_session_seal(struct qr_session *session, const void *message, size_t count,
		    uint8_t ret_packet[QR_PACKET_BYTES_MAX]);

/* Begins anew (no answers for long): a fresh handshake with fresh keys. */
void qr_session_renew(struct qr_session *session);

/* Why the node refused the last handshake, or NULL. Not authenticated: a hint. */
const char *qr_session_refusal(const struct qr_session *session);

#ifdef __cplusplus
}
#endif

#endif
