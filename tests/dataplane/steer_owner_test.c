/*
 * Whose message it is: responses by our branch, requests of spread sources by Call-ID, and what has
 * a record stays where that is. Several workers are several benches over the same keys.
 */
#include "dataplane/steer/steer_owner.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_owner, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"

static const struct dp_secret key = { .b = "0123456789abcdef" };

Test(steer_owner, another_worker_is_one_that_there_is)
{
	static const struct {
		unsigned int owner, worker, n;
		bool other;
	} rows[] = {
		{ 0, 0, 1, false },   { 1, 0, 1, false },    { STEER_NO_OWNER, 0, 1, false },
		{ 0, 1, 2, true },    { 1, 0, 2, true },     { 1, 1, 2, false },
		{ 2, 1, 2, false },   { 3, 0, 4, true },     { 15, 0, 16, true },
		{ 16, 0, 16, false }, { 254, 3, 16, false }, { STEER_NO_OWNER, 3, 16, false },
		{ 0, 0, 0, false },   { 1, 0, 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect(steer_owner_is_other(rows[i].owner, rows[i].worker, rows[i].n)
				  == rows[i].other,
			  "row %zu", i);
}

Test(steer_owner, calls_are_spread_evenly)
{
	enum { CALLS = 64000 };

	for (unsigned int n = 1; n <= DP_MAX_WORKERS; n++) {
		unsigned int got[DP_MAX_WORKERS] = { 0 };

		for (int i = 0; i < CALLS; i++) {
			char id[32];
			int len = snprintf(id, sizeof(id), "%d@203.0.113.5", i);
			unsigned int w = steer_owner_of_call(&key, (uint8_t *)id, (size_t)len, n);

			cr_assert(w < n);
			cr_assert(w == steer_owner_of_call(&key, (uint8_t *)id, (size_t)len, n));
			got[w]++;
		}
		/* The standard deviation is below sqrt(CALLS / n); eight of them. */
		for (unsigned int w = 0; w < n; w++) {
			double off = (double)got[w] - (double)CALLS / n;

			cr_expect(off * off < 64.0 * CALLS / n, "%u of %u: %u", w, n, got[w]);
		}
	}
}

Test(steer_owner, another_key_spreads_otherwise)
{
	struct dp_secret other = { .b = "0123456789abcdeX" };
	unsigned int same = 0;

	for (int i = 0; i < 1000; i++) {
		char id[32];
		size_t len = (size_t)snprintf(id, sizeof(id), "call-%d", i);

		same += steer_owner_of_call(&key, (uint8_t *)id, len, 2)
			== steer_owner_of_call(&other, (uint8_t *)id, len, 2);
	}
	cr_expect(same > 350 && same < 650, "%u", same);
}

/* ---- Messages ---- */

static struct bench *worker(unsigned int n, unsigned int n_workers, uint8_t spread)
{
	struct bench_opts o = { .worker = n, .n_workers = n_workers, .spread = spread };

	return bench_new(&o);
}

/* A Call-ID that names a worker of two. */
static const char *call_of(unsigned int owner)
{
	static char id[2][32];

	for (int i = 0;; i++) {
		size_t len = (size_t)snprintf(id[owner], sizeof(id[owner]), "call-%d", i);

		if (steer_owner_of_call(&bench_owner_key, (uint8_t *)id[owner], len, 2) == owner)
			return id[owner];
	}
}

static void request(struct bench *b, const char *method, const char *branch, const char *call,
		    const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "%s sip:bob@example.com SIP/2.0\n"
		 "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK%s\nCall-ID: %s\n%s",
		 method, branch, call, more);
	bench_send(b, A, LB, text);
}

static void handed_to(struct bench *b, unsigned int owner, const char *what)
{
	cr_expect(b->v.action == STEER_HAND_OVER && b->v.owner == owner, "%s: action %u owner %u",
		  what, b->v.action, b->v.owner);
}

Test(steer_owner, a_response_goes_to_the_worker_in_our_branch)
{
	struct bench *one = worker(1, 2, STEER_SPREAD_NONE),
		     *zero = worker(0, 2, STEER_SPREAD_NONE);
	char msg[BENCH_MSG], *branch;

	request(one, "INVITE", "-1", "x", "");
	bench_forwarded(one, LB, MA);
	bench_reply_text(one, msg, 200, "", "");
	bench_bytes(zero, MA, LB, msg, strlen(msg));
	handed_to(zero, 1, "response");
	cr_expect(zero->counters.sip_responses == 0, "counted where it is decided");
	cr_expect(zero->counters.forwarded == 0);
	bench_bytes(one, MA, LB, msg, strlen(msg));
	bench_forwarded(one, LB, A);
	cr_expect(one->counters.sip_responses == 1);
	/* An owner that is not there: whoever has it decides. A forgery is nobody's. */
	branch = strstr(msg, "z9hG4bKss");
	memcpy(branch + 35, "07", 2);
	bench_bytes(zero, MA, LB, msg, strlen(msg));
	bench_forwarded(zero, LB, A);
	memcpy(branch + 35, "01", 2);
	branch[40] = branch[40] == '0' ? '1' : '0';
	bench_bytes(zero, MA, LB, msg, strlen(msg));
	bench_dropped(zero, RESP_VIA_FORGED);
	bench_free(one);
	bench_free(zero);
}

Test(steer_owner, alone_nothing_is_handed_over)
{
	struct bench *b = worker(0, 1, STEER_SPREAD_ALL);
	char msg[BENCH_MSG];

	request(b, "INVITE", "-1", "x", "");
	bench_forwarded(b, LB, MA);
	bench_reply_text(b, msg, 200, "", "");
	memcpy(strstr(msg, "z9hG4bKss") + 35, "01", 2);
	bench_bytes(b, MA, LB, msg, strlen(msg));
	bench_forwarded(b, LB, A);
	bench_free(b);
}

Test(steer_owner, a_spread_source_s_requests_go_by_call_id)
{
	static const char *const methods[] = { "INVITE",  "REGISTER", "BYE",    "OPTIONS",
					       "MESSAGE", "ACK",      "CANCEL", "X" };
	struct bench *zero = worker(0, 2, STEER_SPREAD_ALL);

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char branch[32];

		snprintf(branch, sizeof(branch), "-a%zu", i);
		request(zero, methods[i], branch, call_of(1), "");
		handed_to(zero, 1, methods[i]);
		snprintf(branch, sizeof(branch), "-b%zu", i);
		request(zero, methods[i], branch, call_of(0), "");
		cr_expect(zero->v.action == STEER_FORWARD, "%s", methods[i]);
	}
	cr_expect(zero->counters.sip_requests == sizeof(methods) / sizeof(methods[0]),
		  "%llu counted", (unsigned long long)zero->counters.sip_requests);
	bench_free(zero);
}

