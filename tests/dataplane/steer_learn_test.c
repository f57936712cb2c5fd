/*
 * What responses tell: events and counters of members, and the 503 of one pair among several. RFC
 * 3261 16.7 item 6.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_learn, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"

static struct bench *invited(const struct bench_opts *o, char msg[BENCH_MSG], unsigned int status)
{
	struct bench *b = bench_new(o);

	bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0");
	cr_assert(b->v.action == STEER_FORWARD);
	bench_reply_text(b, msg, status, "", "");
	return b;
}

static void replace(char *msg, const char *from, const char *to)
{
	static char rest[BENCH_MSG];
	char *at = strstr(msg, from);

	cr_assert(at, "%s in\n%s", from, msg);
	strcpy(rest, at + strlen(from));
	strcpy(at, to);
	strcat(at, rest);
}

static void from_a(struct bench *b, const char *msg)
{
	bench_bytes(b, MA, LB, msg, strlen(msg));
}

Test(steer_learn, events_of_failing_members)
{
	static const struct {
		const char *method;
		unsigned int status;
		bool event;
	} rows[] = {
		{ "REGISTER", 500, true }, { "REGISTER", 503, true }, { "REGISTER", 501, false },
		{ "INVITE", 503, true },   { "INVITE", 500, false },  { "MESSAGE", 503, false },
		{ "OPTIONS", 500, false }, { "INVITE", 200, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = bench_new(NULL);
		const struct dp_event *ev;
		char text[128];

		snprintf(text, sizeof(text), "%s sip:bob@example.com SIP/2.0", rows[i].method);
		bench_send(b, A, LB, text);
		bench_reply(b, rows[i].status, "", "");
		ev = bench_event(b, DP_EVENT_RESPONSE_5XX);
		cr_expect((ev != NULL) == rows[i].event, "row %zu", i);
		if (ev)
			cr_expect(ev->member == bench_member(b, "east-a")
				  && ev->value >> 8 == rows[i].status
				  && ev->time_ns == b->now_us * 1000);
		bench_free(b);
	}
}

Test(steer_learn, a_suspect_that_answers_is_alive)
{
	char msg[BENCH_MSG];
	struct bench *b = invited(NULL, msg, 180);
	const struct dp_event *ev;

	from_a(b, msg);
	cr_expect(bench_event(b, DP_EVENT_ALIVE) == NULL);
	bench_suspect(b, "east-a", true);
	from_a(b, msg);
	ev = bench_event(b, DP_EVENT_ALIVE);
	cr_expect(ev && ev->member == bench_member(b, "east-a") && ev->value == 180);
	bench_suspect(b, "east-a", false);
	bench_down(b, "east-a", true);
	from_a(b, msg);
	cr_expect(bench_event(b, DP_EVENT_ALIVE) != NULL);
	/* A forged one proves nothing. */
	strstr(msg, "z9hG4bKss")[20] ^= 1;
	from_a(b, msg);
	cr_expect(bench_event(b, DP_EVENT_ALIVE) == NULL);
	bench_free(b);
}

/* The class counters of the member that answered. */
Test(steer_learn, counted_by_member_and_class)
{
	char msg[BENCH_MSG];
	struct bench *b = invited(NULL, msg, 486);
	uint32_t a = bench_member(b, "east-a");

	from_a(b, msg);
	from_a(b, msg);
	cr_expect(bench_counters(b, a).responses[3] == 2);
	cr_expect(b->v.member == a);
	bench_free(b);
}

/* From another member's address than the branch says: it is not told whose answer it is. */
Test(steer_learn, not_counted_for_a_member_that_the_branch_does_not_name)
{
	struct bench_opts none = { .no_records = true };
	char msg[BENCH_MSG];
	struct bench *b = invited(&none, msg, 401);
	uint32_t other = bench_member(b, "east-b");

	bench_suspect(b, "east-b", true);
	bench_bytes(b, MB, LB, msg, strlen(msg));
	bench_forwarded(b, LB, A);
	cr_expect(b->v.member == UINT32_MAX && bench_counters(b, other).responses[3] == 0);
	cr_expect(bench_event(b, DP_EVENT_ALIVE) == NULL);
	bench_free(b);
}

/* ---- A single pair's 503, and one of several: RFC 3261 16.7 item 6 ---- */

Test(steer_learn, map_503_rfc3261_16_7_item_6)
{
	static const struct {
		unsigned int pairs;
		int map;
		unsigned int status;
		const char *line;
	} rows[] = {
		{ 1, 0, 503, "SIP/2.0 503 Reason" },
		{ 2, 0, 503, "SIP/2.0 500 Server Internal Error" },
		{ 1, 500, 503, "SIP/2.0 500 Server Internal Error" },
		{ 2, 503, 503, "SIP/2.0 503 Reason" },
		{ 2, 0, 502, "SIP/2.0 502 Reason" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_opts o = { .n_pairs = rows[i].pairs, .map_503 = rows[i].map };
		struct bench *b = bench_new(&o);

		bench_send(b, A, LB, "INVITE sip:bob@example.com SIP/2.0");
		bench_reply(b, rows[i].status, "", "Retry-After: 7\n");
		bench_forwarded(b, LB, A);
		cr_expect(bench_has(b, rows[i].line), "row %zu", i);
		bench_has(b, "Retry-After: 7");
		bench_free(b);
	}
}

Test(steer_learn, map_503_without_a_reason_phrase)
{
	struct bench_opts o = { .map_503 = 500 };
	char msg[BENCH_MSG];
	struct bench *b = invited(&o, msg, 503);

	replace(msg, "503 Reason", "503 ");
	from_a(b, msg);
	bench_has(b, "SIP/2.0 500 Server Internal Error{*}");
	/* A phone's 503 is the phone's. */
	bench_send(b, MA, LB, "INVITE sip:alice@" A " SIP/2.0");
	bench_reply(b, 503, "", "");
	bench_forwarded(b, LB, MA);
	bench_has(b, "SIP/2.0 503 Reason");
	bench_free(b);
}
