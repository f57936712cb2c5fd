/*
 * One name's lookup over a world of facts: RFC 3263 4.1 and 4.2, failures, nonsense, bounds.
 */
#include "control/dns/ctl_dns_lookup.h"
#include "tests/control/dns_bench.h"
#include "tests/leaks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(dns_lookup, .fini = leaks_check);

#define NAME  "sip.example.com"
#define UDP   "_sip._udp.sip.example.com"
#define FACTS 10

static struct ctl_dns_outcome got;
static unsigned int n_done;

static void on_done(void *arg, struct ctl_dns_outcome *o)
{
	(void)arg;
	n_done++;
	got = *o;
	memset(&got.result, 0, sizeof(got.result));
	ctl_dns_result_move(&got.result, &o->result);
}

static const struct ctl_dns_spec by_srv = { .name = NAME, .srv = true, .families = 3 };

static void look_up(struct dns_world *w, const struct ctl_dns_spec *spec,
		    const struct ctl_dns_result *last)
{
	struct ctl_dns_lookup *l = ctl_dns_lookup_new(&w->io, spec, last, on_done, NULL);

	cr_assert_not_null(l);
	n_done = 0;
	memset(&got, 0, sizeof(got));
	ctl_dns_lookup_start(l);
	dns_world_go(w);
	cr_assert_eq(n_done, 1);
	cr_assert_eq(w->n_open, 0);
}