Test(steer_owner, no_transaction_changes_its_owner_when_a_source_turns_hot_rfc3261_17_2_3)
{
	struct bench *zero = worker(0, 2, STEER_SPREAD_NONE);
	const char *call = call_of(1);

	/* Begun while cool, for a Call-ID that is another's. */
	request(zero, "INVITE", "-1", call, "");
	bench_forwarded(zero, LB, MA);
	zero->opts.spread = STEER_SPREAD_ALL;
	/* Its retransmission, its CANCEL and its ACK stay; the next transaction goes. */
	request(zero, "INVITE", "-1", call, "");
	bench_forwarded(zero, LB, MA);
	request(zero, "CANCEL", "-1", call, "");
	bench_forwarded(zero, LB, MA);
	request(zero, "ACK", "-1", call, "");
	bench_forwarded(zero, LB, MA);
	request(zero, "INVITE", "-2", call, "");
	handed_to(zero, 1, "the next INVITE");
	/* Another method under the same branch is a faulty client's new request: not ours. */
	request(zero, "BYE", "-1", call, "");
	handed_to(zero, 1, "another method");
	bench_free(zero);
}

Test(steer_owner, what_ends_an_invite_finds_it_after_the_source_cooled_rfc3261_16_10)
{
	struct bench *zero = worker(0, 2, STEER_SPREAD_LATE),
		     *one = worker(1, 2, STEER_SPREAD_NONE);
	const char *call = call_of(1);

	request(one, "INVITE", "-1", call, ""); /* handed over while hot */
	bench_forwarded(one, LB, MA);
	request(zero, "CANCEL", "-1", call, "");
	handed_to(zero, 1, "CANCEL");
	request(zero, "ACK", "-1", call, "");
	handed_to(zero, 1, "ACK");
	/* Nothing else moves. */
	request(zero, "INVITE", "-3", call, "");
	cr_expect(zero->v.action == STEER_FORWARD);
	request(zero, "BYE", "-4", call, "");
	cr_expect(zero->v.action == STEER_FORWARD);
	/* Nor does the ACK of a 2xx, whose Route bears our cookie: nothing is recorded of it. */
	request(zero, "ACK", "-5", call,
		"Route: <sip:192.0.2.10;lr;ss=0000000000000000000000000000000000000000>\n");
	cr_expect(zero->v.action != STEER_HAND_OVER);
	/* And what was begun here is found here. */
	request(zero, "CANCEL", "-3", call, "");
	cr_expect(zero->v.action == STEER_FORWARD);
	bench_free(zero);
	bench_free(one);
}

Test(steer_owner, what_is_malformed_is_judged_where_it_came)
{
	struct bench *zero = worker(0, 2, STEER_SPREAD_ALL);

	request(zero, "INVITE", "-1", call_of(1), "Max-Forwards: x\n");
	bench_answered(zero, 400);
	bench_bytes(zero, A, LB, "\r\n\r\n", 4);
	bench_dropped(zero, KEEPALIVE);
	bench_free(zero);
}
