/*
 * Silence: a request in flight that nobody answers goes to the next member by its client's own
 * sends and by time; the last one gets it until 64*T1. RFC 3261 16.7, 16.8, 17.1, 17.2.1.
 */
#include <criterion/criterion.h>

#include "tests/dataplane/steer_script.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_silence, .fini = leaks_check);

static const struct script_row rows[] = {
	{ .name = "retry-counts 3: the third send goes to the next member (0, 0.5, 1.5 s)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+500 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+1000 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "B 180 > c:180\n"
		    "B 200 > c:200\n" },
	{ .name = "REGISTER and BYE likewise",
	  .script = "BYE > A:BYE.0\n"
		    "+500 > -\n"
		    "BYE > A:BYE.0\n"
		    "+1000 > -\n"
		    "BYE > B:BYE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "another method stays, whatever its sends",
	  .script = "MESSAGE > A:MESSAGE.0\n"
		    "+500 > -\n"
		    "MESSAGE > A:MESSAGE.0\n"
		    "+1000 > -\n"
		    "MESSAGE > A:MESSAGE.0\n"
		    "+2000 > -\n"
		    "MESSAGE > A:MESSAGE.0\n"
		    "+2000 > -\n"
		    "A 200 > c:200\n" },
	{ .name = "retry-counts 5",
	  .opts = { .retry_counts = 5, .no_response_ms = 32000 },
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+500 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "+1000 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "+2000 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "+4000 > -\n"
		    "REGISTER > B:REGISTER.1\n"
		    "B 200 > c:200\n" },
	{ .name = "the second send moves when the member was suspect already",
	  .script = "suspect A > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+500 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "a response of any kind ends the count: RFC 3261 17.1.2.2, 100 to a non-INVITE",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+500 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "A 100 > c:100\n"
		    "+1000 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "+4000 > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "A 200 > c:200\n" },
	{ .name = "no-response-timeout moves what its client sends no more",
	  .script = "INVITE > A:INVITE.0\n"
		    "+3990 > -\n"
		    "+30 > B:INVITE.1\n"
		    "B 100 > c:100\n"
		    "B 180 > c:180\n"
		    "B 200 > c:200\n" },
	{ .name = "it ends at the first response of any kind",
	  .script = "INVITE > A:INVITE.0\n"
		    "+100 > -\n"
		    "A 100 > c:100\n"
		    "+10000 > -\n"
		    "A 486 > c:486\n"
		    "ACK > A:ACK.0\n" },
	{ .name = "what we began is sent again early, then by Timer A (17.1.1.2), until a response",
	  .opts = { .no_response_ms = 1000 },
	  .script = "INVITE > A:INVITE.0\n"
		    "+1016 > B:INVITE.1\n"
		    "+80 > -\n"
		    "+40 > B:INVITE.1\n"
		    "+360 > -\n"
		    "+40 > B:INVITE.1\n"
		    "+1040 > B:INVITE.1\n"
		    "B 100 > c:100\n"
		    "+9000 > -\n"
		    "B 200 > c:200\n" },
	{ .name = "and a REGISTER by Timer E (17.1.2.2): T1, doubled up to T2",
	  .opts = { .no_response_ms = 1000 },
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+1016 > B:REGISTER.1\n"
		    "+520 > B:REGISTER.1\n"
		    "+1030 > B:REGISTER.1\n"
		    "+2020 > B:REGISTER.1\n"
		    "+4020 > B:REGISTER.1\n"
		    "+4020 > B:REGISTER.1\n"
		    "B 200 > c:200\n" },
	{ .name = "all tried: the last keeps getting it until 64*T1, then 408 to an INVITE (16.7 "
		  "item 6, 16.8), by Timer G until its ACK (17.2.1)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+500 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+1000 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "+2000 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "+4000 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "+8000 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "+16000 > -\n"
		    "INVITE > B:INVITE.1\n"
		    "+520 > c:408\n"
		    "+520 > c:408\n"
		    "+1030 > c:408\n"
		    "ACK > -\n"
		    "+30000 > -\n" },
	{ .name = "no 408 to anything else (RFC 4320 4.1)",
	  .opts = { .no_response_ms = 32000 },
	  .script = "BYE > A:BYE.0\n"
		    "+40000 > -\n" },
	{ .name = "a pair of one, as it were: the other is down, and nothing moves",
	  .script = "down B > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+500 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+1000 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+3000 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "A 200 > c:200\n" },
	{ .name = "three members, in order; a fallback only what it serves",
	  .opts = { .fallback = true, .no_response_ms = 1000 },
	  .script = "INVITE > A:INVITE.0\n"
		    "+1016 > B:INVITE.1\n"
		    "+520 > B:INVITE.1 B:INVITE.1\n"
		    "+520 > C:INVITE.2\n"
		    "C 200 > c:200\n" },
	{ .name = "a fallback that does not serve it is passed over",
	  .opts = { .fallback = true, .no_response_ms = 1000 },
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+1016 > B:REGISTER.1\n"
		    "+1600 > B:REGISTER.1 B:REGISTER.1\n"
		    "B 200 > c:200\n" },
	{ .name = "from the active one on: the primary is the next of the backup",
	  .script = "active B > -\n"
		    "INVITE > B:INVITE.0\n"
		    "+500 > -\n"
		    "INVITE > B:INVITE.0\n"
		    "+1000 > -\n"
		    "INVITE > A:INVITE.1\n"
		    "A 200 > c:200\n" },
	{ .name = "a member that drains gets no new request, but what belongs to its dialogs",
	  .script = "drain B > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+4016 > -\n"
		    "A 200 > c:200\n" },
	{ .name = "in a dialog it does",
	  .script = "drain B > -\n"
		    "BYE > A:BYE.0\n"
		    "+4016 > B:BYE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "UNKNOWN is not OUT-OF-SERVICE: requests go on, and move",
	  .script = "unknown > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "OUT-OF-SERVICE: a new one is answered, one in flight goes on",
	  .script = "INVITE > A:INVITE.0\n"
		    "oos > -\n"
		    "+500 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "A 200 > c:200\n" },
	{ .name = "OUT-OF-SERVICE from the start",
	  .script = "oos > -\n"
		    "INVITE > c:503\n" },
};

Test(steer_inflight_silence, rows_rfc3261_16_7_17_1)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		script_run(&rows[i], NULL);
}

/* Control hears of it: T1, or 100 ms for an INVITE; once for each branch. */
static void expect_two_doubts(struct bench *b)
{
	const struct dp_event *ev = bench_event(b, DP_EVENT_UNANSWERED);

	cr_assert(ev != NULL);
	cr_expect(ev->member == bench_member(b, "east-a") && ev->value == SIP_METHOD_INVITE);
	cr_expect(ev->time_ns >= 1100000000ull && ev->time_ns < 1120000000ull, "%lu",
		  (unsigned long)ev->time_ns);
	ev = bench_event(b, DP_EVENT_UNANSWERED);
	cr_assert(ev != NULL && ev->member == bench_member(b, "east-b"));
	cr_expect(bench_event(b, DP_EVENT_UNANSWERED) == NULL);
	cr_expect(bench_counters(b, bench_member(b, "east-a")).unanswered == 1);
	cr_expect(bench_counters(b, bench_member(b, "east-a")).judged == 1);
	cr_expect(bench_counters(b, bench_member(b, "east-a")).failed == 1);
	cr_expect(bench_counters(b, bench_member(b, "east-a")).rescued_from == 1);
	cr_expect(bench_counters(b, bench_member(b, "east-b")).rescued_to == 1);
	cr_expect(b->counters.rescued[DP_RESCUE_TIMEOUT][SIP_METHOD_INVITE] == 1);
	cr_expect(b->counters.copies_made == 1 && b->counters.contexts_made == 1);
}

Test(steer_inflight_silence, control_is_told)
{
	static const struct script_row row = { .name = "told",
					       .script = "INVITE > A:INVITE.0\n"
							 "+4016 > B:INVITE.1\n"
							 "+300 > B:INVITE.1\n"
							 "B 486 > c:486\n"
							 "ACK > B:ACK.1\n" };

	script_run(&row, expect_two_doubts);
}

static void expect_an_early_doubt(struct bench *b)
{
	const struct dp_event *ev = bench_event(b, DP_EVENT_UNANSWERED);
	const struct dp_member_counters n = bench_counters(b, bench_member(b, "east-a"));

	cr_assert(ev && ev->value == SIP_METHOD_REGISTER);
	cr_expect(ev->time_ns >= 1500000000ull && ev->time_ns < 1520000000ull);
	cr_expect(n.judged == 1 && n.failed == 0 && n.delays == 1 && n.delay_us == 800000);
}

Test(steer_inflight_silence, a_slow_answer_is_a_doubt_and_no_failure)
{
	static const struct script_row row = { .name = "slow",
					       .script = "REGISTER > A:REGISTER.0\n"
							 "+500 > -\n"
							 "REGISTER > A:REGISTER.0\n"
							 "+300 > -\n"
							 "A 200 > c:200\n" };

	script_run(&row, expect_an_early_doubt);
}

/* A phone's second send comes at T1, and late on a busy machine: until then its own silence has not
 * made the member suspect, so that it is not moved by the wrong rule. */
Test(steer_inflight_silence, no_doubt_before_the_second_send_is_due)
{
	struct bench_opts o = { .store_size = 65536 };
	struct bench *b = bench_new(&o);

	bench_send(b, "203.0.113.10:5060", "192.0.2.10:5060",
		   "REGISTER sip:example.com SIP/2.0\n"
		   "Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-1");
	bench_wait(b, 530000);
	cr_expect(!bench_event(b, DP_EVENT_UNANSWERED));
	bench_wait(b, 50000);
	cr_expect(bench_event(b, DP_EVENT_UNANSWERED));
	bench_free(b);
}
