/*
 * Which member gets a client's request: the active one, or what the next hop names; what happens
 * when members are down, drained, limited, or all gone. RFC 3261 16.6, 20.33.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_member, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"
#define MC "198.51.100.13:5060"
#define WA "198.51.100.21:5060"

static const char *const methods[] = { "INVITE",    "REGISTER", "OPTIONS", "MESSAGE",
				       "SUBSCRIBE", "PUBLISH",  "NEW" };

/* Via of the transaction under test. */
#define BR "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-t"

static void request(struct bench *b, const char *method, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s sip:bob@example.com SIP/2.0\n%s", method, more);
	bench_send(b, A, LB, text);
}

Test(steer_member, new_requests_go_to_the_active_member)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct bench *b = bench_new(NULL);

		request(b, methods[i], BR "1");
		bench_forwarded(b, LB, MA);
		bench_active(b, "east-b");
		request(b, methods[i], BR "2");
		bench_forwarded(b, LB, MB);
		cr_expect(b->v.member == bench_member(b, "east-b"));
		bench_pair_flag(b, "east", DP_WORD_UNKNOWN, true);
		bench_down(b, "east-b", true);
		request(b, methods[i], BR "3"); /* unknown: traffic stays */
		bench_forwarded(b, LB, MB);
		bench_free(b);
	}
}

/* What leads there is fetched before its turn. */
Test(steer_member, a_look_ahead_says_where_a_request_will_go)
{
	static const char *const second[] = { "east-b", "west-b", "north-b", "south-b" };
	struct bench *b = bench_new(&(struct bench_opts){ .n_pairs = 4 });

	for (size_t i = 0; i < 2; i++) {
		request(b, "INVITE", i == 0 ? BR "1" : BR "3");
		cr_assert(b->likely, "the first and the third one are looked at");
		cr_expect(dp_endpoint_equal(b->likely, &b->v.to), "%zu: %s", i,
			  bench_endpoint_text(b->likely));
		request(b, "INVITE", i == 0 ? BR "2" : BR "4");
		cr_expect(b->likely == NULL);
		for (size_t k = 0; k < sizeof(second) / sizeof(second[0]); k++)
			bench_active(b, second[k]);
	}
	bench_free(b);
}

/* ---- What the next hop names ---- */

struct named {
	const char *what;
	const char *uri, *more;
	const char *up, *drained, *down; /* where to, when east-a is so and east-b active */
};

static const struct named named[] = {
	{ "Route", "sip:x@example.com", "Route: <sip:198.51.100.11;lr>", MA, MB, MB },
	{ "Route, in a dialog", "sip:x@example.com",
	  "Route: <sip:198.51.100.11:5060;lr>\nTo: <sip:b@c>;tag=1", MA, MA, MB },
	{ "Request-URI", "sip:x@198.51.100.11", "", MA, MB, MB },
	{ "Request-URI, in a dialog", "sip:198.51.100.11:5060;transport=UDP", "To: <sip:b@c>;tag=1",
	  MA, MA, MB },
	{ "Route before Request-URI", "sip:x@198.51.100.12", "Route: <sip:198.51.100.11;lr>", MA,
	  MB, MB },
	{ "maddr in the Request-URI (16.5)", "sip:x@example.com;maddr=198.51.100.11", "", MA, MB,
	  MB },
	{ "another port is nobody", "sip:x@198.51.100.11:5061", "", MB, MB, MB },
	{ "another transport is not ours to use", "sip:x@198.51.100.11;transport=tcp", "", MB, MB,
	  MB },
};

Test(steer_member, a_member_named_by_the_next_hop_rfc3261_16_6_item_6)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const struct named *n = &named[i];
		const char *want[3] = { n->up, n->drained, n->down };

		for (int k = 0; k < 3; k++) {
			struct bench *b = bench_new(NULL);
			char text[512];

			bench_active(b, "east-b");
			bench_drain(b, "east-a", k == 1);
			bench_down(b, "east-a", k == 2);
			snprintf(text, sizeof(text), "MESSAGE %s SIP/2.0\n%s", n->uri, n->more);
			bench_send(b, A, LB, text);
			cr_expect(bench_forwarded(b, LB, want[k]), "%s, case %d", n->what, k);
			/* Only the next hop changes. */
			snprintf(text, sizeof(text), "MESSAGE %s SIP/2.0", n->uri);
			bench_has(b, text);
			if (strncmp(n->more, "Route", 5) == 0) {
				snprintf(text, sizeof(text), "%.*s", (int)strcspn(n->more, "\n"),
					 n->more);
				bench_has(b, text);
			}
			bench_free(b);
		}
	}
}

/* RFC 3261 10.2: a REGISTER's Request-URI is a domain. */
Test(steer_member, a_register_goes_to_the_active_member_whatever_its_request_uri)
{
	struct bench *b = bench_new(NULL);

	bench_active(b, "east-b");
	bench_send(b, A, LB, "REGISTER sip:198.51.100.11 SIP/2.0");
	bench_forwarded(b, LB, MB);
	bench_free(b);
}

Test(steer_member, a_member_of_another_service_is_foreign)
{
	struct bench_opts o = { .two_services = true };
	struct bench *b = bench_new(&o);

	bench_send(b, A, LB, "MESSAGE sip:x@example.com SIP/2.0\nRoute: <sip:198.51.100.21;lr>");
	bench_answered(b, 403);
	bench_send(b, A, LB, "MESSAGE sip:x@198.51.100.21 SIP/2.0");
	bench_forwarded(b, LB, MA);
	bench_send(b, A, "192.0.2.20:5060",
		   "MESSAGE sip:x@example.com SIP/2.0\nRoute: <sip:198.51.100.21;lr>");
	bench_forwarded(b, "192.0.2.20:5060", WA);
	bench_free(b);
}

