#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "client/quorate.h"
#include "wire/wire_client.h"
#include "wire/wire_frame.h"
#include "wire/wire_proof.h"

enum { LINK_TAIL_RECORDS = 4096 };

_Static_assert((int)QR_PROOF_BYTES_MAX == (int)WIRE_PROOF_BYTES_MAX, "the wire's limit");

struct qr_link {
	int file;
	uint32_t request; /* the last one used; 0 never is */
};

static uint64_t link_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

int qr_link_open(const char *path, struct qr_link **ret_link)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t path_bytes = strlen(path);
	struct qr_link *link;
	int code = 0;

	if (path_bytes == 0 || path_bytes >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, path_bytes);
	link = calloc(1, sizeof(*link));
	if (!link)
		return ERR_MEMORY;
	link->file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (link->file < 0)
		code = -errno;
	else if (connect(link->file, (const struct sockaddr *)&address, sizeof(address)) < 0)
		code = -errno;
	if (code != 0) {
		qr_link_close(link);
		return code;
	}
	*ret_link = link;
	return 0;
}

void qr_link_close(struct qr_link *link)
{
	if (!link)
		return;
	if (link->file >= 0)
		close(link->file);
	free(link);
}

int qr_link_file(const struct qr_link *link)
{
	return link->file;
}

/* Waits until the socket may be read (or written); 0, ERR_TIMEOUT, or -errno. */
static int link_wait(const struct qr_link *link, short what, uint64_t until_ns)
{
	struct pollfd poll_file = { .fd = link->file, .events = what };

	for (;;) {
		uint64_t now_ns = link_now_ns();
		uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
		struct timespec left = { .tv_sec =
						 (time_t)units_min(left_ns / UNITS_NS_PER_S, 3600),
					 .tv_nsec = (long)(left_ns % UNITS_NS_PER_S) };
		int ready = ppoll(&poll_file, 1, &left, NULL);

		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready == 0 && link_now_ns() >= until_ns)
			return ERR_TIMEOUT;
	}
}

static uint64_t link_until_ns(uint64_t timeout_ns)
{
	return units_add(link_now_ns(), timeout_ns);
}

int qr_link_send(struct qr_link *link, const void *bytes, size_t count)
{
	for (;;) {
		ssize_t sent = send(link->file, bytes, count, MSG_NOSIGNAL);

		if (sent >= 0)
			return 0;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		int code = link_wait(link, POLLOUT, UINT64_MAX);

		if (code != 0)
			return code;
	}
}

static int link_receive_until(struct qr_link *link, uint64_t until_ns,
			      uint8_t ret_bytes[QR_MESSAGE_BYTES_MAX])
{
	for (;;) {
		ssize_t count = recv(link->file, ret_bytes, QR_MESSAGE_BYTES_MAX, 0);

		if (count > 0)
			return (int)count;
		if (count == 0)
			return -EPIPE;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
		int code = link_wait(link, POLLIN, until_ns);

		if (code != 0)
			return code;
	}
}

int qr_link_receive(struct qr_link *link, uint64_t timeout_ns,
		    uint8_t ret_bytes[QR_MESSAGE_BYTES_MAX])
{
	return link_receive_until(link, link_until_ns(timeout_ns), ret_bytes);
}

/* Sends all that is due without waiting for a full socket. */
static int link_flush(struct qr_link *link, struct qr_client *client)
{
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	uint32_t node;
	int count;

	while ((count = qr_client_output(client, link_now_ns(), &node, bytes)) > 0) {
		int code = qr_link_send(link, bytes, (size_t)count);

		if (code != 0)
			return code;
		/* Answers fill the other direction: leave them to the caller before sending on. */
		struct pollfd readable = { .fd = link->file, .events = POLLIN };

		if (poll(&readable, 1, 0) > 0)
			return 0;
	}
	return count;
}

int qr_link_run(struct qr_link *link, struct qr_client *client, uint64_t timeout_ns)
{
	uint64_t until_ns = link_until_ns(timeout_ns);
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];

	while (!qr_client_has_event(client)) {
		int code = link_flush(link, client);

		if (code != 0)
			return code;
		int count = link_receive_until(
			link, units_min(until_ns, qr_client_deadline_ns(client)), bytes);

		if (count < 0 && count != ERR_TIMEOUT)
			return count;
		if (count > 0)
			qr_client_input(client, 0, bytes, (size_t)count, link_now_ns());
		else if (link_now_ns() >= until_ns)
			return 0;
	}
	return 1;
}

static int link_ask(struct qr_link *link, struct wire_client_message *request)
{
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	int count;

	link->request = link->request == UINT32_MAX ? 1 : link->request + 1;
	request->request = link->request;
	count = wire_client_encode(request, bytes, sizeof(bytes));
	return count < 0 ? count : qr_link_send(link, bytes, (size_t)count);
}

/* The next answer to the last request: `kind`, or the code of an ERROR. Others are skipped. */
static int link_answer(struct qr_link *link, uint64_t until_ns, uint8_t *bytes,
		       struct wire_client_message *ret_answer)
{
	for (;;) {
		int count = link_receive_until(link, until_ns, bytes);

		if (count < 0)
			return count;
		if (wire_client_decode(bytes, (size_t)count, ret_answer) != 0 ||
		    ret_answer->request != link->request)
			continue;
		return ret_answer->kind == WIRE_CLIENT_ERROR ? ret_answer->u.error.code : 0;
	}
}

