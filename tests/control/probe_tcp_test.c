/*
 * The prober over TCP, on loopback: connections that are kept, and peers that misbehave.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/control/probe_bench.h"
#include "tests/leaks.h"

static struct bench bench;
static struct peer peer;
static struct ctl_target *target;

static struct ctl_target *aim(const struct dp_endpoint *at)
{
	const struct ctl_target_params params = {
		.at = *at, .user = "bob", .password = "secret", .max_forwards = 70
	};
	struct ctl_target *t = ctl_target_new(bench.prober, &params);

	cr_assert_not_null(t);
	return t;
}

static void setup(void)
{
	struct dp_endpoint at;

	bench_begin(&bench);
	peer_start(&peer, bench.base, NULL);
	at = peer_endpoint(&peer);
	target = aim(&at);
}

static void teardown(void)
{
	ctl_target_free(target);
	peer_stop(&peer);
	bench_end(&bench);
	leaks_check();
}

TestSuite(probe_tcp, .init = setup, .fini = teardown);

static void ask(enum ctl_probe_method method)
{
	bench_probe(&bench, target, method, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
}

Test(probe_tcp, a_connection_is_kept_and_named_in_the_via)
{
	char value[512], want[128];

	for (unsigned int i = 0; i < 5; i++) {
		ask(CTL_PROBE_OPTIONS);
		cr_assert(bench.done.answered);
		cr_expect_eq(bench.done.code, 200);
		cr_expect_gt(bench.done.rtt_us, 0);
	}
	cr_expect_eq(peer.n_accepted, 1);
	cr_expect_eq(bench_count(&bench, CTL_PROBE_CONNECTED), 1);
	cr_assert(server_header(&peer.sip, "Via", value, sizeof(value)));
	snprintf(want, sizeof(want), "SIP/2.0/TCP 127.0.0.1:%u;branch=z9hG4bK", peer.from_port);
	cr_expect_eq(strncmp(value, want, strlen(want)), 0, "%s, not %s", value, want);
	snprintf(want, sizeof(want), "OPTIONS sip:127.0.0.1:%u;transport=tcp SIP/2.0\r\n",
		 peer.port);
	cr_expect_eq(strncmp(peer.sip.last, want, strlen(want)), 0, "%s", peer.sip.last);
}

Test(probe_tcp, a_server_that_closes_behind_each_answer_is_no_failure)
{
	peer.mood = PEER_CLOSES;
	for (unsigned int i = 0; i < 4; i++) {
		ask(CTL_PROBE_OPTIONS);
		cr_expect(bench.done.answered);
		bench_run(&bench, 2, 20 * MS);
	}
	cr_expect_eq(peer.n_accepted, 4);
	cr_expect_eq(bench_count(&bench, CTL_PROBE_BROKEN), 0);
}

/* A server may close an idle connection just when the next probe is on its way. */
Test(probe_tcp, a_kept_connection_that_breaks_is_replaced_once)
{
	static const enum peer_mood moods[] = { PEER_CLOSES_FIRST, PEER_RESETS };

	for (size_t i = 0; i < 2; i++) {
		peer.mood = PEER_ANSWERS;
		ask(CTL_PROBE_OPTIONS);
		peer.mood = moods[i];
		peer.once = 1;
		ask(CTL_PROBE_OPTIONS);
		cr_expect(bench.done.answered, "mood %u", moods[i]);
	}
	cr_expect_eq(peer.n_accepted, 3);
	peer.mood = PEER_RESETS; /* and the new one too */
	ask(CTL_PROBE_OPTIONS);
	cr_expect_not(bench.done.answered);
	cr_expect_eq(bench.done.code, CTL_ERROR_STREAM);
	cr_expect_eq(bench.done.detail, ECONNRESET);
	cr_expect_eq(peer.n_accepted, 4);
}

