#define _GNU_SOURCE
#include "base/err.h"

#include <stddef.h>
#include <string.h>

struct err_entry {
	int code;
	const char *name;
	const char *text;
};

static const struct err_entry err_entries[] = {
#define ERR(name, value, text) { (value), #name, (text) },
#include "base/err.def"
#undef ERR
};

static const struct err_entry *err_find(int code)
{
	for (size_t i = 0; i < sizeof(err_entries) / sizeof(err_entries[0]); i++)
		if (err_entries[i].code == code)
			return &err_entries[i];
	return NULL;
}

const char *err_name(int code)
{
	const struct err_entry *entry = err_find(code);
	const char *name;

	if (entry)
		return entry->name;
	if (code == 0)
		return "OK";
	name = code < 0 && code > -1000 ? strerrorname_np(-code) : NULL;
	return name ? name : "UNKNOWN";
}

const char *err_text(int code)
{
	const struct err_entry *entry = err_find(code);
	const char *text;

	if (entry)
		return entry->text;
	if (code == 0)
		return "success";
	text = code < 0 && code > -1000 ? strerrordesc_np(-code) : NULL;
	return text ? text : "unknown error";
}
