/*
 * Rescue without waiting: refusals, ICMP errors, failed streams, members that control marks down.
 * RFC 3261 16.7, 18.4, 21.5.4.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_script.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_rescue, .fini = leaks_check);

static const struct script_row rows[] = {
	{ .name = "503 to INVITE: ACKed here, on to the next at once (16.7 item 6)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "B 180 > c:180\n"
		    "B 200 > c:200\n" },
	{ .name = "503 to REGISTER",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "A 503 > B:REGISTER.1\n"
		    "B 200 > c:200\n" },
	{ .name = "500 to REGISTER",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "A 500 > B:REGISTER.1\n"
		    "B 200 > c:200\n" },
	{ .name = "500 to INVITE is an answer",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 500 > c:500\n"
		    "ACK > A:ACK.0\n" },
	{ .name = "503 to BYE",
	  .script = "BYE > A:BYE.0\n"
		    "A 503 > B:BYE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "503 after 100: still rescued; the client sends no more, so we do",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 100 > c:100\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "+520 > B:INVITE.1 B:INVITE.1\n"
		    "+1030 > B:INVITE.1\n"
		    "B 180 > c:180\n"
		    "B 486 > c:486\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "503 after 180: no retry after a provisional (section 5)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "A 503 > c:503\n"
		    "ACK > A:ACK.0\n" },
	{ .name = "the only live member's 503 passes, as it is",
	  .script = "down B > -\n"
		    "INVITE > A:INVITE.0\n"
		    "A 503 > c:503\n"
		    "ACK > A:ACK.0\n" },
	{ .name = "both refuse: one 503, of the last (16.7 item 6)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "B 503 > c:503\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "several pairs: a 503 is a 500 (16.7 item 6, map-503)",
	  .opts = { .map_503 = 500 },
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "B 503 > c:500\n"
		    "ACK > B:ACK.1\n" },
	{ .name = "one refuses, one is silent: the refusal comes before the client gives up, and "
		  "is "
		  "sent by Timer G until its ACK, which stays here (17.2.1)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "+31000 > B:INVITE.1 B:INVITE.1 B:INVITE.1 B:INVITE.1 B:INVITE.1 B:INVITE.1\n"
		    "+540 > c:503\n"
		    "+540 > c:503\n"
		    "ACK > -\n"
		    "+5000 > -\n" },
	{ .name = "the absorbed 503 comes again: ACKed again",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "A 503 > A:ACK.0\n"
		    "B 200 > c:200\n"
		    "A 503 > A:ACK.0\n" },
	{ .name = "an ICMP error, proven: at once (18.4)",
	  .script = "INVITE > A:INVITE.0\n"
		    "icmp A > B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "an ICMP error about a REGISTER",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "icmp A > B:REGISTER.1\n"
		    "B 401 > c:401\n" },
	{ .name = "an ICMP error past 180 moves nothing",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "icmp A > -\n"
		    "A 200 > c:200\n" },
	{ .name = "ICMP errors from both: the last keeps it",
	  .script = "INVITE > A:INVITE.0\n"
		    "icmp A > B:INVITE.1\n"
		    "icmp B > -\n"
		    "+510 > B:INVITE.1 B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "a second ICMP error about the branch that was left moves nothing",
	  .opts = { .fallback = true },
	  .script = "INVITE > A:INVITE.0\n"
		    "icmp A > B:INVITE.1\n"
		    "icmp A > -\n"
		    "B 200 > c:200\n" },
	{ .name = "the member is marked down",
	  .script = "INVITE > A:INVITE.0\n"
		    "active B > -\n"
		    "down A > B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "the member is marked down after 100: the client waits, and we send",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 100 > c:100\n"
		    "+2000 > -\n"
		    "active B > -\n"
		    "down A > B:INVITE.1\n"
		    "+510 > B:INVITE.1 B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "REGISTER after 100",
	  .script = "REGISTER > A:REGISTER.0\n"
		    "A 100 > c:100\n"
		    "down A > B:REGISTER.1\n"
		    "B 200 > c:200\n" },
	{ .name = "INVITE past 180 whose member is dead: a final 5xx at once, sent until its ACK",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "+3000 > -\n"
		    "active B > -\n"
		    "down A > c:504\n"
		    "+510 > c:504\n"
		    "INVITE > c:504\n"
		    "ACK > -\n"
		    "+5000 > -\n" },
	{ .name = "a pair that shares transactions: its twin goes on",
	  .opts = { .pair_flags = DP_PAIR_SHARES_TRANSACTIONS },
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "active B > -\n"
		    "down A > -\n"
		    "+3000 > -\n" },
	{ .name = "never after a 2xx",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 200 > c:200\n"
		    "active B > -\n"
		    "down A > -\n"
		    "+5000 > -\n" },
	{ .name = "a stream fails",
	  .script = "INVITE > A:INVITE.0\n"
		    "stream A > B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "a stream fails past 180: not confirmed dead, so nothing",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 180 > c:180\n"
		    "stream A > -\n"
		    "A 200 > c:200\n" },
	{ .name = "everyone down: the last keeps it until 64*T1",
	  .script = "INVITE > A:INVITE.0\n"
		    "down B > -\n"
		    "down A > -\n"
		    "+500 > -\n"
		    "INVITE > A:INVITE.0\n"
		    "+31530 > c:408\n"
		    "ACK > -\n" },
	{ .name = "everyone down, then one comes back",
	  .script = "INVITE > A:INVITE.0\n"
		    "down B > -\n"
		    "active B > -\n"
		    "+4 > -\n"
		    "down A > -\n"
		    "+4 > -\n"
		    "up B > -\n"
		    "+520 > B:INVITE.1 B:INVITE.1\n"
		    "INVITE > B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "everyone down after a 100: the client waits, and it goes to the first that "
		  "comes back",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 100 > c:100\n"
		    "down B > -\n"
		    "+4 > -\n"
		    "down A > -\n"
		    "+3000 > -\n"
		    "active B > -\n"
		    "up B > -\n"
		    "+520 > B:INVITE.1 B:INVITE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "a BYE whose member is marked down",
	  .script = "BYE > A:BYE.0\n"
		    "+200 > -\n"
		    "active B > -\n"
		    "down A > B:BYE.1\n"
		    "B 200 > c:200\n" },
	{ .name = "moved twice, and back: the first is up again when the second dies",
	  .script = "INVITE > A:INVITE.0\n"
		    "active B > -\n"
		    "down A > B:INVITE.1\n"
		    "active A > -\n"
		    "up A > -\n"
		    "+4 > -\n"
		    "down B > A:INVITE.2\n"
		    "A 200 > c:200\n" },
	{ .name = "the challenge of the second member passes (22.3)",
	  .script = "INVITE > A:INVITE.0\n"
		    "A 503 > B:INVITE.1 A:ACK.0\n"
		    "B 407 > c:407\n"
		    "ACK > B:ACK.1\n" },
};

Test(steer_inflight_rescue, rows_rfc3261_16_7_18_4)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		script_run(&rows[i], NULL);
}
