#include "ctl/ctl_message.h"

#include <string.h>

#include "base/err.h"
#include "base/prng.h"
#include "tests/lib/unit_main.h"

static void a_request_comes_back_as_it_went(void)
{
	struct ctl_request sent = { .command = CTL_COMMAND_LOG, .id = 77, .argument = "debug" };
	struct ctl_request got;
	uint8_t bytes[CTL_REQUEST_BYTES_MAX];
	size_t count = ctl_request_encode(&sent, bytes);

	UNIT_EQUAL(count, 16 + 5);
	UNIT_REQUIRE(ctl_request_decode(bytes, count, &got) == 0);
	UNIT_EQUAL(got.command, CTL_COMMAND_LOG);
	UNIT_EQUAL(got.id, 77);
	UNIT_CHECK(strcmp(got.argument, "debug") == 0);
}

static void a_reply_comes_back_as_it_went(void)
{
	struct ctl_reply sent = { .command = CTL_COMMAND_STOP, .id = 5, .code = ERR_BUSY };
	struct ctl_reply got;
	uint8_t bytes[CTL_REPLY_BYTES_MAX];

	memset(sent.text, 'x', sizeof(sent.text) - 1);
	size_t count = ctl_reply_encode(&sent, bytes);

	UNIT_EQUAL(count, CTL_REPLY_BYTES_MAX);
	UNIT_REQUIRE(ctl_reply_decode(bytes, count, &got) == 0);
	UNIT_CHECK(got.code == ERR_BUSY);
	UNIT_EQUAL(strlen(got.text), CTL_REPLY_TEXT_BYTES - 1);
}

static void other_versions_and_unknown_commands_are_unsupported(void)
{
	struct ctl_request request = { .command = CTL_COMMAND_PING };
	uint8_t bytes[CTL_REQUEST_BYTES_MAX];
	size_t count = ctl_request_encode(&request, bytes);

	bytes[4] = 9;
	UNIT_CHECK(ctl_request_decode(bytes, count, &request) == ERR_UNSUPPORTED);
	bytes[4] = CTL_MESSAGE_VERSION;
	bytes[7] = 9;
	UNIT_CHECK(ctl_request_decode(bytes, count, &request) == ERR_UNSUPPORTED);
}

static void arguments_are_printable_and_bounded(void)
{
	struct ctl_request request = { .command = CTL_COMMAND_LOG, .argument = "a\nb" };
	uint8_t bytes[CTL_REQUEST_BYTES_MAX + 1] = { 0 };
	size_t count = ctl_request_encode(&request, bytes);

	UNIT_CHECK(ctl_request_decode(bytes, count, &request) == ERR_FORMAT);
	bytes[17] = 0;
	UNIT_CHECK(ctl_request_decode(bytes, count, &request) == ERR_FORMAT);
	memset(bytes + 16, 'a', CTL_ARGUMENT_BYTES);
	UNIT_CHECK(ctl_request_decode(bytes, CTL_REQUEST_BYTES_MAX + 1, &request) == ERR_OVERSIZE);
	UNIT_CHECK(ctl_request_decode(bytes, CTL_REQUEST_BYTES_MAX, &request) == 0);
}

static void any_bytes_give_a_message_or_an_error(void)
{
	struct ctl_request request = { .command = CTL_COMMAND_LOG, .id = 1, .argument = "info" };
	struct prng prng;
	uint8_t bytes[CTL_REQUEST_BYTES_MAX];

	prng_seed(&prng, unit_seed());
	for (int i = 0; i < 20000; i++) {
		struct ctl_request got = { .command = 999 };
		struct ctl_reply reply;
		size_t count = ctl_request_encode(&request, bytes);

		for (uint64_t flips = prng_below(&prng, 4); flips > 0; flips--) {
			uint8_t bit = (uint8_t)(1U << prng_below(&prng, 8));

			bytes[prng_below(&prng, count)] ^= bit;
		}
		count = prng_below(&prng, count + 1);
		if (ctl_request_decode(bytes, count, &got) == 0)
			UNIT_REQUIRE(ctl_command_of(got.command) != NULL);
		else
			UNIT_REQUIRE(got.command == 999);
		prng_fill(&prng, bytes, sizeof(bytes));
		memcpy(bytes, "QCTR\1\0\1\0", 8);
		(void)ctl_reply_decode(bytes, prng_below(&prng, sizeof(bytes) + 1), &reply);
	}
}

static void commands_are_found_by_name_and_number_and_allowed_by_state(void)
{
	const struct ctl_command_info *stop = ctl_command_named("stop");

	UNIT_REQUIRE(stop != NULL);
	UNIT_CHECK(ctl_command_of(CTL_COMMAND_STOP) == stop);
	UNIT_CHECK(ctl_command_named("explode") == NULL);
	UNIT_CHECK(ctl_command_is_allowed(stop, CTL_STATE_RUN));
	UNIT_CHECK(!ctl_command_is_allowed(stop, CTL_STATE_HALT));
	UNIT_CHECK(!ctl_command_is_allowed(stop, 4000));
	for (uint32_t i = 0; i < ctl_command_count(); i++)
		UNIT_CHECK(strlen(ctl_command_at(i)->help) > 0);
}

UNIT_SUITE("ctl_message", UNIT_TEST(a_request_comes_back_as_it_went),
	   UNIT_TEST(a_reply_comes_back_as_it_went),
	   UNIT_TEST(other_versions_and_unknown_commands_are_unsupported),
	   UNIT_TEST(arguments_are_printable_and_bounded),
	   UNIT_TEST(any_bytes_give_a_message_or_an_error),
	   UNIT_TEST(commands_are_found_by_name_and_number_and_allowed_by_state))
