/*
 * The prober over TLS, on loopback: certificates good and bad, ours among them.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/control/probe_bench.h"
#include "tests/leaks.h"

static struct bench bench;
static struct cert ca, other_ca, client, stranger;

static void setup(void)
{
	bench_begin(&bench);
	certs_begin();
	certs_make(&ca, &(struct cert_params){ "Test CA", NULL, NULL, true, -1, 10 });
	certs_make(&other_ca, &(struct cert_params){ "Other CA", NULL, NULL, true, -1, 10 });
	certs_make(&client, &(struct cert_params){ "probe", NULL, &ca, false, -1, 10 });
	certs_make(&stranger, &(struct cert_params){ "probe", NULL, &other_ca, false, -1, 10 });
}

static void teardown(void)
{
	certs_end();
	bench_end(&bench);
	leaks_check();
}

TestSuite(probe_tls, .init = setup, .fini = teardown);

/* One probe of a peer with this certificate. */
static void ask(struct peer *p, const char *host, const char *name, const struct cert *own,
		bool verify)
{
	const struct ctl_target_params params = { .at = peer_endpoint(p),
						  .host = host,
						  .user = "bob",
						  .password = "secret",
						  .max_forwards = 70,
						  .tls = { .ca = ca.cert,
							   .cert = own ? own->cert : NULL,
							   .key = own ? own->key : NULL,
							   .verify = verify },
						  .tls_name = name };
	struct ctl_target *t = ctl_target_new(bench.prober, &params);

	cr_assert_not_null(t);
	bench_probe(&bench, t, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_assert_eq(bench.n_done, 1);
	ctl_target_free(t);
}

#define GOOD CTL_TLS_N

static const struct {
	const char *common_name, *names;
	bool by_other;
	int from_days, to_days;
	const char *name; /* that is wanted; NULL: the address */
	enum ctl_pair_tls want;
} servers[] = {
	{ "x", "IP:127.0.0.1", false, -1, 5, NULL, GOOD },
	{ "x", "IP:127.0.0.2", false, -1, 5, NULL, CTL_TLS_WRONG_NAME },
	{ "x", "DNS:127.0.0.1", false, -1, 5, NULL, CTL_TLS_WRONG_NAME },
	{ "x", "DNS:sip.example.com", false, -1, 5, "sip.example.com", GOOD },
	{ "x", "DNS:SIP.Example.com", false, -1, 5, "sip.example.COM.", GOOD },
	{ "x", "DNS:a,DNS:sip.example.com", false, -1, 5, "sip.example.com", GOOD },
	{ "x", "DNS:sip.example.com", false, -1, 5, "example.com", CTL_TLS_WRONG_NAME },
	{ "x", "DNS:*.example.com", false, -1, 5, "sip.example.com", CTL_TLS_WRONG_NAME },
	{ "x", "URI:sip:example.com", false, -1, 5, "example.com", GOOD },
	{ "x", "URI:SIP:example.com:5061;transport=tls", false, -1, 5, "example.com", GOOD },
	{ "x", "URI:sip:bob@example.com", false, -1, 5, "example.com", CTL_TLS_WRONG_NAME },
	{ "x", "URI:sips:example.com", false, -1, 5, "example.com", CTL_TLS_WRONG_NAME },
	/* A sip URI makes DNS names count for nothing. */
	{ "x", "URI:sip:a.example.com,DNS:b.example.com", false, -1, 5, "b.example.com",
	  CTL_TLS_WRONG_NAME },
	{ "x", "URI:sip:bob@a.example.com,DNS:b.example.com", false, -1, 5, "b.example.com", GOOD },
	/* The common name only where there is nothing else. */
	{ "sip.example.com", NULL, false, -1, 5, "sip.example.com", GOOD },
	{ "sip.example.com", "DNS:a", false, -1, 5, "sip.example.com", CTL_TLS_WRONG_NAME },
	{ "127.0.0.1", NULL, false, -1, 5, NULL, CTL_TLS_WRONG_NAME },
	{ "x", "IP:127.0.0.1", false, -9, -1, NULL, CTL_TLS_EXPIRED },
	{ "x", "IP:127.0.0.1", false, 1, 5, NULL, CTL_TLS_NOT_YET },
	{ "x", "IP:127.0.0.1", true, -1, 5, NULL, CTL_TLS_UNKNOWN_CA },
};

Test(probe_tls, rfc5922_7_1_and_7_2_a_servers_certificate, .timeout = 60)
{
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		const struct cert_params params = { servers[i].common_name,
						    servers[i].names,
						    servers[i].by_other ? &other_ca : &ca,
						    false,
						    servers[i].from_days,
						    servers[i].to_days };
		struct cert cert;
		struct peer p;

		certs_make(&cert, &params);
		peer_start(&p, bench.base, &cert);
		ask(&p, NULL, servers[i].name, NULL, true);
		if (servers[i].want == GOOD) {
			cr_expect(bench.done.answered, "row %zu: error %u detail %u", i,
				  bench.done.code, bench.done.detail);
		} else {
			cr_expect_not(bench.done.answered, "row %zu", i);
			cr_expect_eq(bench.done.code, CTL_ERROR_TLS, "row %zu: %u", i,
				     bench.done.code);
			cr_expect_eq(bench.done.detail, servers[i].want, "row %zu: %u", i,
				     bench.done.detail);
			cr_expect_eq(p.n_requests, 0, "row %zu: it gets nothing", i);
			/* The same is taken where nobody looks. */
			ask(&p, NULL, servers[i].name, NULL, false);
			cr_expect(bench.done.answered, "row %zu", i);
		}
		peer_stop(&p);
	}
}

