/*
 * A model as DNS has it: names become members with addresses; what a pair cannot use is left out
 * and said; members that go linger; places are not taken from anybody.
 */
#include "control/dns/ctl_dns_view.h"
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(dns_view, .fini = leaks_check);

static const char text[] =
	"ports: [ { name: net0, device: net_tap0, addresses: [ 192.0.2.10/24, \"2001:db8::10/64\" "
	"], "
	"routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 } ] } ]\n"
	"services:\n"
	"  - { name: both, listen: [ udp:192.0.2.10, \"udp:[2001:db8::10]\" ], pairs: [ east, six, "
	"mixed ] }\n"
	"  - { name: four, listen: [ udp:192.0.2.10:5070 ], pairs: [ four, plain ] }\n"
	"pairs:\n"
	"  - { name: east, servers: { name: Sip.example.com } }\n"
	"  - { name: six, servers: { name: addr.example.com, port: 5080, family: ipv6, user: u, "
	"password: p } }\n"
	"  - { name: four, servers: { name: addr.example.com, port: 5080 } }\n"
	"  - name: mixed\n"
	"    members:\n"
	"      - { name: m1, role: primary, address: m1.example.com }\n"
	"      - { name: m2, role: backup, address: 198.51.100.2 }\n"
	"      - { name: m3, role: fallback, address: m3.example.com, port: 0, methods: [ INVITE ] "
	"}\n"
	"  - name: plain\n"
	"    members: [ { name: p, role: primary, address: 198.51.100.9 }, { name: q, role: "
	"backup, "
	"address: 198.51.100.10 } ]\n";

/* ---- What DNS says */

struct say {
	const char *name;
	bool srv;
	const char *servers; /* "priority ip port target", separated by commas */
};

static struct ctl_dns_server servers[32][32];
static struct ctl_dns_result results[32];
static const struct say *says;
static char notes[2048];

static void parse_servers(const struct say *s, struct ctl_dns_server *v, struct ctl_dns_result *r)
{
	static char words[32][4][64];
	const char *at = s->servers;
	static size_t w;

	r->n = 0;
	r->servers = v;
	while (at && *at) {
		char(*word)[64] = words[w++ % 32];

		cr_assert_eq(
			sscanf(at, "%63s %63s %63s %63[^, ]", word[0], word[1], word[2], word[3]),
			4, "%s", at);
		v[r->n] = (struct ctl_dns_server){ .priority = (uint16_t)atoi(word[0]),
						   .target = word[3],
						   .at.port = (uint16_t)atoi(word[2]) };
		cr_assert_eq(dp_ip_parse(word[1], &v[r->n++].at.ip), 0, "%s", word[1]);
		at = strchr(at, ',');
		at = at ? at + 1 : NULL;
	}
}

static const struct ctl_dns_result *find(const void *arg, const struct ctl_dns_key *key)
{
	char name[CTL_DNS_NAME_SIZE];

	(void)arg;
	ctl_dns_name_lower(key->name, name, sizeof(name));
	for (size_t i = 0; says && says[i].name; i++) {
		if (strcmp(says[i].name, name) != 0 || says[i].srv != key->srv)
			continue;
		parse_servers(&says[i], servers[i], &results[i]);
		return &results[i];
	}
	return NULL;
}

static void note(const void *arg, const struct ctl_dns_key *key, const char *pair,
		 const char *member, const char *said)
{
	size_t len = strlen(notes);

	(void)arg;
	(void)key;
	if (said[0])
		snprintf(notes + len, sizeof(notes) - len, "%s%s%s: %s\n", pair, member ? "/" : "",
			 member ? member : "", said);
}

static struct ctl_model *load(void)
{
	static char said[4096];
	struct ctl_model *m = config_try(text, said, sizeof(said));

	cr_assert_not_null(m, "%s", said);
	return m;
}

static struct ctl_model *view(struct ctl_model *of, const struct say *dns,
			      const struct ctl_model *now, const struct ctl_numbers *numbers,
			      uint64_t now_ms, uint64_t *again_ms)
{
	const struct ctl_dns_view v = {
		.find = find, .note = note, .now = now, .numbers = numbers, .now_ms = now_ms
	};
	struct ctl_model *m;

	says = dns;
	notes[0] = '\0';
	m = ctl_dns_view_new(of, &v, again_ms);
	cr_assert_not_null(m);
	return m;
}

