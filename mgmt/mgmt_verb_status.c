#define _GNU_SOURCE
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_lab.h"
#include "mgmt/mgmt_place.h"
#include "mgmt/mgmt_view.h"

static json_t *mgmt_status_of(struct mgmt_view *view)
{
	struct mgmt_text text = { 0 };

	mgmt_view_refresh(view);
	mgmt_view_status_json(view, &text);
	json_t *root = json_loads(mgmt_text_of(&text), 0, NULL);

	mgmt_text_fini(&text);
	return root ? root : json_object();
}

static void mgmt_print_json(json_t *root)
{
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
}

static uint64_t mgmt_count_of(const json_t *root, const char *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(json_object_get(root, object), key));
}

static const char *mgmt_words_of(const json_t *root, const char *object, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(root, object), key));

	return text ? text : "-";
}

static void mgmt_print_status(const json_t *root)
{
	const char *sentence = json_string_value(json_object_get(root, "sentence"));

	printf("%s\n", sentence ? sentence : "-");
	if (!json_object_get(root, "order"))
		return;
	printf("  chain     %s  epoch %" PRIu64 "\n", mgmt_words_of(root, "order", "chain"),
	       mgmt_count_of(root, "order", "epoch"));
	printf("  order     height %" PRIu64 "  view %" PRIu64 "  leader n%" PRIu64
	       "  block %.16s\n",
	       mgmt_count_of(root, "order", "committed_height"),
	       mgmt_count_of(root, "order", "view"), mgmt_count_of(root, "order", "leader"),
	       mgmt_words_of(root, "order", "committed_id"));
	printf("  finality  p50 %" PRIu64 " us  p99 %" PRIu64 " us     durable write  p50 %" PRIu64
	       " us  p99 %" PRIu64 " us\n",
	       mgmt_count_of(root, "finality", "p50_us"), mgmt_count_of(root, "finality", "p99_us"),
	       mgmt_count_of(root, "durable_write", "p50_us"),
	       mgmt_count_of(root, "durable_write", "p99_us"));
	printf("  node      n%" PRIu64 "  %s  disk: %s  memory: %s  cores: %s\n",
	       mgmt_count_of(root, "node", "id"), mgmt_words_of(root, "node", "version"),
	       mgmt_words_of(root, "node", "disk"), mgmt_words_of(root, "node", "memory"),
	       mgmt_words_of(root, "node", "cores"));
}

enum mgmt_exit mgmt_verb_status(const struct mgmt_cli *cli)
{
	static struct mgmt_view view;
	struct mgmt_place place;
	enum mgmt_exit code = mgmt_place_find(cli, &place);

	if (code != MGMT_EXIT_OK)
		return code;
	mgmt_view_init(&view, place.run_dir.text);
	json_t *root = mgmt_status_of(&view);

	if (cli->is_json)
		mgmt_print_json(root);
	else
		mgmt_print_status(root);
	code = json_is_true(json_object_get(root, "ready")) ? MGMT_EXIT_OK : MGMT_EXIT_NEGATIVE;
	if (view.verdict <= MGMT_NODE_FOREIGN)
		code = MGMT_EXIT_UNREACHABLE;
	json_decref(root);
	mgmt_view_fini(&view);
	return code;
}

/* How a load generator reaches the node's client port. */
static json_t *mgmt_client_port_json(const struct mgmt_lab *lab, uint32_t id)
{
	return json_pack("{so,so,so,so,si}", "socket",
			 json_sprintf("@qr-%s-c%" PRIu32, lab->hash, id), "bell",
			 json_sprintf("@qr-%s-cb%" PRIu32, lab->hash, id), "node_bell",
			 json_sprintf("@qr-%s-b%" PRIu32, lab->hash, id), "address",
			 json_sprintf("10.78.%" PRIu32 ".1", id), "udp_port",
			 (int)MGMT_LAB_UDP_PORT);
}

static json_t *mgmt_lab_node_json(const struct mgmt_lab *lab, uint32_t id)
{
	static struct mgmt_view view;
	struct mgmt_process process = mgmt_lab_process(lab, id, MGMT_LAB_QUORATED);
	json_t *node;

	mgmt_view_init(&view, mgmt_lab_node_path(lab, id, "run").text);
	node = mgmt_status_of(&view);
	mgmt_view_fini(&view);
	json_object_set_new(node, "id", json_integer(id));
	json_object_set_new(node, "pid", json_integer(process.pid));
	json_object_set_new(node, "mgmtd_pid",
			    json_integer(mgmt_lab_process(lab, id, MGMT_LAB_MGMTD).pid));
	json_object_set_new(node, "http",
			    json_sprintf("http://127.0.0.1:%" PRIu32, lab->http_port + id));
	json_object_set_new(node, "dir", json_string(mgmt_lab_node_dir(lab, id).text));
	json_object_set_new(node, "ingress",
			    json_string(mgmt_lab_node_path(lab, id, "run/ingress").text));
	json_object_set_new(node, "client_port", mgmt_client_port_json(lab, id));
	return node;
}

static void mgmt_print_lab_node(const json_t *node)
{
	json_int_t pid = json_integer_value(json_object_get(node, "pid"));
	const char *state = json_string_value(json_object_get(node, "state"));
	const char *sentence = json_string_value(json_object_get(node, "sentence"));

	printf("n%" JSON_INTEGER_FORMAT "  pid %-7" JSON_INTEGER_FORMAT " %-8s %s  %s\n",
	       json_integer_value(json_object_get(node, "id")), pid,
	       pid ? (state ? state : "-") : "stopped",
	       json_string_value(json_object_get(node, "http")), sentence ? sentence : "");
}

enum mgmt_exit mgmt_verb_lab_status(const struct mgmt_cli *cli)
{
	struct mgmt_lab lab;
	uint32_t ready = 0;
	enum mgmt_exit code = mgmt_lab_name(cli, &lab);

	if (code == MGMT_EXIT_OK && !mgmt_lab_load(&lab))
		code = mgmt_cli_fail(cli, MGMT_EXIT_UNREACHABLE,
				     "start one with `quorate lab up`, or name it with --dir",
				     "there is no lab in %s", lab.dir);
	if (code != MGMT_EXIT_OK)
		return code;
	json_t *nodes = json_array();

	for (uint32_t i = 0; i < lab.node_count; i++) {
		json_t *node = mgmt_lab_node_json(&lab, i);

		ready += json_is_true(json_object_get(node, "ready"));
		if (!cli->is_json)
			mgmt_print_lab_node(node);
		json_array_append_new(nodes, node);
	}
	bool orders = ready >= lab.node_count - (lab.node_count - 1) / 3;
	json_t *root = json_pack("{so,sb,si,so}", "dir", json_string(lab.dir), "orders",
				 (int)orders, "ready", (int)ready, "nodes", nodes);

	if (cli->is_json)
		mgmt_print_json(root);
	json_decref(root);
	return orders ? MGMT_EXIT_OK : MGMT_EXIT_NEGATIVE;
}

enum mgmt_exit mgmt_verb_version(const struct mgmt_cli *cli)
{
	bool is_verbose = mgmt_cli_has(cli, MGMT_OPTION_VERBOSE);

	if (cli->is_json)
		printf("{\"version\":\"%s\",\"jansson\":\"%s\"}\n", QUORATE_VERSION,
		       JANSSON_VERSION);
	else
		printf("quorate %s\n", QUORATE_VERSION);
	if (is_verbose && !cli->is_json)
		printf("  jansson %s\n  metrics layout %016" PRIx64 "\n", JANSSON_VERSION,
		       ctl_metrics_layout_hash());
	return MGMT_EXIT_OK;
}
