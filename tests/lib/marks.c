#include "tests/lib/marks.h"

#include <inttypes.h>

extern struct mark __start_quorate_marks[];
extern struct mark __stop_quorate_marks[];

void marks_print(FILE *file)
{
	for (const struct mark *mark = __start_quorate_marks; mark < __stop_quorate_marks; mark++)
		fprintf(file, "%12" PRIu64 "  %s%s\n", mark->hits, mark->name,
			mark->is_optional ? " (optional)" : "");
}

void marks_json(FILE *file)
{
	const char *separator = "{";

	for (const struct mark *mark = __start_quorate_marks; mark < __stop_quorate_marks; mark++) {
		if (mark->is_optional)
			continue;
		fprintf(file, "%s\"%s\":%" PRIu64, separator, mark->name, mark->hits);
		separator = ",";
	}
	fprintf(file, "}");
}

uint32_t marks_count(void)
{
	uint32_t count = 0;

	for (const struct mark *mark = __start_quorate_marks; mark < __stop_quorate_marks; mark++)
		count += !mark->is_optional;
	return count;
}

uint32_t marks_missing(FILE *file)
{
	uint32_t missing = 0;

	for (const struct mark *mark = __start_quorate_marks; mark < __stop_quorate_marks; mark++) {
		if (mark->hits > 0 || mark->is_optional)
			continue;
		if (file)
			fprintf(file, "never hit: %s\n", mark->name);
		missing++;
	}
	return missing;
}