/* "a primary, b backup+" with '+' for one that lingers. */
static const char *members(const struct ctl_model *m, const char *pair)
{
	static const char *const roles[] = { "primary", "backup", "fallback" };
	static char out[1024];
	const struct ctl_pair *p = &m->pairs[ctl_model_find_pair(m, pair)];
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->n_members; i++) {
		char ip[46];

		dp_ip_format(&p->members[i].at.ip, ip);
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s %s", i ? ", " : "",
					p->members[i].name, roles[p->members[i].role]);
		if (!p->servers.name)
			len += (size_t)snprintf(out + len, sizeof(out) - len, " %s:%u", ip,
						p->members[i].at.port);
		if (p->members[i].leaves_ms)
			len += (size_t)snprintf(out + len, sizeof(out) - len, "+");
	}
	return out;
}

#define SIP  "sip.example.com", true
#define ADDR "addr.example.com", false

static const struct {
	const char *what;
	struct say dns[8];
	const char *pair, *members, *notes; /* notes: a part of them, NULL: none */
} rows[] = {
	{ "nothing is known", { { 0 } }, "east", "", NULL },
	{ "priorities are roles",
	  { { SIP, "30 198.51.100.3 5060 c,10 198.51.100.1 5061 a,20 198.51.100.2 5060 b" } },
	  "east",
	  "198.51.100.1:5061 primary, 198.51.100.2:5060 backup, 198.51.100.3:5060 fallback",
	  NULL },
	{ "IPv6 in brackets",
	  { { SIP, "0 2001:db8:1::1 5060 a" } },
	  "east",
	  "[2001:db8:1::1]:5060 primary",
	  NULL },
	{ "one family is wanted, at the pair's port",
	  { { ADDR, "0 2001:db8:1::1 0 a,0 198.51.100.1 0 a" } },
	  "six",
	  "[2001:db8:1::1]:5080 primary",
	  "six: 198.51.100.1:5080 is IPv4" },
	{ "one family has no listener",
	  { { ADDR, "0 2001:db8:1::1 0 a,0 198.51.100.1 0 a" } },
	  "four",
	  "198.51.100.1:5080 primary",
	  "four: [2001:db8:1::1]:5080 is IPv6" },
	{ "our own address",
	  { { SIP, "1 192.0.2.10 5060 a,2 198.51.100.1 5060 b" } },
	  "east",
	  "198.51.100.1:5060 primary",
	  "east: 192.0.2.10:5060 is an address of our own" },
	{ "a broadcast address",
	  { { SIP, "1 192.0.2.255 5060 a,2 198.51.100.1 5060 b" } },
	  "east",
	  "198.51.100.1:5060 primary",
	  "is the broadcast address" },
	{ "the same again",
	  { { SIP, "1 198.51.100.1 5060 a,2 198.51.100.1 5060 b" } },
	  "east",
	  "198.51.100.1:5060 primary",
	  NULL },
	{ "16 of 17",
	  { { SIP,
	      "1 198.51.100.1 5060 a,2 198.51.100.2 5060 a,3 198.51.100.3 5060 a,4 198.51.100.4 "
	      "5060 a,5 198.51.100.5 5060 a,6 198.51.100.6 5060 a,7 198.51.100.7 5060 a,8 "
	      "198.51.100.8 5060 a,9 198.51.100.9 5060 a,10 198.51.100.10 5060 a,11 "
	      "198.51.100.11 5060 a,12 198.51.100.12 5060 a,13 198.51.100.13 5060 a,14 "
	      "198.51.100.14 5060 a,15 198.51.100.15 5060 a,16 198.51.100.16 5060 a,17 "
	      "198.51.100.17 5060 a" } },
	  "east",
	  NULL,
	  "east: 1 of 17 servers are left out" },
	{ "members by name",
	  { { "m1.example.com", false, "0 198.51.100.7 0 m,0 198.51.100.8 0 m" },
	    { "m3.example.com", true, "2 198.51.100.3 5070 n,1 198.51.100.4 5071 n" } },
	  "mixed",
	  "m1 primary 198.51.100.7:5060, m2 backup 198.51.100.2:5060, m3 fallback "
	  "198.51.100.4:5071",
	  NULL },
	{ "one is not known",
	  { { "m3.example.com", true, "2 198.51.100.3 5070 n" } },
	  "mixed",
	  "m2 backup 198.51.100.2:5060, m3 fallback 198.51.100.3:5070",
	  NULL },
	{ "what is written goes before what a name has",
	  { { "m1.example.com", false, "0 198.51.100.2 0 m,0 198.51.100.8 0 m" } },
	  "mixed",
	  "m1 primary 198.51.100.8:5060, m2 backup 198.51.100.2:5060",
	  "mixed/m1: 198.51.100.2:5060 is another member's" },
};

