/*
 * CANCEL at every moment of an INVITE in flight. RFC 3261 9.1, 9.2, 16.10.
 */
#include <criterion/criterion.h>

#include "tests/dataplane/steer_script.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_cancel, .fini = leaks_check);

static const struct script_row rows[] = {
	{ .name = "after 180: answered here (16.10), sent on; the 487 passes, its ACK follows",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "A 200 CANCEL > -\n"
		    "A 487 > c:487\n"
		    "ACK > A:ACK.0\n"
		    "CANCEL > c:200\n" },
	{ .name = "before any provisional: it waits for one (9.1)",
	  .script = "INVITE > A:INVITE.0\n"
		    "CANCEL > c:200\n"
		    "+200 > -\n"
		    "A 100 > A:CANCEL.0 c:100\n"
		    "A 487 > c:487\n"
		    "ACK > A:ACK.0\n" },
	{ .name = "again by its client: answered again, sent once",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "CANCEL > c:200\n"
		    "A 487 > c:487\n" },
	{ .name = "ours is sent again by Timer E until its answer (17.1.2.2)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "+510 > A:CANCEL.0\n"
		    "+1010 > A:CANCEL.0\n"
		    "A 200 CANCEL > -\n"
		    "+8000 > -\n"
		    "A 487 > c:487\n" },
	{ .name = "a final that crossed it passes (9.2)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "A 200 > c:200\n"
		    "A 481 CANCEL > -\n" },
	{ .name = "it ends failover: by sends, by time, by refusal, by the member's death",
	  .script = "INVITE > A:INVITE.0\n"
		    "CANCEL > c:200\n"
		    "+500 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+1000 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+3000 > -\n"
		    "A 503 > c:503\n"
		    "ACK > A:ACK.0\n" },
	{ .name = "after a move: to every branch, after its first provisional",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "CANCEL > c:200\n"
		    "B 100 > B:CANCEL.1 c:100\n"
		    "A 100 > A:CANCEL.0\n"
		    "B 487 > c:487\n"
		    "ACK > B:ACK.1\n"
		    "A 487 > A:ACK.0\n" },
	{ .name = "between the sends of a rescued INVITE",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "B 180 > c:180\n"
		    "CANCEL > B:CANCEL.1 c:200\n"
		    "B 487 > c:487\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "never to a member that is down: answered 487 here",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "active B > -\n"
		    "down A > c:487\n"
		    "ACK > -\n"
		    "+5000 > -\n" },
	{ .name = "down before any provisional",
	  .script = "INVITE > A:INVITE.0\n"
		    "CANCEL > c:200\n"
		    "down A > c:487\n"
		    "ACK > -\n" },
	{ .name = "down before the CANCEL",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "active B > -\n"
		    "down A > c:504\n"
		    "CANCEL > c:200\n"
		    "ACK > -\n" },
	{ .name = "a pair that shares transactions: to the twin",
	  .opts = { .pair_flags = DP_PAIR_SHARES_TRANSACTIONS },
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "active B > -\n"
		    "down A > -\n"
		    "CANCEL > B:CANCEL.0 c:200\n"
		    "B.0 200 CANCEL > -\n" },
	{ .name = "no final for 64*T1 after it (9.1): 487 from here",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "A 200 CANCEL > -\n"
		    "+31990 > -\n"
		    "+30 > c:487\n"
		    "ACK > -\n" },
	{ .name = "nothing at all came of it: 487 when its client gives up",
	  .script = "INVITE > A:INVITE.0\n"
		    "+2000 > -\n"
		    "CANCEL > c:200\n"
		    "+29990 > -\n"
		    "+30 > c:487\n"
		    "ACK > -\n" },
	{ .name = "after the final: as it always was, to the member",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 486 > c:486\n"
		    "CANCEL > A:CANCEL.0\n" },
	{ .name = "of an INVITE that does not fail over: passed on (16.11)",
	  .opts = { .failover_methods = 1u << SIP_METHOD_REGISTER },
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0\n"
		    "A 200 CANCEL > c:200\n"
		    "A 487 > c:487\n" },
	{ .name = "Timer C (16.6 item 11, 16.8): cancelled here; then 408",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "+180900 > -\n"
		    "+150 > A:CANCEL.0\n"
		    "A 200 CANCEL > -\n"
		    "+32030 > c:408\n"
		    "ACK > -\n" },
	{ .name = "Timer C starts anew at each provisional (16.7 item 2)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "+170000 > -\n"
		    "A 183 > c:183\n"
		    "+170000 > -\n"
		    "A 200 > c:200\n" },
	{ .name = "Timer C and the 487 that follows",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "+181100 > A:CANCEL.0\n"
		    "A 200 CANCEL > -\n"
		    "A 487 > c:487\n"
		    "ACK > A:ACK.0\n" },
};

Test(steer_inflight_cancel, rows_rfc3261_9_16_10)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		script_run(&rows[i], NULL);
}
