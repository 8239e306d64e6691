#define _GNU_SOURCE
#include "mgmt/mgmt_member.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "mgmt/mgmt_text.h"

enum { MGMT_MEMBER_BYTES_MAX = 4096 };

static const char mgmt_member_format[] = "quorate-member-1";

void mgmt_hex_of(const void *bytes, char ret_text[MGMT_HEX_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *at = bytes;

	for (size_t i = 0; i < CRYPTO_HASH_BYTES; i++) {
		ret_text[2 * i] = digits[at[i] >> 4];
		ret_text[2 * i + 1] = digits[at[i] & 15];
	}
	ret_text[MGMT_HEX_BYTES - 1] = '\0';
}

static int mgmt_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool mgmt_hex_bytes(const char *text, void *ret_bytes)
{
	unsigned char bytes[CRYPTO_HASH_BYTES];

	if (strlen(text) != MGMT_HEX_BYTES - 1)
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		int high = mgmt_hex_digit(text[2 * i]);
		int low = mgmt_hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	memcpy(ret_bytes, bytes, sizeof(bytes));
	return true;
}

bool mgmt_member_name_is_valid(const char *name)
{
	size_t count = strlen(name);

	return count > 0 && count < MGMT_MEMBER_NAME_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == count;
}

int mgmt_member_write(const char *path, const struct mgmt_member *member)
{
	char signing_key[MGMT_HEX_BYTES];
	char session_key[MGMT_HEX_BYTES];
	struct mgmt_text text = { 0 };

	mgmt_hex_of(&member->public_key, signing_key);
	mgmt_hex_of(&member->exchange_key, session_key);
	mgmt_text_print(&text,
			"{\"format\": \"%s\", \"name\": \"%s\",\n \"signing_key\": \"%s\",\n "
			"\"session_key\": \"%s\"}\n",
			mgmt_member_format, member->name, signing_key, session_key);
	int result = text.failed ? ERR_MEMORY :
				   mgmt_text_write_file(path, text.bytes, text.count, 0644, true);

	mgmt_text_fini(&text);
	return result;
}

static int mgmt_member_parse(const char *bytes, size_t count, struct mgmt_member *ret_member)
{
	json_t *root = json_loadb(bytes, count, JSON_REJECT_DUPLICATES, NULL);
	struct mgmt_member member = { 0 };
	const char *format = NULL;
	const char *name = NULL;
	const char *signing_key = NULL;
	const char *session_key = NULL;
	int result = ERR_FORMAT;

	if (root &&
	    json_unpack(root, "{s:s,s:s,s:s,s:s!}", "format", &format, "name", &name, "signing_key",
			&signing_key, "session_key", &session_key) == 0 &&
	    strcmp(format, mgmt_member_format) == 0 && mgmt_member_name_is_valid(name) &&
	    mgmt_hex_bytes(signing_key, &member.public_key) &&
	    mgmt_hex_bytes(session_key, &member.exchange_key)) {
		memcpy(member.name, name, strlen(name) + 1);
		result = crypto_key_is_valid(&member.public_key) ? 0 : ERR_KEY;
	}
	json_decref(root);
	if (result == 0)
		*ret_member = member;
	return result;
}

int mgmt_member_read(const char *path, struct mgmt_member *ret_member)
{
	struct mgmt_text text = { 0 };
	int result = mgmt_text_read_file(path, MGMT_MEMBER_BYTES_MAX, &text);

	if (result != 0)
		return result == ERR_OVERSIZE ? ERR_FORMAT : result;
	result = mgmt_member_parse(text.bytes, text.count, ret_member);
	mgmt_text_fini(&text);
	return result;
}
