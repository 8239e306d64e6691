/*
 * hostile: a client that does everything a node must survive.
 *
 *     hostile genesis IN OUT PUBLIC...      the same chain, but only these client keys may write
 *     hostile local SOCKET GENESIS KEY FLOOD
 *     hostile port SOCKET BELL NODE ADDRESS OWN_ADDRESS GENESIS KEY PEER PEER_KEY FLOOD SEQ
 *
 * KEY is the key file of a client the chain knows, SEQ its next number; PEER_KEY is the session key
 * file of member PEER. Every wrong thing is sent and the answer compared with the one promised, one
 * line each. At the end, and after a flood, an honest transaction of the same key must become
 * final.
 * Exit code 0: all as promised; 1: the line says what was not.
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"
#include "crypto/crypto_secret.h"

enum { PATIENCE_MS = 20000, RESEND_MS = 500, CONNECTIONS_MAX = 4096 };

void hostile_die(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("hostile: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

uint64_t hostile_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UNITS_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t number = strtoull(text, &end, 10);

	if (end == text || *end != '\0')
		hostile_die("'%s' is no number", text);
	return number;
}

static void read_genesis(struct hostile *hostile, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		hostile_die("%s: %s", path, strerror(errno));
	hostile->genesis_byte_count =
		fread(hostile->genesis_bytes, 1, sizeof(hostile->genesis_bytes), file);
	fclose(file);
	if (wire_genesis_decode(hostile->genesis_bytes, hostile->genesis_byte_count,
				&hostile->genesis) < 0)
		hostile_die("%s: is no genesis", path);
	hostile->chain_id =
		wire_genesis_chain_id(hostile->genesis_bytes, hostile->genesis_byte_count);
}

static void read_key(struct hostile *hostile, const char *path)
{
	uint8_t seed[CRYPTO_SEED_BYTES];

	if (crypto_secret_load(path, seed) < 0)
		hostile_die("%s: is no key file", path);
	crypto_sign_key_init(seed, &hostile->key);
	hostile->next_seq = 1;
}

/* ---- a chain with registered clients ---- */

static struct crypto_public_key read_public(const char *path)
{
	struct crypto_public_key key;
	FILE *file = fopen(path, "re");

	for (size_t i = 0; file && i < sizeof(key.b); i++) {
		unsigned int byte;

		if (fscanf(file, "%2x", &byte) != 1)
			hostile_die("%s: is no public key", path);
		key.b[i] = (uint8_t)byte;
	}
	if (!file)
		hostile_die("%s: %s", path, strerror(errno));
	fclose(file);
	return key;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct crypto_public_key));
}

static void make_genesis(struct hostile *hostile, int count, char **arguments)
{
	struct wire_admission *admission = &hostile->genesis.admission;
	FILE *out;
	int bytes;

	read_genesis(hostile, arguments[0]);
	admission->kind = WIRE_ADMISSION_REGISTERED;
	for (int i = 2; i < count; i++)
		admission->listed[admission->listed_count++] = read_public(arguments[i]);
	qsort(admission->listed, admission->listed_count, sizeof(admission->listed[0]), by_bytes);
	bytes = wire_genesis_encode(&hostile->genesis, hostile->genesis_bytes,
				    sizeof(hostile->genesis_bytes));
	out = fopen(arguments[1], "we");
	if (bytes < 0 || !out ||
	    fwrite(hostile->genesis_bytes, 1, (size_t)bytes, out) != (size_t)bytes)
		hostile_die("%s: cannot be written", arguments[1]);
	fclose(out);
}

/* ---- the local socket ---- */

static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		hostile_die("%s: too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof(address)) < 0)
		hostile_die("%s: %s", path, strerror(errno));
	return file;
}

static void say(int file, const void *bytes, size_t count)
{
	if (send(file, bytes, count, MSG_NOSIGNAL) != (ssize_t)count)
		hostile_die("the node closed the connection: %s", strerror(errno));
}

