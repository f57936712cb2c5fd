/*
 * Dialogs across the appliance: endpoints build their in-dialog requests from the Record-Route that
 * they were sent (RFC 3261 12), and both find the other one; cookies choose the member, forged ones
 * choose nothing. RFC 3261 12, 16.4, 16.12; RFC 5658.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_dialog, .fini = leaks_check);

#define A   "203.0.113.5:5060"
#define B   "203.0.113.7:5062"
#define A6  "[2001:db8:113::5]:5060"
#define LB  "192.0.2.10:5060"
#define LB6 "[2001:db8::10]:5060"
#define EG  "198.51.100.1:5060"
#define MA  "198.51.100.11:5060"
#define MB  "198.51.100.12:5060"
#define MA6 "[2001:db8:1::11]:5060"

/* ---- Every shape of a call, all the way round ---- */

struct shape {
	const char *what;
	struct bench_opts opts;
	const char *client;       /* its source */
	const char *contact;      /* its Contact; for an outward call also the Request-URI */
	const char *via;          /* its Via, NULL: at the source address */
	const char *client_local; /* our address that it uses */
	const char *member;       /* where the member listens */
	const char *member_local; /* our address that it sees */
	unsigned int n_routes;
};

static const struct shape shapes[] = {
	{ "one arm", { 0 }, A, "sip:alice@" A, NULL, LB, MA, LB, 1 },
	{ "two arms (RFC 5658)", { .two_armed = true }, A, "sip:alice@" A, NULL, LB, MA, EG, 2 },
	{ "IPv6 client", { 0 }, A6, "sip:alice@" A6, NULL, LB6, MA, LB, 2 },
	{ "IPv6 member", { .v6_members = true }, A, "sip:alice@" A, NULL, LB, MA6, LB6, 2 },
	{ "IPv6 both", { .v6_members = true }, A6, "sip:alice@" A6, NULL, LB6, MA6, LB6, 1 },
	{ "IPv6 member, two arms",
	  { .v6_members = true, .two_armed = true },
	  A,
	  "sip:alice@" A,
	  NULL,
	  LB,
	  MA6,
	  "[2001:db8:1::1]:5060",
	  2 },
	{ "another listener",
	  { .second_listener = true },
	  A,
	  "sip:alice@" A,
	  NULL,
	  "192.0.2.10:5070",
	  MA,
	  "192.0.2.10:5070",
	  1 },
	{ "another listener, two arms",
	  { .second_listener = true, .two_armed = true },
	  A,
	  "sip:alice@" A,
	  NULL,
	  "192.0.2.10:5070",
	  MA,
	  EG,
	  2 },
	{ "client behind a NAT",
	  { 0 },
	  "203.0.113.5:31000",
	  "sip:alice@10.0.0.9",
	  "SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK-n",
	  LB,
	  MA,
	  LB,
	  1 },
	{ "client behind a NAT, two arms",
	  { .two_armed = true },
	  "203.0.113.5:31000",
	  "sip:alice@10.0.0.9",
	  "SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK-n",
	  LB,
	  MA,
	  EG,
	  2 },
};

/* In-dialog requests both ways, and their answers. */
static bool cross(struct bench *b, const struct shape *s, struct bench_dialog *client,
		  struct bench_dialog *member)
{
	bool ok = true;

	bench_dialog_send(b, client, "ACK", "");
	ok &= bench_forwarded(b, s->member_local, s->member) && bench_lacks(b, "Route: {*}");
	bench_dialog_send(b, client, "INFO", "");
	ok &= bench_forwarded(b, s->member_local, s->member) && bench_lacks(b, "Route: {*}");
	bench_reply(b, 200, "", "");
	ok &= bench_forwarded(b, s->client_local, s->client);
	bench_dialog_send(b, member, "BYE", "");
	ok &= bench_forwarded(b, s->client_local, s->client) && bench_lacks(b, "Route: {*}");
	bench_reply(b, 200, "", "");
	ok &= bench_forwarded(b, s->member_local, s->member);
	return ok;
}

