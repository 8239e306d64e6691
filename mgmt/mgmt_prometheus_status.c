#include "mgmt/mgmt_prometheus.h"

#include <stddef.h>

#include "base/units.h"

/* A number in an array of the status: family, array member, and the labels its index gets. */
struct mgmt_column {
	const char *name;
	enum ctl_kind kind;
	const char *label_key; /* "" : none beside the row's own */
	const char *label;
	size_t offset;
	bool is_32_bit;
	const char *help;
};

static const struct mgmt_column mgmt_peer_columns[] = {
	{ "quorate_peer_up", CTL_KIND_GAUGE, "", "", offsetof(struct ctl_status_peer, is_up), true,
	  "1 when a session with the peer is established." },
	{ "quorate_peer_committed_height", CTL_KIND_GAUGE, "", "",
	  offsetof(struct ctl_status_peer, committed_height), false,
	  "Newest final height the peer told us of." },
};

static const struct mgmt_column mgmt_lane_columns[] = {
	{ "quorate_lane_sequence", CTL_KIND_GAUGE, "stage", "stored",
	  offsetof(struct ctl_status_lane, stored_seq), false,
	  "Newest batch of the lane, by stage." },
	{ "quorate_lane_sequence", CTL_KIND_GAUGE, "stage", "committed",
	  offsetof(struct ctl_status_lane, committed_seq), false,
	  "Newest batch of the lane, by stage." },
};

static const struct mgmt_column mgmt_port_columns[] = {
	{ "quorate_port_up", CTL_KIND_GAUGE, "", "", offsetof(struct ctl_status_port, link), true,
	  "1 when the port's link is up." },
	{ "quorate_port_frames_total", CTL_KIND_COUNTER, "direction", "in",
	  offsetof(struct ctl_status_port, frames_in), false, "Frames through the port." },
	{ "quorate_port_frames_total", CTL_KIND_COUNTER, "direction", "out",
	  offsetof(struct ctl_status_port, frames_out), false, "Frames through the port." },
	{ "quorate_port_bytes_total", CTL_KIND_COUNTER, "direction", "in",
	  offsetof(struct ctl_status_port, bytes_in), false, "Bytes through the port." },
	{ "quorate_port_bytes_total", CTL_KIND_COUNTER, "direction", "out",
	  offsetof(struct ctl_status_port, bytes_out), false, "Bytes through the port." },
	{ "quorate_port_frames_missed_total", CTL_KIND_COUNTER, "", "",
	  offsetof(struct ctl_status_port, frames_missed), false,
	  "Frames the device dropped before the node saw them." },
};

/* One array of the status: how to name a row, and which rows to leave out. */
struct mgmt_rows {
	const struct mgmt_column *columns;
	size_t column_count;
	const uint8_t *rows;
	size_t row_bytes;
	uint32_t row_count;
	const char *label_key;
	uint32_t skipped; /* a row number, UINT32_MAX: none */
	bool is_named;    /* a row begins with its name; else its number is its name */
};

static uint64_t mgmt_column_value(const struct mgmt_column *column, const uint8_t *row)
{
	const void *at = row + column->offset;

	return column->is_32_bit ? *(const uint32_t *)at : *(const uint64_t *)at;
}

static void mgmt_put_row(struct mgmt_prometheus *writer, const struct mgmt_rows *rows,
			 const struct mgmt_column *column, uint32_t index)
{
	const uint8_t *row = rows->rows + index * rows->row_bytes;

	if (rows->is_named)
		mgmt_prometheus_label(writer, rows->label_key, (const char *)row);
	else
		mgmt_prometheus_label_number(writer, rows->label_key, index);
	if (column->label_key[0])
		mgmt_prometheus_label(writer, column->label_key, column->label);
	mgmt_prometheus_sample(writer, CTL_UNIT_ONE, mgmt_column_value(column, row));
}

static void mgmt_put_rows(struct mgmt_prometheus *writer, const struct mgmt_rows *rows)
{
	for (size_t i = 0; i < rows->column_count; i++) {
		const struct mgmt_column *column = &rows->columns[i];

		if (i == 0 || column[-1].name != column->name)
			mgmt_prometheus_family(writer, column->name, column->kind, column->help);
		for (uint32_t j = 0; j < rows->row_count; j++)
			if (j != rows->skipped)
				mgmt_put_row(writer, rows, column, j);
	}
}

void mgmt_prometheus_status(struct mgmt_prometheus *writer, const struct ctl_status *status)
{
	uint32_t replicas = (uint32_t)units_min(status->replica_count, CTL_REPLICAS_MAX);

	mgmt_put_rows(writer, &(struct mgmt_rows){ .columns = mgmt_peer_columns,
						   .column_count = UNITS_COUNT(mgmt_peer_columns),
						   .rows = (const uint8_t *)status->peer,
						   .row_bytes = sizeof(status->peer[0]),
						   .row_count = replicas,
						   .label_key = "peer",
						   .skipped = status->replica_id });
	mgmt_put_rows(writer, &(struct mgmt_rows){ .columns = mgmt_lane_columns,
						   .column_count = UNITS_COUNT(mgmt_lane_columns),
						   .rows = (const uint8_t *)status->lane,
						   .row_bytes = sizeof(status->lane[0]),
						   .row_count = replicas,
						   .label_key = "lane",
						   .skipped = UINT32_MAX });
	mgmt_put_rows(writer, &(struct mgmt_rows){ .columns = mgmt_port_columns,
						   .column_count = UNITS_COUNT(mgmt_port_columns),
						   .rows = (const uint8_t *)status->port,
						   .row_bytes = sizeof(status->port[0]),
						   .row_count = (uint32_t)units_min(
							   status->port_count, CTL_PORTS_MAX),
						   .label_key = "port",
						   .skipped = UINT32_MAX,
						   .is_named = true });
}
