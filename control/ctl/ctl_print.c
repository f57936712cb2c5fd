/*
 * Answers for people that are more than one table.
 */
#include <inttypes.h>
#include <string.h>

#include "control/ctl/ctl_commands.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "-";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* ---- Pairs */

static const struct ctl_column own_member_columns[] = {
	{ "name", "MEMBER" },
	{ "role", "ROLE" },
	{ "state", "STATE" },
	{ "address", "ADDRESS" },
	{ "port", "PORT" },
	{ "transport", "TRANSPORT" },
	{ "last_rtt_us", "RTT [us]" },
	{ "last_answer", "LAST ANSWER" },
	{ "last_change", "LAST CHANGE" },
	{ NULL, NULL },
};

static const struct ctl_column failure_columns[] = {
	{ "name", "MEMBER" },
	{ "last_failure_at", "LAST FAILED PROBE" },
	{ "last_failure", "WHY" },
	{ NULL, NULL },
};

static const struct ctl_column live_columns[] = {
	{ "name", "LIVE REQUESTS" },
	{ "live.judged", "JUDGED" },
	{ "live.failed", "FAILED" },
	{ "live.mean_delay_us", "FIRST ANSWER [us]" },
	{ "live.unanswered", "UNANSWERED" },
	{ "live.icmp", "ICMP" },
	{ "live.rescued_from", "RESCUED FROM" },
	{ "live.rescued_to", "RESCUED TO" },
	{ "live.trials", "TRIALS" },
	{ "live.copies", "COPIES" },
	{ "live.copies_refused", "COPIES REFUSED" },
	{ NULL, NULL },
};

static const struct ctl_column own_event_columns[] = {
	{ "time", "TIME" },   { "member", "MEMBER" }, { "from", "FROM" },         { "to", "TO" },
	{ "cause", "CAUSE" }, { "who", "WHO" },       { "evidence", "EVIDENCE" }, { NULL, NULL },
};

static void print_failback(FILE *out, const json_t *f)
{
	const json_t *modes = json_object_get(f, "modes");

	fputs("failback  ", out);
	for (size_t i = 0; i < json_array_size(modes); i++)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(json_array_get(modes, i)));
	if (json_array_size(modes) == 0)
		fputs("none: stays with whoever is active", out);
	if (json_is_string(json_object_get(f, "held_until")))
		fprintf(out, "; not before %s", text_of(f, "held_until"));
	if (json_is_string(json_object_get(f, "next_probe")))
		fprintf(out, "; next probe at %s", text_of(f, "next_probe"));
	if (number_of(f, "flaps") > 0)
		fprintf(out, "; %" JSON_INTEGER_FORMAT " flaps", number_of(f, "flaps"));
	fputc('\n', out);
}

/* Why a member is down now may not be why it went down. */
static void print_failures(FILE *out, const json_t *members)
{
	json_t *failed = json_array(), *m;
	size_t i;

	json_array_foreach(members, i, m)
	{
		if (json_is_string(json_object_get(m, "last_failure")))
			json_array_append(failed, m);
	}
	if (json_array_size(failed)) {
		fputc('\n', out);
		ctl_table_print(out, failed, failure_columns);
	}
	json_decref(failed);
}

void ctl_print_pair(FILE *out, const json_t *pair, const struct ctl_view *v)
{
	const json_t *events = json_object_get(pair, "events");

	(void)v;
	fprintf(out, "pair      %s\n", text_of(pair, "name"));
	fprintf(out, "state     %s since %s\n", text_of(pair, "state"), text_of(pair, "since"));
	fprintf(out, "active    %s%s%s\n", text_of(pair, "active"),
		json_is_true(json_object_get(pair, "pinned")) ? ", pinned" : "",
		json_is_true(json_object_get(pair, "cut_off"))
			? "; all pairs are silent: the appliance seems to be cut off"
			: "");
	if (json_is_object(json_object_get(pair, "failback")))
		print_failback(out, json_object_get(pair, "failback"));
	fputc('\n', out);
	ctl_table_print(out, json_object_get(pair, "members"), own_member_columns);
	print_failures(out, json_object_get(pair, "members"));
	if (json_object_get(json_array_get(json_object_get(pair, "members"), 0), "live")) {
		fputc('\n', out);
		ctl_table_print(out, json_object_get(pair, "members"), live_columns);
	}
	if (json_array_size(events)) {
		fputc('\n', out);
		ctl_table_print(out, events, own_event_columns);
	}
}

/* ---- Events */

void ctl_print_event(FILE *out, const json_t *e, const struct ctl_view *v)
{
	struct ctl_line line;

	(void)v;
	ctl_line_begin(&line);
	ctl_line_add(&line, "%s  %s", text_of(e, "time"), text_of(e, "pair"));
	if (json_is_string(json_object_get(e, "member")))
		ctl_line_add(&line, "/%s", text_of(e, "member"));
	if (json_is_string(json_object_get(e, "to")))
		ctl_line_add(&line, "  %s -> %s", text_of(e, "from"), text_of(e, "to"));
	ctl_line_add(&line, "  (%s)", text_of(e, "cause"));
	if (json_is_string(json_object_get(e, "who")))
		ctl_line_add(&line, " by %s", text_of(e, "who"));
	ctl_line_add(&line, "  %s", text_of(e, "evidence"));
	ctl_line_print(out, &line);
}

/* ---- Network */

static const struct ctl_column net_port_columns[] = {
	{ "port", "PORT" }, { "link", "LINK" },   { "up", "NETDEV UP" },
	{ "mac", "MAC" },   { "mtu", "MTU [B]" }, { NULL, NULL },
};

