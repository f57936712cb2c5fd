/*
 * The prober's messages: what is built, what is taken for an answer, and digest against the
 * examples of the RFCs.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/probe/ctl_probe_digest.h"

static const struct ctl_probe_form options = {
	.transport = "UDP",
	.sent_by = "192.0.2.10:40000",
	.uri = "sip:198.51.100.11:5060",
	.from = "sip:sipsteer@192.0.2.10",
	.to = "sip:198.51.100.11:5060",
	.user_agent = "sipsteer/1",
	.max_forwards = 70,
};

static struct ctl_probe_ids ids;
static char answer[2048];

/* A 200 to `ids`, with each part replaceable. */
static size_t respond(const char *start, const char *via, const char *from, const char *call_id,
		      const char *cseq, const char *more)
{
	char own_via[256], own_from[256], own_id[64], own_cseq[64];
	int n;

	snprintf(own_via, sizeof(own_via),
		 "Via: SIP/2.0/UDP 192.0.2.10:40000;branch=z9hG4bK%.32s;rport=40000\r\n",
		 ids.branch);
	snprintf(own_from, sizeof(own_from), "From: <sip:sipsteer@192.0.2.10>;tag=%.32s\r\n",
		 ids.tag);
	snprintf(own_id, sizeof(own_id), "Call-ID: %.32s\r\n", ids.call_id);
	snprintf(own_cseq, sizeof(own_cseq), "CSeq: %u OPTIONS\r\n", ids.cseq);
	n = snprintf(answer, sizeof(answer), "%s%s%sTo: <sip:probe.example>;tag=1\r\n%s%s%s\r\n",
		     start != NULL ? start : "SIP/2.0 200 OK\r\n", via != NULL ? via : own_via,
		     from != NULL ? from : own_from, call_id != NULL ? call_id : own_id,
		     cseq != NULL ? cseq : own_cseq, more != NULL ? more : "");
	return (size_t)n;
}

static int parse(size_t len, struct ctl_probe_response *r)
{
	return ctl_probe_parse(answer, len, &ids, false, r);
}

static void setup(void)
{
	cr_assert_eq(ctl_probe_ids_new(&ids), 0);
}

TestSuite(probe_msg, .init = setup);

Test(probe_msg, rfc3261_8_1_1_an_options_has_what_a_request_must_have)
{
	static const char *const lines[] = {
		"OPTIONS sip:198.51.100.11:5060 SIP/2.0\r\n",
		"\r\nTo: <sip:198.51.100.11:5060>\r\n",
		"\r\nFrom: <sip:sipsteer@192.0.2.10>;tag=",
		"\r\nMax-Forwards: 70\r\n",
		"\r\nVia: SIP/2.0/UDP 192.0.2.10:40000;branch=z9hG4bK",
		";rport\r\n",
		"\r\nAccept: application/sdp\r\n",
		"\r\nUser-Agent: sipsteer/1\r\n",
		"\r\nContent-Length: 0\r\n",
		"\r\n\r\n",
	};
	struct ctl_probe_text t;
	char id[CTL_PROBE_TOKEN + 1], cseq[32];

	cr_assert_eq(ctl_probe_text_build(&t, &options), 0);
	ctl_probe_text_put(&t, &ids);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		cr_expect_not_null(strstr(t.b, lines[i]), "row %zu: no %s", i, lines[i]);
	snprintf(id, sizeof(id), "%.32s", ids.call_id);
	cr_expect_not_null(strstr(t.b, id));
	snprintf(id, sizeof(id), "%.32s", ids.branch);
	cr_expect_not_null(strstr(t.b, id));
	snprintf(cseq, sizeof(cseq), "\r\nCSeq: %u OPTIONS\r\n", ids.cseq);
	cr_expect_not_null(strstr(t.b, cseq));
	cr_expect_eq(t.len, strlen(t.b));
	ctl_probe_text_fini(&t);
}

Test(probe_msg, what_cannot_be_sip_is_refused)
{
	struct ctl_probe_text t;
	struct ctl_probe_form f = options;
	char longer[1000];

	f.uri = "no uri at all";
	cr_expect_eq(ctl_probe_text_build(&t, &f), -EINVAL);
	cr_expect_null(t.b);
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	f = options;
	f.from = longer;
	cr_expect_eq(ctl_probe_text_build(&t, &f), -EINVAL);
}

Test(probe_msg, ids_are_nine_digits_and_hexadecimal)
{
	for (unsigned int i = 0; i < 10000; i++) {
		cr_assert_eq(ctl_probe_ids_new(&ids), 0);
		cr_assert(ids.cseq >= 100000000 && ids.cseq <= 999999999);
		for (unsigned int k = 0; k < CTL_PROBE_TOKEN; k++)
			cr_assert_not_null(memchr("0123456789abcdef", ids.branch[k], 16));
	}
}

