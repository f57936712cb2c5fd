/*
 * `stats show` for people: workers, ports, members, and why packets were not forwarded. Rows and
 * columns that are zero everywhere are left out unless --all is given; the JSON answer holds
 * everything.
 */
#include <stdlib.h>
#include <string.h>

#include "control/ctl/ctl_commands.h"

static const struct ctl_column worker_columns[] = {
	{ "worker", "WORKER" },
	{ "packets", "PACKETS" },
	{ "packets_per_burst", "PACKETS/BURST" },
	{ "cycles_per_packet", "CYCLES/PACKET" },
	{ "sip_requests", "REQUESTS" },
	{ "sip_responses", "RESPONSES" },
	{ "forwarded", "FORWARDED" },
	{ "answered", "ANSWERED" },
	{ "records_in_use", "RECORDS" },
	{ "records_full", "NO RECORD" },
	{ "handed_requests", "REQUESTS HANDED ON" },
	{ "handed_responses", "RESPONSES HANDED ON" },
	{ "handed_others", "OTHERS HANDED ON" },
	{ "handed_in", "HANDED IN" },
	{ "neigh_held", "HELD" },
	{ "reassembled", "REASSEMBLED" },
	{ "fragmented", "FRAGMENTED" },
	{ "icmp_errors", "ICMP ERRORS" },
	{ "pmtu_lowered", "PATH MTUS" },
	{ "sleeps", "SLEEPS" },
	{ "woken", "WOKEN" },
	{ "silent_ms", "LAST LOOP [ms ago]" },
	{ NULL, NULL },
};

static const struct ctl_column port_columns[] = {
	{ "port", "PORT" },
	{ "link", "LINK" },
	{ "self_probe", "SELF-PROBE" },
	{ "self_probe_us", "ROUND TRIP [us]" },
	{ "rx_packets", "RX PACKETS" },
	{ "rx_bytes", "RX [B]" },
	{ "tx_packets", "TX PACKETS" },
	{ "tx_bytes", "TX [B]" },
	{ "tx_dropped", "TX DROPPED" },
	{ "to_kernel", "TO KERNEL" },
	{ "from_kernel", "FROM KERNEL" },
	{ NULL, NULL },
};

/* Room for every method and class, or for every worker, and the columns beside them. */
enum { COLUMNS_MAX = 30, WORKERS_MAX = 16 };

/* ---- Members: requests by method, responses by class */

static json_int_t sum_over(const json_t *members, const char *part, const char *key)
{
	json_int_t sum = 0;

	for (size_t i = 0; i < json_array_size(members); i++) {
		const json_t *object = json_object_get(json_array_get(members, i), part);

		sum += json_integer_value(json_object_get(object, key));
	}
	return sum;
}

/* Columns for the parts of an object ("requests") that count; their keys are the caller's to free.
 */
static size_t used_columns(const json_t *members, const char *part, bool all, struct ctl_column *c,
			   size_t room)
{
	json_t *first = json_object_get(json_array_get(members, 0), part), *value;
	const char *key;
	size_t n = 0;

	json_object_foreach(first, key, value)
	{
		char *path;

		if ((all || sum_over(members, part, key)) && n < room
		    && asprintf(&path, "%s.%s", part, key) > 0)
			c[n++] = (struct ctl_column){ .key = path, .heading = key };
	}
	return n;
}

static void print_members(FILE *out, const json_t *members, bool all)
{
	struct ctl_column c[COLUMNS_MAX + 1] = { { "pair", "PAIR" }, { "member", "MEMBER" } };
	size_t n = 2;

	n += used_columns(members, "requests", all, c + n, COLUMNS_MAX - 1 - n);
	n += used_columns(members, "responses", all, c + n, COLUMNS_MAX - 1 - n);
	c[n] = (struct ctl_column){ "originated", "ORIGINATED" };
	ctl_table_print(out, members, c);
	for (size_t i = 2; i < n; i++)
		free((char *)(uintptr_t)c[i].key);
}

/* ---- Requests in flight */

static bool is_zero(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) == 0;
}

