#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "tests/lib/unit_main.h"

static const int all_codes[] = {
#define ERR(name, value, text) ERR_##name,
#include "base/err.def"
#undef ERR
};

static void every_code_has_its_own_value_name_and_text(void)
{
	size_t count = sizeof(all_codes) / sizeof(all_codes[0]);

	for (size_t i = 0; i < count; i++) {
		UNIT_CHECK(all_codes[i] <= -1000);
		UNIT_CHECK(strcmp(err_name(all_codes[i]), "UNKNOWN") != 0);
		UNIT_CHECK(strlen(err_text(all_codes[i])) > 0);
		for (size_t k = 0; k < i; k++) {
			UNIT_CHECK(all_codes[k] != all_codes[i]);
			UNIT_CHECK(strcmp(err_text(all_codes[k]), err_text(all_codes[i])) != 0);
		}
	}
}

static void our_codes_have_frozen_values(void)
{
	UNIT_CHECK(ERR_CONFIG == -1000 && ERR_SIGNATURE == -1004 && ERR_FULL == -1008);
	UNIT_CHECK(ERR_CORRUPT == -1013 && ERR_KEY == -1019 && ERR_RETIRED == -1025);
	UNIT_CHECK(strcmp(err_name(ERR_FORMAT), "FORMAT") == 0);
}

static void system_codes_keep_their_names(void)
{
	UNIT_CHECK(strcmp(err_name(-ENOENT), "ENOENT") == 0);
	UNIT_CHECK(strcmp(err_text(-ENOENT), "No such file or directory") == 0);
	UNIT_CHECK(strcmp(err_name(0), "OK") == 0);
}

static void any_other_number_is_unknown_and_never_null(void)
{
	static const int strange[] = { 1, -999, -1999, -5000, INT_MIN, INT_MAX };

	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		UNIT_CHECK(strcmp(err_name(strange[i]), "UNKNOWN") == 0);
		UNIT_CHECK(strcmp(err_text(strange[i]), "unknown error") == 0);
	}
}

UNIT_SUITE("err", UNIT_TEST(every_code_has_its_own_value_name_and_text),
	   UNIT_TEST(our_codes_have_frozen_values), UNIT_TEST(system_codes_keep_their_names),
	   UNIT_TEST(any_other_number_is_unknown_and_never_null))