Test(dns_view, table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_model *m = load(), *v;
		uint64_t again_ms;

		v = view(m, rows[i].dns, NULL, NULL, 1, &again_ms);
		ctl_model_free(m); /* the view keeps it */
		if (rows[i].members)
			cr_expect_str_eq(members(v, rows[i].pair), rows[i].members, "%s: %s",
					 rows[i].what, members(v, rows[i].pair));
		else
			cr_expect_eq(v->pairs[0].n_members, DP_PAIR_MEMBERS);
		cr_expect_eq(again_ms, 0, "%s", rows[i].what);
		if (rows[i].notes)
			cr_expect(strstr(notes, rows[i].notes), "%s: %s", rows[i].what, notes);
		else
			cr_expect_str_empty(notes, "%s: %s", rows[i].what, notes);
		ctl_model_free(v);
	}
}

Test(dns_view, all_else_is_the_models)
{
	static const struct say dns[] = { { ADDR, "0 2001:db8:1::1 0 a" }, { 0 } };
	struct ctl_model *m = load(), *v;
	const struct ctl_member *six;
	uint64_t again_ms;

	v = view(m, dns, NULL, NULL, 1, &again_ms);
	six = &v->pairs[1].members[0];
	cr_expect_str_eq(six->user, "u");
	cr_expect_str_eq(six->password, "p");
	cr_expect_str_eq(six->host, "addr.example.com", "for TLS and the Request-URI of probes");
	cr_expect_eq(six->methods, UINT32_MAX);
	cr_expect_eq(v->services, m->services);
	cr_expect_eq(v->pairs[4].members, m->pairs[4].members, "a pair without names");
	cr_expect_eq(m->pairs[1].n_members, 0, "the model is as it was");
	ctl_model_free(v);
	ctl_model_free(m);
}

/* From one answer to the next: now, a while later, and when all has settled. */
static const struct {
	const char *what;
	const char *before, *after;
	const char *now, *later; /* members of east */
	const char *notes;
} changes[] = {
	{ "a new primary", "1 198.51.100.1 5060 a", "0 198.51.100.2 5060 b,1 198.51.100.1 5060 a",
	  "198.51.100.2:5060 primary, 198.51.100.1:5060 backup",
	  "198.51.100.2:5060 primary, 198.51.100.1:5060 backup", NULL },
	{ "one goes: it lingers behind the others", "1 198.51.100.1 5060 a,2 198.51.100.2 5060 b",
	  "2 198.51.100.2 5060 b", "198.51.100.2:5060 primary, 198.51.100.1:5060 fallback+",
	  "198.51.100.2:5060 primary", NULL },
	{ "all are others", "1 198.51.100.1 5060 a", "1 198.51.100.2 5060 b",
	  "198.51.100.2:5060 primary, 198.51.100.1:5060 fallback+", "198.51.100.2:5060 primary",
	  NULL },
	{ "nothing of use: all stay", "1 198.51.100.1 5060 a,2 198.51.100.2 5060 b",
	  "1 192.0.2.10 5060 a", "198.51.100.1:5060 primary, 198.51.100.2:5060 backup",
	  "198.51.100.1:5060 primary, 198.51.100.2:5060 backup", "an address of our own" },
	{ "rotated", "1 198.51.100.1 5060 a,1 198.51.100.2 5060 a",
	  "1 198.51.100.2 5060 a,1 198.51.100.1 5060 a",
	  "198.51.100.1:5060 primary, 198.51.100.2:5060 backup",
	  "198.51.100.1:5060 primary, 198.51.100.2:5060 backup", NULL },
};

