#define _GNU_SOURCE

#include "dataplane/dp_bell.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"

enum {
	PAGE_BYTES = 4096,
	MESSAGES_PER_TURN = 64,
	ASK_AGAIN_MS = 50,
	NEVER_RUNG = UINT32_MAX - 1, /* even: no sleep has this number */
};

/* The one-byte messages of the socket. */
enum message { MESSAGE_RING = 'R', MESSAGE_ASK = 'A', MESSAGE_WORD = 'W' };

static int address_of(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_bytes)
{
	size_t count;

	if (name[0] == '@')
		name++;
	count = strlen(name);
	if (count == 0 || count >= DP_BELL_NAME_BYTES)
		return ERR_CONFIG;
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	memcpy(ret_address->sun_path + 1, name, count);
	*ret_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + count);
	return 0;
}

static int open_socket(const char *name)
{
	struct sockaddr_un address;
	socklen_t bytes;
	int code = address_of(name, &address, &bytes);
	int fd;

	if (code != 0)
		return code;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, bytes) != 0) {
		code = errno == EADDRINUSE ? ERR_BUSY : -errno;
		close(fd);
		return code;
	}
	return fd;
}

/* A page others can map but neither write nor shrink. */
static int open_page(_Atomic uint32_t **ret_word)
{
	int fd = memfd_create("quorate-bell", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *page = MAP_FAILED;
	int code;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, PAGE_BYTES) == 0)
		page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0) {
		code = -errno;
		if (page != MAP_FAILED)
			munmap(page, PAGE_BYTES);
		close(fd);
		return code;
	}
	*ret_word = page;
	return fd;
}

int dp_bell_open(struct dp_bell *bell, const char *name)
{
	int socket_fd = open_socket(name);
	int page_fd;

	*bell = (struct dp_bell){ .socket_fd = -1, .page_fd = -1 };
	if (socket_fd < 0)
		return socket_fd;
	page_fd = open_page(&bell->word);
	if (page_fd < 0) {
		close(socket_fd);
		return page_fd;
	}
	bell->socket_fd = socket_fd;
	bell->page_fd = page_fd;
	return 0;
}

void dp_bell_close(struct dp_bell *bell)
{
	if (!bell->word)
		return;
	munmap((void *)bell->word, PAGE_BYTES);
	close(bell->page_fd);
	close(bell->socket_fd);
	*bell = (struct dp_bell){ .socket_fd = -1, .page_fd = -1 };
}

int dp_bell_fd(const struct dp_bell *bell)
{
	return bell->socket_fd;
}

void dp_bell_arm(struct dp_bell *bell)
{
	uint32_t word = atomic_load_explicit(bell->word, memory_order_relaxed);

	atomic_store_explicit(bell->word, word | 1, memory_order_relaxed);
	/*
	 * Pairs with the fence in dp_bell_ring(): the store above comes before our last look at
	 * the rings.
	 */
	atomic_thread_fence(memory_order_seq_cst);
}

void dp_bell_disarm(struct dp_bell *bell)
{
	uint32_t word = atomic_load_explicit(bell->word, memory_order_relaxed);

	/* Relaxed: a sender that still sees the odd value rings in vain, once. */
	if ((word & 1) != 0)
		atomic_store_explicit(bell->word, word + 1, memory_order_relaxed);
}

static void answer(const struct dp_bell *bell, const struct sockaddr_un *to, socklen_t to_bytes)
{
	char text = MESSAGE_WORD;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { .iov_base = &text, .iov_len = 1 };
	struct msghdr message = {
		.msg_name = (void *)(uintptr_t)to,
		.msg_namelen = to_bytes,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &bell->page_fd, sizeof(int));
	(void)sendmsg(bell->socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int fd_of(struct msghdr *message)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}

static void forget(struct dp_bell_ringer *ringer)
{
	if (ringer->word)
		munmap((void *)(uintptr_t)ringer->word, PAGE_BYTES);
	if (ringer->page_fd >= 0)
		close(ringer->page_fd);
	ringer->word = NULL;
	ringer->page_fd = -1;
	ringer->rung = NEVER_RUNG;
}

/* Takes the page only if it can neither be shrunk under us nor is smaller than it must be. */
static void adopt(struct dp_bell_ringer *ringer, int fd)
{
	void *page;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || lseek(fd, 0, SEEK_END) < PAGE_BYTES) {
		close(fd);
		return;
	}
	page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		close(fd);
		return;
	}
	forget(ringer);
	ringer->word = page;
	ringer->page_fd = fd;
}