static struct cert good_cert(void)
{
	struct cert cert;

	certs_make(&cert, &(struct cert_params){ "x", "IP:127.0.0.1,DNS:sip.example.com", &ca,
						 false, -1, 5 });
	return cert;
}

Test(probe_tls, a_connection_is_kept)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	const struct ctl_target_params params = { .at = peer_endpoint(&p),
						  .tls = { .ca = ca.cert, .verify = true } };
	struct ctl_target *t = ctl_target_new(bench.prober, &params);
	char via[512];

	for (unsigned int i = 0; i < 5; i++) {
		bench_probe(&bench, t, CTL_PROBE_OPTIONS, 20000 * MS);
		bench_run(&bench, 1, 30000 * MS);
		cr_expect(bench.done.answered);
	}
	cr_expect_eq(p.n_accepted, 1);
	cr_assert(server_header(&p.sip, "Via", via, sizeof(via)));
	cr_expect_eq(strncmp(via, "SIP/2.0/TLS 127.0.0.1:", 22), 0, "%s", via);
	ctl_target_free(t);
	peer_stop(&p);
}

Test(probe_tls, rfc6066_3_sni_names_a_domain_and_no_address)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	ask(&p, NULL, "sip.example.com", NULL, true);
	cr_expect(bench.done.answered);
	cr_expect_str_eq(p.sni, "sip.example.com");
	ask(&p, "sip.example.com", NULL, NULL, true);
	cr_expect(bench.done.answered, "the host is the name");
	cr_expect_str_eq(p.sni, "sip.example.com");
	ask(&p, NULL, NULL, NULL, true);
	cr_expect(bench.done.answered);
	cr_expect_str_eq(p.sni, "");
	peer_stop(&p);
}

Test(probe_tls, a_client_certificate_for_servers_that_ask)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	peer_ask(&p, &ca);
	ask(&p, NULL, NULL, &client, true);
	cr_expect(bench.done.answered);
	cr_expect(p.has_client_cert);
	ask(&p, NULL, NULL, NULL, true);
	cr_expect_not(bench.done.answered);
	cr_expect_eq(bench.done.code, CTL_ERROR_TLS);
	cr_expect_eq(bench.done.detail, CTL_TLS_REFUSED_US, "%u", bench.done.detail);
	ask(&p, NULL, NULL, &stranger, true);
	cr_expect_eq(bench.done.code, CTL_ERROR_TLS);
	cr_expect_eq(bench.done.detail, CTL_TLS_REFUSED_US, "%u", bench.done.detail);
	peer_stop(&p);
}

Test(probe_tls, rfc8996_old_versions_are_not_spoken)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	peer_age(&p);
	ask(&p, NULL, NULL, NULL, true);
	cr_expect_eq(bench.done.code, CTL_ERROR_TLS);
	cr_expect_eq(bench.done.detail, CTL_TLS_NO_COMMON, "%u", bench.done.detail);
	peer_stop(&p);
}

/* A peer that takes TCP for what we speak. */
Test(probe_tls, peers_that_speak_no_tls)
{
	static const struct {
		enum peer_mood mood;
		enum ctl_pair_tls want;
	} rows[] = {
		{ PEER_READS_NOTHING, CTL_TLS_TIMED_OUT },
		{ PEER_SILENT, CTL_TLS_TIMED_OUT },
		{ PEER_CLOSES_AT_ONCE, CTL_TLS_CLOSED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_target_params params = { .tls = { .ca = ca.cert, .verify = true } };
		struct ctl_target *t;
		struct peer p;

		peer_start(&p, bench.base, NULL);
		p.mood = rows[i].mood;
		params.at = peer_endpoint(&p);
		params.at.transport = DP_TLS;
		t = ctl_target_new(bench.prober, &params);
		bench_probe(&bench, t, CTL_PROBE_OPTIONS, 300 * MS);
		bench_run(&bench, 1, 30000 * MS);
		cr_expect_eq(bench.n_done, 1);
		cr_expect_eq(bench.done.code, CTL_ERROR_TLS, "row %zu: %u", i, bench.done.code);
		cr_expect_eq(bench.done.detail, rows[i].want, "row %zu: %u", i, bench.done.detail);
		ctl_target_free(t);
		peer_stop(&p);
	}
}

/* The same hostile things inside TLS. */
Test(probe_tls, whatever_a_peer_does)
{
	static const struct {
		enum peer_mood mood;
		uint32_t detail; /* of CTL_ERROR_STREAM; 0: answered */
	} rows[] = {
		{ PEER_CLOSES_FIRST, EPIPE },
		{ PEER_RESETS, ECONNRESET },
		{ PEER_CLOSES_MIDWAY, EPIPE },
		{ PEER_GARBAGE, EBADMSG },
		{ PEER_HUGE, EMSGSIZE },
		{ PEER_LONG_HEADER, EMSGSIZE },
		{ PEER_FLOODS, EMSGSIZE },
		{ PEER_CHATTERS, EMSGSIZE },
		{ PEER_DRIPS, 0 },
		{ PEER_PINGS, 0 },
	};
	struct cert cert = good_cert();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer p;

		peer_start(&p, bench.base, &cert);
		p.mood = rows[i].mood;
		ask(&p, NULL, NULL, NULL, true);
		cr_expect_eq(bench.done.answered, rows[i].detail == 0, "mood %u", rows[i].mood);
		cr_expect_eq(bench.done.detail, rows[i].detail, "mood %u: error %u detail %u",
			     rows[i].mood, bench.done.code, bench.done.detail);
		peer_stop(&p);
	}
}

