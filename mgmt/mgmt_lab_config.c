#include "mgmt/mgmt_lab.h"

#include <inttypes.h>

static void mgmt_put_peer(const struct mgmt_lab *lab, uint32_t id, uint32_t peer,
			  struct mgmt_text *text)
{
	uint32_t low = id < peer ? id : peer;
	uint32_t high = id < peer ? peer : id;

	mgmt_text_print(text,
			"\n[port peer%" PRIu32 "]\n"
			"kind = memif\n"
			"role = peer\n"
			"socket = @qr-%s-%" PRIu32 "-%" PRIu32 "\n"
			"memif_role = %s\n"
			"bell = @qr-%s-b%" PRIu32 "\n"
			"address = 10.77.%" PRIu32 ".%" PRIu32 "/16\n"
			"udp_port = %d\n"
			"\n[peer %" PRIu32 "]\n"
			"port = peer%" PRIu32 "\n"
			"address = 10.77.%" PRIu32 ".%" PRIu32 "\n"
			"udp_port = %d\n",
			peer, lab->hash, low, high, id == low ? "server" : "client", lab->hash,
			peer, id, peer + 1, (int)MGMT_LAB_UDP_PORT, peer, peer, peer, id + 1,
			(int)MGMT_LAB_UDP_PORT);
}

static void mgmt_put_client_port(const struct mgmt_lab *lab, uint32_t id, struct mgmt_text *text)
{
	mgmt_text_print(text,
			"\n[port client]\n"
			"kind = memif\n"
			"role = client\n"
			"socket = @qr-%s-c%" PRIu32 "\n"
			"memif_role = server\n"
			"bell = @qr-%s-cb\n"
			"address = 10.78.%" PRIu32 ".1/24\n"
			"udp_port = %d\n",
			lab->hash, id, lab->hash, id, (int)MGMT_LAB_UDP_PORT);
}

void mgmt_lab_config(const struct mgmt_lab *lab, uint32_t id, struct mgmt_text *ret_text)
{
	const struct mgmt_path dir = mgmt_lab_node_dir(lab, id);

	mgmt_text_print(ret_text,
			"# Node %" PRIu32 " of a lab; written by `quorate lab up`.\n"
			"[node]\n"
			"id = %" PRIu32 "\n"
			"data_dir = %s/store\n"
			"run_dir = %s/run\n"
			"genesis = %s/genesis\n"
			"signing_key = %s/signing.key\n"
			"session_key = %s/session.key\n"
			"\n[store]\n"
			"segment_mib = %d\n"
			"allow_buffered = yes\n"
			"\n[cores]\n"
			"mode = shared\n"
			"bell = @qr-%s-b%" PRIu32 "\n"
			"\n[ingress]\n"
			"socket = %s/run/ingress\n",
			id, id, dir.text, dir.text, dir.text, dir.text, dir.text,
			(int)MGMT_LAB_SEGMENT_MIB, lab->hash, id, dir.text);
	for (uint32_t peer = 0; peer < lab->node_count; peer++)
		if (peer != id)
			mgmt_put_peer(lab, id, peer, ret_text);
	mgmt_put_client_port(lab, id, ret_text);
}