static const struct {
	enum peer_mood mood;
	bool ends;       /* at once; else the owner's deadline does */
	uint32_t detail; /* 0: it is answered */
	enum ctl_probe_count count;
	unsigned int n;
} rows[] = {
	{ PEER_CLOSES_FIRST, true, EPIPE, CTL_PROBE_BROKEN, 1 },
	{ PEER_RESETS, true, ECONNRESET, CTL_PROBE_BROKEN, 1 },
	{ PEER_CLOSES_MIDWAY, true, EPIPE, CTL_PROBE_BROKEN, 1 },
	{ PEER_GARBAGE, true, EBADMSG, CTL_PROBE_MALFORMED, 1 },
	{ PEER_NO_LENGTH, true, EBADMSG, CTL_PROBE_MALFORMED, 1 },
	{ PEER_HUGE, true, EMSGSIZE, CTL_PROBE_MALFORMED, 1 },
	{ PEER_LONG_HEADER, true, EMSGSIZE, CTL_PROBE_MALFORMED, 1 },
	{ PEER_FLOODS, true, EMSGSIZE, CTL_PROBE_MALFORMED, 1 },
	{ PEER_CHATTERS, true, EMSGSIZE, CTL_PROBE_BROKEN, 1 },
	{ PEER_SILENT, false, 0, CTL_PROBE_BROKEN, 0 },
	{ PEER_READS_NOTHING, false, 0, CTL_PROBE_BROKEN, 0 },
	{ PEER_HALF, false, 0, CTL_PROBE_MALFORMED, 0 },
	{ PEER_DRIPS, true, 0, CTL_PROBE_ANSWERED, 1 },
	{ PEER_PINGS, true, 0, CTL_PROBE_ANSWERED, 1 },
	{ PEER_REQUESTS, true, 0, CTL_PROBE_MALFORMED, 1 },
	{ PEER_TRIES, true, 0, CTL_PROBE_PROVISIONAL, 1 },
};

Test(probe_tcp, whatever_a_peer_does)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t before = bench_count(&bench, rows[i].count);
		struct dp_endpoint at = peer_endpoint(&peer);
		struct ctl_probe *pr;

		ctl_target_free(target); /* and with it a kept connection */
		target = aim(&at);
		peer.mood = rows[i].mood;
		pr = bench_probe(&bench, target, CTL_PROBE_OPTIONS, 20000 * MS);
		bench_run(&bench, 1, rows[i].ends ? 30000 * MS : 150 * MS);
		cr_expect_eq(bench.n_done, rows[i].ends, "mood %u", rows[i].mood);
		if (!rows[i].ends) {
			ctl_probe_cancel(pr);
			bench_run(&bench, 1, 20 * MS);
			cr_expect(rows[i].mood == PEER_READS_NOTHING
					  || peer.n_closed == peer.n_accepted,
				  "mood %u: nobody knows what becomes of that connection",
				  rows[i].mood);
		} else {
			cr_expect_eq(bench.done.answered, rows[i].detail == 0, "mood %u",
				     rows[i].mood);
			cr_expect_eq(bench.done.detail, rows[i].detail, "mood %u: %u", rows[i].mood,
				     bench.done.detail);
		}
		cr_expect_eq(bench_count(&bench, rows[i].count) - before, rows[i].n, "mood %u",
			     rows[i].mood);
		peer_hang_up(&peer);
	}
}

Test(probe_tcp, rfc5626_4_4_1_a_ping_is_answered)
{
	peer.mood = PEER_PINGS;
	ask(CTL_PROBE_OPTIONS);
	cr_expect(bench.done.answered);
	bench_run(&bench, 2, 50 * MS);
	cr_expect_eq(peer.n_pongs, 2);
	ask(CTL_PROBE_OPTIONS);
	cr_expect(bench.done.answered);
	cr_expect_eq(peer.n_accepted, 1, "the stream stays in step");
}

