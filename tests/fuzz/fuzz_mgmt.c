/*
 * What the control plane reads: a member file, a lab description, its own configuration, and a
 * node's shared page with anything in it. The first byte chooses.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/ensure.h"
#include "base/err.h"
#include "mgmt/mgmt_config.h"
#include "mgmt/mgmt_lab.h"
#include "mgmt/mgmt_member.h"
#include "mgmt/mgmt_view.h"
#include "tests/fuzz/fuzz_bytes.h"

/* A file that holds these bytes, by its path. */
static const char *file_of(const uint8_t *bytes, size_t count)
{
	static char path[64];
	static int file = -1;

	if (file < 0)
		file = memfd_create("fuzz", MFD_CLOEXEC);
	ensure(file >= 0 && ftruncate(file, 0) == 0);
	ensure(pwrite(file, bytes, count, 0) == (ssize_t)count);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return path;
}

static void member_input(const uint8_t *bytes, size_t count)
{
	struct mgmt_member member;

	if (mgmt_member_read(file_of(bytes, count), &member) == 0)
		ensure(mgmt_member_name_is_valid(member.name));
}

static void config_input(const uint8_t *bytes, size_t count)
{
	static struct mgmt_config config;
	char reason[MGMT_REASON_BYTES] = "";
	char path[64];
	char program[] = "quorate-mgmtd";
	char flag[] = "--config";
	char *argv[] = { program, flag, path, NULL };

	snprintf(path, sizeof(path), "%s", file_of(bytes, count));
	if (mgmt_config_read(3, argv, &config, reason) == 0)
		ensure(config.run_dir[0] != '\0' && config.address_bytes > 0);
	else
		ensure(reason[0] != '\0' && memchr(reason, '\0', sizeof(reason)));
}

/* mgmt_lab_load() reads LAB/lab.json: a directory of its own, made once. */
static void lab_input(const uint8_t *bytes, size_t count)
{
	static struct mgmt_lab lab;
	static char path[64];
	FILE *file;

	if (lab.dir[0] == '\0') {
		char name[] = "/tmp/fuzz_mgmt.XXXXXX";

		ensure(mkdtemp(name));
		snprintf(lab.dir, sizeof(lab.dir), "%s", name);
		snprintf(path, sizeof(path), "%s/lab.json", name);
	}
	file = fopen(path, "wb");
	ensure(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
	if (mgmt_lab_load(&lab))
		ensure(lab.node_count > 0 && lab.http_port > 0);
	unlink(path);
	rmdir(lab.dir);
	lab.dir[0] = '\0';
}

/* A true page, and words of it set to anything: (offset, 8 bytes) again and again. */
static void page_input(struct fuzz_bytes *input)
{
	static struct mgmt_view view;
	static struct ctl_page *page;
	struct mgmt_text text = { 0 };
	json_t *root;

	if (!page)
		page = aligned_alloc(64, (sizeof(*page) + 63) & ~(size_t)63);
	ensure(page);
	memset(page, 0, sizeof(*page));
	ctl_metrics_init(page, 1, 2, 3, (uint32_t)getpid());
	(void)ctl_block_register(page, "replica");
	view.shm.page = page;
	view.has_status = fuzz_bit(input);
	view.verdict = (enum mgmt_verdict)fuzz_below(input, MGMT_NODE_RUNNING + 1);
	while (input->left > 8) {
		size_t count;
		uint32_t at = fuzz_u16(input) * 8 % (sizeof(*page) - 8);
		uint32_t there = at * 8 % (sizeof(view.status) - 8);
		const uint8_t *word = fuzz_take(input, 8, &count);

		memcpy((uint8_t *)page + at, word, count);
		memcpy((uint8_t *)&view.status + there, word, count);
	}
	mgmt_view_metrics(&view, &text);
	mgmt_text_clear(&text);
	mgmt_view_sentence(&view, &text);
	(void)mgmt_view_is_healthy(&view, &text);
	(void)mgmt_view_is_ready(&view, &text);
	mgmt_text_clear(&text);
	mgmt_view_status_json(&view, &text);
	root = json_loadb(mgmt_text_of(&text), text.count, 0, NULL);
	ensure(root && json_is_object(root));
	json_decref(root);
	mgmt_text_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	struct fuzz_bytes input = { bytes, count };

	switch (fuzz_below(&input, 4)) {
	case 0:
		member_input(input.at, input.left);
		break;
	case 1:
		config_input(input.at, input.left);
		break;
	case 2:
		lab_input(input.at, input.left);
		break;
	default:
		page_input(&input);
		break;
	}
	return 0;
}
