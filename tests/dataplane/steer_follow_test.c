/*
 * What follows its request, or its challenge, rather than the active member: retransmissions,
 * CANCEL, the ACK of a non-2xx; credentials. RFC 3261 9, 16.10, 16.11, 17.1.1.3, 22.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_follow, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"

#define T1_64_US 32000000ull

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

static void own_via(const struct bench *b, char out[256])
{
	snprintf(out, 256, "%s", bench_header(b->out, "Via", 0));
}

/* ---- The transaction record ---- */

Test(steer_follow, retransmissions_follow_their_request_across_a_switch)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct bench *b = bench_new(NULL);
		char via[256];

		request(b, methods[i], BR);
		own_via(b, via);
		bench_active(b, "east-b");
		request(b, methods[i], BR);
		bench_forwarded(b, LB, MA);
		cr_expect_str_eq(bench_header(b->out, "Via", 0), via, "%s", methods[i]);
		cr_expect(b->counters.records_made == 1);
		bench_free(b);
	}
}

/* RFC 3261 9.1, 16.10, 17.1.1.3: one branch for INVITE, CANCEL and the ACK of a non-2xx; also for
 * clients of RFC 2543, whose To tag comes in between (16.11). */
Test(steer_follow, cancel_and_ack_follow_their_invite_rfc3261_16_11)
{
	static const char *const vias[] = {
		BR, "Via: SIP/2.0/UDP 203.0.113.5", "Via: SIP/2.0/UDP 203.0.113.5;branch=1",
		"Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK", /* RFC 4475 3.2.1 */
	};

	for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
		struct bench *b = bench_new(NULL);
		char via[256], text[512];

		request(b, "INVITE", vias[i]);
		own_via(b, via);
		bench_reply(b, 180, "", "");
		bench_active(b, "east-b");
		request(b, "CANCEL", vias[i]);
		bench_forwarded(b, LB, MA);
		cr_expect_str_eq(bench_header(b->out, "Via", 0), via, "%s", vias[i]);
		snprintf(text, sizeof(text), "%s\nTo: <sip:bob@example.com>;tag=9", vias[i]);
		request(b, "ACK", text);
		bench_forwarded(b, LB, MA);
		cr_expect_str_eq(bench_header(b->out, "Via", 0), via, "%s", vias[i]);
		bench_free(b);
	}
}

/* Without records the branch is the same all the same, on any instance: only the owner is not in
 * it. */
Test(steer_follow, the_branch_is_the_same_without_records_rfc3261_16_11)
{
	struct bench_opts o = { .no_records = true };
	struct bench *b = bench_new(&o), *other = bench_new(&o);
	char via[256];

	request(b, "INVITE", BR);
	own_via(b, via);
	request(other, "CANCEL", BR);
	bench_forwarded(other, LB, MA);
	cr_expect_str_eq(bench_header(other->out, "Via", 0), via);
	request(other, "ACK",
		BR "\nTo: <sip:bob@example.com>;tag=9\nProxy-Authorization: x\n"
		   "Proxy-Require: y");
	cr_expect_str_eq(bench_header(other->out, "Via", 0), via);
	/* Another client's, another branch's, another Request-URI's is another. */
	request(b, "INVITE", BR "2");
	cr_expect_str_neq(bench_header(b->out, "Via", 0), via);
	request(b, "INVITE", "Via: SIP/2.0/UDP 203.0.113.5:5061;branch=z9hG4bK-t");
	cr_expect_str_neq(bench_header(b->out, "Via", 0), via);
	bench_send(b, A, LB, "INVITE sip:carol@example.com SIP/2.0\n" BR);
	cr_expect_str_neq(bench_header(b->out, "Via", 0), via);
	bench_active(b, "east-b");
	request(b, "INVITE", BR);
	cr_expect_str_neq(bench_header(b->out, "Via", 0), via);
	bench_free(b);
	bench_free(other);
}

