/*
 * Signal failback: one live request at a time is tried on the best member. Concurrent registration:
 * REGISTERs are copied to the next one.
 */
#include <criterion/criterion.h>

#include "tests/dataplane/steer_script.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_signal, .fini = leaks_check);

#define SIGNAL            \
	.signal_methods = \
		1u << SIP_METHOD_REGISTER | 1u << SIP_METHOD_INVITE | 1u << SIP_METHOD_MESSAGE

/* A trial and how it ends: the event that control gets. */
struct trial {
	struct script_row row;
	int status; /* -1: no event */
	enum sip_method method;
};

static const struct trial trials[] = {
	{ { .name = "a REGISTER comes back with a final",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "REGISTER > A:REGISTER.0\n"
		      "A 200 > c:200\n" },
	  200,
	  SIP_METHOD_REGISTER },
	{ { .name = "a challenge is a final",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "REGISTER > A:REGISTER.0\n"
		      "A 100 > c:100\n"
		      "A 401 > c:401\n" },
	  401,
	  SIP_METHOD_REGISTER },
	{ { .name = "unanswered, its next send goes to the active member",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "REGISTER > A:REGISTER.0\n"
		      "+490 > -\n"
		      "REGISTER > B:REGISTER.1\n"
		      "B 200 > c:200\n" },
	  0,
	  SIP_METHOD_REGISTER },
	{ { .name = "or goes by itself when it is overdue: an INVITE after 100 ms",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "+90 > -\n"
		      "+30 > B:INVITE.1\n"
		      "B 180 > c:180\n"
		      "B 200 > c:200\n" },
	  0,
	  SIP_METHOD_INVITE },
	{ { .name = "with nowhere to go it stays, and control hears of it all the same",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "down B > -\n"
		      "+130 > -\n"
		      "A 200 > c:200\n" },
	  0,
	  SIP_METHOD_INVITE },
	{ { .name = "a method that does not fail over is tried too, without a copy",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "MESSAGE > A:MESSAGE.0\n"
		      "+500 > -\n"
		      "MESSAGE > B:MESSAGE.1\n"
		      "A 200 > c:200\n"
		      "B 200 > -\n" },
	  0,
	  SIP_METHOD_MESSAGE },
	{ { .name = "refused: control hears the code, and the active member has it",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "A 503 > B:INVITE.1 A:ACK.0\n"
		      "B 200 > c:200\n" },
	  503,
	  SIP_METHOD_INVITE },
	{ { .name = "ICMP says that nobody is there",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "icmp A > B:INVITE.1\n"
		      "B 200 > c:200\n" },
	  0,
	  SIP_METHOD_INVITE },
	{ { .name = "the best member is down as yet: that is what the trial is for",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "down A > -\n"
		      "trial 7 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "A 180 > c:180\n"
		      "+2000 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "CANCEL > A:CANCEL.0 c:200\n"
		      "A 200 CANCEL > -\n"
		      "A 487 > c:487\n"
		      "ACK > A:ACK.0\n" },
	  487,
	  SIP_METHOD_INVITE },
	{ { .name = "what else goes down meanwhile does not end it",
	    .opts = { SIGNAL, .fallback = true },
	    .script = "active B > -\n"
		      "down A > -\n"
		      "trial 7 > -\n"
		      "INVITE > A:INVITE.0\n"
		      "A 180 > c:180\n"
		      "+10 > -\n"
		      "down C > -\n"
		      "+10 > -\n"
		      "A 200 > c:200\n" },
	  200,
	  SIP_METHOD_INVITE },
	{ { .name = "another method",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "OPTIONS > B:OPTIONS.0\n"
		      "B 200 > c:200\n" },
	  -1,
	  SIP_METHOD_OPTIONS },
	{ { .name = "never within a dialog",
	    .opts = { .signal_methods = UINT32_MAX },
	    .script = "active B > -\n"
		      "trial 7 > -\n"
		      "BYE > B:BYE.0\n"
		      "B 200 > c:200\n" },
	  -1,
	  SIP_METHOD_BYE },
	{ { .name = "the best member is the active one: nothing to try",
	    .opts = { SIGNAL },
	    .script = "trial 7 > -\n"
		      "REGISTER > A:REGISTER.0\n"
		      "A 200 > c:200\n" },
	  -1,
	  SIP_METHOD_REGISTER },
	{ { .name = "the best member drains",
	    .opts = { SIGNAL },
	    .script = "active B > -\n"
		      "drain A > -\n"
		      "trial 7 > -\n"
		      "REGISTER > B:REGISTER.0\n"
		      "B 200 > c:200\n" },
	  -1,
	  SIP_METHOD_REGISTER },
};

static const struct trial *running;