int qr_status(struct qr_link *link, uint64_t timeout_ns, struct qr_status *ret_status)
{
	struct wire_client_message message = { .kind = WIRE_CLIENT_STATUS };
	const struct wire_client_status *status = &message.u.status;
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	int code = link_ask(link, &message);

	if (code == 0)
		code = link_answer(link, link_until_ns(timeout_ns), bytes, &message);
	if (code != 0)
		return code;
	if (message.kind != WIRE_CLIENT_STATUS_ANSWER)
		return ERR_FORMAT;
	*ret_status = (struct qr_status){
		.node = status->replica,
		.node_count = status->replica_count,
		.epoch = status->epoch,
		.view = status->view,
		.height = status->height,
		.transactions = status->transactions,
		.leader = status->leader,
		.peers_up = status->peers_up,
		.is_observer = status->is_observer,
	};
	memcpy(ret_status->chain_id, status->chain_id.b, QR_HASH_BYTES);
	memcpy(ret_status->block_id, status->block_id.b, QR_HASH_BYTES);
	return 0;
}

static struct wire_client_name wire_name(const struct qr_name *name)
{
	struct wire_client_name wire = { .by_txid = name->by_txid, .seq = name->seq };

	memcpy(wire.txid.b, name->txid, QR_HASH_BYTES);
	memcpy(wire.client.b, name->client, QR_KEY_BYTES);
	return wire;
}

static void record_fill(const struct wire_client_record *from, struct qr_record *ret_record)
{
	ret_record->height = from->height;
	ret_record->index = from->index;
	memcpy(ret_record->txid, from->txid.b, QR_HASH_BYTES);
	memcpy(ret_record->client, from->client.b, QR_KEY_BYTES);
	ret_record->seq = from->seq;
	ret_record->time_ns = from->time_ns;
	ret_record->payload_bytes = from->payload_bytes;
	memcpy(ret_record->payload, from->payload, from->payload_bytes);
}

int qr_get(struct qr_link *link, const struct qr_name *name, uint64_t timeout_ns,
	   struct qr_record *ret_record)
{
	struct wire_client_message message = { .kind = WIRE_CLIENT_GET, .u.get = wire_name(name) };
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	int code = link_ask(link, &message);

	if (code == 0)
		code = link_answer(link, link_until_ns(timeout_ns), bytes, &message);
	if (code != 0)
		return code;
	if (message.kind != WIRE_CLIENT_RECORD)
		return ERR_FORMAT;
	record_fill(&message.u.record, ret_record);
	return 0;
}

int qr_prove(struct qr_link *link, const struct qr_name *name, uint64_t timeout_ns,
	     uint8_t *ret_bytes, size_t room)
{
	struct wire_client_message message = { .kind = WIRE_CLIENT_PROVE,
					       .u.prove.name = wire_name(name) };
	const struct wire_client_proof *proof = &message.u.proof;
	uint64_t until_ns = link_until_ns(timeout_ns);
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];
	uint32_t have = 0;
	uint64_t tag = 0;
	int code = link_ask(link, &message);

	while (code == 0) {
		code = link_answer(link, until_ns, bytes, &message);
		if (code != 0)
			break;
		/* The socket keeps order and loses nothing: pieces come one after another. */
		if (message.kind != WIRE_CLIENT_PROOF || proof->offset != have ||
		    (have > 0 && proof->tag != tag))
			return ERR_FORMAT;
		if (proof->total > room)
			return ERR_OVERSIZE;
		tag = proof->tag;
		memcpy(ret_bytes + have, proof->bytes, proof->byte_count);
		have += proof->byte_count;
		if (have == proof->total)
			return (int)have;
	}
	return code;
}

/* Visits the answers to one TAIL until its TAIL_END. */
static int tail_read(struct qr_link *link, struct qr_cursor *cursor, uint64_t idle_ns,
		     qr_record_visit visit, void *context)
{
	struct wire_client_message message;
	struct qr_record record;
	uint8_t bytes[QR_MESSAGE_BYTES_MAX];

	for (;;) {
		int code = link_answer(link, link_until_ns(idle_ns), bytes, &message);

		if (code != 0)
			return code;
		if (message.kind == WIRE_CLIENT_TAIL_END) {
			cursor->height = message.u.tail_end.height;
			cursor->index = message.u.tail_end.index;
			return 0;
		}
		if (message.kind != WIRE_CLIENT_RECORD)
			return ERR_FORMAT;
		record_fill(&message.u.record, &record);
		code = visit(context, &record);
		if (code != 0)
			return code;
		cursor->height = record.height;
		cursor->index = record.index + 1;
	}
}

int qr_tail(struct qr_link *link, struct qr_cursor *cursor, bool follows, uint64_t idle_ns,
	    qr_record_visit visit, void *context)
{
	for (;;) {
		struct wire_client_message message = {
			.kind = WIRE_CLIENT_TAIL,
			.u.tail = { .height = cursor->height,
				    .index = cursor->index,
				    .follows = follows,
				    .max = LINK_TAIL_RECORDS },
		};
		struct qr_cursor before = *cursor;
		int code = link_ask(link, &message);

		if (code == 0)
			code = tail_read(link, cursor, idle_ns, visit, context);
		if (code != 0)
			return code;
		/* An answer that led nowhere was the end; a full one is asked on from. */
		if (!follows && before.height == cursor->height && before.index == cursor->index)
			return 0;
	}
}
