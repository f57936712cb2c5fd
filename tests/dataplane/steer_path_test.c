/*
 * Path and flow tokens: what a member sends to a registered phone goes the way that its REGISTER
 * came, from the socket that it used. RFC 3327 5; RFC 5626 5.3; RFC 3261 9.1, 16.4, 18.2.2.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_path, .fini = leaks_check);

#define N   "203.0.113.5:31000"
#define LB  "192.0.2.10:5060"
#define LB6 "[2001:db8::10]:5060"
#define LB2 "192.0.2.10:5070"
#define EG  "198.51.100.1:5060"
#define MA  "198.51.100.11:5060"
#define MB  "198.51.100.12:5060"

static void register_phone(struct bench *b, const char *src, const char *dst, char path[400])
{
	bench_send(b, src, dst, "REGISTER sip:example.com SIP/2.0\nCall-ID: reg");
	snprintf(path, 400, "%s", bench_header(b->out, "Path", 0));
	cr_assert(path[0] == '<');
}

Test(steer_path, path_leads_to_the_phone_by_its_own_socket_rfc3327_5_3)
{
	static const struct {
		struct bench_opts opts;
		const char *phone, *used, *member_local;
	} ways[] = {
		{ { .second_listener = true }, N, LB, LB },
		{ { .second_listener = true }, N, LB2, LB2 },
		{ { .second_listener = true, .two_armed = true }, N, LB2, EG },
		{ { 0 }, "[2001:db8:113::5]:31000", LB6, LB },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct bench *b = bench_new(&ways[i].opts);
		char path[400], text[600];

		register_phone(b, ways[i].phone, ways[i].used, path);
		bench_forwarded(b, ways[i].member_local, MA);
		snprintf(text, sizeof(text), "INVITE sip:alice@10.0.0.9:1234;ob SIP/2.0\nRoute: %s",
			 path);
		/* Also the twin, which shares the location. */
		bench_send(b, MB, ways[i].member_local, text);
		cr_expect(bench_forwarded(b, ways[i].used, ways[i].phone), "way %zu", i);
		bench_has(b, "INVITE sip:alice@10.0.0.9:1234;ob SIP/2.0");
		bench_lacks(b, "Route: {*}");
		bench_reply(b, 200, "", "");
		bench_forwarded(b, ways[i].member_local, MB);
		bench_free(b);
	}
}

/* Also when the Path value of an edge proxy stands behind ours, and when the contact's host is a
 * name. */
Test(steer_path, path_through_an_edge_proxy_rfc3327_5_3)
{
	struct bench *b = bench_new(NULL);
	char path[400], text[600];

	register_phone(b, N, LB, path);
	snprintf(text, sizeof(text),
		 "INVITE sip:alice@phone.example.com SIP/2.0\nRoute: %s, <sip:edge.example.com;lr>",
		 path);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	bench_has(b, "Route: <sip:edge.example.com;lr>");
	bench_free(b);
}

Test(steer_path, a_forged_or_foreign_flow_token_is_ignored)
{
	struct bench *b = bench_new(NULL);
	char path[400], text[600];

	register_phone(b, N, LB, path);
	for (int i = 5; i < 5 + STEER_FLOW_LEN; i++) {
		char was = path[i];

		path[i] = was == '0' ? '1' : '0';
		snprintf(text, sizeof(text), "MESSAGE sip:alice@203.0.113.77 SIP/2.0\nRoute: %s",
			 path);
		bench_send(b, MA, LB, text);
		cr_expect(bench_forwarded(b, LB, "203.0.113.77:5060"), "byte %d", i);
		path[i] = was;
	}
	/* Under an older key it still leads there; under an unknown one no more. */
	snprintf(text, sizeof(text), "MESSAGE sip:alice@203.0.113.77 SIP/2.0\nRoute: %s", path);
	b->secrets.key[1] = b->secrets.key[0];
	memset(b->secrets.key[0].b, 0x11, 16);
	b->secrets.n = 2;
	bench_reload(b);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	b->secrets.n = 1;
	bench_reload(b);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, "203.0.113.77:5060");
	bench_free(b);
}

/* The listener that the phone used is gone: the service's first one of the family. */
Test(steer_path, a_flow_whose_listener_is_gone)
{
	struct bench_opts o = { .second_listener = true };
	struct bench *b = bench_new(&o);
	char path[400], text[600];

	register_phone(b, N, LB2, path);
	memcpy(strstr(path, ":5070"), ":5060", 5);
	b->opts.second_listener = false;
	bench_reload(b);
	snprintf(text, sizeof(text), "MESSAGE sip:alice@203.0.113.77 SIP/2.0\nRoute: %s", path);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	bench_free(b);
}

/* RFC 3261 9.1, 17.1.1.3: CANCEL and ACK go the way of their INVITE, under its branch. */
Test(steer_path, cancel_and_ack_of_a_members_invite_rfc3261_9_1)
{
	struct bench *b = bench_new(NULL);
	char via[256], text[600], path[400];
	static const char *const then[] = { "CANCEL", "ACK" };

	register_phone(b, N, LB, path);
	snprintf(text, sizeof(text), "INVITE sip:alice@10.0.0.9 SIP/2.0\nRoute: %s", path);
	bench_send(b, MA, LB, text);
	snprintf(via, sizeof(via), "%s", bench_header(b->out, "Via", 0));
	bench_active(b, "east-b");
	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "%s sip:alice@10.0.0.9 SIP/2.0\nRoute: %s\nTo: <sip:a@b>;tag=5", then[i],
			 path);
		bench_send(b, MA, LB, text);
		bench_forwarded(b, LB, N);
		cr_expect_str_eq(bench_header(b->out, "Via", 0), via);
	}
	bench_free(b);
}

/* A member's call to another member through a client that does not record-route: two crossings, and
 * what lies behind them is a member, not the client's flow. */
Test(steer_path, two_crossings_end_at_a_member_rfc3261_16_4)
{
	struct bench *b = bench_new(NULL);
	char path[400], text[BENCH_MSG];
	struct bench_dialog caller, callee;

	register_phone(b, N, LB, path);
	snprintf(text, sizeof(text),
		 "INVITE sip:proxy@10.0.0.9 SIP/2.0\nRoute: %s\nContact: <sip:x@" MA ">", path);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, N);
	bench_active(b, "east-b");
	snprintf(text, sizeof(text),
		 "INVITE sip:bob@example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK-p\r\n%s",
		 strstr(b->out, "\r\n") + 2);
	bench_bytes(b, N, LB, text, strlen(text));
	bench_forwarded(b, LB, MB);
	bench_dialog_callee(b, &callee);
	cr_expect(callee.n_routes == 2);
	caller = callee;
	memcpy(caller.route[0], callee.route[1], sizeof(caller.route[0]));
	memcpy(caller.route[1], callee.route[0], sizeof(caller.route[0]));
	snprintf(caller.src, sizeof(caller.src), "%s", MA);
	snprintf(caller.target, sizeof(caller.target), "sip:bob@" MB);
	bench_dialog_send(b, &caller, "BYE", "");
	bench_forwarded(b, LB, MB);
	bench_lacks(b, "Route: {*}");
	bench_dialog_send(b, &callee, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}