/* The next message of the node, in a static buffer; false when none comes in time. */
static bool hear_within(int file, int patience_ms, struct wire_client_message *ret_message)
{
	static uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	struct pollfd wait = { .fd = file, .events = POLLIN };
	ssize_t count;

	if (poll(&wait, 1, patience_ms) != 1)
		return false;
	count = recv(file, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (count <= 0)
		hostile_die("the node closed the connection");
	if (wire_client_decode(bytes, (size_t)count, ret_message) < 0)
		hostile_die("the node said what is no message");
	return true;
}

static void hear(int file, struct wire_client_message *ret_message)
{
	if (!hear_within(file, PATIENCE_MS, ret_message))
		hostile_die("no answer in %d ms", PATIENCE_MS);
}

static void expect_error(int file, const char *what)
{
	struct wire_client_message message;

	hear(file, &message);
	if (message.kind != WIRE_CLIENT_ERROR || message.u.error.code >= 0)
		hostile_die("%s: answered with kind %d, not an error", what, (int)message.kind);
	printf("local %s: error %s\n", what, err_name(message.u.error.code));
}

static void local_messages(int file)
{
	static const uint8_t nonsense[3] = { 0xff, 0xff, 0xff };
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX + 1] = { WIRE_CLIENT_RECEIPT, WIRE_CLIENT_VERSION };

	say(file, nonsense, sizeof(nonsense));
	expect_error(file, "nonsense");
	say(file, bytes, WIRE_CLIENT_HEAD_BYTES);
	expect_error(file, "half a receipt");
	bytes[0] = 0;
	say(file, bytes, sizeof(bytes));
	expect_error(file, "longer than a datagram");
}

static void local_faults(struct hostile *hostile, int file)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];

	for (int i = HOSTILE_GOOD + 1; i < HOSTILE_FAULT_COUNT; i++) {
		enum hostile_fault fault = (enum hostile_fault)i;
		uint64_t limit = hostile_fault_limit(hostile, fault);
		uint64_t seq =
			hostile->next_seq + (fault == HOSTILE_AHEAD ? WIRE_CLIENT_WINDOW : 0);
		struct wire_client_message message;

		say(file, bytes, hostile_submit(hostile, fault, seq, bytes));
		hear(file, &message);
		if (message.kind != WIRE_CLIENT_REFUSAL ||
		    message.u.refusal.reason != hostile_fault_code(fault))
			hostile_die("%s: kind %d, reason %s", hostile_fault_name(fault),
				    (int)message.kind,
				    message.kind == WIRE_CLIENT_REFUSAL ?
					    err_name(message.u.refusal.reason) :
					    "none");
		if (limit != 0 && message.u.refusal.limit != limit)
			hostile_die("%s: the limit told is %" PRIu64 ", not %" PRIu64,
				    hostile_fault_name(fault), message.u.refusal.limit, limit);
		printf("local %s: refused, %s, limit %" PRIu64 "\n", hostile_fault_name(fault),
		       err_name(message.u.refusal.reason), message.u.refusal.limit);
	}
}

/* Sends a frame, again when nothing is heard for a while, until its receipt comes. */
static struct wire_client_receipt receipt_of(int file, uint64_t seq, const uint8_t *bytes,
					     uint32_t count)
{
	struct wire_client_message message;

	for (int tries = 0; tries < 2 * PATIENCE_MS / RESEND_MS; tries++) {
		say(file, bytes, count);
		while (hear_within(file, RESEND_MS, &message))
			if (message.kind == WIRE_CLIENT_RECEIPT &&
			    message.u.receipt.first_seq == seq)
				return message.u.receipt;
	}
	hostile_die("number %" PRIu64 " does not become final", seq);
}

/* An honest transaction, then the same bytes again: the same receipt, not another place. */
static void local_honest(struct hostile *hostile, int file)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	uint32_t count = hostile_submit(hostile, HOSTILE_GOOD, hostile->next_seq, bytes);
	struct wire_client_receipt first;
	struct wire_client_receipt second;

	first = receipt_of(file, hostile->next_seq, bytes, count);
	second = receipt_of(file, hostile->next_seq, bytes, count);
	if (first.ordered_map[0] != 1 || first.height != second.height ||
	    first.first_index != second.first_index)
		hostile_die("replayed: height %" PRIu64 " then %" PRIu64, first.height,
			    second.height);
	printf("local good %" PRIu64 ": final at height %" PRIu64 ", replayed: the same\n",
	       hostile->next_seq, first.height);
	hostile->next_seq++;
}

