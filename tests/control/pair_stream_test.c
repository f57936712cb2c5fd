/*
 * The pair machine and members that are asked over TCP or TLS (REQUIREMENTS 3 "Suspicion": a TCP
 * connect or send failure, a TLS failure; Yealink: "if the connection or the send fails").
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/control/pair_bench.h"

static struct bench b;

static void running(enum dp_transport transport)
{
	bench_init(&b, 2);
	for (unsigned int s = 0; s < 2; s++)
		b.conf.m[s].transport = (uint8_t)transport;
	bench_start(&b);
	bench_run(&b, 62 * SEC + 500 * MS);
	cr_assert_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_clear_log(&b);
}

static void fails(enum ctl_pair_error error, uint32_t detail, bool late)
{
	b.mood[0] = BENCH_ERROR;
	b.error = (uint16_t)error;
	b.detail = detail;
	b.late = late;
}

Test(pair_stream, a_refused_connection_makes_suspect_and_three_take_it_down)
{
	uint64_t took;

	running(DP_TCP);
	fails(CTL_ERROR_STREAM, ECONNREFUSED, false);
	took = bench_until(&b, CTL_PAIR_BACKUP, 20 * SEC);
	cr_expect_leq(took, 5 * SEC + 300 * MS, "%llu us", (unsigned long long)took);
	cr_expect_eq(bench_count(&b, 0), 4, "one, and the burst");
	cr_expect_str_eq(b.last.cause, "connection-refused");
	cr_expect_not_null(
		strstr(b.last.text, "connection refused, then no good answer to 3 probes"), "%s",
		b.last.text);
}

Test(pair_stream, one_freak_error_takes_nobody_down)
{
	running(DP_TLS);
	fails(CTL_ERROR_STREAM, ECONNRESET, false);
	while (b.p.m[0].health != CTL_HEALTH_SUSPECT)
		bench_run(&b, MS);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 30 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_UP);
	cr_expect_eq(b.p.m[0].cleared, 1);
}

/* A lost segment of TCP's comes again after 200 ms, and a probe may have to connect first. */
Test(pair_stream, bursts_leave_time_for_tcp)
{
	static const struct {
		enum dp_transport transport;
		uint64_t rtt_us, step_us;
	} rows[] = { { DP_UDP, 20 * MS, 40 * MS },   { DP_TCP, 1 * MS, 100 * MS },
		     { DP_TCP, 100 * MS, 400 * MS }, { DP_TLS, 1 * MS, 100 * MS },
		     { DP_TLS, 100 * MS, 800 * MS }, { DP_TLS, 500 * MS, 1000 * MS } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ctl_pair_member m = { .transport = (uint8_t)rows[i].transport,
						   .srtt_us = (uint32_t)rows[i].rtt_us };

		cr_expect_eq(ctl_pair_burst_step(&m), rows[i].step_us, "row %zu: %llu", i,
			     (unsigned long long)ctl_pair_burst_step(&m));
	}
}

/* The whole of the probe's time went by: that is a failed probe, and `fall` counts it. */
Test(pair_stream, a_connection_that_times_out_is_a_failed_probe)
{
	static const struct {
		enum ctl_pair_error error;
		uint32_t detail;
		const char *cause;
	} rows[] = { { CTL_ERROR_STREAM, ETIMEDOUT, "connection-timed-out" },
		     { CTL_ERROR_TLS, CTL_TLS_TIMED_OUT, "tls-timed-out" } };

	for (size_t i = 0; i < 2; i++) {
		uint64_t took;

		running(DP_TLS);
		b.conf.fall = 2;
		fails(rows[i].error, rows[i].detail, true);
		took = bench_until(&b, CTL_PAIR_BACKUP, 60 * SEC);
		cr_expect_leq(took, ctl_pair_detect_bound(&b.conf));
		cr_expect_gt(took, 10 * SEC, "not the first one");
		cr_expect_eq(bench_count(&b, 0), 2, "no burst");
		cr_expect_str_eq(b.last.cause, rows[i].cause);
	}
}