static const struct {
	const char *what;
	struct dns_fact facts[FACTS];
	const char *servers; /* in the order for seed "east"; NULL: not good */
	bool by_srv, by_naptr;
	const char *error, *refused; /* a part of it; NULL: none */
	uint32_t ttl;                /* 0: not looked at */
} rows[] = {
	{ "SRV, two targets",
	  { { UDP, "SRV 20 0 5061 b.x", 0 },
	    { UDP, "SRV 10 0 5060 a.x", 50 },
	    { "a.x", "A 192.0.2.1", 70 },
	    { "b.x", "A 192.0.2.2", 70 } },
	  "192.0.2.1:5060 192.0.2.2:5061",
	  true,
	  false,
	  NULL,
	  NULL,
	  50 },
	{ "both families",
	  { { UDP, "SRV 10 0 5060 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 },
	    { "a.x", "AAAA 2001:db8::1", 0 } },
	  "2001:db8::1:5060 192.0.2.1:5060",
	  true,
	  false,
	  NULL,
	  NULL,
	  0 },
	{ "NAPTR of our transport, by order and preference (RFC 3263 4.1)",
	  { { NAME, "NAPTR 20 1 s SIP+D2U late.x", 0 },
	    { NAME, "NAPTR 1 1 s SIP+D2T tcp.x", 0 },
	    { NAME, "NAPTR 10 2 s SIP+D2U later.x", 0 },
	    { NAME, "NAPTR 10 1 S sip+d2u srv.x", 0 },
	    { "srv.x", "SRV 0 0 5070 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 },
	    { "tcp.x", "SRV 0 0 5070 b.x", 0 },
	    { UDP, "SRV 0 0 5070 b.x", 0 } },
	  "192.0.2.1:5070",
	  true,
	  true,
	  NULL,
	  NULL,
	  0 },
	{ "a NAPTR whose SRV is not there gives way to the next",
	  { { NAME, "NAPTR 1 1 s SIP+D2U none.x", 0 },
	    { NAME, "NAPTR 2 1 s SIP+D2U srv.x", 0 },
	    { "srv.x", "SRV 0 0 5070 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:5070",
	  true,
	  true,
	  NULL,
	  NULL,
	  0 },
	{ "NAPTR of others only: SRV as constructed",
	  { { NAME, "NAPTR 1 1 s SIP+D2T tcp.x", 0 },
	    { UDP, "SRV 0 0 5070 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:5070",
	  true,
	  false,
	  NULL,
	  NULL,
	  0 },
	{ "NAPTR that leads elsewhere than to SRV",
	  { { NAME, "NAPTR 1 1 a SIP+D2U a.x", 0 },
	    { UDP, "SRV 0 0 5070 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:5070",
	  true,
	  false,
	  NULL,
	  "does not lead to SRV",
	  0 },
	{ "NAPTR that cannot be asked for: SRV all the same, while nothing was known",
	  { { NAME, "FAIL NAPTR refused", 0 },
	    { UDP, "SRV 0 0 5070 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:5070",
	  true,
	  false,
	  "NAPTR " NAME ": refused",
	  NULL,
	  0 },
	{ "no SRV: the name's own addresses (RFC 3263 4.2)",
	  { { NAME, "A 192.0.2.9", 0 }, { NAME, "A 192.0.2.8", 0 } },
	  "192.0.2.8:5060 192.0.2.9:5060",
	  false,
	  false,
	  NULL,
	  NULL,
	  0 },
	{ "aliases on every way",
	  { { UDP, "CNAME other.x", 40 },
	    { "other.x", "SRV 0 0 5060 a.x", 0 },
	    { "a.x", "CNAME b.x", 0 },
	    { "b.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:5060",
	  true,
	  false,
	  NULL,
	  NULL,
	  40 },
	{ "SRV fails",
	  { { UDP, "FAIL SRV timeout", 0 }, { NAME, "A 192.0.2.9", 0 } },
	  NULL,
	  false,
	  false,
	  "SRV " UDP ": timeout",
	  NULL,
	  0 },
	{ "the name has nothing",
	  { { "x", "A 192.0.2.1", 0 } },
	  NULL,
	  false,
	  false,
	  NAME " has no address",
	  NULL,
	  0 },
	{ "addresses fail",
	  { { NAME, "FAIL A timeout", 0 }, { NAME, "FAIL AAAA timeout", 0 } },
	  NULL,
	  false,
	  false,
	  "A " NAME ": timeout",
	  NULL,
	  0 },
	{ "one family fails",
	  { { NAME, "A 192.0.2.1", 0 }, { NAME, "FAIL AAAA timeout", 0 } },
	  "192.0.2.1:5060",
	  false,
	  false,
	  "AAAA " NAME ": timeout",
	  NULL,
	  0 },
	{ "one target fails",
	  { { UDP, "SRV 1 0 5060 a.x", 0 },
	    { UDP, "SRV 2 0 5060 b.x", 0 },
	    { "a.x", "FAIL A timeout", 0 },
	    { "b.x", "A 192.0.2.2", 0 } },
	  "192.0.2.2:5060",
	  true,
	  false,
	  "A a.x: timeout",
	  NULL,
	  0 },
	{ "port 0",
	  { { UDP, "SRV 1 0 0 a.x", 0 },
	    { UDP, "SRV 2 0 5060 b.x", 0 },
	    { "b.x", "A 192.0.2.2", 0 } },
	  "192.0.2.2:5060",
	  true,
	  false,
	  NULL,
	  "a.x has port 0",
	  0 },
	{ "nothing but port 0: nonsense, not the absence of SRV",
	  { { UDP, "SRV 1 0 0 a.x", 0 }, { NAME, "A 192.0.2.9", 0 } },
	  NULL,
	  false,
	  false,
	  "no record is of any use",
	  "port 0",
	  0 },
	{ "decidedly not available (RFC 2782)",
	  { { UDP, "SRV 0 0 0 .", 0 }, { NAME, "A 192.0.2.9", 0 } },
	  NULL,
	  false,
	  false,
	  "no such service",
	  NULL,
	  0 },
	{ "addresses that no server has",
	  { { NAME, "A 127.0.0.1", 0 },
	    { NAME, "A 224.0.0.1", 0 },
	    { NAME, "A 0.0.0.0", 0 },
	    { NAME, "A 169.254.1.1", 0 },
	    { NAME, "AAAA fe80::1", 0 },
	    { NAME, "AAAA ::1", 0 },
	    { NAME, "A 192.0.2.1", 0 } },
	  "192.0.2.1:5060",
	  false,
	  false,
	  NULL,
	  "loopback",
	  0 },
	{ "only such",
	  { { NAME, "A 127.0.0.1", 0 } },
	  NULL,
	  false,
	  false,
	  "has no address",
	  "loopback",
	  0 },
	{ "a loop of aliases that leads from answer to answer",
	  { { NAME, "CNAME a.x", 0 }, { "a.x", "CNAME b.x", 0 }, { "b.x", "CNAME a.x", 0 } },
	  NULL,
	  false,
	  false,
	  "without end",
	  NULL,
	  0 },
	{ "a target that is an address",
	  { { UDP, "SRV 1 1 5060 192.0.2.1", 0 } },
	  NULL,
	  false,
	  false,
	  "no record is of any use",
	  "192.0.2.1 names no host",
	  0 },
	{ "two records of one target",
	  { { UDP, "SRV 1 0 5060 a.x", 0 },
	    { UDP, "SRV 2 0 5070 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:5060 192.0.2.1:5070",
	  true,
	  false,
	  NULL,
	  NULL,
	  0 },
};

static void check_text(const char *row, const char *text, const char *want)
{
	if (want)
		cr_expect(strstr(text, want), "%s: \"%s\", not \"%s\"", row, text, want);
	else
		cr_expect_str_empty(text, "%s: %s", row, text);
}

static void check_row(size_t i, bool later, bool backwards)
{
	const char *what = rows[i].what;
	struct dns_world w;
	char text[1024];

	dns_world_init(&w, rows[i].facts);
	w.later = later;
	w.backwards = backwards;
	look_up(&w, &by_srv, NULL);
	cr_expect_eq(got.good, rows[i].servers != NULL, "%s: %s", what, got.error);
	dns_order_text(&got.result, "east", text, sizeof(text));
	cr_expect_str_eq(text, rows[i].servers ? rows[i].servers : "", "%s: %s", what, text);
	cr_expect_eq(got.result.by_srv, rows[i].by_srv, "%s", what);
	cr_expect_eq(got.result.by_naptr, rows[i].by_naptr, "%s", what);
	check_text(what, got.error, rows[i].error);
	if (rows[i].refused || rows[i].servers)
		check_text(what, got.refused, rows[i].refused);
	if (rows[i].ttl)
		cr_expect_eq(got.result.ttl_s, rows[i].ttl, "%s: %u", what, got.result.ttl_s);
	ctl_dns_result_fini(&got.result);
}

/* With answers from within the question, or later; and with records in reverse. */
Test(dns_lookup, table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int how = 0; how < 4; how++)
			check_row(i, how & 1, how & 2);
	}
}

Test(dns_lookup, transports_and_ports)
{
	static const struct dns_fact facts[] = {
		{ "_sip._udp.sip.example.com", "SRV 1 1 1 a.x", 0 },
		{ "_sip._tcp.sip.example.com", "SRV 1 1 2 a.x", 0 },
		{ "_sips._tcp.sip.example.com", "SRV 1 1 3 a.x", 0 },
		{ "a.x", "A 192.0.2.1", 0 },
		{ "bare.x", "A 192.0.2.2", 0 },
		{ "bare.x", "AAAA 2001:db8::2", 0 },
		{ NULL, NULL, 0 },
	};
	static const struct {
		struct ctl_dns_spec spec;
		const char *servers;
		size_t n_asked;
	} specs[] = {
		{ { NAME, true, DP_UDP, 0, 1 }, "192.0.2.1:1", 3 },
		{ { NAME, true, DP_TCP, 0, 1 }, "192.0.2.1:2", 3 },
		{ { NAME, true, DP_TLS, 0, 1 }, "192.0.2.1:3", 3 },
		{ { "bare.x", true, DP_UDP, 0, 1 }, "192.0.2.2:5060", 3 },
		{ { "bare.x", true, DP_TLS, 0, 1 }, "192.0.2.2:5061", 3 },
		{ { "bare.x", false, DP_UDP, 5080, 1 },
		  "192.0.2.2:5080",
		  1 }, /* no NAPTR, no SRV */
		{ { "bare.x", false, DP_UDP, 5080, 2 }, "2001:db8::2:5080", 1 },
		{ { "bare.x", false, DP_UDP, 5080, 3 }, "2001:db8::2:5080 192.0.2.2:5080", 2 },
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct dns_world w;
		char text[256];

		dns_world_init(&w, facts);
		look_up(&w, &specs[i].spec, NULL);
		dns_order_text(&got.result, "east", text, sizeof(text));
		cr_expect_str_eq(text, specs[i].servers, "%zu: %s", i, text);
		cr_expect_eq(w.n_asked, specs[i].n_asked, "%zu: %zu", i, w.n_asked);
		ctl_dns_result_fini(&got.result);
	}
}

/* What was good before, and what comes of it when a part of the way fails. */
static const struct {
	const char *what;
	struct dns_fact before[FACTS], now[FACTS];
	const char *servers; /* NULL: not good, so the old ones stay */
	const char *error;
} lasts[] = {
	{ "a NAPTR that was there may not be passed over",
	  { { NAME, "NAPTR 1 1 s SIP+D2U srv.x", 0 },
	    { "srv.x", "SRV 0 0 1 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 } },
	  { { NAME, "FAIL NAPTR timeout", 0 },
	    { UDP, "SRV 0 0 2 b.x", 0 },
	    { "b.x", "A 192.0.2.2", 0 } },
	  NULL,
	  "NAPTR" },
	{ "SRV that fails keeps what it gave",
	  { { UDP, "SRV 0 0 1 a.x", 0 }, { "a.x", "A 192.0.2.1", 0 } },
	  { { UDP, "FAIL SRV timeout", 0 }, { NAME, "A 192.0.2.9", 0 } },
	  NULL,
	  "SRV" },
	{ "nor may the next NAPTR's servers take their place",
	  { { NAME, "NAPTR 1 1 s SIP+D2U srv.x", 0 },
	    { NAME, "NAPTR 2 1 s SIP+D2U other.x", 0 },
	    { "srv.x", "SRV 0 0 1 a.x", 0 },
	    { "other.x", "SRV 0 0 1 b.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 },
	    { "b.x", "A 192.0.2.2", 0 } },
	  { { NAME, "NAPTR 1 1 s SIP+D2U srv.x", 0 },
	    { NAME, "NAPTR 2 1 s SIP+D2U other.x", 0 },
	    { "srv.x", "FAIL SRV timeout", 0 },
	    { "other.x", "SRV 0 0 1 b.x", 0 },
	    { "b.x", "A 192.0.2.2", 0 } },
	  NULL,
	  "SRV srv.x: timeout" },
	{ "SRV that is gone while the name has addresses",
	  { { UDP, "SRV 0 0 1 a.x", 0 }, { "a.x", "A 192.0.2.1", 0 } },
	  { { NAME, "A 192.0.2.9", 0 } },
	  "192.0.2.9:5060",
	  NULL },
	{ "a target that fails keeps its addresses, the others change",
	  { { UDP, "SRV 1 0 1 a.x", 0 },
	    { UDP, "SRV 2 0 2 b.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 },
	    { "b.x", "A 192.0.2.2", 0 } },
	  { { UDP, "SRV 1 0 1 a.x", 0 },
	    { UDP, "SRV 2 0 3 b.x", 0 },
	    { "a.x", "FAIL A timeout", 0 },
	    { "b.x", "A 192.0.2.3", 0 } },
	  "192.0.2.1:1 192.0.2.3:3",
	  "A a.x: timeout" },
	{ "a target that has no address any more keeps them too",
	  { { UDP, "SRV 1 0 1 a.x", 0 }, { "a.x", "A 192.0.2.1", 0 } },
	  { { UDP, "SRV 1 0 1 a.x", 0 } },
	  "192.0.2.1:1",
	  "a.x has no address" },
	{ "one that has an address in one family keeps no other",
	  { { UDP, "SRV 1 0 1 a.x", 0 },
	    { "a.x", "A 192.0.2.1", 0 },
	    { "a.x", "AAAA 2001:db8::1", 0 } },
	  { { UDP, "SRV 1 0 1 a.x", 0 }, { "a.x", "A 192.0.2.1", 0 } },
	  "192.0.2.1:1",
	  NULL },
	{ "nonsense keeps all",
	  { { UDP, "SRV 1 0 1 a.x", 0 }, { "a.x", "A 192.0.2.1", 0 } },
	  { { UDP, "SRV 1 0 0 a.x", 0 }, { "a.x", "A 192.0.2.1", 0 } },
	  NULL,
	  "any use" },
};

Test(dns_lookup, what_was_good_before)
{
	for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
		struct ctl_dns_result last = { 0 };
		struct dns_world w;
		char text[256];

		dns_world_init(&w, lasts[i].before);
		look_up(&w, &by_srv, NULL);
		cr_assert(got.good);
		ctl_dns_result_move(&last, &got.result);
		dns_world_init(&w, lasts[i].now);
		look_up(&w, &by_srv, &last);
		cr_expect_eq(got.good, lasts[i].servers != NULL, "%s: %s", lasts[i].what,
			     got.error);
		dns_order_text(&got.result, "east", text, sizeof(text));
		cr_expect_str_eq(text, lasts[i].servers ? lasts[i].servers : "", "%s: %s",
				 lasts[i].what, text);
		check_text(lasts[i].what, got.error, lasts[i].error);
		ctl_dns_result_fini(&got.result);
		ctl_dns_result_fini(&last);
	}
}

/* 1,000 records and more: bounded, said, and the same whatever their sequence. */
Test(dns_lookup, a_thousand_records)
{
	static struct dns_fact facts[1200];
	static char texts[1200][64], hosts[1200][16];
	struct dns_world w;
	char one[4096], other[4096];

	for (size_t i = 0; i < 1100; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "h%zu.x", i);
		snprintf(texts[i], sizeof(texts[i]), "SRV 1 %zu 5060 %s", i % 3, hosts[i]);
		facts[i] = (struct dns_fact){ UDP, texts[i], 0 };
	}
	for (size_t i = 0; i < 90; i++)
		facts[1100 + i] = (struct dns_fact){ hosts[i * 3 + 2], "A 192.0.2.1", 0 };
	dns_world_init(&w, facts);
	look_up(&w, &by_srv, NULL);
	cr_expect(strstr(got.refused, "100 of 1100 SRV records"), "%s", got.refused);
	cr_expect(strstr(got.refused, "968 of 1000 SRV records"), "%s", got.refused);
	cr_expect_leq(w.n_asked, 2 + 2 * CTL_DNS_TARGETS);
	ctl_dns_result_fini(&got.result);

	/* Below what is read at all, no sequence matters. */
	facts[990].name = NULL;
	for (int i = 0; i < 2; i++) {
		dns_world_init(&w, facts);
		w.backwards = i;
		for (size_t k = 0; k < 33; k++)
			facts[k].text = texts[k];
		look_up(&w, &by_srv, NULL);
		snprintf(i ? other : one, sizeof(one), "%s|%s", got.error, got.refused);
		ctl_dns_result_fini(&got.result);
	}
	cr_expect_str_eq(one, other);
}

/* Given up at each point of the way: no question stays, and nobody is called. */
Test(dns_lookup, freed_on_the_way)
{
	for (size_t steps = 0; steps < 6; steps++) {
		struct ctl_dns_lookup *l;
		struct dns_world w;

		dns_world_init(&w, rows[2].facts);
		w.later = true;
		n_done = 0;
		l = ctl_dns_lookup_new(&w.io, &by_srv, NULL, on_done, NULL);
		if (steps)
			ctl_dns_lookup_start(l);
		for (size_t i = 0; i + 1 < steps && i < w.n_asked && n_done == 0; i++) {
			struct dns_question *q = &w.asked[i];
			ctl_dns_reply_cb cb = q->cb;

			q->cb = NULL;
			w.n_open--;
			cb(q->cb_arg, &(struct ctl_dns_reply){ .error = "no" });
		}
		if (n_done == 0)
			ctl_dns_lookup_free(l);
		cr_expect_eq(w.n_open, 0);
		ctl_dns_result_fini(&got.result);
	}
}