/* Rescues: one row a cause, one column a method. */
static void print_rescues(FILE *out, const json_t *rescued)
{
	struct ctl_column c[COLUMNS_MAX + 1] = { { "cause", "RESCUED BECAUSE OF" } };
	json_t *rows = json_array(), *of_cause, *value;
	const char *cause, *method;
	size_t n = 1;

	json_object_foreach((json_t *)(uintptr_t)rescued, cause, of_cause)
	{
		json_t *row;

		if (json_object_size(of_cause) == 0)
			continue;
		row = json_deep_copy(of_cause);
		json_object_set_new(row, "cause", json_string(cause));
		json_array_append_new(rows, row);
		json_object_foreach(of_cause, method, value)
		{
			size_t k = 1;

			while (k < n && strcmp(c[k].key, method) != 0)
				k++;
			if (k == n && n < COLUMNS_MAX)
				c[n++] = (struct ctl_column){ method, method };
		}
	}
	if (json_array_size(rows)) {
		fputc('\n', out);
		ctl_table_print(out, rows, c);
	}
	json_decref(rows);
}

/* The numbers of an object; without those that are zero unless all are wanted. */
static void print_counts(FILE *out, const char *what, const json_t *counts, bool all)
{
	json_t *shown = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)counts, key, value)
	{
		if (json_is_integer(value) && (all || !is_zero(value)))
			json_object_set(shown, key, value);
	}
	if (json_object_size(shown)) {
		fputc('\n', out);
		ctl_value_print(out, what, shown);
	}
	json_decref(shown);
}

static void print_flight(FILE *out, const json_t *flight, bool all)
{
	print_counts(out, "in flight", flight, all);
	print_rescues(out, json_object_get(flight, "rescued"));
}

/* ---- Drops and absorptions: one row a reason, one column a worker */

/* The row of a reason; all zero: NULL unless all are wanted. */
static json_t *drop_row(const json_t *workers, const char *reason, const json_t *help, bool all)
{
	json_t *row = json_pack("{s:s, s:O}", "reason", reason, "help", help);
	json_int_t sum = 0;

	for (size_t i = 0; i < json_array_size(workers) && i < WORKERS_MAX; i++) {
		const json_t *drops = json_object_get(json_array_get(workers, i), "drops");
		json_int_t n = json_integer_value(json_object_get(drops, reason));
		char key[16];

		snprintf(key, sizeof(key), "w%zu", i);
		json_object_set_new(row, key, json_integer(n));
		sum += n;
	}
	if (sum || all)
		return row;
	json_decref(row);
	return NULL;
}

static void print_drop_table(FILE *out, const json_t *rows, size_t n_workers)
{
	struct ctl_column c[WORKERS_MAX + 3] = { { "reason", "NOT FORWARDED" } };
	char key[WORKERS_MAX][8], heading[WORKERS_MAX][16];
	size_t n = 1;

	for (size_t i = 0; i < n_workers && i < WORKERS_MAX; i++) {
		snprintf(key[i], sizeof(key[i]), "w%zu", i);
		snprintf(heading[i], sizeof(heading[i]), "WORKER %zu", i);
		c[n++] = (struct ctl_column){ key[i], heading[i] };
	}
	c[n] = (struct ctl_column){ "help", "WHY" };
	ctl_table_print(out, rows, c);
}

static void print_drops(FILE *out, const json_t *stats, bool all)
{
	const json_t *workers = json_object_get(stats, "workers");
	json_t *rows = json_array(), *help, *row;
	const char *reason;

	json_object_foreach(json_object_get(stats, "reasons"), reason, help)
	{
		row = drop_row(workers, reason, help, all);
		if (row)
			json_array_append_new(rows, row);
	}
	if (json_array_size(rows)) {
		fputc('\n', out);
		print_drop_table(out, rows, json_array_size(workers));
	}
	json_decref(rows);
}

void ctl_print_stats(FILE *out, const json_t *stats, const struct ctl_view *v)
{
	ctl_table_print(out, json_object_get(stats, "workers"), worker_columns);
	fputc('\n', out);
	ctl_table_print(out, json_object_get(stats, "ports"), port_columns);
	fputc('\n', out);
	print_members(out, json_object_get(stats, "members"), v->all);
	print_flight(out, json_object_get(stats, "in_flight"), v->all);
	print_counts(out, "probes", json_object_get(stats, "probes"), v->all);
	print_drops(out, stats, v->all);
	if (v->all) {
		fputc('\n', out);
		ctl_value_print(out, NULL, json_object_get(stats, "snapshot"));
	}
}
