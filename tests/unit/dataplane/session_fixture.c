#include "tests/unit/dataplane/session_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/units.h"
#include "crypto/crypto_sign.h"

static void fill_random(struct session_world *world, void *bytes, size_t count)
{
	uint8_t *at = bytes;

	for (size_t i = 0; i < count; i++) {
		world->random =
			world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		at[i] = (uint8_t)(world->random >> 56);
	}
}

static uint8_t *on_room(void *context, const struct dp_session_message *about, uint32_t bytes)
{
	struct world_party *party = context;

	(void)about;
	ensure(bytes <= WORLD_MESSAGE_BYTES_MAX);
	return party->is_full ? NULL : party->bytes;
}

static void on_deliver(void *context, const struct dp_session_message *message)
{
	struct world_party *party = context;

	party->message = *message;
	party->delivered++;
}

static void on_refuse(void *context, const struct dp_session_message *message, const uint8_t *bytes)
{
	struct world_party *party = context;

	(void)bytes;
	party->message = *message;
	party->refused++;
}

static uint8_t *on_packet(void *context, const struct dp_net_path *to)
{
	struct world_party *party = context;

	(void)to;
	return party->is_cut ? NULL : party->packet;
}

static void on_send(void *context, const struct dp_net_path *to, uint32_t bytes)
{
	struct world_party *party = context;
	struct session_world *world = party->world;
	struct world_datagram *datagram = &world->queue[world->queued];

	ensure(world->queued < WORLD_DATAGRAMS_MAX && to->address >= 1);
	datagram->from = party->number;
	datagram->to = to->address - 1;
	datagram->byte_count = bytes;
	memcpy(datagram->bytes, party->packet, bytes);
	world->queued++;
}

static void on_peer(void *context, uint32_t replica, bool is_up)
{
	struct world_party *party = context;

	if (is_up)
		party->ups[replica]++;
	else
		party->downs[replica]++;
}

struct dp_net_path session_world_path(uint32_t other)
{
	return (struct dp_net_path){ .address = other + 1, .udp_port = 1000 };
}

static void give_chances(struct session_world *world, struct world_party *party)
{
	struct wire_chance chance;

	while (dp_session_chances_wanted(party->table) > 0) {
		fill_random(world, &chance, sizeof(chance));
		dp_session_give_chance(party->table, &chance);
	}
}

static void secret_of(uint32_t party, struct crypto_exchange_secret *ret_secret)
{
	memset(ret_secret->b, (int)(17 * party + 5), sizeof(ret_secret->b));
}

static void build_party(struct session_world *world, uint32_t number, session_world_tune *tune)
{
	struct world_party *party = &world->party[number];
	bool is_node = number < world->node_count;
	struct dp_session_config config = {
		.me = &party->me,
		.member = world->member,
		.member_count = world->node_count,
		.clients_max = is_node ? 4 : 0,
		.subscriptions_max = 16,
	};
	const struct dp_session_io io = { party,     on_room, on_deliver, on_refuse,
					  on_packet, on_send, on_peer };
	size_t footprint;

	memset(party, 0, sizeof(*party));
	party->world = world;
	party->number = number;
	party->me = (struct wire_party){
		.role = is_node ? WIRE_ROLE_PEER : WIRE_ROLE_CLIENT,
		.epoch = 1,
		.build_id = crypto_build_id(),
		.replica = is_node ? number : UINT32_MAX,
		.ciphers = wire_ciphers_usable(),
	};
	memset(party->me.chain_id.b, 0x11, sizeof(party->me.chain_id.b));
	secret_of(number, &party->me.secret);
	crypto_exchange_public(&party->me.secret, &party->me.public_key);
	fill_random(world, config.cookie_secret, sizeof(config.cookie_secret));
	fill_random(world, config.hash_seed, sizeof(config.hash_seed));
	if (tune)
		tune(number, &config, &party->me);
	footprint = dp_session_footprint(&config);
	party->memory = aligned_alloc(64, footprint);
	ensure(party->memory &&
	       dp_session_init(party->memory, footprint, &config, &io, &party->table) == 0);
	give_chances(world, party);
	for (uint32_t i = 0; i < world->node_count; i++) {
		struct dp_net_path path = session_world_path(i);

		if (i != number)
			dp_session_add_peer(party->table, i, &path);
	}
}

struct session_world *session_world_open(uint32_t nodes, uint32_t clients, session_world_tune *tune)
{
	struct session_world *world = calloc(1, sizeof(*world));
	struct crypto_exchange_secret secret;

	ensure(world && crypto_start() == 0 && nodes + clients <= WORLD_PARTIES_MAX);
	world->node_count = nodes;
	world->party_count = nodes + clients;
	world->now_ns = UNITS_NS_PER_S;
	world->random = 42;
	for (uint32_t i = 0; i < nodes; i++) {
		secret_of(i, &secret);
		crypto_exchange_public(&secret, &world->member[i]);
	}
	for (uint32_t i = 0; i < world->party_count; i++)
		build_party(world, i, tune);
	return world;
}

void session_world_close(struct session_world *world)
{
	for (uint32_t i = 0; i < world->party_count; i++) {
		dp_session_fini(world->party[i].table);
		free(world->party[i].memory);
	}
	free(world);
}

void session_world_restart(struct session_world *world, uint32_t party, session_world_tune *tune)
{
	dp_session_fini(world->party[party].table);
	free(world->party[party].memory);
	build_party(world, party, tune);
}

static void tick_all(struct session_world *world)
{
	for (uint32_t i = 0; i < world->party_count; i++) {
		give_chances(world, &world->party[i]);
		dp_session_tick(world->party[i].table, world->now_ns);
	}
}

static void carry(struct session_world *world, const struct world_datagram *datagram)
{
	struct world_party *to = &world->party[datagram->to];
	struct dp_net_path from = session_world_path(datagram->from);

	if (to->is_cut || (world->loses && world->loses(world, datagram))) {
		world->lost++;
		return;
	}
	world->carried++;
	dp_session_input(to->table, &from, datagram->bytes, datagram->byte_count, world->now_ns);
	give_chances(world, to);
}

void session_world_run(struct session_world *world)
{
	tick_all(world);
	while (world->queued > 0) {
		struct world_datagram first = world->queue[0];

		world->queued--;
		memmove(world->queue, world->queue + 1, world->queued * sizeof(first));
		carry(world, &first);
	}
}

void session_world_pass(struct session_world *world, uint64_t ns)
{
	for (uint64_t end_ns = world->now_ns + ns; world->now_ns < end_ns;) {
		world->now_ns += 10 * UNITS_NS_PER_MS;
		session_world_run(world);
	}
}

struct dp_session_status session_world_status(struct session_world *world, uint32_t party)
{
	struct dp_session_status status;

	dp_session_status(world->party[party].table, &status);
	return status;
}

bool session_world_sees(struct session_world *world, uint32_t party, uint32_t other)
{
	struct dp_session_status status = session_world_status(world, party);

	return bitset_has(&status.peers_up, other);
}

uint32_t session_world_send(struct session_world *world, uint32_t from, uint32_t to,
			    enum wire_stream stream, const void *bytes, uint32_t count)
{
	struct bitset set = { { UINT64_C(1) << to, 0 } };
	uint32_t sent = dp_session_send_peers(world->party[from].table, &set, stream, bytes, count,
					      world->now_ns);

	session_world_run(world);
	return sent;
}
