#include "wire/wire_session.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "base/err.h"
#include "wire/wire_message.h"

enum { REPLAY_WORD_BITS = 64, REPLAY_WORDS = 2048 / REPLAY_WORD_BITS };

_Static_assert((int)WIRE_SPLIT_BYTES_MAX == (int)WIRE_MESSAGE_BYTES_MAX, "32 pieces of a datagram");

enum wire_stream wire_stream_of(uint32_t message_kind)
{
	switch (message_kind) {
	case WIRE_LANE_FRAME:
	case WIRE_BATCH:
	case WIRE_ACKVEC:
	case WIRE_WANT_BATCH:
		return WIRE_STREAM_LANE;
	case WIRE_PROPOSE:
		return WIRE_STREAM_PROPOSE;
	case WIRE_TIMEOUT:
		return WIRE_STREAM_TIMEOUT;
	case WIRE_VOTE:
	case WIRE_COMMIT:
	case WIRE_QC:
	case WIRE_TC:
	case WIRE_FC:
	case WIRE_STATUS:
		return WIRE_STREAM_CERTIFICATE;
	case WIRE_REPAIR:
		return WIRE_STREAM_REPAIR;
	case WIRE_LEAVES:
		return WIRE_STREAM_LEAVES;
	case WIRE_BLOCKS:
		return WIRE_STREAM_BLOCKS;
	default:
		return WIRE_STREAM_OTHER;
	}
}

bool wire_packet_peek(const void *packet, size_t count, enum wire_packet_type *ret_type,
		      uint32_t *ret_receiver)
{
	struct bytes_reader r = bytes_reader_of(packet, count);
	uint8_t type = bytes_get_u8(&r);

	bytes_take(&r, 3);
	uint32_t receiver = bytes_get_u32(&r);

	if (r.failed || type < WIRE_PACKET_INITIATION || type > WIRE_PACKET_DATA)
		return false;
	*ret_type = type;
	*ret_receiver = type == WIRE_PACKET_INITIATION ? 0 : receiver;
	return true;
}

uint32_t wire_piece_count(size_t byte_count)
{
	if (byte_count <= WIRE_SINGLE_BYTES_MAX)
		return 1;
	if (byte_count > WIRE_SPLIT_BYTES_MAX)
		return 0;
	return (uint32_t)((byte_count + WIRE_PIECE_BYTES - 1) / WIRE_PIECE_BYTES);
}

void wire_piece_of(const void *bytes, size_t byte_count, uint32_t index, enum wire_stream stream,
		   uint32_t message_id, struct wire_piece *ret_piece)
{
	uint32_t count = wire_piece_count(byte_count);
	size_t offset = (size_t)index * WIRE_PIECE_BYTES;
	size_t piece_bytes = count == 1 ? byte_count : WIRE_PIECE_BYTES;

	ensure(index < count);
	if (index + 1 == count)
		piece_bytes = byte_count - offset;
	*ret_piece = (struct wire_piece){
		.stream = (uint8_t)stream,
		.index = (uint8_t)index,
		.count = (uint8_t)count,
		.message_id = count == 1 ? 0 : message_id,
		.bytes = (const uint8_t *)bytes + offset,
		.byte_count = (uint32_t)piece_bytes,
	};
}

/* Only one way to cut a message into pieces is right; says whether this is a part of it. */
static bool piece_is_canonical(const struct wire_piece *piece)
{
	if (piece->stream >= WIRE_STREAMS_MAX || piece->index >= piece->count ||
	    piece->count > WIRE_PIECES_MAX)
		return false;
	if (piece->count == 1)
		return piece->message_id == 0 && piece->byte_count <= WIRE_SINGLE_BYTES_MAX;
	if (piece->index + 1 < piece->count)
		return piece->byte_count == WIRE_PIECE_BYTES;
	if (piece->count == 2 && WIRE_PIECE_BYTES + piece->byte_count <= WIRE_SINGLE_BYTES_MAX)
		return false;
	return piece->byte_count > 0 && piece->byte_count <= WIRE_PIECE_BYTES;
}

int wire_session_seal(struct wire_session *session, const struct wire_piece *piece,
		      void *ret_packet, size_t room)
{
	struct bytes_writer w = bytes_writer_of(ret_packet, room);

	ensure(piece_is_canonical(piece));
	if (session->counter >= WIRE_SESSION_PACKETS_MAX)
		return ERR_FULL;
	if (room < WIRE_DATA_OVERHEAD_BYTES + (size_t)piece->byte_count)
		return ERR_OVERSIZE;
	bytes_put_u8(&w, WIRE_PACKET_DATA);
	bytes_put_u8(&w, piece->stream);
	bytes_put_u8(&w, piece->index);
	bytes_put_u8(&w, piece->count);
	bytes_put_u32(&w, session->remote_index);
	bytes_put_u64(&w, session->counter);
	bytes_put_u32(&w, piece->message_id);
	crypto_aead_seal(&session->seal, session->counter, w.start, WIRE_DATA_HEAD_BYTES,
			 piece->bytes, piece->byte_count, w.at);
	session->counter++;
	return (int)(WIRE_DATA_OVERHEAD_BYTES + piece->byte_count);
}