Test(steer_follow, records_end_64_t1_after_the_final)
{
	static const struct {
		const char *method;
		int final;
		uint64_t hold_us, gone_us; /* since the response; 0: since the request */
	} rows[] = {
		{ "INVITE", 486, T1_64_US - 1, T1_64_US + 1 },
		{ "INVITE", 200, T1_64_US - 1, T1_64_US + 1 },
		{ "MESSAGE", 200, T1_64_US - 1, T1_64_US + 1 },
		{ "INVITE", 180, 180000000, 182000000 }, /* Timer C, 16.6 item 11 */
		{ "INVITE", 0, 180000000, 182000000 },
		{ "MESSAGE", 0, T1_64_US - 1, T1_64_US + 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int late = 0; late < 2; late++) {
			struct bench *b = bench_new(NULL);

			request(b, rows[i].method, BR);
			if (rows[i].final) {
				b->now_us += 1000000;
				bench_reply(b, (unsigned int)rows[i].final, "", "");
				bench_forwarded(b, LB, A);
			}
			bench_active(b, "east-b");
			b->now_us += late ? rows[i].gone_us : rows[i].hold_us;
			steer_tick(b->steer, b->now_us);
			cr_expect(b->counters.records_in_use == (late ? 0 : 1) || late);
			request(b, rows[i].method, BR);
			cr_expect(bench_forwarded(b, LB, late ? MB : MA), "row %zu %s", i,
				  late ? "late" : "in time");
			bench_free(b);
		}
	}
}

/* A CANCEL's 200 is no final of its INVITE. */
Test(steer_follow, the_answer_to_a_cancel_leaves_the_record_open_rfc3261_9_1)
{
	struct bench *b = bench_new(NULL);
	char invite_reply[BENCH_MSG];

	request(b, "INVITE", BR);
	bench_reply_text(b, invite_reply, 487, "", "");
	request(b, "CANCEL", BR);
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, A);
	b->now_us += 2 * T1_64_US;
	steer_tick(b->steer, b->now_us);
	bench_active(b, "east-b");
	request(b, "INVITE", BR);
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

Test(steer_follow, full_of_records_it_goes_on_without)
{
	struct bench_opts o = { .n_records = 4 };
	struct bench *b = bench_new(&o);
	char text[128];

	for (int i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), BR "%d", i);
		request(b, "MESSAGE", text);
		bench_forwarded(b, LB, MA);
	}
	cr_expect(b->counters.records_made == 4 && b->counters.records_full == 6);
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, A);
	bench_free(b);
}

/* ACK and CANCEL make none; nor do members' requests, whose way depends on nothing that changes. */
Test(steer_follow, what_makes_no_record)
{
	struct bench *b = bench_new(NULL);

	request(b, "ACK", BR);
	request(b, "CANCEL", BR);
	bench_send(b, MA, LB, "MESSAGE sip:x@203.0.113.9 SIP/2.0");
	bench_send(b, A, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
	cr_expect(b->counters.records_made == 0);
	bench_free(b);
}

/* A client that uses one branch for two requests: the second one is new. */
Test(steer_follow, another_method_under_the_same_branch_is_another_request)
{
	struct bench *b = bench_new(NULL);

	request(b, "MESSAGE", BR);
	bench_active(b, "east-b");
	request(b, "PUBLISH", BR);
	bench_forwarded(b, LB, MB);
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, A);
	request(b, "MESSAGE", BR);
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

Test(steer_follow, what_follows_a_record_whose_key_has_grown_old)
{
	struct bench *b = bench_new(NULL);
	char via[256];

	request(b, "INVITE", BR);
	own_via(b, via);
	b->secrets.key[1] = b->secrets.key[0];
	memset(b->secrets.key[0].b, 0x11, 16);
	b->secrets.n = 2;
	bench_reload(b);
	bench_active(b, "east-b");
	request(b, "CANCEL", BR);
	bench_forwarded(b, LB, MA);
	cr_expect_str_eq(bench_header(b->out, "Via", 0), via);
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, A);
	bench_free(b);
}

/* Its member has died: what had no answer starts anew at the active one; a CANCEL, and what had a
 * provisional, keep their branch, and only the next hop changes; the ACK of a final stays. */
