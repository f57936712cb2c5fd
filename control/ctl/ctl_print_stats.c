/*
 * `stats show` for people: workers, ports, members, and why packets were not forwarded. What is
 * zero is left out; the JSON answer holds everything.
 */
#include <stdlib.h>
#include <string.h>

#include "control/ctl/ctl_commands.h"

static const struct ctl_column worker_columns[] = { { "worker", "WORKER" },
						    { "packets", "PACKETS" },
						    { "packets_per_burst", "PER BURST" },
						    { "cycles_per_packet", "CYCLES/PACKET" },
						    { "sip_requests", "REQUESTS" },
						    { "sip_responses", "RESPONSES" },
						    { "forwarded", "FORWARDED" },
						    { "answered", "ANSWERED" },
						    { "records_in_use", "RECORDS" },
						    { "records_full", "NO RECORD" },
						    { "sleeps", "SLEEPS" },
						    { NULL, NULL } };

static const struct ctl_column port_columns[] = { { "port", "PORT" },
						  { "link", "LINK" },
						  { "rx_packets", "RX PACKETS" },
						  { "rx_bytes", "RX BYTES" },
						  { "tx_packets", "TX PACKETS" },
						  { "tx_bytes", "TX BYTES" },
						  { "tx_dropped", "TX DROPPED" },
						  { "to_kernel", "TO KERNEL" },
						  { "from_kernel", "FROM KERNEL" },
						  { NULL, NULL } };

static const struct ctl_column drop_columns[] = { { "reason", "REASON" },
						  { "packets", "PACKETS" },
						  { "help", "WHAT IT MEANS" },
						  { NULL, NULL } };

#define MEMBER_COLUMNS 28

/** Sum of one drop reason over all workers. */
static json_int_t drop_sum(const json_t *workers, const char *reason)
{
	json_int_t sum = 0;

	for (size_t i = 0; i < json_array_size(workers); i++) {
		const json_t *drops = json_object_get(json_array_get(workers, i), "drops");

		sum += json_integer_value(json_object_get(drops, reason));
	}
	return sum;
}

static void print_drops(FILE *out, const json_t *stats)
{
	const json_t *workers = json_object_get(stats, "workers");
	json_t *rows = json_array(), *help;
	const char *reason;

	json_object_foreach(json_object_get(stats, "reasons"), reason, help)
	{
		json_int_t n = drop_sum(workers, reason);

		if (n)
			json_array_append_new(rows, json_pack("{s:s, s:I, s:O}", "reason", reason,
							      "packets", n, "help", help));
	}
	if (json_array_size(rows)) {
		fputc('\n', out);
		ctl_table_print(out, rows, drop_columns);
	}
	json_decref(rows);
}

/** Columns for the members of an object ("requests") that are not zero everywhere; keys are owned
 * by the caller. */
static size_t used_columns(const json_t *members, const char *part, struct ctl_column *c,
			   size_t room)
{
	json_t *first = json_object_get(json_array_get(members, 0), part), *value;
	const char *key;
	size_t n = 0;

	json_object_foreach(first, key, value)
	{
		json_int_t sum = 0;
		char *path;

		for (size_t i = 0; i < json_array_size(members); i++) {
			const json_t *object = json_object_get(json_array_get(members, i), part);

			sum += json_integer_value(json_object_get(object, key));
		}
		if (sum && n < room && asprintf(&path, "%s.%s", part, key) > 0)
			c[n++] = (struct ctl_column){ .key = path, .heading = key };
	}
	return n;
}

static void print_members(FILE *out, const json_t *members)
{
	struct ctl_column c[MEMBER_COLUMNS + 1] = { { "pair", "PAIR" }, { "member", "MEMBER" } };
	size_t n = 2;

	n += used_columns(members, "requests", c + n, MEMBER_COLUMNS - n);
	n += used_columns(members, "responses", c + n, MEMBER_COLUMNS - n);
	fputc('\n', out);
	ctl_table_print(out, members, c);
	for (size_t i = 2; i < n; i++)
		free((char *)(uintptr_t)c[i].key);
}

void ctl_print_stats(FILE *out, const json_t *stats)
{
	const json_t *snapshot = json_object_get(stats, "snapshot");

	ctl_table_print(out, json_object_get(stats, "workers"), worker_columns);
	fputc('\n', out);
	ctl_table_print(out, json_object_get(stats, "ports"), port_columns);
	print_members(out, json_object_get(stats, "members"));
	print_drops(out, stats);
	fprintf(out,
		"\nsnapshot generation %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
		" bytes in use\n",
		json_integer_value(json_object_get(snapshot, "generation")),
		json_integer_value(json_object_get(snapshot, "heap_used")));
}