/* A connection the node serves; right after many were closed it may still turn some away. */
static int connect_served(const char *path)
{
	const uint8_t ask[WIRE_CLIENT_HEAD_BYTES] = { WIRE_CLIENT_STATUS, WIRE_CLIENT_VERSION };

	for (int tries = 0; tries < PATIENCE_MS / 50; tries++) {
		uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
		int file = try_connect(path);
		struct pollfd wait = { .fd = file, .events = POLLIN };

		if (send(file, ask, sizeof(ask), MSG_NOSIGNAL) == (ssize_t)sizeof(ask) &&
		    poll(&wait, 1, PATIENCE_MS) == 1 &&
		    recv(file, bytes, sizeof(bytes), MSG_DONTWAIT) > 0 &&
		    bytes[0] == WIRE_CLIENT_STATUS_ANSWER)
			return file;
		close(file);
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	hostile_die("no connection is served any more");
}

/* Takes what is there; the node must never be held up by one who does not read. */
static void take_all(int file)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];

	while (recv(file, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}

static void local_flood(struct hostile *hostile, const char *path, uint32_t flood)
{
	uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
	uint32_t count = hostile_submit(hostile, HOSTILE_BAD_SIGNATURE, 1, bytes);
	int deaf = connect_served(path);
	int file = connect_served(path);

	for (uint32_t i = 0; i < flood; i++) {
		say(deaf, bytes, count);
		say(file, bytes, i % 2 == 0 ? count : 3);
		take_all(file);
	}
	printf("local flood: %u messages\n", 2 * flood);
	close(deaf);
	close(file);
}

/* Opens connections until one is turned away; all are given back. */
static void local_connections(const char *path)
{
	static int file[CONNECTIONS_MAX];
	struct pollfd wait = { .events = POLLIN };
	uint32_t count = 0;
	bool is_full = false;

	while (count < CONNECTIONS_MAX && !is_full) {
		file[count] = try_connect(path);
		wait.fd = file[count++];
		is_full = poll(&wait, 1, 50) == 1;
	}
	if (!is_full)
		hostile_die("%u connections and none was turned away", count);
	expect_error(wait.fd, "one connection too many");
	for (uint32_t i = 0; i < count; i++)
		close(file[i]);
	printf("local connections: %u taken\n", count - 1);
}

static void local(struct hostile *hostile, char **arguments)
{
	int file = try_connect(arguments[0]);

	read_genesis(hostile, arguments[1]);
	read_key(hostile, arguments[2]);
	local_messages(file);
	local_faults(hostile, file);
	local_honest(hostile, file);
	local_connections(arguments[0]);
	local_flood(hostile, arguments[0], (uint32_t)number_of(arguments[3]));
	local_honest(hostile, file);
	close(file);
}

static void port(struct hostile *hostile, char **arguments)
{
	struct hostile_port_options options = { .socket = arguments[0],
						.bell = arguments[1],
						.node = (uint32_t)number_of(arguments[2]),
						.udp_port = 7700,
						.peer = (uint32_t)number_of(arguments[7]),
						.peer_key = arguments[8],
						.flood = (uint32_t)number_of(arguments[9]) };

	options.node_address = ntohl(inet_addr(arguments[3]));
	options.own_address = ntohl(inet_addr(arguments[4]));
	read_genesis(hostile, arguments[5]);
	read_key(hostile, arguments[6]);
	hostile->next_seq = number_of(arguments[10]);
	hostile_port(hostile, &options);
}

int main(int argc, char **argv)
{
	static struct hostile hostile; /* large */

	if (crypto_start() < 0)
		hostile_die("libsodium does not start");
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 5 && strcmp(argv[1], "genesis") == 0)
		make_genesis(&hostile, argc - 2, argv + 2);
	else if (argc == 6 && strcmp(argv[1], "local") == 0)
		local(&hostile, argv + 2);
	else if (argc == 13 && strcmp(argv[1], "port") == 0)
		port(&hostile, argv + 2);
	else
		hostile_die("wrong use; see the head of hostile.c");
	return 0;
}
