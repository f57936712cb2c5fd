/*
 * The names as JSON, for RPC. The keys are the CLI's contract.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/dns/ctl_dns_int.h"

/* ISO 8601, UTC; null when it is not set. */
static json_t *time_json(uint64_t wall_us)
{
	time_t s = (time_t)(wall_us / 1000000);
	char text[32];
	struct tm tm;

	if (!wall_us || !gmtime_r(&s, &tm))
		return json_null();
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* Seconds from now, not below 0; null when it is not set. */
static json_t *left_json(uint64_t at_ms)
{
	uint64_t now_ms = ctl_dns_now_ms();

	if (!at_ms)
		return json_null();
	return json_integer(at_ms > now_ms ? (json_int_t)((at_ms - now_ms + 999) / 1000) : 0);
}

static json_t *text_json(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *servers_json(const struct ctl_dns_result *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct ctl_dns_server *s = &r->servers[i];
		char ip[46];

		dp_ip_format(&s->at.ip, ip);
		json_array_append_new(
			a,
			json_pack("{s:s, s:s, s:o, s:o, s:o}", "target", s->target, "address", ip,
				  "port", s->at.port ? json_integer(s->at.port) : json_null(),
				  "priority", r->by_srv ? json_integer(s->priority) : json_null(),
				  "weight", r->by_srv ? json_integer(s->weight) : json_null()));
	}
	return a;
}

static json_t *addresses_json(const struct ctl_dns_result *r)
{
	json_t *a = json_array();
	char text[64];

	for (size_t i = 0; i < r->n; i++) {
		const struct ctl_dns_result one = { .n = 1, .servers = &r->servers[i] };

		ctl_dns_servers_text(&one, text, sizeof(text));
		json_array_append_new(a, json_string(text));
	}
	return a;
}

static json_t *users_json(const struct ctl_dns_entry *e)
{
	json_t *a = json_array();

	for (size_t i = 0; i < e->n_users; i++) {
		const struct ctl_dns_user *u = &e->users[i];

		json_array_append_new(a, u->member ? json_sprintf("%s/%s", u->pair, u->member)
						   : json_string(u->pair));
	}
	return a;
}

/* What was left out of the answer, by the lookup or by a pair. */
static json_t *refused_json(const struct ctl_dns_entry *e)
{
	json_t *a = json_array();

	if (e->refused[0])
		json_array_append_new(a, json_string(e->refused));
	for (size_t i = 0; i < e->n_users; i++) {
		if (e->users[i].note[0])
			json_array_append_new(
				a, json_sprintf("pair %s: %s", e->users[i].pair, e->users[i].note));
	}
	return a;
}

static const char *by_name(const struct ctl_dns_entry *e)
{
	if (!e->good.n)
		return e->spec.srv ? "srv?" : "address";
	return e->good.by_naptr ? "naptr+srv" : e->good.by_srv ? "srv" : "address";
}

static json_t *entry_json(const struct ctl_dns_entry *e)
{
	static const char *const transports[] = { "udp", "tcp", "tls" };

	return json_pack("{s:s, s:s, s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "name", e->name, "transport", transports[e->spec.transport], "wants_srv",
			 (int)e->spec.srv, "by", by_name(e), "state", ctl_dns_state_name(e),
			 "ttl_s", left_json(e->expires_ms), "next_s", left_json(e->next_ms),
			 "addresses", addresses_json(&e->good), "servers", servers_json(&e->good),
			 "resolved", time_json(e->good_wall_us), "error", text_json(e->error),
			 "failing_since", e->failing ? time_json(e->failing_wall_us) : json_null(),
			 "refused", refused_json(e), "used_by", users_json(e));
}

static int by_entry(const void *a, const void *b)
{
	const struct ctl_dns_entry *x = *(const struct ctl_dns_entry *const *)a;
	const struct ctl_dns_entry *y = *(const struct ctl_dns_entry *const *)b;
	int name = strcmp(x->name, y->name);

	if (name)
		return name;
	return x->spec.srv != y->spec.srv ? (x->spec.srv ? -1 : 1)
					  : (int)x->spec.transport - (int)y->spec.transport;
}

json_t *ctl_dns_json(const struct ctl_dns *dns, const char *name)
{
	const struct ctl_dns_entry **list, *e;
	char lower[CTL_DNS_NAME_SIZE], resolvers[256] = "";
	size_t n = 0;
	json_t *names;

	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		for (e = dns->buckets[i]; e; e = e->next)
			n++;
	}
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return NULL;
	n = 0;
	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		for (e = dns->buckets[i]; e; e = e->next)
			list[n++] = e;
	}
	qsort(list, n, sizeof(*list), by_entry);
	names = json_array();
	ctl_dns_name_lower(name ? name : "", lower, sizeof(lower));
	for (size_t i = 0; i < n; i++) {
		if (!name || strcmp(list[i]->name, lower) == 0)
			json_array_append_new(names, entry_json(list[i]));
	}
	free(list);
	if (dns->ares)
		ctl_dns_ares_servers(dns->ares, resolvers, sizeof(resolvers));
	return json_pack("{s:s, s:o}", "resolvers", resolvers, "names", names);
}