Test(probe_tls, a_register_with_credentials)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	p.sip.algorithm = "SHA-256";
	p.sip.qop = "auth";
	p.sip.password = "secret";
	const struct ctl_target_params params = { .at = peer_endpoint(&p),
						  .user = "bob",
						  .password = "secret",
						  .tls = { .ca = ca.cert, .verify = true } };
	struct ctl_target *t = ctl_target_new(bench.prober, &params);

	bench_probe(&bench, t, CTL_PROBE_REGISTER, 32000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_expect_eq(bench.done.code, 200);
	cr_expect_eq(p.sip.n_registers, 2);
	ctl_target_free(t);
	peer_stop(&p);
}

static void copy_file(const char *from, const char *to)
{
	char buf[8192];
	FILE *f = fopen(from, "r"), *g = fopen(to, "w");
	size_t n;

	cr_assert(f && g);
	n = fread(buf, 1, sizeof(buf), f);
	cr_assert_eq(fwrite(buf, 1, n, g), n);
	fclose(f);
	fclose(g);
}

/* The authority's file changes under our hands: next connection, next authority; a broken file
 * leaves the last good one in use. */
Test(probe_tls, files_that_change_are_read_again)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	const struct ctl_target_params params = { .at = peer_endpoint(&p),
						  .tls = { .ca = other_ca.cert, .verify = true } };
	struct ctl_target *t = ctl_target_new(bench.prober, &params);

	bench_probe(&bench, t, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_expect_eq(bench.done.detail, CTL_TLS_UNKNOWN_CA);
	copy_file(ca.cert, other_ca.cert);
	bench_probe(&bench, t, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_expect(bench.done.answered);
	peer_hang_up(&p);
	bench_run(&bench, 2, 20 * MS);
	cr_assert_eq(truncate(other_ca.cert, 10), 0);
	bench_probe(&bench, t, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_expect(bench.done.answered);
	cr_expect_eq(p.n_accepted, 3);
	ctl_target_free(t);
	peer_stop(&p);
}

Test(probe_tls, our_own_files_are_checked)
{
	char why[CTL_TLS_WHY];
	const struct {
		struct ctl_tls_files f;
		const char *says;
	} rows[] = {
		{ { ca.cert, client.cert, client.key, true }, NULL },
		{ { NULL, NULL, NULL, true }, NULL },
		{ { "/nowhere/ca", NULL, NULL, true },
		  "ca: \"/nowhere/ca\" cannot be used: No such" },
		{ { client.key, NULL, NULL, true }, "ca: " },
		{ { ca.cert, ca.key, ca.key, true }, "cert: " },
		{ { ca.cert, client.cert, ca.key, true }, "key: " },
		{ { ca.cert, client.cert, client.cert, true }, "key: " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good = ctl_tls_usable(&rows[i].f, why);

		cr_expect_eq(good, rows[i].says == NULL, "row %zu", i);
		cr_expect(good || strncmp(why, rows[i].says, strlen(rows[i].says)) == 0,
			  "row %zu: %s", i, why);
	}
}

Test(probe_tls, without_usable_files_a_probe_says_so)
{
	struct cert cert = good_cert();
	struct peer p;

	peer_start(&p, bench.base, &cert);
	const struct ctl_target_params params = { .at = peer_endpoint(&p),
						  .tls = { .ca = "/nowhere/ca", .verify = true } };
	struct ctl_target *t = ctl_target_new(bench.prober, &params);

	bench_probe(&bench, t, CTL_PROBE_OPTIONS, 20000 * MS);
	bench_run(&bench, 1, 30000 * MS);
	cr_expect_eq(bench.done.code, CTL_ERROR_TLS);
	cr_expect_eq(bench.done.detail, CTL_TLS_OWN_FILES);
	ctl_target_free(t);
	peer_stop(&p);
}
