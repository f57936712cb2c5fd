/*
 * What comes late, twice, or from where nobody expects it any more. RFC
 * 3261 16.7, 17.1.1.3, 8.2.2.2, 10.3.
 */
#include <criterion/criterion.h>

#include "tests/dataplane/steer_script.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_edges, .fini = leaks_check);

static const struct script_row rows[] = {
	{ .name = "a late 100 or 180 from the member that was left: absorbed, and its branch "
		  "cancelled",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "A 100 > A:CANCEL.0\n"
		    "A 200 CANCEL > -\n"
		    "A 180 > -\n"
		    "A 487 > A:ACK.0\n"
		    "B 180 > c:180\n"
		    "B 200 > c:200\n" },
	{ .name = "a late 200 passes (16.7 item 5), and the other branch is cancelled (item 10)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 180 > c:180\n"
		    "A 200 > B:CANCEL.1 c:200\n"
		    "B 200 CANCEL > -\n"
		    "B 487 > B:ACK.1\n" },
	{ .name = "both answer 200: both pass (16.7 item 5)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 200 > c:200\n"
		    "A 200 > c:200\n"
		    "B 200 > c:200\n" },
	{ .name = "a 200 after a final that was passed still passes (16.7 item 5)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 486 > c:486\n"
		    "ACK > B:ACK.1\n"
		    "A 200 > c:200\n" },
	{ .name = "no other final after a 2xx",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "A 200 > c:200\n"
		    "B 486 > B:ACK.1\n"
		    "B 486 > B:ACK.1\n" },
	{ .name = "the client gets one non-2xx final; the other is ACKed here (17.1.1.3)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 486 > c:486\n"
		    "A 404 > A:ACK.0\n"
		    "ACK > B:ACK.1\n"
		    "B 486 > c:486\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "a late non-2xx is kept back while the new branch is open, and is the answer "
		  "when it is "
		  "the better one (16.7 item 6)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "A 486 > A:ACK.0\n"
		    "B 503 > B:ACK.1 c:486\n"
		    "ACK > -\n"
		    "+2000 > -\n" },
	{ .name = "and when the new branch rings until Timer C",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "A 486 > A:ACK.0\n"
		    "B 180 > c:180\n"
		    "+181020 > B:CANCEL.1\n"
		    "B 200 CANCEL > -\n"
		    "+32020 > c:486\n"
		    "ACK > -\n" },
	{ .name = "6xx is better than 4xx (16.7 item 6)",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "A 603 > A:ACK.0\n"
		    "B 404 > B:ACK.1 c:603\n"
		    "ACK > -\n" },
	{ .name = "the client sends its INVITE again after a final that was kept back: that final "
		  "again",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "A 486 > A:ACK.0\n"
		    "B 503 > B:ACK.1 c:486\n"
		    "INVITE > c:486\n"
		    "ACK > -\n" },
	{ .name = "a late 200 to a REGISTER passes; what the twin says then does not",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+4016 > B:REGISTER.1\n"
		    "A 200 > c:200\n"
		    "B 200 > -\n" },
	{ .name = "a late provisional to a REGISTER: absorbed, not cancelled (9.1)",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+4016 > B:REGISTER.1\n"
		    "A 100 > -\n"
		    "B 200 > c:200\n" },
	{ .name = "the twin has seen our first send: its 500 (10.3 item 7) waits for the first "
		  "member's "
		  "answer",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "+4016 > B:REGISTER.1\n"
		    "B 500 > -\n"
		    "A 200 > c:200\n" },
	{ .name = "when that one is dead, it is the answer, and no refusal",
	  .opts = { .fallback = true, .fallback_all = true },
	  .script = "REGISTER > A:REGISTER.0\n"
		    "active B > -\n"
		    "down A > B:REGISTER.1\n"
		    "B 500 > c:500\n" },
	{ .name = "a 482 (8.2.2.2) from the twin likewise: the first member has the call",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 482 > B:ACK.1\n"
		    "A 180 > c:180\n"
		    "A 200 > c:200\n" },
	{ .name = "a 482 from the twin that the dead member had reached: the answer that there is",
	  .script = "INVITE > A:INVITE.0\n"
		    "active B > -\n"
		    "down A > B:INVITE.1\n"
		    "B 482 > c:482\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "a member that returns in the middle: its late answer is one of a branch that "
		  "was left",
	  .script = "INVITE > A:INVITE.0\n"
		    "active B > -\n"
		    "down A > B:INVITE.1\n"
		    "active A > -\n"
		    "up A > -\n"
		    "A 180 > A:CANCEL.0\n"
		    "B 180 > c:180\n"
		    "A 487 > A:ACK.0\n"
		    "B 200 > c:200\n" },
	{ .name = "a forked 200 behind the member: all pass (16.7 item 5)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "A 200 > c:200\n"
		    "A 200 > c:200\n" },
	{ .name = "the rescued call is its rescuer's: INVITE again, ACK",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "INVITE > B:INVITE.1\n"
		    "B 404 > c:404\n"
		    "INVITE > B:INVITE.1\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "its servers die in turns: six branches, then it stays",
	  .script = "INVITE > A:INVITE.0\n"
		    "active B > -\n"
		    "down A > B:INVITE.1\n"
		    "active A > -\n"
		    "up A > -\n"
		    "+4 > -\n"
		    "down B > A:INVITE.2\n"
		    "active B > -\n"
		    "up B > -\n"
		    "+4 > -\n"
		    "down A > B:INVITE.3\n"
		    "active A > -\n"
		    "up A > -\n"
		    "+4 > -\n"
		    "down B > A:INVITE.4\n"
		    "active B > -\n"
		    "up B > -\n"
		    "+4 > -\n"
		    "down A > B:INVITE.5\n"
		    "active A > -\n"
		    "up A > -\n"
		    "+4 > -\n"
		    "down B > -\n"
		    "INVITE > A:INVITE.5\n"
		    "up B > -\n"
		    "B 200 > c:200\n" },
	{ .name = "a 2xx of a former life of the client's branch",
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 486 > c:486\n"
		    "ACK > B:ACK.1\n"
		    "+70000 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "CANCEL > A:CANCEL.0 c:200\n"
		    "B 200 > c:200\n"
		    "A 487 > A:ACK.0\n" },
	{ .name = "two members answer one branch, since the first died in between: one final",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "A 183 > c:183\n"
		    "active B > -\n"
		    "down A > -\n"
		    "REGISTER > B:REGISTER.0\n"
		    "B 403 > c:403\n"
		    "B 403 > c:403\n"
		    "A 404 > -\n" },
	{ .name = "so do two that share transactions, on a second branch",
	  .opts = { .pair_flags = DP_PAIR_SHARES_TRANSACTIONS },
	  .script = "INVITE > A:INVITE.0\n"
		    "+4016 > B:INVITE.1\n"
		    "B 180 > c:180\n"
		    "down B > -\n"
		    "INVITE > A:INVITE.1\n"
		    "A.1 486 > c:486\n"
		    "B.1 404 > A:ACK.1\n" },
	{ .name = "an answer to what was never sent there",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 486 > c:486\n"
		    "A 180 > c:180\n" },
};

Test(steer_inflight_edges, rows_rfc3261_16_7)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		script_run(&rows[i], NULL);
}
