/*
 * Loops told from spirals. RFC 3261 16.3 item 4, 16.6 item 8.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_loop, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"

#define MSG "MESSAGE sip:bob@example.com SIP/2.0\n"
#define INV "INVITE sip:bob@example.com SIP/2.0\n"

/* The message that went out, sent back to us with another Via on top and another start line. */
static void send_back(struct bench *b, const char *src, const char *start, const char *more)
{
	static char msg[BENCH_MSG];
	const char *rest = strstr(b->out, "\r\n") + 2;

	snprintf(msg, sizeof(msg), "%s\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-b%u\r\n%s%s", start,
		 src, (unsigned int)b->counters.sip_requests, more, rest);
	bench_bytes(b, src, LB, msg, strlen(msg));
}

Test(steer_loop, a_loop_between_clients_rfc3261_16_6_item_8)
{
	struct bench *b = bench_new(NULL);
	char start[256] = "MESSAGE sip:bob@example.com SIP/2.0";

	bench_send(b, A, LB, MSG);
	bench_forwarded(b, LB, MA);
	send_back(b, "203.0.113.9:5060", start, "");
	bench_answered(b, 482);
	/* With another Request-URI, or another Route, it is a spiral. */
	bench_send(b, A, LB, MSG);
	send_back(b, "203.0.113.9:5060", "MESSAGE sip:carol@example.com SIP/2.0", "");
	bench_forwarded(b, LB, MA);
	bench_send(b, A, LB, MSG);
	send_back(b, "203.0.113.9:5060", start, "Route: <sip:192.0.2.10;lr>\r\n");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}

/* All lines of Route count. */
Test(steer_loop, another_second_route_line_is_a_spiral_rfc3261_16_6_item_8)
{
	static const char own[] = "Route: <sip:192.0.2.10;lr>\r\n";
	static const char other[] = "Route: <sip:192.0.2.10;lr>\r\n"
				    "Route: <sip:198.51.100.12;lr>\r\n";
	struct bench *b = bench_new(NULL);

	for (int i = 0; i < 2; i++) {
		bench_send(b, A, LB,
			   MSG "Route: <sip:192.0.2.10;lr>\nRoute: <sip:198.51.100.11;lr>");
		bench_forwarded(b, LB, MA);
		send_back(b, "203.0.113.9:5060", "MESSAGE sip:bob@example.com SIP/2.0",
			  i ? other : own);
		if (i)
			bench_forwarded(b, LB, "198.51.100.12:5060");
		else
			bench_answered(b, 482);
	}
	bench_free(b);
}

Test(steer_loop, a_loop_through_members_rfc3261_16_6_item_8)
{
	struct bench *b = bench_new(NULL);

	bench_send(b, A, LB, "INVITE sip:bob@203.0.113.7 SIP/2.0");
	bench_forwarded(b, LB, MA);
	/* The member sends it on unchanged: outward, not a loop. */
	send_back(b, MA, "INVITE sip:bob@203.0.113.7 SIP/2.0", "");
	bench_forwarded(b, LB, "203.0.113.7:5060");
	/* The third time round is one. */
	send_back(b, MA, "INVITE sip:bob@203.0.113.7 SIP/2.0", "");
	bench_answered(b, 482);
	/* Unchanged, with nowhere to go but back. */
	bench_send(b, A, LB, MSG);
	send_back(b, MA, "MESSAGE sip:bob@example.com SIP/2.0", "");
	bench_answered(b, 482);
	bench_free(b);
}

Test(steer_loop, phone_to_member_to_phone_is_a_spiral_rfc3261_16_3)
{
	struct bench *b = bench_new(NULL);

	bench_send(b, A, LB, INV);
	send_back(b, MA, "INVITE sip:bob@203.0.113.7:5062 SIP/2.0", "");
	bench_forwarded(b, LB, "203.0.113.7:5062");
	cr_expect_str_neq(bench_header(b->out, "Via", 3), "", "two of ours, one of each other");
	bench_reply(b, 200, "sip:bob@203.0.113.7:5062", "");
	bench_forwarded(b, LB, MA);
	bench_reply(b, 200, "", "");
	bench_free(b);
}

/* A Via below that is not ours, or has no branch of ours, is no loop. */
Test(steer_loop, foreign_vias_are_no_loop)
{
	struct bench *b = bench_new(NULL);
	char via[256], text[1024];

	bench_send(b, A, LB, MSG);
	snprintf(via, sizeof(via), "%s", bench_header(b->out, "Via", 0));
	snprintf(text, sizeof(text), MSG "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-5\nVia: %s",
		 via);
	bench_send(b, A, LB, text);
	bench_answered(b, 482);
	memcpy(strstr(text, "192.0.2.10"), "192.0.2.99", 10);
	bench_send(b, A, LB, text);
	bench_forwarded(b, LB, MA);
	bench_send(b, A, LB, MSG "Via: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK-5, @");
	bench_forwarded(b, LB, MA);
	bench_free(b);
}