Test(steer_dialog, client_calls_member_rfc3261_12)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct bench *b = bench_new(&s->opts);
		struct bench_dialog caller, callee;
		char text[512];
		bool ok;

		snprintf(text, sizeof(text),
			 "INVITE sip:bob@example.com SIP/2.0\nContact: <%s>%s%s", s->contact,
			 s->via ? "\nVia: " : "", s->via ? s->via : "");
		bench_send(b, s->client, s->client_local, text);
		ok = bench_forwarded(b, s->member_local, s->member);
		bench_dialog_callee(b, &callee);
		cr_expect(callee.n_routes == s->n_routes, "%s: %u", s->what, callee.n_routes);
		snprintf(text, sizeof(text), "sip:%s", s->member);
		bench_reply(b, 200, text, "");
		ok &= bench_forwarded(b, s->client_local, s->client);
		bench_dialog_caller(b, &caller);
		ok &= cross(b, s, &caller, &callee);
		cr_expect(ok, "%s", s->what);
		bench_free(b);
	}
}

Test(steer_dialog, member_calls_client_rfc3261_12)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct bench *b = bench_new(&s->opts);
		struct bench_dialog caller, callee;
		char text[1024];
		bool ok;

		/* The phone registers, so that it can be called. */
		snprintf(text, sizeof(text), "REGISTER sip:example.com SIP/2.0%s%s",
			 s->via ? "\nVia: " : "", s->via ? s->via : "");
		bench_send(b, s->client, s->client_local, text);
		ok = bench_forwarded(b, s->member_local, s->member);
		snprintf(text, sizeof(text), "INVITE %s SIP/2.0\nRoute: %s\nContact: <sip:%s>",
			 s->contact, bench_header(b->out, "Path", 0), s->member);
		bench_send(b, s->member, s->member_local, text);
		ok &= bench_forwarded(b, s->client_local, s->client);
		ok &= bench_lacks(b, "Route: {*}");
		bench_dialog_callee(b, &callee);
		cr_expect(callee.n_routes == s->n_routes, "%s: %u", s->what, callee.n_routes);
		bench_reply(b, 200, s->contact, "");
		ok &= bench_forwarded(b, s->member_local, s->member);
		bench_dialog_caller(b, &caller);
		ok &= cross(b, s, &callee, &caller);
		cr_expect(ok, "%s", s->what);
		bench_free(b);
	}
}

/* A member that was called, or has called, may leave its request to the Route set of a strict
 * router: the Request-URI is then ours, and the last Route value is the target (16.4). */
static void send_strict(struct bench *b, struct bench_dialog *d, const char *method)
{
	struct bench_dialog strict = *d;
	char uri[256];
	int n = snprintf(uri, sizeof(uri), "%.*s", (int)strcspn(d->route[0] + 1, ">"),
			 d->route[0] + 1);

	cr_assert(n < (int)sizeof(uri));
	for (unsigned int i = 1; i < d->n_routes; i++)
		memcpy(strict.route[i - 1], d->route[i], sizeof(d->route[0]));
	snprintf(strict.route[d->n_routes - 1], sizeof(d->route[0]), "<%s>", d->target);
	memcpy(strict.target, uri, sizeof(uri));
	d->cseq++;
	strict.cseq = d->cseq;
	bench_dialog_send(b, &strict, method, "");
}

Test(steer_dialog, strict_routers_in_front_of_us_rfc3261_16_4)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		const struct shape *s = &shapes[i];
		struct bench *b = bench_new(&s->opts);
		struct bench_dialog caller, callee;
		char text[512];
		bool ok = true;

		snprintf(text, sizeof(text),
			 "INVITE sip:bob@example.com SIP/2.0\nContact: <%s>%s%s", s->contact,
			 s->via ? "\nVia: " : "", s->via ? s->via : "");
		bench_send(b, s->client, s->client_local, text);
		bench_dialog_callee(b, &callee);
		snprintf(text, sizeof(text), "sip:%s", s->member);
		bench_reply(b, 200, text, "");
		bench_dialog_caller(b, &caller);
		bench_active(b, "east-b");
		send_strict(b, &caller, "INFO");
		ok &= bench_forwarded(b, s->member_local, s->member);
		snprintf(text, sizeof(text), "INFO %s SIP/2.0", caller.target);
		ok &= bench_has(b, text) && bench_lacks(b, "Route: {*}");
		send_strict(b, &callee, "BYE");
		ok &= bench_forwarded(b, s->client_local, s->client);
		snprintf(text, sizeof(text), "BYE %s SIP/2.0", callee.target);
		ok &= bench_has(b, text) && bench_lacks(b, "Route: {*}");
		cr_expect(ok, "%s", s->what);
		bench_free(b);
	}
}

