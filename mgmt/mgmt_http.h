/*
 * mgmt_http: what quorate-mgmtd answers over HTTP. The only file that knows libmicrohttpd.
 *
 *     GET /           what there is            text
 *     GET /metrics    Prometheus text format
 *     GET /healthz    200 "ok", or 503 and why: the process lives and makes progress
 *     GET /readyz     200 "ready", or 503 and why: it takes part in the order
 *     GET /v1/status  JSON
 *
 * Anything else is 404 or 405; nothing here changes anything. Limits:
 * MGMT_CONNECTIONS_MAX connections, ten seconds of silence.
 *
 * Threads  Answers come from one thread of its own, which owns the view between
 *          start and stop.
 */
#ifndef QUORATE_MGMT_HTTP_H
#define QUORATE_MGMT_HTTP_H

#include <stdint.h>
#include <sys/socket.h>

#include "mgmt/mgmt_view.h"

enum { MGMT_CONNECTIONS_MAX = 64, MGMT_SILENCE_S = 10 };

struct mgmt_http;

/*
 * Starts answering at `address` (IPv4 or IPv6). Returns 0 and the port in use (the kernel's choice
 * when the address says 0); -EADDRINUSE and other -errno; ERR_MEMORY.
 */
int mgmt_http_start(struct mgmt_view *view, const struct sockaddr *address, socklen_t address_bytes,
		    struct mgmt_http **ret_http, uint16_t *ret_port);

/* Finishes answers under way and stops. Accepts NULL. */
void mgmt_http_stop(struct mgmt_http *http);

#endif
