/* A node's configuration file: any text is understood or refused with a line that says why. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "base/ensure.h"
#include "base/err.h"
#include "node/node_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct node_config config;
	char reason[NODE_REASON_MAX] = "";
	int code = node_config_parse((const char *)bytes, count, "fuzz.conf", &config, reason);

	if (code == 0) {
		ensure(config.port_count <= NODE_PORTS_MAX && config.data_dir[0] != '\0');
		return 0;
	}
	ensure(code == ERR_CONFIG && memchr(reason, '\0', sizeof(reason)));
	ensure(strncmp(reason, "fuzz.conf:", 10) == 0 && !strchr(reason, '\n'));
	return 0;
}