static struct dp_bell_ringer *ringer_of(struct dp_bell *bell, const struct sockaddr_un *from,
					socklen_t from_bytes)
{
	for (struct dp_bell_ringer *ringer = bell->ringers; ringer; ringer = ringer->next) {
		struct sockaddr_un address;
		socklen_t bytes;

		if (address_of(ringer->name, &address, &bytes) == 0 && bytes == from_bytes &&
		    memcmp(&address, from, bytes) == 0)
			return ringer;
	}
	return NULL;
}

static bool take_message(struct dp_bell *bell)
{
	char text = 0;
	struct sockaddr_un from;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = &text, .iov_len = 1 };
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct dp_bell_ringer *ringer;
	int fd;

	memset(&from, 0, sizeof(from));
	if (recvmsg(bell->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return false;
	fd = fd_of(&message);
	if (text == MESSAGE_RING)
		bell->rings++;
	else if (text == MESSAGE_ASK)
		answer(bell, &from, message.msg_namelen);
	ringer = text == MESSAGE_WORD && fd >= 0 ? ringer_of(bell, &from, message.msg_namelen) :
						   NULL;
	if (ringer)
		adopt(ringer, fd);
	else if (fd >= 0)
		close(fd);
	return true;
}

void dp_bell_housekeep(struct dp_bell *bell)
{
	for (int i = 0; i < MESSAGES_PER_TURN && take_message(bell); i++)
		;
}

static bool send_to(const struct dp_bell *own, const struct dp_bell_ringer *ringer, char text)
{
	struct sockaddr_un address;
	socklen_t bytes;
	ssize_t sent;

	if (address_of(ringer->name, &address, &bytes) != 0)
		return false;
	sent = sendto(own->socket_fd, &text, 1, MSG_DONTWAIT | MSG_NOSIGNAL,
		      (const struct sockaddr *)&address, bytes);
	/* A full queue of rings wakes as well as one more would. */
	return sent == 1 || errno == EAGAIN;
}

int dp_bell_ringer_open(struct dp_bell *own, struct dp_bell_ringer *ringer, const char *name)
{
	struct sockaddr_un address;
	socklen_t bytes;

	*ringer = (struct dp_bell_ringer){ .page_fd = -1, .rung = NEVER_RUNG };
	if (address_of(name, &address, &bytes) != 0)
		return ERR_CONFIG;
	memcpy(ringer->name, name, strlen(name));
	ringer->next = own->ringers;
	own->ringers = ringer;
	return 0;
}

void dp_bell_ringer_close(struct dp_bell *own, struct dp_bell_ringer *ringer)
{
	struct dp_bell_ringer **at = &own->ringers;

	while (*at && *at != ringer)
		at = &(*at)->next;
	if (*at)
		*at = ringer->next;
	if (ringer->name[0] != '\0')
		forget(ringer);
	ringer->name[0] = '\0';
}

void dp_bell_ring(struct dp_bell *own, struct dp_bell_ringer *ringer)
{
	uint32_t word;

	/* Pairs with the fence in dp_bell_arm(): what we sent comes before our look at the word. */
	atomic_thread_fence(memory_order_seq_cst);
	word = ringer->word ? atomic_load_explicit(ringer->word, memory_order_relaxed) : 1;
	if ((word & 1) == 0 || (ringer->word && word == ringer->rung))
		return;
	if (ringer->is_absent)
		return;
	ringer->rung = word;
	if (send_to(own, ringer, MESSAGE_RING)) {
		ringer->rings++;
		return;
	}
	ringer->lost++;
	ringer->is_absent = true;
	forget(ringer);
}

void dp_bell_ringer_housekeep(struct dp_bell *own, struct dp_bell_ringer *ringer, uint64_t now_ns,
			      bool peer_restarted)
{
	if (peer_restarted) {
		forget(ringer);
		ringer->asked_ns = 0;
	}
	if (ringer->word ||
	    (ringer->asked_ns != 0 && now_ns - ringer->asked_ns < ASK_AGAIN_MS * UNITS_NS_PER_MS))
		return;
	ringer->asked_ns = now_ns;
	ringer->is_absent = !send_to(own, ringer, MESSAGE_ASK);
}
