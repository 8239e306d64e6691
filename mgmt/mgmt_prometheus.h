/*
 * mgmt_prometheus: metrics in the Prometheus text format, version 0.0.4.
 *
 * A writer of families and samples that cannot write anything a scraper would
 * reject: names are cut to the legal alphabet, help and label values escaped,
 * numbers exact (seconds come from whole nanoseconds, not from a double).
 * All samples of a family follow its HELP and TYPE line; a family is opened
 * once.
 */
#ifndef QUORATE_MGMT_PROMETHEUS_H
#define QUORATE_MGMT_PROMETHEUS_H

#include <stdint.h>

#include "ctl/ctl_metrics.h"
#include "mgmt/mgmt_text.h"

struct mgmt_prometheus {
	struct mgmt_text *out;
	struct mgmt_text labels;   /* of the sample being described */
	char name[CTL_NAME_BYTES]; /* of the family that is open */
};

void mgmt_prometheus_init(struct mgmt_prometheus *writer, struct mgmt_text *out);
void mgmt_prometheus_fini(struct mgmt_prometheus *writer);

/* Opens a family: HELP and TYPE. */
void mgmt_prometheus_family(struct mgmt_prometheus *writer, const char *name, enum ctl_kind kind,
			    const char *help);

/* Adds a label to the next sample. mgmt_prometheus_labels takes them ready-made: a="b",c="d". */
void mgmt_prometheus_label(struct mgmt_prometheus *writer, const char *key, const char *value);
void mgmt_prometheus_label_number(struct mgmt_prometheus *writer, const char *key, uint64_t value);
void mgmt_prometheus_labels(struct mgmt_prometheus *writer, const char *labels);

/* Writes a sample of the open family with the labels given so far, and forgets these. */
void mgmt_prometheus_sample(struct mgmt_prometheus *writer, enum ctl_unit unit, uint64_t value);

/* Writes bucket, sum and count lines; the buckets are cumulative and end with +Inf. */
void mgmt_prometheus_latency(struct mgmt_prometheus *writer, const struct ctl_latency *latency);

/* Writes every metric and every family of `page`. The page may change meanwhile. */
void mgmt_prometheus_page(struct mgmt_prometheus *writer, const struct ctl_page *page);

/* Writes what the status knows by peer, lane and port. */
void mgmt_prometheus_status(struct mgmt_prometheus *writer, const struct ctl_status *status);

#endif
