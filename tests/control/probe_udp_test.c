/*
 * The prober over UDP, on loopback: transactions, digest, and all that must not be taken as life.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/probe/ctl_clock.h"
#include "control/probe/ctl_probe.h"
#include "tests/control/probe_server.h"

#define MS 1000ull

static struct event_base *base;
static struct ctl_clock *clock_;
static struct ctl_prober *prober;
static struct server server;
static struct ctl_target *target;

static unsigned int n_done;
static struct ctl_probe_result done;

static void on_done(void *arg, const struct ctl_probe_result *r)
{
	(void)arg;
	n_done++;
	done = *r;
}

static void aim(const char *user, const char *password)
{
	const struct ctl_target_params params = {
		.at = server_endpoint(&server),
		.user = user,
		.password = password,
		.max_forwards = 70,
	};

	target = ctl_target_new(prober, &params);
	cr_assert_not_null(target);
}

static void setup(void)
{
	base = event_base_new();
	clock_ = ctl_clock_new(base);
	prober = ctl_prober_new(base, ctl_clock_timers(clock_));
	cr_assert_not_null(prober);
	server_start(&server, base, false);
	n_done = 0;
	memset(&done, 0, sizeof(done));
	aim("bob", "secret");
}

static void teardown(void)
{
	ctl_target_free(target);
	server_stop(&server);
	ctl_prober_free(prober);
	ctl_clock_free(clock_);
	event_base_free(base);
}

TestSuite(probe_udp, .init = setup, .fini = teardown);

static uint64_t count(enum ctl_probe_count c)
{
	return ctl_prober_counts(prober)[c];
}

static void go_round(void)
{
	const struct timeval tv = { .tv_usec = 5000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* Run the loop until `wanted` probes are done or the time is over; and so many rounds at least that
 * whatever has come meanwhile is read and answered, if the machine gave us no time. */
static void run(unsigned int wanted, uint64_t at_most_us)
{
	uint64_t end = ctl_now_us() + at_most_us;

	for (unsigned int i = 0; n_done < wanted && (i < 10 || ctl_now_us() < end); i++)
		go_round();
}