/* ---- Phone to member to phone: twice through us ---- */

struct spiral {
	struct bench *b;
	struct bench_dialog alice, bob;
};

/* A proxy among the members: what it got, on to the phone, its Via on top, and Record-Route if it
 * wants. */
static void member_proxies(struct bench *b, const char *uri, const char *route, const char *more)
{
	static char msg[BENCH_MSG];

	snprintf(msg, sizeof(msg),
		 "INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "198.51.100.11:5060;branch=z9hG4bK-m\r\n%s%s%s%s",
		 uri, more, route[0] ? "Route: " : "", route, route[0] ? "\r\n" : "");
	strcat(msg, strstr(b->out, "\r\n") + 2);
	bench_bytes(b, MA, LB, msg, strlen(msg));
}

/* Which of the two is behind a NAT. */
enum nat { NAT_ALICE = 1, NAT_BOB = 2 };

static const char *alice_at(int nat)
{
	return nat & NAT_ALICE ? "203.0.113.5:31000" : A;
}

static const char *bob_at(int nat)
{
	return nat & NAT_BOB ? "203.0.113.6:32000" : B;
}

static void spiral_call(struct spiral *s, bool record_route, int nat)
{
	const char *a = alice_at(nat), *bob = bob_at(nat);
	const char *bob_uri = nat & NAT_BOB ? "sip:bob@10.0.0.8" : "sip:bob@" B;
	char path[300];

	s->b = bench_new(NULL);
	bench_send(s->b, bob, LB, "REGISTER sip:example.com SIP/2.0\nCall-ID: r");
	snprintf(path, sizeof(path), "%s", bench_header(s->b->out, "Path", 0));
	bench_send(s->b, a, LB,
		   nat & NAT_ALICE
			   ? "INVITE sip:bob@example.com SIP/2.0\nContact: <sip:alice@10.0.0.9>\n"
			     "Via: SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK-n"
			   : "INVITE sip:bob@example.com SIP/2.0\nContact: <sip:alice@" A ">");
	bench_forwarded(s->b, LB, MA);
	member_proxies(s->b, bob_uri, nat & NAT_BOB ? path : "",
		       record_route ? "Record-Route: <sip:198.51.100.11;lr>\r\n" : "");
	bench_forwarded(s->b, LB, bob);
	bench_dialog_callee(s->b, &s->bob);
	bench_reply(s->b, 200, bob_uri, "");
	bench_forwarded(s->b, LB, MA);
	/* The member pops its Via and sends it back to us. */
	char msg[BENCH_MSG];
	const char *own = strstr(s->b->out, "Via: SIP/2.0/UDP 198.51.100.11");

	snprintf(msg, sizeof(msg), "%.*s%s", (int)(own - s->b->out), s->b->out,
		 strstr(own, "\r\n") + 2);
	bench_bytes(s->b, MA, LB, msg, strlen(msg));
	bench_forwarded(s->b, LB, a);
	bench_dialog_caller(s->b, &s->alice);
}