static void expect_event(struct bench *b)
{
	const struct dp_event *ev = bench_event(b, DP_EVENT_TRIAL);

	if (running->status < 0) {
		cr_expect(ev == NULL && b->counters.trials == 0, "%s", running->row.name);
		return;
	}
	cr_assert(ev != NULL, "%s", running->row.name);
	cr_expect(ev->id == 7 && ev->member == bench_member(b, "east-a"), "%s", running->row.name);
	cr_expect(ev->value == ((uint32_t)running->status << 8 | running->method), "%s: %u/%u",
		  running->row.name, ev->value >> 8, ev->value & 255);
	cr_expect(bench_event(b, DP_EVENT_TRIAL) == NULL, "%s: once", running->row.name);
	cr_expect(b->trials[0] & DP_TRIAL_TAKEN && b->counters.trials == 1
			  && bench_counters(b, bench_member(b, "east-a")).trials == 1,
		  "%s", running->row.name);
	cr_expect(b->counters.rescued[DP_RESCUE_TRIAL][running->method]
			  <= (running->status == 0 ? 1 : 0),
		  "%s", running->row.name);
}

Test(steer_inflight_signal, trials)
{
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		running = &trials[i];
		script_run(&running->row, expect_event);
	}
}

/* One trial at a time: of two requests the first has it, also among workers. */
Test(steer_inflight_signal, one_at_a_time_and_never_an_emergency_call)
{
	struct bench_opts o = { .store_size = 65536, SIGNAL, .emergency = "112" };
	struct bench *b = bench_new(&o);
	const char *const lb = "192.0.2.10:5060", *const a = "198.51.100.11:5060",
			  *const mb = "198.51.100.12:5060";

	bench_active(b, "east-b");
	bench_trial(b, "east", 9);
	bench_send(b, "203.0.113.5:5060", lb,
		   "INVITE sip:112@example.com SIP/2.0\nVia: SIP/2.0/UDP "
		   "203.0.113.5;branch=z9hG4bK-1");
	bench_forwarded(b, lb, mb);
	bench_send(
		b, "203.0.113.5:5060", lb,
		"INVITE sip:x@example.com SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-2");
	bench_forwarded(b, lb, a);
	bench_send(
		b, "203.0.113.5:5060", lb,
		"INVITE sip:x@example.com SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-3");
	bench_forwarded(b, lb, mb);
	cr_expect(b->trials[0] & DP_TRIAL_TAKEN && b->counters.trials == 1);
	bench_free(b);
}

/* ---- Concurrent registration ---- */

#define CONCURRENT .pair_flags = DP_PAIR_CONCURRENT

static const struct script_row copies[] = {
	{ .name = "the standby has a copy; what it answers stays here",
	  .opts = { CONCURRENT },
	  .script = "REGISTER > B:REGISTER.15 A:REGISTER.0\n"
		    "B 200 > -\n"
		    "A 200 > c:200\n" },
	{ .name = "refused by the standby",
	  .opts = { CONCURRENT },
	  .script = "REGISTER > B:REGISTER.15 A:REGISTER.0\n"
		    "A 200 > c:200\n"
		    "B 401 > -\n" },
	{ .name = "when the backup is active, the primary has the copy",
	  .opts = { CONCURRENT },
	  .script = "active B > -\n"
		    "REGISTER > A:REGISTER.15 B:REGISTER.0\n"
		    "B 200 > c:200\n" },
	{ .name = "no copy to a member that is down, or that serves no REGISTER",
	  .opts = { CONCURRENT, .fallback = true },
	  .script = "down B > -\n"
		    "REGISTER > A:REGISTER.0\n"
		    "A 200 > c:200\n" },
	{ .name = "only of REGISTERs",
	  .opts = { CONCURRENT },
	  .script = "INVITE > A:INVITE.0\n"
		    "A 200 > c:200\n" },
	{ .name = "sent again with its client's",
	  .opts = { CONCURRENT },
	  .script = "REGISTER > B:REGISTER.15 A:REGISTER.0\n"
		    "+500 > -\n"
		    "REGISTER > B:REGISTER.15 A:REGISTER.0\n"
		    "A 200 > c:200\n" },
	{ .name = "it fails over as any other; the standby's 500 to its second one says nothing "
		  "(10.3 item 7)",
	  .opts = { CONCURRENT },
	  .script = "REGISTER > B:REGISTER.15 A:REGISTER.0\n"
		    "A 503 > B:REGISTER.1\n"
		    "B 500 > c:503\n" },
	{ .name = "where REGISTER does not fail over",
	  .opts = { CONCURRENT, .failover_methods = 1u << SIP_METHOD_INVITE },
	  .script = "REGISTER > B:REGISTER.15 A:REGISTER.0\n"
		    "B 500 > -\n"
		    "A 200 > c:200\n" },
};

Test(steer_inflight_signal, copies_of_concurrent_registration)
{
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		script_run(&copies[i], NULL);
}

static void expect_one_refused(struct bench *b)
{
	const struct dp_member_counters n = bench_counters(b, bench_member(b, "east-b"));

	cr_expect(n.copies == 1 && n.copies_refused == 1);
	cr_expect(b->counters.absorbed_responses == 1
		  && b->counters.reason[DP_REASON_RESP_ABSORBED] == 1);
	cr_expect(bench_event(b, DP_EVENT_RESPONSE_5XX) == NULL);
}

Test(steer_inflight_signal, refused_copies_are_counted)
{
	script_run(&copies[1], expect_one_refused);
	script_run(&copies[7], expect_one_refused);
}