/* The bound is there to end a broken test. */
#define UNTIL(condition)                                                    \
	do {                                                                \
		uint64_t end_ = ctl_now_us() + 20000 * MS;                  \
                                                                            \
		while (!(condition) && ctl_now_us() < end_)                 \
			go_round();                                         \
		cr_assert(condition, "gave up waiting for %s", #condition); \
	} while (0)

static struct ctl_probe *probe(enum ctl_probe_method method, unsigned int n_sends,
			       uint64_t spread_us)
{
	const struct ctl_pair_send order = { .id = 1,
					     .method = (uint8_t)method,
					     .n_sends = (uint8_t)n_sends,
					     .spread_us = spread_us };
	struct ctl_probe *pr = ctl_probe_send(target, &order, on_done, NULL);

	cr_assert_not_null(pr);
	cr_assert_eq(n_done, 0, "never within the call");
	return pr;
}

Test(probe_udp, an_options_is_answered)
{
	uint64_t start = ctl_now_us();
	char value[512];

	probe(CTL_PROBE_OPTIONS, 3, 30000 * MS);
	UNTIL(n_done == 1);
	cr_expect(done.answered);
	cr_expect_eq(done.code, 200);
	cr_expect_gt(done.rtt_us, 0);
	cr_expect_leq(done.rtt_us, ctl_now_us() - start);
	cr_expect_eq(server.n_received, 1);
	cr_expect_eq(strncmp(server.last, "OPTIONS sip:127.0.0.1:", 22), 0, "%s", server.last);
	cr_expect(server_header(&server, "Max-Forwards", value, sizeof(value)));
	cr_expect_str_eq(value, "70");
	cr_expect(server_header(&server, "Via", value, sizeof(value)));
	cr_expect_not_null(strstr(value, ";rport"), "RFC 3581 3");
	cr_expect(server_header(&server, "User-Agent", value, sizeof(value)));
	cr_expect_eq(strncmp(value, "sipsteer/", 9), 0);
	cr_expect(server_header(&server, "Content-Length", value, sizeof(value)));
}

Test(probe_udp, its_sends_are_spread_and_one_lost_datagram_is_no_failure)
{
	uint64_t start = ctl_now_us();

	server.skip = 2;
	probe(CTL_PROBE_OPTIONS, 3, 300 * MS);
	UNTIL(n_done == 1);
	cr_assert(done.answered);
	cr_expect_eq(server.n_received, 3);
	cr_expect_geq(ctl_now_us() - start, 200 * MS, "two thirds of the spread");
	cr_expect_eq(done.rtt_us, 0, "sent more than once: not measurable (Karn)");
}

Test(probe_udp, it_sends_no_more_than_ordered_and_forgets_when_cancelled)
{
	struct ctl_probe *pr;

	server.mood = SERVER_SILENT;
	pr = probe(CTL_PROBE_OPTIONS, 3, 60 * MS);
	UNTIL(server.n_received == 3);
	run(1, 100 * MS);
	cr_expect_eq(server.n_received, 3);
	cr_expect_eq(n_done, 0, "the deadline is the owner's");
	ctl_probe_cancel(pr);
}

Test(probe_udp, rfc3261_17_1_2_2_timer_e)
{
	static const uint64_t due_us[] = { 0, 500 * MS, 1500 * MS }; /* the next at 3.5 s */
	uint64_t start = ctl_now_us();
	struct ctl_probe *pr;

	server.mood = SERVER_SILENT;
	pr = probe(CTL_PROBE_REGISTER, 0, 0);
	for (unsigned int i = 0; i < 3; i++) {
		UNTIL(server.n_received > i);
		cr_expect_geq(ctl_now_us() - start, due_us[i]);
	}
	run(1, 100 * MS);
	cr_expect(server.n_received == 3 || ctl_now_us() - start >= 3500 * MS);
	ctl_probe_cancel(pr);
}

Test(probe_udp, a_provisional_response_is_no_answer)
{
	server.mood = SERVER_TRIES_FIRST;
	probe(CTL_PROBE_REGISTER, 0, 0);
	UNTIL(n_done == 1);
	cr_expect_eq(done.code, 200);
	cr_expect_eq(count(CTL_PROBE_PROVISIONAL), 1);
}

Test(probe_udp, what_is_no_answer_is_counted_by_reason)
{
	static const struct {
		enum server_mood mood;
		enum ctl_probe_count count;
	} rows[] = {
		{ SERVER_OTHER_PORT, CTL_PROBE_OTHER_ADDRESS },
		{ SERVER_OTHER_CALL_ID, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_TAG, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_CSEQ, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_METHOD, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_BRANCH, CTL_PROBE_OTHER_BRANCH },
		{ SERVER_TWO_VIAS, CTL_PROBE_MALFORMED },
		{ SERVER_NO_SIP, CTL_PROBE_MALFORMED },
		{ SERVER_BROKEN_STATUS, CTL_PROBE_MALFORMED },
		{ SERVER_NO_CSEQ, CTL_PROBE_MALFORMED },
		{ SERVER_TRUNCATED, CTL_PROBE_MALFORMED },
		{ SERVER_ECHOES_REQUEST, CTL_PROBE_MALFORMED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before = count(rows[i].count);
		struct ctl_probe *pr;

		server.mood = rows[i].mood;
		pr = probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
		run(1, 50 * MS);
		cr_expect_eq(n_done, 0, "row %zu taken as life", i);
		cr_expect_eq(count(rows[i].count), before + 1, "row %zu: not counted as %s", i,
			     ctl_probe_count_name(rows[i].count));
		ctl_probe_cancel(pr);
	}
}

Test(probe_udp, late_and_duplicate_answers_count_for_nothing)
{
	struct ctl_probe *pr = probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);

	ctl_probe_cancel(pr);
	run(1, 50 * MS);
	cr_expect_eq(n_done, 0);
	cr_expect_eq(count(CTL_PROBE_LATE), 1);
	server.mood = SERVER_ANSWERS_TWICE;
	probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	run(2, 50 * MS);
	cr_expect_eq(n_done, 1);
	cr_expect_eq(count(CTL_PROBE_DUPLICATE), 1);
}

Test(probe_udp, no_two_probes_share_branch_call_id_or_tag)
{
	char via[2][512], id[2][512], from[2][512];

	for (unsigned int i = 0; i < 2; i++) {
		n_done = 0;
		probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
		UNTIL(n_done == 1);
		server_header(&server, "Via", via[i], sizeof(via[i]));
		server_header(&server, "Call-ID", id[i], sizeof(id[i]));
		server_header(&server, "From", from[i], sizeof(from[i]));
	}
	cr_expect_str_neq(via[0], via[1]);
	cr_expect_str_neq(id[0], id[1]);
	cr_expect_str_neq(from[0], from[1]);
}

Test(probe_udp, a_closed_port_is_an_icmp_error_at_once)
{
	struct server closed;
	struct dp_endpoint at;

	server_start(&closed, base, false);
	at = server_endpoint(&closed);
	server_stop(&closed);
	ctl_target_free(target);
	target =
		ctl_target_new(prober, &(struct ctl_target_params){ .at = at, .max_forwards = 70 });
	probe(CTL_PROBE_OPTIONS, 3, 3000 * MS);
	UNTIL(n_done == 1);
	cr_expect_not(done.answered);
	cr_expect_eq(done.code, CTL_ERROR_ICMP);
	cr_expect_eq(done.detail, 3 << 8 | 3, "port unreachable");
	cr_expect_eq(count(CTL_PROBE_ICMP), 1);
	/* Its error hits nobody else's probe. */
	ctl_target_free(target);
	aim(NULL, NULL);
	n_done = 0;
	probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	UNTIL(n_done == 1);
	cr_expect(done.answered);
}

Test(probe_udp, what_cannot_be_sent_fails_at_once)
{
	struct ctl_target_params params = { .at = server_endpoint(&server), .max_forwards = 70 };

	ctl_target_free(target);
	cr_assert_eq(dp_ip_parse("192.0.2.77", &params.from), 0); /* not an address of ours */
	target = ctl_target_new(prober, &params);
	probe(CTL_PROBE_OPTIONS, 3, 3000 * MS);
	UNTIL(n_done == 1);
	cr_expect_not(done.answered);
	cr_expect_eq(done.code, CTL_ERROR_SEND);
	cr_expect_eq(done.detail, EADDRNOTAVAIL);
}

Test(probe_udp, the_source_address_is_the_configured_one)
{
	struct ctl_target_params params = { .at = server_endpoint(&server), .max_forwards = 70 };
	char via[512];

	ctl_target_free(target);
	cr_assert_eq(dp_ip_parse("127.0.0.9", &params.from), 0);
	params.from_uri = "sip:probe@example.com";
	params.user_agent = "watch/1";
	params.max_forwards = 3;
	params.host = "sip.example.com";
	target = ctl_target_new(prober, &params);
	probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	UNTIL(n_done == 1);
	cr_expect(done.answered);
	cr_expect(server_header(&server, "Via", via, sizeof(via)));
	cr_expect_not_null(strstr(via, "127.0.0.9:"), "%s", via);
	cr_expect_eq(strncmp(server.last, "OPTIONS sip:sip.example.com:", 28), 0);
	cr_expect_not_null(strstr(server.last, "From: <sip:probe@example.com>;tag="));
	cr_expect_not_null(strstr(server.last, "User-Agent: watch/1\r\n"));
	cr_expect_not_null(strstr(server.last, "Max-Forwards: 3\r\n"));
}

Test(probe_udp, ipv6)
{
	server_stop(&server);
	server_start(&server, base, true);
	ctl_target_free(target);
	aim(NULL, NULL);
	probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	UNTIL(n_done == 1);
	cr_expect(done.answered);
	cr_expect_eq(strncmp(server.last, "OPTIONS sip:[::1]:", 18), 0, "%s", server.last);
}

Test(probe_udp, rfc7616_register_with_credentials)
{
	static const struct {
		const char *algorithm, *qop, *password;
		bool proxy, stale;
		unsigned int registers, code;
	} rows[] = {
		{ "MD5", "auth", "secret", false, false, 2, 200 },
		{ "MD5", NULL, "secret", false, false, 2, 200 },
		{ "MD5", "auth,auth-int", "secret", false, false, 2, 200 },
		{ "SHA-256", "auth", "secret", false, false, 2, 200 },
		{ "SHA-256", "auth", "secret", true, false, 2, 200 },
		{ "MD5", "auth", "secret", false, true, 3, 200 }, /* a stale nonce */
		{ "MD5", "auth", "other", false, false, 2, 401 }, /* a wrong password */
		{ "SHA-256", "auth", "other", true, false, 2, 407 },
		{ "MD5", "auth-int", "secret", false, false, 1, 401 }, /* not ours to answer */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n_done = 0;
		server.n_registers = server.n_authorized = 0;
		server.algorithm = rows[i].algorithm;
		server.qop = rows[i].qop;
		server.password = rows[i].password;
		server.proxy_auth = rows[i].proxy;
		server.stale_once = rows[i].stale;
		probe(CTL_PROBE_REGISTER, 0, 0);
		UNTIL(n_done == 1);
		cr_expect_eq(done.code, rows[i].code, "row %zu: %u", i, done.code);
		cr_expect_eq(server.n_registers, rows[i].registers, "row %zu: %u REGISTERs", i,
			     server.n_registers);
		cr_expect_null(strstr(server.last, "\r\nContact:"), "binds nothing");
		cr_expect_not_null(strstr(server.last, "To: <sip:bob@127.0.0.1>"));
	}
}

/* Garbage to the port that the last request came from. */
static void pelt(unsigned int n)
{
	unsigned int port = 0;
	char via[512];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	cr_assert(server_header(&server, "Via", via, sizeof(via)));
	cr_assert_eq(sscanf(strchr(via, ' '), " 127.0.0.1:%u", &port), 1);
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons((uint16_t)port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (unsigned int i = 0; i < n; i++) {
		char text[128];
		int len = snprintf(
			text, sizeof(text),
			i % 2 ? "SIP/2.0 200 OK\r\nVia: z9hG4bK%032x\r\n\r\n" : "%08x\r\n\r\n", i);

		sendto(fd, text, (size_t)len, 0, (const struct sockaddr *)&to, sizeof(to));
	}
	close(fd);
}

Test(probe_udp, a_flood_of_garbage_delays_no_answer_and_is_no_life)
{
	struct ctl_probe *pr;

	server.mood = SERVER_SILENT;
	pr = probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	UNTIL(server.n_received == 1);
	pelt(2000);
	server.mood = SERVER_ANSWERS;
	UNTIL(count(CTL_PROBE_MALFORMED) > 500 && count(CTL_PROBE_OTHER_BRANCH) > 500);
	cr_expect_eq(n_done, 0);
	ctl_probe_cancel(pr);
	probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	UNTIL(n_done == 1);
	cr_expect(done.answered);
}

static struct ctl_probe *waiting;

static void give_up(struct ctl_timer *t, uint64_t now_us)
{
	(void)t;
	(void)now_us;
	if (n_done == 0)
		ctl_probe_cancel(waiting);
}

/* A process that was held up finds the answer and its deadline at once. */
Test(probe_udp, what_has_arrived_is_heard_before_deadlines_pass)
{
	struct ctl_timer deadline = { .fire = give_up };

	server.mood = SERVER_SILENT;
	waiting = probe(CTL_PROBE_OPTIONS, 1, 1000 * MS);
	UNTIL(server.n_received == 1);
	pelt(1000);
	server_answer_last(&server);
	ctl_timer_set(ctl_clock_timers(clock_), &deadline, ctl_now_us() + 1 * MS);
	usleep(20000);
	run(1, 500 * MS);
	cr_expect_eq(n_done, 1, "given up though its answer was there");
	ctl_timer_cancel(ctl_clock_timers(clock_), &deadline);
}