static bool replay_is_new(const struct wire_replay *replay, uint64_t counter)
{
	if (counter >= replay->next)
		return counter < WIRE_SESSION_PACKETS_MAX;
	if (replay->next - counter > WIRE_REPLAY_WINDOW)
		return false;
	return (replay->word[counter / REPLAY_WORD_BITS % REPLAY_WORDS] >>
			(counter % REPLAY_WORD_BITS) &
		1) == 0;
}

static void replay_add(struct wire_replay *replay, uint64_t counter)
{
	if (counter >= replay->next) {
		uint64_t old = replay->next == 0 ? 0 : (replay->next - 1) / REPLAY_WORD_BITS;
		uint64_t steps = counter / REPLAY_WORD_BITS - old;

		for (uint64_t i = 1; i <= steps && i <= REPLAY_WORDS; i++)
			replay->word[(old + i) % REPLAY_WORDS] = 0;
		replay->next = counter + 1;
	}
	replay->word[counter / REPLAY_WORD_BITS % REPLAY_WORDS] |= UINT64_C(1)
								   << counter % REPLAY_WORD_BITS;
}

int wire_session_open(struct wire_session *session, const void *packet, size_t count,
		      uint8_t *ret_plain, struct wire_piece *ret_piece)
{
	struct bytes_reader r = bytes_reader_of(packet, count);
	struct wire_piece piece = { .bytes = ret_plain };
	uint64_t counter;

	if (count < WIRE_DATA_OVERHEAD_BYTES)
		return ERR_TRUNCATED;
	if (count > WIRE_DATAGRAM_BYTES_MAX)
		return ERR_OVERSIZE;
	if (bytes_get_u8(&r) != WIRE_PACKET_DATA)
		return ERR_FORMAT;
	piece.stream = bytes_get_u8(&r);
	piece.index = bytes_get_u8(&r);
	piece.count = bytes_get_u8(&r);
	if (bytes_get_u32(&r) != session->local_index)
		return ERR_FORMAT;
	counter = bytes_get_u64(&r);
	piece.message_id = bytes_get_u32(&r);
	piece.byte_count = (uint32_t)(count - WIRE_DATA_OVERHEAD_BYTES);
	if (!piece_is_canonical(&piece))
		return ERR_FORMAT;
	if (!replay_is_new(&session->replay, counter))
		return ERR_REPLAY;
	if (!crypto_aead_open(&session->open, counter, packet, WIRE_DATA_HEAD_BYTES, r.at,
			      bytes_left(&r), ret_plain))
		return ERR_SIGNATURE;
	replay_add(&session->replay, counter);
	session->is_confirmed = true;
	*ret_piece = piece;
	return 0;
}

bool wire_session_wants_rekey(const struct wire_session *session)
{
	return session->counter >= WIRE_SESSION_REKEY_PACKETS ||
	       session->replay.next >= WIRE_SESSION_REKEY_PACKETS;
}

void wire_assembly_init(struct wire_assembly *assembly)
{
	assembly->is_open = false;
	assembly->has_last_id = false;
	assembly->last_id = 0;
	assembly->have_map = 0;
}

/* Is message id `a` newer than `b`, over the wrap? */
static bool id_is_newer(uint32_t a, uint32_t b)
{
	return a != b && a - b < UINT32_MAX / 2;
}

/* Makes the buffer ready for the piece's message, or says why it is not wanted. */
static int assembly_begin(struct wire_assembly *assembly, const struct wire_piece *piece)
{
	if (assembly->is_open && assembly->message_id == piece->message_id)
		return assembly->piece_count == piece->count ? 0 : ERR_FORMAT;
	if (assembly->is_open && !id_is_newer(piece->message_id, assembly->message_id))
		return ERR_DUPLICATE;
	if (assembly->has_last_id && !id_is_newer(piece->message_id, assembly->last_id))
		return ERR_DUPLICATE;
	if (assembly->is_open) {
		assembly->last_id = assembly->message_id;
		assembly->has_last_id = true;
	}
	assembly->is_open = true;
	assembly->message_id = piece->message_id;
	assembly->piece_count = piece->count;
	assembly->have_map = 0;
	assembly->last_bytes = 0;
	return 0;
}

int wire_assembly_add(struct wire_assembly *assembly, const struct wire_piece *piece,
		      const uint8_t **ret_bytes, uint32_t *ret_count)
{
	int code;

	if (!piece_is_canonical(piece))
		return ERR_FORMAT;
	if (piece->count == 1) {
		*ret_bytes = piece->bytes;
		*ret_count = piece->byte_count;
		return 1;
	}
	code = assembly_begin(assembly, piece);
	if (code != 0)
		return code;
	if ((assembly->have_map >> piece->index & 1) != 0)
		return ERR_DUPLICATE;
	memcpy(assembly->bytes + (size_t)piece->index * WIRE_PIECE_BYTES, piece->bytes,
	       piece->byte_count);
	assembly->have_map |= UINT32_C(1) << piece->index;
	if (piece->index + 1u == piece->count)
		assembly->last_bytes = piece->byte_count;
	if ((uint32_t)__builtin_popcount(assembly->have_map) < assembly->piece_count)
		return 0;
	assembly->is_open = false;
	assembly->has_last_id = true;
	assembly->last_id = assembly->message_id;
	*ret_bytes = assembly->bytes;
	*ret_count = (assembly->piece_count - 1) * WIRE_PIECE_BYTES + assembly->last_bytes;
	return 1;
}
