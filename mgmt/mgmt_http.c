#define _GNU_SOURCE
#include "mgmt/mgmt_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/units.h"

struct mgmt_http {
	struct MHD_Daemon *daemon;
	struct mgmt_view *view;
};

static unsigned int mgmt_answer_index(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	mgmt_view_sentence(view, ret_text);
	mgmt_text_string(ret_text, "\n\n/metrics    Prometheus text\n"
				   "/healthz    200 when the node lives and makes progress\n"
				   "/readyz     200 when it takes part in the order\n"
				   "/v1/status  JSON\n");
	return MHD_HTTP_OK;
}

static unsigned int mgmt_answer_metrics(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	mgmt_view_metrics(view, ret_text);
	return MHD_HTTP_OK;
}

static unsigned int mgmt_verdict_of(bool is_good, const char *good, struct mgmt_text *text)
{
	mgmt_text_string(text, is_good ? good : "\n");
	return is_good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned int mgmt_answer_health(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	return mgmt_verdict_of(mgmt_view_is_healthy(view, ret_text), "ok\n", ret_text);
}

static unsigned int mgmt_answer_ready(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	return mgmt_verdict_of(mgmt_view_is_ready(view, ret_text), "ready\n", ret_text);
}

static unsigned int mgmt_answer_status(const struct mgmt_view *view, struct mgmt_text *ret_text)
{
	mgmt_view_status_json(view, ret_text);
	return MHD_HTTP_OK;
}

struct mgmt_route {
	const char *path;
	const char *type;
	unsigned int (*answer)(const struct mgmt_view *view, struct mgmt_text *ret_text);
};

static const struct mgmt_route mgmt_routes[] = {
	{ "/", "text/plain; charset=utf-8", mgmt_answer_index },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", mgmt_answer_metrics },
	{ "/healthz", "text/plain; charset=utf-8", mgmt_answer_health },
	{ "/readyz", "text/plain; charset=utf-8", mgmt_answer_ready },
	{ "/v1/status", "application/json", mgmt_answer_status },
};

static const struct mgmt_route *mgmt_route_of(const char *path)
{
	for (size_t i = 0; i < UNITS_COUNT(mgmt_routes); i++)
		if (strcmp(mgmt_routes[i].path, path) == 0)
			return &mgmt_routes[i];
	return NULL;
}

/* Queues `text` as the answer and takes it over. */
static enum MHD_Result mgmt_send(struct MHD_Connection *connection, unsigned int code,
				 const char *type, struct mgmt_text *text)
{
	size_t count = 0;
	char *bytes = mgmt_text_take(text, &count);

	if (!bytes)
		return MHD_NO;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(count, bytes, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(bytes);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy", "default-src 'none'");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, code, response);

	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result mgmt_on_request(void *context, struct MHD_Connection *connection,
				       const char *path, const char *method, const char *version,
				       const char *body, size_t *body_bytes, void **request)
{
	struct mgmt_http *http = context;
	const struct mgmt_route *route = mgmt_route_of(path);
	struct mgmt_text text = { 0 };

	(void)version;
	(void)body;
	if (!*request) { /* the first of two calls: headers only */
		*request = http;
		return MHD_YES;
	}
	if (*body_bytes > 0) {
		*body_bytes = 0;
		return MHD_YES;
	}
	if (!route) {
		mgmt_text_string(&text, "no such page; / lists what there is\n");
		return mgmt_send(connection, MHD_HTTP_NOT_FOUND, "text/plain", &text);
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		mgmt_text_string(&text, "read only: GET or HEAD\n");
		return mgmt_send(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", &text);
	}
	mgmt_view_refresh(http->view);
	unsigned int code = route->answer(http->view, &text);

	return mgmt_send(connection, code, route->type, &text);
}

static int mgmt_listen(const struct sockaddr *address, socklen_t address_bytes, int *ret_file,
		       uint16_t *ret_port)
{
	int file = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	struct sockaddr_storage bound = { 0 };
	socklen_t bound_bytes = sizeof(bound);

	if (file < 0)
		return -errno;
	setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(file, address, address_bytes) != 0 || listen(file, MGMT_CONNECTIONS_MAX) != 0 ||
	    getsockname(file, (struct sockaddr *)&bound, &bound_bytes) != 0) {
		int result = -errno;

		close(file);
		return result;
	}
	*ret_file = file;
	*ret_port = ntohs(bound.ss_family == AF_INET6 ?
				  ((const struct sockaddr_in6 *)&bound)->sin6_port :
				  ((const struct sockaddr_in *)&bound)->sin_port);
	return 0;
}

int mgmt_http_start(struct mgmt_view *view, const struct sockaddr *address, socklen_t address_bytes,
		    struct mgmt_http **ret_http, uint16_t *ret_port)
{
	struct mgmt_http *http = calloc(1, sizeof(*http));
	uint16_t port = 0;
	int file = -1;

	if (!http)
		return ERR_MEMORY;
	int result = mgmt_listen(address, address_bytes, &file, &port);

	if (result != 0) {
		free(http);
		return result;
	}
	http->view = view;
	http->daemon = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL,
					NULL, mgmt_on_request, http, MHD_OPTION_LISTEN_SOCKET, file,
					MHD_OPTION_CONNECTION_LIMIT,
					(unsigned int)MGMT_CONNECTIONS_MAX,
					MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)MGMT_SILENCE_S,
					MHD_OPTION_END);
	if (!http->daemon) {
		close(file);
		free(http);
		return ERR_MEMORY;
	}
	*ret_http = http;
	*ret_port = port;
	return 0;
}

void mgmt_http_stop(struct mgmt_http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon);
	free(http);
}
