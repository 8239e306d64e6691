/* The file device where io_uring is refused: blocking calls on helper threads, one a lane. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/err.h"
#include "storage/blocklog_dev_impl.h"

/* The safety log, the rest, and creations, which are long. */
enum { WORKER_SAFETY, WORKER_BULK, WORKER_CREATE, WORKERS };

enum { JOBS_MAX = BLOCKLOG_QUEUE_IOS_MAX };

struct job {
	struct blocklog_io io;
	int slot; /* -1: none */
	int fd;
	int code;
	uint64_t started_ns;
	uint64_t elapsed_ns;
};

/* `taken` to `given` wait for the thread; `taken` - `collected` may be done. */
struct worker {
	struct pwriter *owner;
	pthread_t thread;
	bool is_started;
	pthread_mutex_t mutex;
	pthread_cond_t has_work;
	bool is_stopping;
	uint64_t given;     /* written by the owner */
	uint64_t taken;     /* done; written by the thread */
	uint64_t collected; /* written by the owner */
	struct job jobs[JOBS_MAX];
};

struct pwriter {
	struct blocklog_dev_file base;
	int event_fd;
	struct worker workers[WORKERS];
	struct blocklog_io_done early[JOBS_MAX];
	uint32_t early_count;
};

static struct pwriter *pwriter_of(struct blocklog_dev *dev)
{
	return (struct pwriter *)dev;
}

/* ---- on the helper thread ---- */

static int job_transfer(const struct job *job)
{
	const struct blocklog_io *io = &job->io;
	struct iovec iov[BLOCKLOG_EXTENTS_MAX];
	size_t expected = 0;
	ssize_t count;

	for (uint32_t i = 0; i < io->extent_count; i++) {
		iov[i].iov_base = io->extents[i].bytes;
		iov[i].iov_len = io->extents[i].count;
		expected += io->extents[i].count;
	}
	do
		count = io->kind == BLOCKLOG_IO_WRITE ?
				pwritev2(job->fd, iov, (int)io->extent_count, (off_t)io->offset,
					 RWF_DSYNC) :
				preadv(job->fd, iov, (int)io->extent_count, (off_t)io->offset);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return -errno;
	return (size_t)count == expected ? 0 : -EIO;
}

static int job_run(struct pwriter *pwriter, const struct job *job)
{
	switch (job->io.kind) {
	case BLOCKLOG_IO_WRITE:
	case BLOCKLOG_IO_READ:
		return job_transfer(job);
	case BLOCKLOG_IO_SYNC:
		return fdatasync(job->fd) != 0 ? -errno : 0;
	case BLOCKLOG_IO_CREATE:
		return blocklog_files_create(&pwriter->base.files, job->io.area, job->io.segment,
					     job->io.bytes);
	case BLOCKLOG_IO_REMOVE:
		break;
	}
	return -EINVAL;
}

static void ring_bell(const struct pwriter *pwriter)
{
	uint64_t one = 1;
	ssize_t count = write(pwriter->event_fd, &one, sizeof(one));

	(void)count; /* full means that it rings already */
}