Test(probe_msg, what_is_an_answer)
{
	static const struct {
		const char *start, *via, *from, *call_id, *cseq, *more;
		int result;
		unsigned int code;
	} rows[] = {
		{ NULL, NULL, NULL, NULL, NULL, NULL, 0, 200 },
		{ "SIP/2.0 404 \r\n", NULL, NULL, NULL, NULL, NULL, 0, 404 },
		{ "SIP/2.0 699 x\r\n", NULL, NULL, NULL, NULL, NULL, 0, 699 },
		{ "SIP/2.0 99 x\r\n", NULL, NULL, NULL, NULL, NULL, -EBADMSG, 0 },
		{ "SIP/2.0 700 x\r\n", NULL, NULL, NULL, NULL, NULL, -EBADMSG, 0 },
		{ "SIP/2.0 xyz x\r\n", NULL, NULL, NULL, NULL, NULL, -EBADMSG, 0 },
		{ "OPTIONS sip:x SIP/2.0\r\n", NULL, NULL, NULL, NULL, NULL, -EBADMSG, 0 },
		{ NULL, "", NULL, NULL, NULL, NULL, -EBADMSG, 0 },
		{ NULL, "Via: SIP/2.0/UDP 192.0.2.10\r\n", NULL, NULL, NULL, NULL, -ESRCH, 0 },
		{ NULL, "Via: SIP/2.0/UDP 192.0.2.10;branch=1234\r\n", NULL, NULL, NULL, NULL,
		  -ESRCH, 0 },
		{ NULL, "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKother\r\n", NULL, NULL, NULL,
		  NULL, -ESRCH, 0 },
		{ NULL, NULL, "", NULL, NULL, NULL, -EBADMSG, 0 },
		{ NULL, NULL, "From: <sip:x>\r\n", NULL, NULL, NULL, -ESRCH, 0 },
		{ NULL, NULL, "From: <sip:x>;tag=1\r\n", NULL, NULL, NULL, -ESRCH, 0 },
		{ NULL, NULL, NULL, "", NULL, NULL, -EBADMSG, 0 },
		{ NULL, NULL, NULL, "Call-ID: a@b\r\n", NULL, NULL, -ESRCH, 0 },
		{ NULL, NULL, NULL, NULL, "", NULL, -EBADMSG, 0 },
		{ NULL, NULL, NULL, NULL, "CSeq: 1 OPTIONS\r\n", NULL, -ESRCH, 0 },
		{ NULL, NULL, NULL, NULL, "CSeq: OPTIONS\r\n", NULL, -EBADMSG, 0 },
		{ NULL, NULL, NULL, NULL, NULL, "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa\r\n",
		  -EBADMSG, 0 }, /* RFC 3261 8.1.3.3 */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_probe_response r;
		size_t len = respond(rows[i].start, rows[i].via, rows[i].from, rows[i].call_id,
				     rows[i].cseq, rows[i].more);

		cr_expect_eq(parse(len, &r), rows[i].result, "row %zu", i);
		cr_expect_eq(r.code, rows[i].code, "row %zu: %u", i, r.code);
	}
}

/* Flush against the end of a block, so that a sanitizer sees any byte too many. */
Test(probe_msg, truncated_or_mangled_responses_do_no_harm)
{
	size_t len = respond("SIP/2.0 401 No\r\n", NULL, NULL, NULL, NULL,
			     "WWW-Authenticate: Digest realm=\"a\\\"b\", nonce=\"n\", "
			     "algorithm=MD5, qop=\"auth\"\r\nContent-Length: 0\r\n");
	struct ctl_probe_response r;

	for (size_t n = 0; n <= len; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, answer, n);
		copy[n] = '\0';
		ctl_probe_find_branch(copy, n);
		ctl_probe_parse(copy, n, &ids, false, &r);
		free(copy);
	}
	srandom(7);
	for (unsigned int i = 0; i < 20000; i++) {
		char *copy = malloc(len + 1);

		memcpy(copy, answer, len);
		copy[len] = '\0';
		for (unsigned int k = 0; k < 1 + i % 4; k++)
			copy[(size_t)random() % len] = (char)random();
		ctl_probe_parse(copy, len, &ids, false, &r);
		free(copy);
	}
}

Test(probe_msg, challenges_are_read_in_their_order)
{
	struct ctl_probe_response r;
	size_t len = respond("SIP/2.0 401 No\r\n", NULL, NULL, NULL, NULL,
			     "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\", "
			     "algorithm=SHA-256, stale=TRUE, qop=\"auth,auth-int\"\r\n"
			     "WWW-Authenticate: Basic realm=\"no\"\r\n"
			     "WWW-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce=\"2\", "
			     "opaque=\"o\"\r\n"
			     "Proxy-Authenticate: Digest realm=\"three\", nonce=\"3\"\r\n");

	cr_assert_eq(parse(len, &r), 0);
	cr_expect_eq(r.n_challenges, 0, "nobody answers those of an OPTIONS");
	ctl_probe_read_challenges(answer, len, &r);
	cr_assert_eq(r.n_challenges, 2);
	cr_expect_str_eq(r.challenges[0].realm, "one");
	cr_expect_str_eq(r.challenges[0].algorithm, "SHA-256");
	cr_expect_str_eq(r.challenges[0].qop, "auth,auth-int");
	cr_expect(r.challenges[0].stale);
	cr_expect_not(r.challenges[0].proxy);
	cr_expect_str_eq(r.challenges[1].realm, "a \"b\"");
	cr_expect_str_eq(r.challenges[1].opaque, "o");
	cr_expect_not(r.challenges[1].stale);
}