Test(steer_follow, what_follows_a_record_whose_member_is_down)
{
	static const struct {
		const char *method, *then;
		unsigned int reply;
		const char *to, *branch; /* member in the branch, NULL: the same Via as before */
	} rows[] = {
		{ "INVITE", "INVITE", 0, MB, "east-b" },
		{ "INVITE", "INVITE", 100, MB, "east-b" },
		{ "INVITE", "INVITE", 180, MB, NULL },
		{ "INVITE", "CANCEL", 180, MB, NULL },
		{ "INVITE", "CANCEL", 0, MB, NULL },
		{ "INVITE", "ACK", 486, MA, NULL },
		{ "MESSAGE", "MESSAGE", 0, MB, "east-b" },
		{ "MESSAGE", "MESSAGE", 183, MB, NULL },
		{ "MESSAGE", "MESSAGE", 200, MB, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench_new(NULL);
		char via[256], text[256];

		request(b, rows[i].method, BR);
		own_via(b, via);
		if (rows[i].reply)
			bench_reply(b, rows[i].reply, "", "");
		bench_active(b, "east-b");
		bench_down(b, "east-a", true);
		for (int again = 0; again < 2; again++) {
			request(b, rows[i].then, BR);
			cr_expect(bench_forwarded(b, LB, rows[i].to), "row %zu", i);
			if (rows[i].branch) {
				snprintf(
					text, sizeof(text),
					"Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch={branch %s}",
					rows[i].branch);
				cr_expect(bench_has(b, text), "row %zu", i);
				cr_expect_str_neq(bench_header(b->out, "Via", 0), via);
			} else {
				cr_expect_str_eq(bench_header(b->out, "Via", 0), via, "row %zu", i);
			}
		}
		bench_free(b);
	}
}

/* And when it has moved, CANCEL and ACK follow it there. */
Test(steer_follow, cancel_follows_an_invite_that_has_moved)
{
	struct bench *b = bench_new(NULL);
	struct steer_branch br;
	char via[256];

	request(b, "INVITE", BR);
	bench_active(b, "east-b");
	bench_down(b, "east-a", true);
	request(b, "INVITE", BR);
	bench_forwarded(b, LB, MB);
	own_via(b, via);
	cr_assert(
		steer_branch_read((const uint8_t *)strstr(via, "z9hG4bKss"), STEER_BRANCH_LEN, &br)
		== 0);
	cr_expect(br.attempt == 1 && br.owner == 3);
	bench_active(b, "east-a");
	bench_down(b, "east-a", false);
	request(b, "CANCEL", BR);
	bench_forwarded(b, LB, MB);
	cr_expect_str_eq(bench_header(b->out, "Via", 0), via);
	request(b, "ACK", BR);
	bench_forwarded(b, LB, MB);
	cr_expect_str_eq(bench_header(b->out, "Via", 0), via);
	bench_free(b);
}

/* The record names the pair too, whatever `select` would say now; but not against a Route that
 * names a member of another. */
Test(steer_follow, a_record_keeps_its_pair)
{
	struct bench_opts o = { .n_pairs = 4, .select = DP_SELECT_CALL_ID };
	struct bench *b = bench_new(&o);
	unsigned int moved = 0;
	char text[256];

	for (int i = 0; i < 32; i++) {
		uint32_t member;

		snprintf(text, sizeof(text), BR "%d\nCall-ID: c%d", i, i);
		b->opts.select = DP_SELECT_CALL_ID;
		bench_reload(b);
		request(b, "INVITE", text);
		member = b->v.member;
		b->opts.select = DP_SELECT_SOURCE_ADDRESS;
		bench_reload(b);
		request(b, "CANCEL", text);
		cr_expect(b->v.action == STEER_FORWARD && b->v.member == member);
		request(b, "INVITE", "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-other");
		moved += b->v.member != member;
	}
	cr_expect(moved > 0);
	bench_free(b);
}

Test(steer_follow, a_route_to_another_pair_is_followed)
{
	struct bench_opts o = { .n_pairs = 2, .select = DP_SELECT_SOURCE_ADDRESS };
	struct bench *b = bench_new(&o);
	const char *other;

	bench_active(b, "east-b");
	bench_active(b, "west-b");
	request(b, "INVITE", BR);
	other = b->v.member / DP_PAIR_MEMBERS == 0 ? "198.51.100.21:5060" : "198.51.100.11:5060";
	request(b, "CANCEL",
		b->v.member / DP_PAIR_MEMBERS == 0 ? BR "\nRoute: <sip:198.51.100.21;lr>"
						   : BR "\nRoute: <sip:198.51.100.11;lr>");
	bench_forwarded(b, LB, other);
	bench_free(b);
}

Test(steer_follow, a_record_keeps_its_listener_across_a_reload)
{
	struct bench *b = bench_new(NULL);
	char via[256];

	request(b, "INVITE", BR);
	own_via(b, via);
	b->opts.two_armed = true;
	bench_reload(b);
	request(b, "CANCEL", BR);
	bench_forwarded(b, LB, MA);
	cr_expect_str_eq(bench_header(b->out, "Via", 0), via);
	request(b, "INVITE", BR "2");
	bench_forwarded(b, "198.51.100.1:5060", MA);
	bench_free(b);
}

/* ---- The challenge record: RFC 3261 22 ---- */

Test(steer_follow, credentials_go_to_the_member_that_challenged_rfc3261_22)
{
	static const struct {
		unsigned int status;
		const char *header;
		uint64_t wait_us;
		const char *call_id, *to;
	} rows[] = {
		{ 401, "Authorization: Digest x", 0, "call-1", MA },
		{ 407, "Proxy-Authorization: Digest x", 9900000, "call-1", MA },
		{ 407, "Proxy-Authorization: Digest x", 10100000, "call-1", MB },
		{ 401, "X: y", 0, "call-1", MB },
		{ 403, "Authorization: Digest x", 0, "call-1", MB },
		{ 401, "Authorization: Digest x", 0, "call-2", MB },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench_new(NULL);
		char text[256];

		request(b, "REGISTER", BR "1");
		bench_reply(b, rows[i].status, "", "");
		bench_active(b, "east-b");
		b->now_us += rows[i].wait_us;
		steer_tick(b->steer, b->now_us);
		snprintf(text, sizeof(text), BR "2\nCSeq: 2 REGISTER\nCall-ID: %s\n%s",
			 rows[i].call_id, rows[i].header);
		request(b, "REGISTER", text);
		cr_expect(bench_forwarded(b, LB, rows[i].to), "row %zu", i);
		bench_free(b);
	}
}

Test(steer_follow, a_challenger_that_is_down_gets_nothing)
{
	struct bench *b = bench_new(NULL);

	request(b, "INVITE", BR "1");
	bench_reply(b, 407, "", "");
	cr_expect(b->counters.challenges_made == 1);
	bench_active(b, "east-b");
	bench_drain(b, "east-a", true);
	request(b, "INVITE", BR "2\nProxy-Authorization: x");
	bench_forwarded(b, LB, MA);
	bench_down(b, "east-a", true);
	request(b, "INVITE", BR "3\nProxy-Authorization: x");
	bench_forwarded(b, LB, MB);
	bench_free(b);
}

/* The pair is what `select` says: somebody else's Call-ID draws no request to another pair. */
Test(steer_follow, a_challenge_does_not_change_the_pair)
{
	struct bench_opts o = { .n_pairs = 4, .select = DP_SELECT_SOURCE_ADDRESS };
	struct bench *b = bench_new(&o);
	char src[64], to[64];

	request(b, "REGISTER", BR "1");
	snprintf(to, sizeof(to), "%s", bench_endpoint_text(&b->v.to));
	for (int i = 10; i < 40; i++) {
		snprintf(src, sizeof(src), "203.0.113.%d:5060", i);
		bench_send(b, src, LB, "REGISTER sip:example.com SIP/2.0");
		bench_reply(b, 401, "", "");
	}
	request(b, "REGISTER", BR "2\nAuthorization: x");
	bench_forwarded(b, LB, to);
	bench_free(b);
}

Test(steer_follow, challenges_when_full)
{
	struct bench_opts o = { .n_challenges = 2 };
	struct bench *b = bench_new(&o);
	char text[128];

	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), BR "%d\nCall-ID: %d", i, i);
		request(b, "REGISTER", text);
		bench_reply(b, 401, "", "");
		bench_forwarded(b, LB, A);
	}
	cr_expect(b->counters.challenges_made == 2 && b->counters.challenges_full == 3);
	bench_free(b);
}