/* A server that is refused while it restarts, and comes back with an expired certificate. */
Test(pair_stream, the_last_failure_is_not_always_the_first)
{
	char text[CTL_PAIR_TEXT];

	running(DP_TLS);
	cr_expect_null(ctl_pair_last_failure(&b.p.m[0], text, sizeof(text)));
	fails(CTL_ERROR_STREAM, ECONNREFUSED, false);
	cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 20 * SEC), UINT64_MAX);
	cr_expect_str_eq(ctl_pair_last_failure(&b.p.m[0], text, sizeof(text)),
			 "connection refused");
	b.error = CTL_ERROR_TLS;
	b.detail = CTL_TLS_EXPIRED;
	bench_run(&b, 6 * SEC);
	cr_expect_str_eq(ctl_pair_last_failure(&b.p.m[0], text, sizeof(text)),
			 "its certificate has expired");
	cr_expect_str_eq(b.last.cause, "connection-refused");
	b.mood[0] = BENCH_ALIVE;
	b.code[0] = 503;
	bench_run(&b, 6 * SEC);
	cr_expect_str_eq(ctl_pair_last_failure(&b.p.m[0], text, sizeof(text)), "503 to a probe");
}

Test(pair_stream, no_answer_says_what_was_asked_how)
{
	running(DP_TLS);
	b.mood[0] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 20 * SEC), UINT64_MAX);
	cr_expect_not_null(strstr(b.last.text, "no answer to an OPTIONS over TLS within 5.0 s"),
			   "%s", b.last.text);
}

/* Each cause has a word and a sentence of its own. */
Test(pair_stream, causes_are_told_apart)
{
	static const struct {
		enum ctl_pair_error error;
		uint32_t detail;
		const char *cause, *text;
	} rows[] = {
		{ CTL_ERROR_STREAM, ECONNRESET, "connection-reset", "connection reset" },
		{ CTL_ERROR_STREAM, EPIPE, "connection-closed", "closed without an answer" },
		{ CTL_ERROR_STREAM, EBADMSG, "connection-garbage", "no SIP message" },
		{ CTL_ERROR_STREAM, EMSGSIZE, "connection-garbage", "too much for an answer" },
		{ CTL_ERROR_STREAM, EHOSTUNREACH, "connection-failed", "No route to host" },
		{ CTL_ERROR_TLS, CTL_TLS_FAILED, "tls-failed", "TLS failed" },
		{ CTL_ERROR_TLS, CTL_TLS_CLOSED, "tls-closed", "within the TLS handshake" },
		{ CTL_ERROR_TLS, CTL_TLS_NO_TLS, "tls-not-spoken", "is no TLS" },
		{ CTL_ERROR_TLS, CTL_TLS_NO_COMMON, "tls-no-common", "in common" },
		{ CTL_ERROR_TLS, CTL_TLS_EXPIRED, "tls-certificate-expired", "has expired" },
		{ CTL_ERROR_TLS, CTL_TLS_NOT_YET, "tls-certificate-not-yet", "not valid yet" },
		{ CTL_ERROR_TLS, CTL_TLS_WRONG_NAME, "tls-wrong-name", "names somebody else" },
		{ CTL_ERROR_TLS, CTL_TLS_UNKNOWN_CA, "tls-unknown-ca", "authority unknown here" },
		{ CTL_ERROR_TLS, CTL_TLS_CERTIFICATE, "tls-bad-certificate", "is not valid" },
		{ CTL_ERROR_TLS, CTL_TLS_REFUSED_US, "tls-refused", "refuses our certificate" },
		{ CTL_ERROR_TLS, CTL_TLS_OWN_FILES, "tls-own-files", "our own certificate files" },
		{ CTL_ERROR_TLS, 4711, "tls-failed", "TLS failed" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		running(DP_TLS);
		fails(rows[i].error, rows[i].detail, false);
		cr_expect_neq(bench_until(&b, CTL_PAIR_BACKUP, 20 * SEC), UINT64_MAX, "row %zu", i);
		cr_expect_str_eq(b.last.cause, rows[i].cause);
		cr_expect_not_null(strstr(b.last.text, rows[i].text), "row %zu: %s", i,
				   b.last.text);
	}
}
