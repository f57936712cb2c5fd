/* Who is let in: allow, deny, requests per source. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_guard, .fini = leaks_check);

#define A    "203.0.113.5:5060"
#define A6   "[2001:db8:9::5]:5060"
#define LB   "192.0.2.10:5060"
#define LB6  "[2001:db8::10]:5060"
#define MA   "198.51.100.11:5060"
#define TEXT "INVITE sip:bob@example.com SIP/2.0"

Test(steer_guard, who_may_come)
{
	static const struct {
		const char *allow, *deny, *src, *dst;
		bool in;
	} rows[] = {
		{ NULL, NULL, A, LB, true },
		{ "203.0.113.5", NULL, A, LB, true },
		{ "203.0.113.200", NULL, A, LB, true },
		{ "203.0.114.5", NULL, A, LB, false },
		{ NULL, "203.0.113.1", A, LB, false },
		{ NULL, "203.0.114.1", A, LB, true },
		{ "203.0.113.5", "203.0.113.1", A, LB, false },
		{ "2001:db8:9::1", NULL, A6, LB6, true },
		{ "2001:db8:9::1", NULL, A, LB, false },
		{ NULL, "2001:db8:9::1", A6, LB6, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_opts o = { .allow = rows[i].allow, .deny = rows[i].deny };
		struct bench *b = bench_new(&o);

		bench_send(b, rows[i].src, rows[i].dst, TEXT);
		if (rows[i].in)
			cr_expect(b->v.action == STEER_FORWARD, "row %zu", i);
		else
			cr_expect(bench_dropped(b, ACCESS_DENIED), "row %zu", i);
		bench_free(b);
	}
}

Test(steer_guard, who_may_not_gets_nothing_at_all)
{
	struct bench_opts o = { .deny = "203.0.113.1" };
	struct bench *b = bench_new(&o);
	static const uint8_t stun[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 };

	bench_bytes(b, A, LB, stun, sizeof(stun));
	bench_dropped(b, ACCESS_DENIED);
	bench_bytes(b, A, LB, "garbage", 7);
	bench_dropped(b, ACCESS_DENIED);
	bench_send(b, A, LB, "SIP/2.0 200 OK");
	bench_dropped(b, ACCESS_DENIED);
	bench_free(b);
}

Test(steer_guard, members_are_let_in_whoever_is_not)
{
	struct bench_opts o = { .allow = "203.0.113.5",
				.deny = "198.51.100.11",
				.requests_per_s = 1 };
	struct bench *b = bench_new(&o);

	for (int i = 0; i < 5; i++) {
		bench_send(b, MA, LB, "OPTIONS sip:bob@203.0.113.5 SIP/2.0");
		bench_forwarded(b, LB, A);
	}
	bench_free(b);
}

Test(steer_guard, requests_are_limited_per_source_and_responses_are_not)
{
	struct bench_opts o = { .requests_per_s = 5 };
	struct bench *b = bench_new(&o);
	char reply[BENCH_MSG];
	unsigned int n = 0;

	for (int i = 0; i < 20; i++) {
		n += bench_send(b, A, LB, TEXT) == STEER_FORWARD;
		if (i == 0)
			bench_reply_text(b, reply, 200, "", "");
	}
	cr_expect(n == 5, "%u", n);
	bench_dropped(b, REQUEST_LIMITED);
	bench_bytes(b, A, LB, "garbage", 7);
	bench_dropped(b, REQUEST_LIMITED);
	/* Another source; a response; and the same one later. */
	bench_send(b, "203.0.113.6:5060", LB, TEXT);
	bench_forwarded(b, LB, MA);
	for (int i = 0; i < 20; i++) {
		bench_send(b, A, LB, "SIP/2.0 200 OK");
		bench_dropped(b, RESP_VIA_FOREIGN);
	}
	bench_bytes(b, MA, LB, reply, strlen(reply));
	bench_forwarded(b, LB, A);
	b->now_us += 1000000;
	bench_send(b, A, LB, TEXT);
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

Test(steer_guard, this_machine_itself_is_let_in_and_answered)
{
	struct bench_opts o = { .deny = "203.0.113.1", .requests_per_s = 1, .answers_per_s = 1 };
	struct bench *b = bench_new(&o);

	b->opts.local = true;
	for (int i = 0; i < 5; i++) {
		bench_send(b, A, LB, "OPTIONS sip:192.0.2.10 SIP/2.0");
		bench_answered(b, 200);
	}
	bench_free(b);
}