static void *worker_main(void *context)
{
	struct worker *worker = context;

	(void)pthread_mutex_lock(&worker->mutex);
	while (!worker->is_stopping || worker->taken < worker->given) {
		struct job *job = &worker->jobs[worker->taken % JOBS_MAX];

		if (worker->taken == worker->given) {
			(void)pthread_cond_wait(&worker->has_work, &worker->mutex);
			continue;
		}
		(void)pthread_mutex_unlock(&worker->mutex);
		job->code = job_run(worker->owner, job);
		job->elapsed_ns = blocklog_dev_clock_ns() - job->started_ns;
		(void)pthread_mutex_lock(&worker->mutex);
		worker->taken++;
		ring_bell(worker->owner);
	}
	(void)pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

/* ---- the device ---- */

static void early_done(struct pwriter *pwriter, uint64_t tag, int code)
{
	ensure(pwriter->early_count < JOBS_MAX);
	pwriter->early[pwriter->early_count++] =
		(struct blocklog_io_done){ .tag = tag, .code = code };
	ring_bell(pwriter);
}

static struct worker *worker_for(struct pwriter *pwriter, const struct blocklog_io *io)
{
	if (io->kind == BLOCKLOG_IO_CREATE)
		return &pwriter->workers[WORKER_CREATE];
	return &pwriter->workers[io->queue == BLOCKLOG_QUEUE_SAFETY ? WORKER_SAFETY : WORKER_BULK];
}

static void pwriter_submit(struct blocklog_dev *dev, const struct blocklog_io *io)
{
	struct pwriter *pwriter = pwriter_of(dev);
	struct worker *worker = worker_for(pwriter, io);
	struct job job = { .io = *io, .slot = -1, .fd = -1 };
	bool is_opened;

	if (io->kind == BLOCKLOG_IO_REMOVE) {
		early_done(pwriter, io->tag,
			   blocklog_files_remove(&pwriter->base.files, io->area, io->segment));
		return;
	}
	if (io->kind != BLOCKLOG_IO_CREATE) {
		job.slot = blocklog_files_take(&pwriter->base.files, io->area, io->segment,
					       &is_opened);
		if (job.slot < 0) {
			early_done(pwriter, io->tag, job.slot);
			return;
		}
		job.fd = pwriter->base.files.slots[job.slot].fd;
	}
	job.started_ns = blocklog_dev_clock_ns();
	(void)pthread_mutex_lock(&worker->mutex);
	ensure(worker->given - worker->collected < JOBS_MAX);
	worker->jobs[worker->given % JOBS_MAX] = job;
	worker->given++;
	(void)pthread_cond_signal(&worker->has_work);
	(void)pthread_mutex_unlock(&worker->mutex);
}

static void pwriter_kick(struct blocklog_dev *dev, enum blocklog_queue queue)
{
	(void)dev;
	(void)queue;
}

static uint32_t worker_poll(struct pwriter *pwriter, struct worker *worker,
			    struct blocklog_io_done *ret_done, uint32_t done_max)
{
	uint32_t count = 0;

	(void)pthread_mutex_lock(&worker->mutex);
	while (worker->collected < worker->taken && count < done_max) {
		const struct job *job = &worker->jobs[worker->collected++ % JOBS_MAX];

		if (job->slot >= 0)
			blocklog_files_give(&pwriter->base.files, (uint32_t)job->slot);
		ret_done[count++] = (struct blocklog_io_done){
			.tag = job->io.tag,
			.code = job->code,
			.elapsed_ns = job->elapsed_ns,
		};
	}
	(void)pthread_mutex_unlock(&worker->mutex);
	return count;
}

static uint32_t pwriter_poll(struct blocklog_dev *dev, struct blocklog_io_done *ret_done,
			     uint32_t done_max)
{
	struct pwriter *pwriter = pwriter_of(dev);
	uint32_t count = 0;

	while (pwriter->early_count > 0 && count < done_max)
		ret_done[count++] = pwriter->early[--pwriter->early_count];
	for (uint32_t i = 0; i < WORKERS; i++)
		count += worker_poll(pwriter, &pwriter->workers[i], ret_done + count,
				     done_max - count);
	return count;
}

static bool has_done(struct pwriter *pwriter)
{
	bool any = pwriter->early_count > 0;

	for (uint32_t i = 0; i < WORKERS && !any; i++) {
		struct worker *worker = &pwriter->workers[i];

		(void)pthread_mutex_lock(&worker->mutex);
		any = worker->collected < worker->taken;
		(void)pthread_mutex_unlock(&worker->mutex);
	}
	return any;
}

static void pwriter_wait(struct blocklog_dev *dev)
{
	struct pwriter *pwriter = pwriter_of(dev);
	struct pollfd bell = { .fd = pwriter->event_fd, .events = POLLIN };
	uint64_t rings;

	while (!has_done(pwriter)) {
		(void)poll(&bell, 1, -1);
		if (read(pwriter->event_fd, &rings, sizeof(rings)) < 0)
			ensure(errno == EAGAIN || errno == EINTR);
	}
}

static int pwriter_census(struct blocklog_dev *dev, enum blocklog_area area, uint64_t *ret_first,
			  uint64_t *ret_end)
{
	return blocklog_files_census(&pwriter_of(dev)->base.files, area, ret_first, ret_end);
}

static int pwriter_register_memory(struct blocklog_dev *dev, void *memory, size_t memory_bytes)
{
	(void)dev;
	(void)memory;
	(void)memory_bytes;
	return ERR_UNSUPPORTED;
}

static const struct blocklog_dev_info *pwriter_info(const struct blocklog_dev *dev)
{
	return &((const struct pwriter *)dev)->base.info;
}

static int pwriter_event_fd(const struct blocklog_dev *dev)
{
	return ((const struct pwriter *)dev)->event_fd;
}

static const struct blocklog_dev_ops pwriter_ops = {
	.submit = pwriter_submit,
	.kick = pwriter_kick,
	.poll = pwriter_poll,
	.wait = pwriter_wait,
	.census = pwriter_census,
	.register_memory = pwriter_register_memory,
	.info = pwriter_info,
	.event_fd = pwriter_event_fd,
};

static void worker_stop(struct worker *worker)
{
	if (!worker->is_started)
		return;
	(void)pthread_mutex_lock(&worker->mutex);
	worker->is_stopping = true;
	(void)pthread_cond_signal(&worker->has_work);
	(void)pthread_mutex_unlock(&worker->mutex);
	(void)pthread_join(worker->thread, NULL);
	(void)pthread_cond_destroy(&worker->has_work);
	(void)pthread_mutex_destroy(&worker->mutex);
}

static int worker_start(struct pwriter *pwriter, struct worker *worker)
{
	int code;

	worker->owner = pwriter;
	code = pthread_mutex_init(&worker->mutex, NULL);
	if (code == 0)
		code = pthread_cond_init(&worker->has_work, NULL);
	if (code == 0)
		code = pthread_create(&worker->thread, NULL, worker_main, worker);
	worker->is_started = code == 0;
	return -code;
}

static void pwriter_release(struct pwriter *pwriter)
{
	for (uint32_t i = 0; i < WORKERS; i++)
		worker_stop(&pwriter->workers[i]);
	if (pwriter->event_fd >= 0)
		(void)close(pwriter->event_fd);
	free(pwriter);
}

static void pwriter_close(struct blocklog_dev_file *device)
{
	struct pwriter *pwriter = (struct pwriter *)device;
	struct blocklog_files files = pwriter->base.files;

	pwriter_release(pwriter);
	blocklog_files_close(&files);
}

int blocklog_dev_pwrite_open(const struct blocklog_files *files, const char *why,
			     struct blocklog_dev_file **ret_device)
{
	struct pwriter *pwriter = calloc(1, sizeof(*pwriter));
	int code;

	if (!pwriter)
		return ERR_MEMORY;
	pwriter->base.dev.ops = &pwriter_ops;
	pwriter->base.close = pwriter_close;
	pwriter->base.files = *files;
	pwriter->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = pwriter->event_fd < 0 ? -errno : 0;
	for (uint32_t i = 0; i < WORKERS && code == 0; i++)
		code = worker_start(pwriter, &pwriter->workers[i]);
	if (code != 0) {
		pwriter_release(pwriter);
		return code;
	}
	(void)snprintf(pwriter->base.text, sizeof(pwriter->base.text),
		       "files, pwritev2(RWF_DSYNC) on helper threads (io_uring: %s), %s, slower",
		       why, files->is_direct ? "O_DIRECT" : "BUFFERED (lab only)");
	pwriter->base.info = (struct blocklog_dev_info){
		.kind = "file",
		.description = pwriter->base.text,
		.is_direct = files->is_direct,
		.is_fallback = true,
	};
	*ret_device = &pwriter->base;
	return 0;
}