static const struct ctl_column net_address_columns[] = {
	{ "port", "PORT" },
	{ "address", "ADDRESS" },
	{ "broadcast", "BROADCAST" },
	{ NULL, NULL },
};

static const struct ctl_column net_route_columns[] = {
	{ "to", "ROUTE" },      { "via", "VIA" }, { "port", "PORT" },
	{ "metric", "METRIC" }, { NULL, NULL },
};

static const struct ctl_column net_neighbour_columns[] = {
	{ "port", "PORT" },
	{ "address", "NEIGHBOUR" },
	{ "mac", "MAC" },
	{ NULL, NULL },
};

void ctl_print_net(FILE *out, const json_t *net, const struct ctl_view *v)
{
	const struct {
		const char *key;
		const struct ctl_column *columns;
	} tables[] = {
		{ "ports", net_port_columns },
		{ "addresses", net_address_columns },
		{ "routes", net_route_columns },
		{ "neighbours", net_neighbour_columns },
	};

	(void)v;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (i)
			fputc('\n', out);
		ctl_table_print(out, json_object_get(net, tables[i].key), tables[i].columns);
	}
}

/* ---- Names */

static const struct ctl_column name_columns[] = {
	{ "name", "NAME" },       { "state", "STATE" },     { "by", "BY" },
	{ "ttl_s", "TTL [s]" },   { "next_s", "NEXT [s]" }, { "addresses", "SERVERS" },
	{ "used_by", "USED BY" }, { NULL, NULL },
};

/* "sip.example.com: timeout, since 2026-..." */
static void print_trouble(FILE *out, const json_t *name)
{
	const json_t *refused = json_object_get(name, "refused");
	struct ctl_line line;

	if (json_is_string(json_object_get(name, "error"))) {
		ctl_line_begin(&line);
		ctl_line_add(&line, "%s: fails since %s: %s", text_of(name, "name"),
			     text_of(name, "failing_since"), text_of(name, "error"));
		ctl_line_print(out, &line);
	}
	for (size_t i = 0; i < json_array_size(refused); i++) {
		ctl_line_begin(&line);
		ctl_line_add(&line, "%s: not used: %s", text_of(name, "name"),
			     json_string_value(json_array_get(refused, i)));
		ctl_line_print(out, &line);
	}
}

void ctl_print_dns(FILE *out, const json_t *dns, const struct ctl_view *v)
{
	const json_t *names = json_object_get(dns, "names");

	(void)v;
	fprintf(out, "resolvers  %s\n\n", text_of(dns, "resolvers"));
	ctl_table_print(out, names, name_columns);
	for (size_t i = 0; i < json_array_size(names); i++)
		print_trouble(out, json_array_get(names, i));
}

/* ---- The whole */

static void print_names(FILE *out, const json_t *changes, const char *kind, const char *what)
{
	const json_t *names = json_object_get(json_object_get(changes, kind), what);

	if (json_array_size(names) == 0)
		return;
	fprintf(out, "%s %s:", kind, what);
	for (size_t i = 0; i < json_array_size(names); i++)
		fprintf(out, " %s", json_string_value(json_array_get(names, i)));
	fputc('\n', out);
}

void ctl_print_reload(FILE *out, const json_t *result, const struct ctl_view *v)
{
	static const char *const kinds[] = { "services", "pairs", "members" };
	const json_t *changes = json_object_get(result, "changes");
	const json_t *warnings = json_object_get(result, "warnings");

	(void)v;
	for (size_t i = 0; i < json_array_size(warnings); i++) {
		const json_t *w = json_array_get(warnings, i);

		fprintf(out, "line %" JSON_INTEGER_FORMAT ": warning: %s\n", number_of(w, "line"),
			text_of(w, "text"));
	}
	fprintf(out, "reloaded: in force as generation %" JSON_INTEGER_FORMAT "\n",
		number_of(result, "generation"));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		print_names(out, changes, kinds[i], "added");
		print_names(out, changes, kinds[i], "removed");
	}
}

void ctl_print_version(FILE *out, const json_t *version, const struct ctl_view *v)
{
	const json_t *d = json_object_get(version, "dataplane");

	(void)v;
	fprintf(out, "sipsteerctl  %s\n", SIPSTEER_VERSION);
	fprintf(out,
		"sipsteerd    %s, process %" JSON_INTEGER_FORMAT ", up %" JSON_INTEGER_FORMAT
		" s, %s\n",
		text_of(version, "version"), number_of(version, "pid"),
		number_of(version, "uptime_s"), text_of(version, "config"));
	fprintf(out,
		"data plane   %s, process %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
		" workers, start %" JSON_INTEGER_FORMAT " on this region, layout "
		"%" JSON_INTEGER_FORMAT "\n",
		text_of(d, "state"), number_of(d, "pid"), number_of(d, "workers"),
		number_of(d, "starts"), number_of(version, "layout"));
}

/* ---- Errors */

void ctl_print_error(FILE *out, const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const json_t *errors = json_object_get(data, "errors");
	const char *file = text_of(data, "file");

	for (size_t i = 0; i < json_array_size(errors); i++) {
		const json_t *e = json_array_get(errors, i);

		fprintf(out, "%s:%" JSON_INTEGER_FORMAT ": %s%s\n", file, number_of(e, "line"),
			json_is_false(json_object_get(e, "error")) ? "warning: " : "",
			text_of(e, "text"));
	}
	fprintf(out, "sipsteerctl: %s\n", text_of(error, "message"));
}