/* The member record-routes: in-dialog requests visit it. */
Test(steer_dialog, spiral_with_a_member_that_record_routes_rfc3261_16_12)
{
	for (int nat = 0; nat < 4; nat++) {
		struct spiral s;

		spiral_call(&s, true, nat);
		cr_expect(s.alice.n_routes == 3 && s.bob.n_routes == 3);
		bench_dialog_send(s.b, &s.alice, "BYE", "");
		bench_forwarded(s.b, LB, MA);
		bench_has(s.b,
			  nat & NAT_BOB
				  ? "Route: <sip:198.51.100.11;lr>\nRoute: <sip:{flow "
				    "203.0.113.6:32000}@192.0.2.10:5060;lr"
				    ";ss={cookie east east-a out}>"
				  : "Route: <sip:198.51.100.11;lr>\nRoute: <sip:192.0.2.10:5060;lr"
				    ";ss={cookie east east-a out}>");
		bench_dialog_send(s.b, &s.bob, "BYE", "");
		bench_forwarded(s.b, LB, MA);
		/* It dies: its twin gets them, and the route set says what it said. */
		bench_active(s.b, "east-b");
		bench_down(s.b, "east-a", true);
		bench_dialog_send(s.b, &s.alice, "BYE", "");
		bench_forwarded(s.b, LB, MB);
		bench_has(s.b, "Route: <sip:198.51.100.11;lr>");
		bench_dialog_send(s.b, &s.bob, "BYE", "");
		bench_forwarded(s.b, LB, MB);
		bench_free(s.b);
	}
}

/* What the member sends on from there reaches the other phone. */
Test(steer_dialog, spiral_second_crossing_reaches_the_phone_rfc3261_16_12)
{
	for (int nat = 0; nat < 4; nat++) {
		struct spiral s;
		struct bench_dialog on;

		spiral_call(&s, true, nat);
		on = s.alice;
		snprintf(on.src, sizeof(on.src), "%s", MA);
		memcpy(on.route[0], on.route[2], sizeof(on.route[0]));
		on.n_routes = 1;
		bench_dialog_send(s.b, &on, "BYE", "");
		bench_forwarded(s.b, LB, bob_at(nat));
		on = s.bob;
		snprintf(on.src, sizeof(on.src), "%s", MA);
		memcpy(on.route[0], on.route[2], sizeof(on.route[0]));
		on.n_routes = 1;
		bench_dialog_send(s.b, &on, "BYE", "");
		bench_forwarded(s.b, LB, alice_at(nat));
		bench_free(s.b);
	}
}

/* It does not: in-dialog requests go from phone to phone, past the members. */
Test(steer_dialog, spiral_with_a_member_that_does_not_record_route_rfc3261_16_4)
{
	for (int nat = 0; nat < 4; nat++) {
		struct spiral s;

		spiral_call(&s, false, nat);
		cr_expect(s.alice.n_routes == 2 && s.bob.n_routes == 2);
		bench_dialog_send(s.b, &s.alice, "BYE", "");
		bench_forwarded(s.b, LB, bob_at(nat));
		bench_lacks(s.b, "Route: {*}");
		bench_reply(s.b, 200, "", "");
		bench_forwarded(s.b, LB, alice_at(nat));
		bench_dialog_send(s.b, &s.bob, "BYE", "");
		bench_forwarded(s.b, LB, alice_at(nat));
		bench_reply(s.b, 200, "", "");
		bench_forwarded(s.b, LB, bob_at(nat));
		bench_free(s.b);
	}
}

/* A target that is a name cannot be resolved here: the member of the dialog gets the request. */
Test(steer_dialog, outward_target_that_is_a_name_goes_to_the_member)
{
	struct spiral s;

	spiral_call(&s, false, 0);
	snprintf(s.alice.target, sizeof(s.alice.target), "sip:bob@phone.example.net");
	bench_dialog_send(s.b, &s.alice, "BYE", "");
	bench_forwarded(s.b, LB, MA);
	bench_free(s.b);
}

/* ---- Several services ---- */

