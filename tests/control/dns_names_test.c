/*
 * The names' life on an event loop, c-ares and all, against a server of DNS on loopback that
 * answers from a table: first answers, changes, failures, the file, refreshes, names that come and
 * go. Time is real; nothing is asserted about it but its order.
 */
#include "control/dns/ctl_dns.h"
#include "tests/control/config_help.h"
#include "tests/control/dns_bench.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FACTS 8

static struct {
	struct event_base *base;
	struct ctl_history *history;
	struct event *event, *timeout;
	int fd;
	uint16_t port;
	bool mute, gave_up;
	unsigned int n_asked, n_changed, n_refreshed;
	struct dns_fact facts[FACTS];
	char file[64];
} t;

/* ---- The server */

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	static struct dns_msg m;
	char name[CTL_DNS_NAME_SIZE] = "";
	uint8_t q[512];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&from, &len);
	size_t at = 12;
	uint16_t type;

	(void)what;
	(void)arg;
	cr_assert_gt(n, 16);
	while (q[at]) {
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%.*s",
			 *name ? "." : "", q[at], (const char *)q + at + 1);
		at += q[at] + 1u;
	}
	type = (uint16_t)(q[at + 1] << 8 | q[at + 2]);
	t.n_asked++;
	if (t.mute)
		return;
	dns_begin(&m, name, type, 0x8180);
	memcpy(m.b, q, 2);
	for (size_t i = 0; i < FACTS && t.facts[i].name; i++) {
		const struct dns_fact *f = &t.facts[i];
		unsigned int p, w, port;
		char target[64];

		if (strcmp(f->name, name) != 0)
			continue;
		if (type == CTL_DNS_A && strncmp(f->text, "A ", 2) == 0)
			dns_a(&m, name, f->ttl, f->text + 2);
		if (type == CTL_DNS_SRV
		    && sscanf(f->text, "SRV %u %u %u %63s", &p, &w, &port, target) == 4)
			dns_srv(&m, name, f->ttl, p, w, port, target);
	}
	sendto(fd, m.b, m.len, 0, (const struct sockaddr *)&from, len);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	t.gave_up = true;
}