Test(probe_msg, a_branch_is_found_only_whole)
{
	char buf[64] = "xxz9hG4bK0123456789abcdef0123456789abcdef;";

	cr_expect_eq(ctl_probe_find_branch(buf, 41), buf + 9);
	cr_expect_null(ctl_probe_find_branch(buf, 40));
	cr_expect_null(ctl_probe_find_branch(buf, 0));
	cr_expect_null(ctl_probe_find_branch("nothing here", 12));
}

/* ---- Digest */

static struct ctl_probe_response challenge(const char *realm, const char *nonce, const char *opaque,
					   const char *algorithm, const char *qop)
{
	struct ctl_probe_response r = { .code = 401, .n_challenges = 1 };

	strcpy(r.challenges[0].realm, realm);
	strcpy(r.challenges[0].nonce, nonce);
	strcpy(r.challenges[0].opaque, opaque);
	strcpy(r.challenges[0].algorithm, algorithm);
	strcpy(r.challenges[0].qop, qop);
	return r;
}

Test(probe_msg, rfc7616_3_9_1_and_rfc2617_3_5_examples)
{
	static const struct {
		const char *realm, *nonce, *opaque, *algorithm, *qop, *cnonce;
		const char *user, *password, *method, *uri, *response;
	} rows[] = {
		{ "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
		  "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "MD5", "auth, auth-int",
		  "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life", "GET",
		  "/dir/index.html", "8ca523f5e9506fed4657c9700eebdbec" },
		{ "http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
		  "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "SHA-256", "auth, auth-int",
		  "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Mufasa", "Circle of Life", "GET",
		  "/dir/index.html",
		  "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1" },
		{ "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093",
		  "5ccc069c403ebaf9f0171e9517f40e41", "", "auth,auth-int", "0a4f113b", "Mufasa",
		  "Circle Of Life", "GET", "/dir/index.html", "6629fae49393a05397450978507c4ef1" },
		{ "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", "", "",
		  "Mufasa", "Circle Of Life", "GET", "/dir/index.html",
		  "670fd8c2df070c60b045671b8b24ff02" }, /* RFC 2069's form */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_probe_response r =
			challenge(rows[i].realm, rows[i].nonce, rows[i].opaque, rows[i].algorithm,
				  rows[i].qop);
		const struct ctl_digest_who who = { .user = rows[i].user,
						    .password = rows[i].password,
						    .method = rows[i].method,
						    .uri = rows[i].uri };
		char value[CTL_DIGEST_SIZE], want[128];

		cr_expect_eq(ctl_digest_answer(&r, &who, 1, rows[i].cnonce, value), 0);
		snprintf(want, sizeof(want), "response=\"%s\"", rows[i].response);
		cr_expect_not_null(strstr(value, want), "row %zu: %s", i, value);
		cr_expect_eq(strstr(value, "qop=auth") != NULL, rows[i].qop[0] != '\0');
	}
}

Test(probe_msg, rfc8760_2_4_the_topmost_supported_challenge_is_answered)
{
	struct ctl_probe_response r = challenge("a", "n", "", "SHA-512-256", "auth");
	const struct ctl_digest_who who = {
		.user = "u", .password = "p", .method = "REGISTER", .uri = "sip:x"
	};
	char value[CTL_DIGEST_SIZE];

	cr_expect_eq(ctl_digest_answer(&r, &who, 1, "c", value), -ENOTSUP);
	r.n_challenges = 3;
	r.challenges[1] = challenge("b", "n", "", "sha-256", "auth").challenges[0];
	r.challenges[2] = challenge("c", "n", "", "MD5", "auth").challenges[0];
	cr_expect_eq(ctl_digest_answer(&r, &who, 1, "c", value), 1);
	cr_expect_not_null(strstr(value, "realm=\"b\""));
	r.challenges[1].qop[4] = '-';
	cr_expect_eq(ctl_digest_answer(&r, &who, 1, "c", value), 2, "auth- is not auth");
	strcpy(r.challenges[2].realm, "a\"b");
	cr_expect_eq(ctl_digest_answer(&r, &who, 1, "c", value), -EINVAL);
	r.n_challenges = 0;
	cr_expect_eq(ctl_digest_answer(&r, &who, 1, "c", value), -ENOTSUP);
}