/* The servers of one service are clients of the next: two crossings, both inward. */
static void tier(const char *client, const char *invite)
{
	struct bench_opts o = { .two_services = true };
	struct bench *b = bench_new(&o);
	struct bench_dialog caller, callee;
	char msg[BENCH_MSG];

	bench_send(b, client, LB, invite);
	bench_forwarded(b, LB, MA);
	snprintf(msg, sizeof(msg),
		 "INVITE sip:bob@inner.example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 198.51.100.11:5060;rport;branch=z9hG4bK-t\r\n%s",
		 strstr(b->out, "\r\n") + 2);
	bench_bytes(b, MA, "192.0.2.20:5060", msg, strlen(msg));
	bench_forwarded(b, "192.0.2.20:5060", "198.51.100.21:5060");
	bench_dialog_callee(b, &callee);
	cr_expect(callee.n_routes == 2);
	bench_reply(b, 200, "sip:bob@server.example.com", "");
	bench_forwarded(b, "192.0.2.20:5060", MA);
	/* The caller's request: the first server is to pass on what is not its service's. */
	caller = callee;
	for (int i = 0; i < 2; i++)
		memcpy(caller.route[i], callee.route[1 - i], sizeof(caller.route[0]));
	snprintf(caller.target, sizeof(caller.target), "sip:bob@server.example.com");
	snprintf(caller.src, sizeof(caller.src), "%s", client);
	snprintf(caller.dst, sizeof(caller.dst), "%s", LB);
	bench_dialog_send(b, &caller, "BYE", "");
	bench_forwarded(b, LB, MA);
	bench_has(b, "Route: <sip:192.0.2.20:5060;lr;ss={cookie west west-a in}>");
	/* The callee's: both values are ours, and lead to the caller. */
	bench_dialog_send(b, &callee, "BYE", "");
	bench_forwarded(b, LB, client);
	bench_lacks(b, "Route: {*}");
	bench_free(b);
}

Test(steer_dialog, a_tier_of_services_rfc3261_16_12)
{
	tier(A, "INVITE sip:bob@example.com SIP/2.0\nContact: <sip:alice@" A ">");
	tier("203.0.113.5:31000", "INVITE sip:bob@example.com SIP/2.0\n"
				  "Contact: <sip:alice@10.0.0.9>\n"
				  "Via: SIP/2.0/UDP 10.0.0.9;rport;branch=z9hG4bK-n");
}

/* A pair in two services has one egress address, which counts as the first one's: its value in the
 * route set of the other one's clients is popped all the same. */
Test(steer_dialog, two_arms_of_a_pair_in_two_services_rfc5658_5)
{
	struct bench_opts o = { .two_services = true, .shared_pair = true, .two_armed = true };
	struct bench *b = bench_new(&o);
	struct bench_dialog caller;

	bench_send(b, A, "192.0.2.20:5060",
		   "INVITE sip:bob@" MA " SIP/2.0\nContact: <sip:alice@" A ">");
	bench_forwarded(b, EG, MA);
	bench_reply(b, 200, "sip:bob@server.example.com", "");
	bench_forwarded(b, "192.0.2.20:5060", A);
	bench_dialog_caller(b, &caller);
	cr_expect(caller.n_routes == 2);
	bench_dialog_send(b, &caller, "BYE", "");
	bench_forwarded(b, EG, MA);
	bench_lacks(b, "Route: {*}");
	bench_free(b);
}

/* A strict router in front of us, and what its last value is: a target with `lr`, and one that has
 * a strict router before it. */
Test(steer_dialog, strict_routers_on_both_sides_rfc3261_16_4_and_16_6_item_6)
{
	struct bench *b = bench_new(NULL);
	struct bench_dialog callee;
	char text[600];

	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0\nContact: <sip:alice@" A ";lr>");
	bench_dialog_callee(b, &callee);
	send_strict(b, &callee, "BYE");
	bench_forwarded(b, LB, A);
	bench_has(b, "BYE sip:alice@203.0.113.5:5060;lr SIP/2.0");
	bench_lacks(b, "Route: {*}");
	snprintf(text, sizeof(text),
		 "BYE %.*s SIP/2.0\nRoute: <sip:203.0.113.9>\nRoute: <sip:alice@" A ">",
		 (int)strcspn(callee.route[0] + 1, ">"), callee.route[0] + 1);
	bench_send(b, MA, LB, text);
	bench_forwarded(b, LB, "203.0.113.9:5060");
	bench_has(b, "BYE sip:203.0.113.9 SIP/2.0");
	bench_has(b, "Route: <sip:alice@203.0.113.5:5060>");
	cr_expect_str_eq(bench_header(b->out, "Route", 1), "");
	bench_free(b);
}