Test(dns_view, changes)
{
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct say before[] = { { SIP, changes[i].before }, { 0 } };
		const struct say after[] = { { SIP, changes[i].after }, { 0 } };
		struct ctl_model *m = load(), *was, *now, *then;
		uint64_t again_ms, never_ms;

		was = view(m, before, NULL, NULL, 1000, &again_ms);
		now = view(m, after, was, NULL, 1000, &again_ms);
		cr_expect_str_eq(members(now, "east"), changes[i].now, "%s: %s", changes[i].what,
				 members(now, "east"));
		cr_expect_eq(again_ms, strchr(changes[i].now, '+') ? 1000 + CTL_DNS_LINGER_MS : 0);
		cr_expect_eq(!strstr(notes, "own"), !changes[i].notes, "%s", notes);
		cr_expect_eq(ctl_dns_view_same(was, now),
			     strcmp(changes[i].what, "rotated") == 0
				     || strncmp(changes[i].what, "nothing", 7) == 0,
			     "%s", changes[i].what);
		/* Before the time has come nothing changes. */
		then = view(m, after, now, NULL, 999 + CTL_DNS_LINGER_MS, &never_ms);
		cr_expect(ctl_dns_view_same(now, then), "%s", changes[i].what);
		cr_expect_eq(never_ms, again_ms);
		ctl_model_free(then);
		then = view(m, after, now, NULL, 1000 + CTL_DNS_LINGER_MS, &never_ms);
		cr_expect_str_eq(members(then, "east"), changes[i].later, "%s: %s", changes[i].what,
				 members(then, "east"));
		cr_expect_eq(never_ms, 0);
		ctl_model_free(then);
		ctl_model_free(now);
		ctl_model_free(was);
		ctl_model_free(m);
	}
}

/* A member by name stays where it was while its answer is of no use. */
Test(dns_view, a_member_by_name_stays)
{
	static const struct say before[] = { { "m1.example.com", false, "0 198.51.100.7 0 m" },
					     { 0 } };
	static const struct say after[] = { { "m1.example.com", false, "0 192.0.2.10 0 m" },
					    { 0 } };
	struct ctl_model *m = load(), *was, *now;
	uint64_t again_ms;

	was = view(m, before, NULL, NULL, 1, &again_ms);
	now = view(m, after, was, NULL, 2, &again_ms);
	cr_expect(ctl_dns_view_same(was, now), "%s", members(now, "mixed"));
	cr_expect(strstr(notes, "mixed/m1: 192.0.2.10:5060 is an address of our own"), "%s", notes);
	ctl_model_free(now);
	ctl_model_free(was);
	ctl_model_free(m);
}

/* Answers that change all the time: whoever finds no free place waits, and no assignment fails. */
Test(dns_view, places_run_out_and_come_back)
{
	struct ctl_model *m = load(), *now = NULL, *next;
	struct ctl_numbers *numbers = ctl_numbers_new();
	uint64_t now_ms = 1000, again_ms;
	char dns_text[64];
	size_t waited = 0, most = 0;

	for (int i = 1; i < 60; i++, now_ms += CTL_DNS_LINGER_MS / 2) {
		struct say dns[] = { { SIP, dns_text }, { 0 } };

		snprintf(dns_text, sizeof(dns_text), "1 198.51.100.%d 5060 a", i);
		next = view(m, dns, now, numbers, now_ms, &again_ms);
		waited += strstr(notes, "waits until a place") != NULL;
		cr_assert_eq(ctl_numbers_assign(numbers, next, now_ms), 0, "round %d", i);
		cr_expect_gt(next->pairs[0].n_members, 0, "round %d", i);
		most = next->pairs[0].n_members > most ? next->pairs[0].n_members : most;
		ctl_model_free(now);
		now = next;
	}
	cr_expect_gt(waited, 10);
	cr_expect_leq(most, 4, "%zu", most);
	/* When it rests, the last one gets in. */
	for (int i = 0; i < 3; i++) {
		struct say dns[] = { { SIP, "1 198.51.100.77 5060 a" }, { 0 } };

		now_ms += CTL_NUMBER_GRACE_MS;
		next = view(m, dns, now, numbers, now_ms, &again_ms);
		cr_assert_eq(ctl_numbers_assign(numbers, next, now_ms), 0);
		ctl_model_free(now);
		now = next;
	}
	cr_expect_str_eq(members(now, "east"), "198.51.100.77:5060 primary");
	cr_expect_eq(again_ms, 0);
	ctl_model_free(now);
	ctl_model_free(m);
	ctl_numbers_free(numbers);
}
