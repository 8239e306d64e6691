/* What disks suffered in all seeds of a run: a fault that never happened tested nothing. */

#include <inttypes.h>
#include <stdio.h>

#include "base/units.h"
#include "tests/sim/sim.h"

void sim_atlas_add(struct sim_result *total, const struct sim_result *result)
{
	const uint64_t *from = (const uint64_t *)(const void *)&result->disks;
	uint64_t *to = (uint64_t *)(void *)&total->disks;

	for (size_t i = 0; i < sizeof(result->disks) / sizeof(*from); i++)
		to[i] += from[i];
	for (uint32_t i = 0; i < SIM_HARM_KINDS; i++)
		total->atlas.harmed[i] += result->atlas.harmed[i];
	total->atlas.scratches += result->atlas.scratches;
	total->atlas.refusals += result->atlas.refusals;
	total->atlas.observers += result->atlas.observers;
	total->atlas.retired += result->atlas.retired;
	total->atlas.fatal += result->atlas.fatal;
}

bool sim_atlas_report(const struct sim_result *total)
{
	const struct sim_disk_counts *disks = &total->disks;
	const struct sim_atlas *atlas = &total->atlas;
	const struct {
		const char *name;
		uint64_t count;
	} lines[] = {
		{ "writes torn by a crash", disks->torn },
		{ "sectors written back by a cache", disks->written_back },
		{ "writes that failed", disks->write_errors },
		{ "reads that failed", disks->read_errors },
		{ "segments without space", disks->full },
		{ "slow operations", disks->slow },
		{ "one of several copies damaged", atlas->scratches },
		{ "reads that found rot", disks->rotten },
		{ "pages lost to latent errors", disks->spoilt },
		{ "misdirected writes", disks->misdirected },
		{ "lost writes", disks->lost },
		{ "lies about a write", disks->lies },
		{ "lies about a sync", disks->sync_lies },
		{ "bytes flipped in a log", atlas->harmed[SIM_HARM_FLIP] },
		{ "pages of a log spoilt", atlas->harmed[SIM_HARM_SPOIL] },
		{ "disks rolled back", atlas->harmed[SIM_HARM_BACK] },
		{ "disks rolled back to the first day", atlas->harmed[SIM_HARM_FIRST] },
		{ "disks wiped", atlas->harmed[SIM_HARM_WIPE] },
		{ "safety logs lost", atlas->harmed[SIM_HARM_SAFETY] },
		{ "stores retired", atlas->retired },
		{ "stores refused", atlas->refusals },
		{ "replicas that became observers", atlas->observers },
	};
	bool is_whole = true;

	for (uint32_t i = 0; i < UNITS_COUNT(lines); i++) {
		printf("%10" PRIu64 "  %s\n", lines[i].count, lines[i].name);
		is_whole = is_whole && lines[i].count > 0;
	}
	return is_whole;
}
