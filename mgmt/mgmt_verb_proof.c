#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "client/qr_verify_proof.h"
#include "mgmt/mgmt_cli.h"
#include "mgmt/mgmt_member.h"
#include "mgmt/mgmt_node.h"

enum { MGMT_PROOF_BYTES_MAX = 1 << 20, MGMT_GENESIS_BYTES_MAX = 64 * 1024 };

static enum mgmt_exit mgmt_print_proved(const struct mgmt_cli *cli, const struct qr_proved *proved)
{
	char txid[MGMT_HEX_BYTES];
	char client[MGMT_HEX_BYTES];
	char block[MGMT_HEX_BYTES];
	char chain[MGMT_HEX_BYTES];

	mgmt_hex_of(proved->txid, txid);
	mgmt_hex_of(proved->client, client);
	mgmt_hex_of(proved->block_id, block);
	mgmt_hex_of(proved->chain_id, chain);
	if (cli->is_json) {
		printf("{\"proved\":true,\"txid\":\"%s\",\"client\":\"%s\",\"seq\":%" PRIu64
		       ",\"height\":%" PRIu64 ",\"block\":\"%s\",\"time_ns\":%" PRIu64
		       ",\"lane\":%" PRIu32 ",\"signers\":%" PRIu32 ",\"members\":%" PRIu32
		       ",\"payload_bytes\":%" PRIu32 ",\"chain\":\"%s\"}\n",
		       txid, client, proved->seq, proved->height, block, proved->time_ns,
		       proved->lane, proved->signers, proved->members, proved->payload_bytes,
		       chain);
		return MGMT_EXIT_OK;
	}
	printf("ok  height %" PRIu64 "  txid %s\n"
	       "    client %s  seq %" PRIu64 "  %" PRIu32 " bytes\n"
	       "    block %s  signed by %" PRIu32 " of %" PRIu32 " members\n"
	       "    chain %s  checked offline\n",
	       proved->height, txid, client, proved->seq, proved->payload_bytes, block,
	       proved->signers, proved->members, chain);
	return MGMT_EXIT_OK;
}

static enum mgmt_exit mgmt_judge_proof(const struct mgmt_cli *cli, const struct mgmt_text *genesis,
				       const struct mgmt_text *proof)
{
	struct qr_proved proved;
	enum qr_verdict verdict = qr_verify_proof(mgmt_text_of(genesis), genesis->count,
						  mgmt_text_of(proof), proof->count, &proved);

	if (verdict == QR_VERDICT_PROVED)
		return mgmt_print_proved(cli, &proved);
	if (verdict == QR_VERDICT_GENESIS_FORMAT || verdict == QR_VERDICT_GENESIS_KEY)
		return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "give the chain's genesis file",
				     "genesis: %s", qr_verdict_text(verdict));
	return mgmt_cli_fail(cli, MGMT_EXIT_NEGATIVE, "this file proves nothing", "%s: %s",
			     cli->argument[0], qr_verdict_text(verdict));
}

static enum mgmt_exit mgmt_read_input(const struct mgmt_cli *cli, const char *path,
				      size_t bytes_max, struct mgmt_text *ret_text)
{
	int result = mgmt_text_read_file(path, bytes_max, ret_text);

	if (result == 0)
		return MGMT_EXIT_OK;
	return mgmt_cli_fail(cli, MGMT_EXIT_REFUSED, "give a readable file", "%s: %s", path,
			     err_text(result));
}

enum mgmt_exit mgmt_verb_verify(const struct mgmt_cli *cli)
{
	const char *dir = mgmt_cli_text(cli, MGMT_OPTION_DIR, "lab");
	const char *named = mgmt_cli_text(cli, MGMT_OPTION_GENESIS, NULL);
	struct mgmt_text genesis = { 0 };
	struct mgmt_text proof = { 0 };

	if (!mgmt_path_fits(dir))
		return mgmt_cli_fail(cli, MGMT_EXIT_USAGE, "give --genesis FILE",
				     "--dir: the path is too long");
	const struct mgmt_path lab = mgmt_path_of(dir, "genesis");
	enum mgmt_exit code =
		mgmt_read_input(cli, named ? named : lab.text, MGMT_GENESIS_BYTES_MAX, &genesis);

	if (code == MGMT_EXIT_OK)
		code = mgmt_read_input(cli, cli->argument[0], MGMT_PROOF_BYTES_MAX, &proof);
	if (code == MGMT_EXIT_OK)
		code = mgmt_judge_proof(cli, &genesis, &proof);
	mgmt_text_fini(&genesis);
	mgmt_text_fini(&proof);
	return code;
}