Test(probe_tcp, what_is_no_answer_is_counted_by_reason)
{
	static const struct {
		enum server_mood mood;
		enum ctl_probe_count count;
	} moods[] = {
		{ SERVER_OTHER_CALL_ID, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_TAG, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_CSEQ, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_METHOD, CTL_PROBE_MISMATCHED },
		{ SERVER_OTHER_BRANCH, CTL_PROBE_OTHER_BRANCH },
		{ SERVER_TWO_VIAS, CTL_PROBE_MALFORMED },
		{ SERVER_NO_CSEQ, CTL_PROBE_MALFORMED },
		{ SERVER_BROKEN_STATUS, CTL_PROBE_MALFORMED },
		{ SERVER_ECHOES_REQUEST, CTL_PROBE_MALFORMED },
	};

	for (size_t i = 0; i < sizeof(moods) / sizeof(moods[0]); i++) {
		uint64_t before = bench_count(&bench, moods[i].count);
		struct ctl_probe *pr;

		peer.sip.mood = moods[i].mood;
		pr = bench_probe(&bench, target, CTL_PROBE_OPTIONS, 2000 * MS);
		bench_run(&bench, 1, 60 * MS);
		cr_expect_eq(bench.n_done, 0, "mood %u", moods[i].mood);
		cr_expect_eq(bench_count(&bench, moods[i].count), before + 1, "mood %u",
			     moods[i].mood);
		ctl_probe_cancel(pr);
	}
}