static void setup(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	t.base = event_base_new();
	t.history = ctl_history_new(100, 100);
	t.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(t.fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(getsockname(t.fd, (struct sockaddr *)&at, &len), 0);
	t.port = ntohs(at.sin_port);
	t.event = event_new(t.base, t.fd, EV_READ | EV_PERSIST, on_question, NULL);
	event_add(t.event, NULL);
	t.timeout = evtimer_new(t.base, on_timeout, NULL);
	snprintf(t.file, sizeof(t.file), "/tmp/sipsteer-dns-%d", (int)getpid());
}

static void teardown(void)
{
	unlink(t.file);
	event_free(t.event);
	event_free(t.timeout);
	close(t.fd);
	ctl_history_free(t.history);
	event_base_free(t.base);
	leaks_check();
}

TestSuite(dns_names, .init = setup, .fini = teardown, .timeout = 60);

/* ---- The names */

static void on_changed(void *arg)
{
	(void)arg;
	t.n_changed++;
}

static void on_refreshed(void *arg)
{
	(void)arg;
	t.n_refreshed++;
}

static struct ctl_dns *names_new(void)
{
	const struct ctl_dns_params p = {
		.base = t.base, .history = t.history, .file = t.file, .changed = on_changed
	};
	struct ctl_dns *dns = ctl_dns_new(&p);

	cr_assert_not_null(dns);
	return dns;
}

/* The example, with pairs of its own instead of east's members. */
static struct ctl_model *model(const char *pairs)
{
	static char said[4096];
	char text[2048];
	struct ctl_model *m;

	snprintf(text, sizeof(text),
		 "dns: { servers: [ 127.0.0.1:%u ], timeout: 100ms, attempts: 1, min-ttl: 1s }\n"
		 "ports: [ { name: net0, device: net_tap0, addresses: [ 192.0.2.10/24 ], routes: [ "
		 "{ "
		 "to: 0.0.0.0/0, via: 192.0.2.1 } ] } ]\n"
		 "services: [ { name: s, listen: [ udp:192.0.2.10 ], pairs: [ east ] } ]\n"
		 "pairs:\n%s",
		 t.port, pairs);
	m = config_try(text, said, sizeof(said));
	cr_assert_not_null(m, "%s", said);
	return m;
}

static const char east[] = "  - { name: east, servers: { name: sip.x } }\n";

#define UNTIL(condition)                                                        \
	do {                                                                    \
		evtimer_add(t.timeout, &(struct timeval){ .tv_sec = 20 });      \
		t.gave_up = false;                                              \
		while (!(condition) && !t.gave_up)                              \
			event_base_loop(t.base, EVLOOP_ONCE);                   \
		evtimer_del(t.timeout);                                         \
		cr_assert_not(t.gave_up, "gave up waiting for %s", #condition); \
	} while (0)

static const struct ctl_dns_key sip_x = { "SIP.x", true, DP_UDP };

static const char *order(const struct ctl_dns *dns)
{
	static char text[256];
	const struct ctl_dns_result *r = ctl_dns_find(dns, &sip_x);

	return r ? dns_order_text(r, "east", text, sizeof(text)) : "-";
}

/* The first name's member of what is shown. @return a borrowed value, alive until the next call. */
static const json_t *show(const struct ctl_dns *dns, const char *key)
{
	static json_t *last;

	json_decref(last);
	last = ctl_dns_json(dns, NULL);
	if (!key) {
		json_decref(last);
		last = NULL;
		return NULL;
	}
	return json_object_get(json_array_get(json_object_get(last, "names"), 0), key);
}

static bool shows(const struct ctl_dns *dns, const char *key, const char *value)
{
	const char *s = json_string_value(show(dns, key));

	return value ? s && strstr(s, value) : !s;
}

static size_t count_events(const char *cause)
{
	json_t *events = ctl_history_json(t.history, NULL), *e;
	size_t i, n = 0;

	json_array_foreach(events, i, e) n +=
		strcmp(json_string_value(json_object_get(e, "cause")), cause) == 0;
	json_decref(events);
	return n;
}

static void facts(const char *srv1, const char *srv2, uint32_t ttl)
{
	memset(t.facts, 0, sizeof(t.facts));
	t.facts[0] = (struct dns_fact){ "a.x", "A 198.51.100.1", ttl };
	t.facts[1] = (struct dns_fact){ "b.x", "A 198.51.100.2", ttl };
	t.facts[2] = (struct dns_fact){ srv1 ? "_sip._udp.sip.x" : "none", srv1 ? srv1 : "", ttl };
	t.facts[3] = (struct dns_fact){ srv2 ? "_sip._udp.sip.x" : "none", srv2 ? srv2 : "", ttl };
}

Test(dns_names, looked_up_again_when_the_ttl_has_run_out)
{
	struct ctl_model *m = model(east);
	struct ctl_dns *dns = names_new();

	facts("SRV 1 0 5060 a.x", "SRV 2 0 5060 b.x", 1);
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	ctl_dns_keep(dns, m);
	cr_expect_not(ctl_dns_is_settled(dns, m));
	cr_expect(shows(dns, "state", "unresolved"));
	UNTIL(t.n_changed == 1);
	cr_expect(ctl_dns_is_settled(dns, m));
	cr_expect_str_eq(order(dns), "198.51.100.1:5060 198.51.100.2:5060");
	cr_expect(shows(dns, "state", "good") && shows(dns, "by", "srv")
		  && shows(dns, "error", NULL));
	cr_expect_eq(json_integer_value(show(dns, "ttl_s")), 1);

	facts("SRV 3 0 5060 a.x", "SRV 2 0 5060 b.x", 3600);
	UNTIL(t.n_changed == 2);
	cr_expect_str_eq(order(dns), "198.51.100.2:5060 198.51.100.1:5060");
	/* That there is no NAPTR holds for as long as an answer without SOA does, and no longer. */
	cr_expect_eq(json_integer_value(show(dns, "ttl_s")), CTL_DNS_DEFAULT_TTL);
	cr_expect_geq(json_integer_value(show(dns, "next_s")), CTL_DNS_DEFAULT_TTL);
	cr_expect_eq(count_events("dns"), 2);

	/* The same again is no change. */
	cr_assert_eq(ctl_dns_refresh(dns, "sip.X", on_refreshed, NULL), 0);
	UNTIL(t.n_refreshed == 1);
	cr_expect_eq(count_events("dns"), 2);
	cr_expect_eq(ctl_dns_refresh(dns, "other.x", on_refreshed, NULL), -ENOENT);
	cr_expect_eq(t.n_refreshed, 1);
	show(dns, NULL);
	ctl_dns_free(dns);
	ctl_model_free(m);
}

Test(dns_names, a_failure_keeps_the_last_answer_and_is_said_once)
{
	struct ctl_model *m = model(east);
	struct ctl_dns *dns = names_new();

	facts("SRV 1 0 5060 a.x", NULL, 3600);
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	ctl_dns_keep(dns, m);
	UNTIL(t.n_changed == 1);
	t.mute = true;
	for (unsigned int i = 1; i <= 3; i++) {
		cr_assert_eq(ctl_dns_refresh(dns, "sip.x", on_refreshed, NULL), 0);
		UNTIL(t.n_refreshed == i);
	}
	cr_expect(shows(dns, "state", "stale") && shows(dns, "error", "timeout"));
	cr_expect_str_eq(order(dns), "198.51.100.1:5060");
	cr_expect_eq(count_events("dns-failed"), 1);

	/* By itself, after a pause. */
	t.mute = false;
	UNTIL(shows(dns, "state", "good"));
	cr_expect(shows(dns, "error", NULL));
	cr_expect_eq(count_events("dns-failed"), 1);

	/* A second outage is another one. */
	t.mute = true;
	cr_assert_eq(ctl_dns_refresh(dns, "sip.x", on_refreshed, NULL), 0);
	UNTIL(t.n_refreshed == 4);
	cr_expect_eq(count_events("dns-failed"), 2);

	/* The way may be back: at once. */
	t.mute = false;
	ctl_dns_hurry(dns);
	UNTIL(shows(dns, "state", "good"));
	cr_expect_eq(t.n_changed, 1);
	show(dns, NULL);
	ctl_dns_free(dns);
	ctl_model_free(m);
}

Test(dns_names, answers_survive_a_restart)
{
	struct ctl_model *m = model(east);
	struct ctl_dns *dns = names_new();

	facts("SRV 1 0 5060 a.x", "SRV 2 7 5061 b.x", 60);
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	ctl_dns_keep(dns, m);
	UNTIL(t.n_changed == 1);
	show(dns, NULL);
	ctl_dns_free(dns); /* writes what waits to be written */

	t.mute = true;
	dns = names_new();
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	ctl_dns_keep(dns, m);
	cr_expect_str_eq(order(dns), "198.51.100.1:5060 198.51.100.2:5061", "%s", order(dns));
	cr_expect(shows(dns, "state", "saved"));
	cr_expect(ctl_dns_is_settled(dns, m), "nobody waits for it");
	UNTIL(shows(dns, "state", "stale"));
	cr_expect_str_eq(order(dns), "198.51.100.1:5060 198.51.100.2:5061");
	show(dns, NULL);
	ctl_dns_free(dns);
	ctl_model_free(m);
}

/* What somebody else has made of the file. */
Test(dns_names, a_broken_file)
{
	static const struct {
		const char *text;
		bool aside;
	} rows[] = {
		{ "", true },
		{ "{ \"version\": 2, \"names\": {} }", true },
		{ "{ \"version\": 1, \"names\": [] }", true },
		{ "{ \"version\": 1, \"names\": { \"srv udp sip.x\": 5 } }", false },
		{ "{ \"version\": 1, \"names\": { \"srv udp sip.x\": { \"servers\": [ 1, {}, { "
		  "\"address\": "
		  "\"127.0.0.1\", \"port\": 5060, \"priority\": 1, \"weight\": 1, \"target\": "
		  "\"a\" }, { "
		  "\"address\": \"192.0.2.1\", \"port\": 70000, \"priority\": 1, \"weight\": 1, "
		  "\"target\": \"a\" }, { \"address\": \"192.0.2.1\", \"port\": 0, \"priority\": "
		  "1, "
		  "\"weight\": 1, \"target\": \"a\" }, { \"address\": \"192.0.2.1\", \"port\": "
		  "5060, "
		  "\"priority\": 1, \"weight\": 1, \"target\": \"a b\" } ] } } }",
		  false },
	};
	struct ctl_model *m = model(east);
	char aside[80];

	t.mute = true;
	snprintf(aside, sizeof(aside), "%s.broken", t.file);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FILE *f = fopen(t.file, "w");
		struct ctl_dns *dns;

		fputs(rows[i].text, f);
		fclose(f);
		dns = names_new();
		cr_assert_eq(ctl_dns_want(dns, m), 0);
		cr_expect_str_eq(order(dns), "-", "row %zu", i);
		cr_expect_eq(access(aside, F_OK) == 0, rows[i].aside, "row %zu", i);
		unlink(aside);
		ctl_dns_free(dns);
	}
	ctl_model_free(m);
}

Test(dns_names, names_come_and_go)
{
	struct ctl_model *one = model(east);
	struct ctl_model *two =
		model("  - name: east\n    members:\n"
		      "      - { name: p, role: primary, address: a.x }\n"
		      "      - { name: q, role: backup, address: sip.x, port: 65535 }\n"
		      "      - { name: r, role: fallback, address: 198.51.100.9 }\n");
	struct ctl_dns *dns = names_new();
	json_t *j;

	facts("SRV 1 0 5060 b.x", NULL, 3600);
	cr_assert_eq(ctl_dns_want(dns, one), 0);
	ctl_dns_keep(dns, one);
	UNTIL(ctl_dns_is_settled(dns, one));
	t.n_asked = 0;
	cr_assert_eq(ctl_dns_want(dns, two), 0);
	UNTIL(ctl_dns_is_settled(dns, two));
	cr_expect_eq(t.n_asked, 1, "a.x alone was asked for: %u", t.n_asked);
	ctl_dns_keep(dns, two);
	j = ctl_dns_json(dns, NULL);
	cr_expect_eq(json_array_size(json_object_get(j, "names")), 2);
	json_decref(j);
	j = ctl_dns_json(dns, "Sip.X");
	cr_expect_str_eq(
		json_string_value(json_array_get(
			json_object_get(json_array_get(json_object_get(j, "names"), 0), "used_by"),
			0)),
		"east/q");
	json_decref(j);
	ctl_dns_keep(dns, one);
	j = ctl_dns_json(dns, NULL);
	cr_expect_eq(json_array_size(json_object_get(j, "names")), 1);
	json_decref(j);
	ctl_dns_free(dns);
	ctl_model_free(one);
	ctl_model_free(two);
}

/* Freed in the middle of it all: questions under way, a refresh that waits. */
Test(dns_names, freed_while_asking)
{
	struct ctl_model *m = model(east);
	struct ctl_dns *dns = names_new();

	t.mute = true;
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	cr_assert_eq(ctl_dns_refresh(dns, "sip.x", on_refreshed, NULL), 0);
	UNTIL(t.n_asked > 0);
	cr_expect_eq(t.n_refreshed, 0);
	ctl_dns_free(dns);
	cr_expect_eq(t.n_refreshed, 1, "who waits is told");
	ctl_model_free(m);
}

/* What of an answer makes no sense is said once, and shown. */
Test(dns_names, nonsense_is_said_once)
{
	struct ctl_model *m = model(east);
	struct ctl_dns *dns = names_new();
	const struct ctl_dns_key key = ctl_dns_key_of_servers(&m->pairs[0].servers);

	facts("SRV 1 0 0 a.x", "SRV 2 0 5060 b.x", 3600);
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	ctl_dns_keep(dns, m);
	for (unsigned int i = 1; i <= 2; i++) {
		cr_assert_eq(ctl_dns_refresh(dns, "sip.x", on_refreshed, NULL), 0);
		UNTIL(t.n_refreshed == i);
	}
	cr_expect_eq(count_events("dns-refused"), 1);
	cr_expect(strstr(json_string_value(json_array_get(show(dns, "refused"), 0)), "port 0"));
	ctl_dns_note(dns, &key, "east", NULL, "192.0.2.10:5060 is an address of our own");
	ctl_dns_note(dns, &key, "east", NULL, "192.0.2.10:5060 is an address of our own");
	cr_expect_eq(count_events("dns-refused"), 2);
	cr_expect_eq(json_array_size(show(dns, "refused")), 2);
	ctl_dns_note(dns, &key, "east", NULL, "");
	cr_expect_eq(json_array_size(show(dns, "refused")), 1);
	show(dns, NULL);
	ctl_dns_free(dns);
	ctl_model_free(m);
}

/* More names than may be looked up at once: all have their turn. */
Test(dns_names, many)
{
	static char pairs[4096];
	size_t len = (size_t)snprintf(pairs, sizeof(pairs), "  - name: east\n    members:\n");
	struct ctl_model *m;
	struct ctl_dns *dns = names_new();
	const struct ctl_dns_key key = { "h15.x", true, DP_UDP };

	for (int i = 0; i < 16; i++)
		len += (size_t)snprintf(
			pairs + len, sizeof(pairs) - len,
			"      - { name: m%d, role: %s, address: h%d.x, port: 0 }\n", i,
			i == 0   ? "primary"
			: i == 1 ? "backup"
				 : "fallback",
			i);
	snprintf(pairs + len, sizeof(pairs) - len,
		 "  - { name: b, servers: { name: h16.x } }\n  - { name: c, servers: { name: h17.x "
		 "} "
		 "}\n  - { name: d, servers: { name: h18.x } }\n");
	m = model(pairs);
	facts(NULL, NULL, 60);
	t.facts[4] = (struct dns_fact){ "h15.x", "A 198.51.100.15", 60 };
	cr_assert_eq(ctl_dns_want(dns, m), 0);
	ctl_dns_keep(dns, m);
	UNTIL(ctl_dns_is_settled(dns, m));
	cr_assert_not_null(ctl_dns_find(dns, &key));
	ctl_dns_free(dns);
	ctl_model_free(m);
}