Test(steer_member, a_pair_may_serve_two_services)
{
	struct bench_opts o = { .two_services = true, .shared_pair = true };
	struct bench *b = bench_new(&o);

	bench_send(b, A, "192.0.2.20:5060",
		   "MESSAGE sip:x@example.com SIP/2.0\nRoute: <sip:198.51.100.11;lr>");
	bench_forwarded(b, "192.0.2.20:5060", MA);
	/* Its members are members at both services' addresses. */
	bench_send(b, MA, LB, "MESSAGE sip:x@203.0.113.9 SIP/2.0");
	bench_forwarded(b, LB, "203.0.113.9:5060");
	bench_send(b, MA, "192.0.2.20:5060", "MESSAGE sip:x@203.0.113.9 SIP/2.0");
	bench_forwarded(b, "192.0.2.20:5060", "203.0.113.9:5060");
	/* A pair's members are clients of a service that it does not serve. */
	bench_send(b, WA, LB, "MESSAGE sip:x@203.0.113.9 SIP/2.0");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* ---- Nobody there ---- */

Test(steer_member, out_of_service_is_answered_503_with_retry_after_rfc3261_20_33)
{
	static const struct {
		const char *method, *more;
		bool answered;
	} rows[] = {
		{ "INVITE", "", true },
		{ "REGISTER", "", true },
		{ "MESSAGE", "", true },
		{ "SUBSCRIBE", "", true },
		{ "INVITE", "To: <sip:b@c>;tag=1", false },
		{ "BYE", "To: <sip:b@c>;tag=1", false },
		{ "ACK", "To: <sip:b@c>;tag=1", false },
		{ "ACK", "", false },
		{ "CANCEL", "", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned int pairs = 1; pairs <= 2; pairs++) {
			struct bench_opts o = { .n_pairs = pairs };
			struct bench *b = bench_new(&o);
			bool ok;

			bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
			if (pairs > 1)
				bench_pair_flag(b, "west", DP_WORD_OUT_OF_SERVICE, true);
			request(b, rows[i].method, rows[i].more);
			if (rows[i].answered)
				ok = bench_answered(b, pairs > 1 ? 500 : 503)
				     && bench_has(b, "Retry-After: {*}");
			else
				ok = b->v.action == STEER_FORWARD;
			cr_expect(ok, "row %zu, %u pairs", i, pairs);
			bench_free(b);
		}
	}
}

Test(steer_member, map_503_as_configured)
{
	struct bench_opts o = { .map_503 = 500 };
	struct bench *b = bench_new(&o);

	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	request(b, "INVITE", "");
	bench_answered(b, 500);
	bench_free(b);
	o = (struct bench_opts){ .map_503 = 503, .n_pairs = 2 };
	b = bench_new(&o);
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	bench_pair_flag(b, "west", DP_WORD_OUT_OF_SERVICE, true);
	request(b, "INVITE", "");
	bench_answered(b, 503);
	bench_free(b);
}

Test(steer_member, retry_after_is_spread_around_its_setting)
{
	struct bench *b = bench_new(NULL);
	unsigned int seen[32] = { 0 }, kinds = 0;

	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	for (int i = 0; i < 500; i++) {
		unsigned long s;

		request(b, "INVITE", "");
		s = strtoul(bench_header(b->out, "Retry-After", 0), NULL, 10);
		cr_assert(s >= 5 && s <= 15, "%lu", s);
		kinds += seen[s]++ == 0;
	}
	cr_expect(kinds == 11, "%u of 11 values", kinds);
	bench_free(b);
}

Test(steer_member, a_transaction_that_a_member_has_is_not_answered_from_here)
{
	struct bench *b = bench_new(NULL);

	request(b, "INVITE", BR);
	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	request(b, "INVITE", BR);
	bench_forwarded(b, LB, MA);
	request(b, "CANCEL", BR);
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

Test(steer_member, a_pair_without_an_active_member)
{
	struct bench *b = bench_new(NULL);

	b->words[0] = 0;
	request(b, "INVITE", "");
	bench_answered(b, 503);
	request(b, "BYE", "To: <sip:b@c>;tag=1");
	bench_answered(b, 503);
	request(b, "ACK", "");
	bench_dropped(b, REQ_ACK_UNROUTABLE);
	b->words[0] = DP_WORD_VALID | 15; /* a slot that the snapshot does not have */
	request(b, "INVITE", "");
	bench_answered(b, 503);
	bench_free(b);
}

/* ---- Fallbacks of lesser function ---- */

Test(steer_member, a_fallback_serves_its_methods)
{
	struct bench_opts o = { .fallback = true };
	struct bench *b = bench_new(&o);

	bench_active(b, "east-c");
	request(b, "INVITE", BR "1");
	bench_forwarded(b, LB, MC);
	request(b, "REGISTER", BR "2");
	bench_answered(b, 503);
	bench_has(b, "Retry-After: {*}");
	/* What belongs to a dialog or a transaction that it has. */
	request(b, "BYE", BR "3\nTo: <sip:b@c>;tag=1");
	bench_forwarded(b, LB, MC);
	request(b, "CANCEL", BR "1");
	bench_forwarded(b, LB, MC);
	request(b, "ACK", BR "1");
	bench_forwarded(b, LB, MC);
	bench_free(b);
}

/* ---- Addresses ---- */

Test(steer_member, no_local_address_of_the_members_family)
{
	struct bench_opts o = { .v6_members = true, .no_v6 = true };
	struct bench *b = bench_new(&o);

	request(b, "INVITE", "");
	bench_answered(b, 500);
	request(b, "ACK", "");
	bench_dropped(b, REQ_UNROUTABLE);
	bench_free(b);
}