Test(probe_tcp, an_answer_to_nobody_on_an_idle_connection)
{
	ask(CTL_PROBE_OPTIONS);
	peer.mood = PEER_TRIES; /* 100 and 200: 100 ends nothing */
	ask(CTL_PROBE_OPTIONS);
	cr_expect(bench.done.answered);
	peer.mood = PEER_PINGS;
	peer.sip.mood = SERVER_ANSWERS;
	ask(CTL_PROBE_OPTIONS);
	cr_expect_eq(peer.n_accepted, 1);
	/* Its own answer, again, when nobody asked. */
	peer.mood = PEER_CHATTERS;
	bench_probe(&bench, target, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_expect_eq(bench.done.detail, EMSGSIZE);
	cr_expect_gt(bench_count(&bench, CTL_PROBE_OTHER_BRANCH), 100);
}

Test(probe_tcp, a_closed_port_is_refused_at_once)
{
	struct peer gone;
	struct dp_endpoint at;

	peer_start(&gone, bench.base, NULL);
	at = peer_endpoint(&gone);
	peer_stop(&gone);
	ctl_target_free(target);
	target = aim(&at);
	ask(CTL_PROBE_OPTIONS);
	cr_expect_not(bench.done.answered);
	cr_expect_eq(bench.done.code, CTL_ERROR_STREAM);
	cr_expect_eq(bench.done.detail, ECONNREFUSED);
}

/* A listener whose queue is full: the kernel drops the SYNs, as a network would. */
static int full_listener(struct dp_endpoint *at, int stuffing[3])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(listen(fd, 0), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	for (int i = 0; i < 3; i++) {
		stuffing[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(stuffing[i], (struct sockaddr *)&in, len);
	}
	usleep(20000);
	*at = (struct dp_endpoint){ .port = ntohs(in.sin_port), .transport = DP_TCP };
	cr_assert_eq(dp_ip_parse("127.0.0.1", &at->ip), 0);
	return fd;
}

Test(probe_tcp, a_connection_that_does_not_come_about_times_out)
{
	struct dp_endpoint at;
	int stuffing[3], fd = full_listener(&at, stuffing);

	ctl_target_free(target);
	target = aim(&at);
	bench_probe(&bench, target, CTL_PROBE_OPTIONS, 300 * MS);
	bench_run(&bench, 1, 20000 * MS);
	cr_assert_eq(bench.n_done, 1);
	cr_expect_eq(bench.done.code, CTL_ERROR_STREAM);
	cr_expect_eq(bench.done.detail, ETIMEDOUT);
	for (int i = 0; i < 3; i++)
		close(stuffing[i]);
	close(fd);
}

static bool connects_within_a_second(void)
{
	uint64_t before = bench_count(&bench, CTL_PROBE_CONNECTED), start;
	struct dp_endpoint at;
	int stuffing[3], fd = full_listener(&at, stuffing), got[2];
	bool connected;

	ctl_target_free(target);
	target = aim(&at);
	start = ctl_now_us();
	bench_probe(&bench, target, CTL_PROBE_OPTIONS, 900 * MS);
	bench_run(&bench, 1, 100 * MS);
	cr_expect_eq(bench_count(&bench, CTL_PROBE_CONNECTED), before);
	for (int i = 0; i < 2; i++)
		got[i] = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	while (bench_count(&bench, CTL_PROBE_CONNECTED) == before
	       && ctl_now_us() < start + 1000 * MS)
		bench_run(&bench, 1, 5 * MS);
	connected = bench_count(&bench, CTL_PROBE_CONNECTED) > before
		    && ctl_now_us() < start + 1000 * MS;
	cr_expect(!connected || bench.n_done == 0);
	for (int i = 0; i < 2; i++)
		close(got[i]);
	for (int i = 0; i < 3; i++)
		close(stuffing[i]);
	close(fd);
	bench_run(&bench, 1, 5000 * MS);
	cr_expect_eq(bench.n_done, 1);
	return connected;
}

/* TCP would repeat the lost SYN after a second: the probe's time would be over. A machine that is
 * away in that very second is given another one. */
Test(probe_tcp, a_lost_syn_is_made_good_by_a_second_attempt)
{
	unsigned int tries = 1;

	while (!connects_within_a_second() && tries < 5)
		tries++;
	cr_expect_lt(tries, 5, "not before the SYN's repetition");
}

Test(probe_tcp, one_hostile_server_delays_nobody_else)
{
	struct dp_endpoint at = peer_endpoint(&peer);
	struct ctl_probe *stuck;
	struct peer good;
	struct ctl_target *other;

	peer.mood = PEER_CHATTERS;
	stuck = bench_probe(&bench, target, CTL_PROBE_OPTIONS, 30000 * MS);
	(void)stuck;
	peer_start(&good, bench.base, NULL);
	at = peer_endpoint(&good);
	other = aim(&at);
	for (unsigned int i = 0; i < 20; i++) {
		bench_probe(&bench, other, CTL_PROBE_OPTIONS, 20000 * MS);
		bench_run(&bench, 1, 30000 * MS);
		cr_expect_geq(bench.n_done, 1);
	}
	cr_expect_eq(good.n_requests, 20);
	ctl_target_free(other);
	peer_stop(&good);
	bench_run(&bench, 99, 100 * MS);
}

Test(probe_tcp, probes_of_one_member_do_not_wait_for_each_other)
{
	struct ctl_probe *stuck;

	peer.mood = PEER_SILENT;
	peer.once = 1;
	stuck = bench_probe(&bench, target, CTL_PROBE_OPTIONS, 30000 * MS);
	bench_run(&bench, 1, 50 * MS);
	cr_expect_eq(bench.n_done, 0);
	ask(CTL_PROBE_OPTIONS);
	cr_expect(bench.done.answered, "on a connection of its own");
	cr_expect_eq(peer.n_accepted, 2);
	ctl_probe_cancel(stuck);
}

Test(probe_tcp, rfc7616_register_with_credentials)
{
	static const struct {
		const char *algorithm;
		bool stale;
		enum peer_mood mood;
		unsigned int registers, accepted;
	} accounts[] = {
		{ "MD5", false, PEER_ANSWERS, 2, 1 },
		{ "SHA-256", true, PEER_ANSWERS, 3, 1 },
		{ "MD5", false, PEER_CLOSES, 2, 2 }, /* closes behind the challenge */
	};

	for (size_t i = 0; i < 3; i++) {
		struct dp_endpoint at = peer_endpoint(&peer);

		ctl_target_free(target);
		target = aim(&at);
		peer.n_accepted = peer.sip.n_registers = peer.sip.n_authorized = 0;
		peer.mood = accounts[i].mood;
		peer.sip.algorithm = accounts[i].algorithm;
		peer.sip.qop = "auth";
		peer.sip.password = "secret";
		peer.sip.stale_once = accounts[i].stale;
		ask(CTL_PROBE_REGISTER);
		cr_expect_eq(bench.done.code, 200, "row %zu: %u", i, bench.done.code);
		cr_expect_eq(peer.sip.n_registers, accounts[i].registers, "row %zu: %u", i,
			     peer.sip.n_registers);
		cr_expect_eq(peer.n_accepted, accounts[i].accepted, "row %zu: %u", i,
			     peer.n_accepted);
	}
}

Test(probe_tcp, what_cannot_be_opened_here_is_told_later)
{
	struct ctl_target_params params = { .at = peer_endpoint(&peer), .max_forwards = 70 };

	ctl_target_free(target);
	cr_assert_eq(dp_ip_parse("192.0.2.77", &params.from), 0); /* not an address of ours */
	target = ctl_target_new(bench.prober, &params);
	ask(CTL_PROBE_OPTIONS);
	cr_assert_eq(bench.n_done, 1);
	cr_expect_eq(bench.done.code, CTL_ERROR_SEND);
	cr_expect_eq(bench.done.detail, EADDRNOTAVAIL);
}

Test(probe_tcp, the_source_address_is_the_configured_one)
{
	struct ctl_target_params params = { .at = peer_endpoint(&peer), .max_forwards = 70 };
	char via[512];

	ctl_target_free(target);
	cr_assert_eq(dp_ip_parse("127.0.0.9", &params.from), 0);
	target = ctl_target_new(bench.prober, &params);
	ask(CTL_PROBE_OPTIONS);
	cr_expect(bench.done.answered);
	cr_assert(server_header(&peer.sip, "Via", via, sizeof(via)));
	cr_expect_not_null(strstr(via, "127.0.0.9:"), "%s", via);
}

Test(probe_tcp, nothing_is_held_against_a_member_while_the_clock_stands)
{
	peer.mood = PEER_SILENT;
	bench_probe(&bench, target, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 50 * MS);
	ctl_clock_stop(bench.clock, true);
	peer_hang_up(&peer); /* as when the way is gone */
	bench_run(&bench, 1, 200 * MS);
	cr_expect_eq(bench.n_done, 0);
	peer.mood = PEER_ANSWERS;
	ctl_clock_stop(bench.clock, false);
	bench_run(&bench, 1, 30000 * MS);
	cr_assert_eq(bench.n_done, 1);
	cr_expect(bench.done.answered);
}

static unsigned int n_lost;

static void on_lost(void *arg)
{
	(void)arg;
	n_lost++;
}

Test(probe_tcp, a_kept_connection_that_is_closed_is_told)
{
	struct ctl_target_params params = { .at = peer_endpoint(&peer), .lost = on_lost };

	n_lost = 0;
	ctl_target_free(target);
	target = ctl_target_new(bench.prober, &params);
	peer.mood = PEER_CLOSES; /* behind each answer: its way */
	for (unsigned int i = 0; i < 3; i++) {
		ask(CTL_PROBE_OPTIONS);
		bench_run(&bench, 2, 20 * MS);
	}
	cr_expect_eq(n_lost, 0);
	peer.mood = PEER_ANSWERS;
	ask(CTL_PROBE_OPTIONS);
	ask(CTL_PROBE_OPTIONS);
	peer_hang_up(&peer);
	bench_run(&bench, 2, 50 * MS);
	cr_expect_eq(n_lost, 1);
	ask(CTL_PROBE_OPTIONS);
	cr_expect(bench.done.answered);
}

Test(probe_tcp, ends_at_any_stage_leak_nothing)
{
	static const uint64_t after_us[] = { 0, 100, 1000, 5000 };

	peer.mood = PEER_HALF;
	for (size_t i = 0; i < sizeof(after_us) / sizeof(after_us[0]); i++) {
		struct ctl_probe *pr = bench_probe(&bench, target, CTL_PROBE_OPTIONS, 2000 * MS);

		bench_run(&bench, 1, after_us[i]);
		ctl_probe_cancel(pr);
	}
	bench_run(&bench, 1, 20 * MS);
	cr_expect_eq(bench.n_done, 0);
}
