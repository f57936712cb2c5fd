/*
 * RFC 4475 and RFC 5118: the parser's side of tests/sip/torture_table.h, and whether what the
 * parser hands over is enough to reach each row's verdict.
 */
#include "sip/sip_build.h"
#include "sip/sip_uri.h"
#include "tests/sip/guard.h"
#include "tests/sip/torture_load.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

struct loaded {
	struct guard guard;
	struct sip_msg msg;
	enum sip_result result;
};

static void load(struct loaded *l, const struct torture_row *row)
{
	static uint8_t bytes[TORTURE_MAX];
	size_t len = torture_load(row, bytes);

	cr_assert_gt(len, 0, "%s", row->file);
	guard_init(&l->guard, TORTURE_MAX);
	l->result = sip_msg_parse(&l->msg, guard_copy(&l->guard, bytes, len), len);
}

static void unload(struct loaded *l)
{
	guard_fini(&l->guard);
}

static const struct torture_row *row_of(const char *file)
{
	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		if (strcmp(torture_table[i].file, file) == 0)
			return &torture_table[i];
	}
	cr_assert_fail("%s is not in the table", file);
	return NULL;
}

Test(torture, rfc4475_rfc5118_parser_results)
{
	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		const struct torture_row *row = &torture_table[i];
		struct loaded l;

		load(&l, row);
		cr_expect(l.result == row->result, "%s (%s): %s at byte %u, want %s", row->file,
			  row->clause, sip_result_name(l.result), l.msg.err_off,
			  sip_result_name(row->result));
		unload(&l);
	}
}

/* Where the code that answers a request is not the parser's result, RFC 3261 16.3 gives it. */
static unsigned int code_of_parsed(const struct sip_msg *m)
{
	struct sip_uri uri;

	if (sip_uri_parse(m->buf, m->uri, &uri) != 0 || uri.headers.len > 0)
		return 400;
	if (uri.scheme == SIP_SCHEME_OTHER)
		return 416;
	if (sip_msg_has(m, SIP_HDR_MAX_FORWARDS) && m->max_forwards == 0)
		return 483;
	return sip_msg_has(m, SIP_HDR_PROXY_REQUIRE) ? 420 : 0;
}

static unsigned int code_of_failed(const struct sip_msg *m, enum sip_result result)
{
	if (!sip_msg_answerable(m))
		return 0;
	if (result == SIP_ERR_VERSION)
		return 505;
	if (result == SIP_ERR_CSEQ_METHOD && m->method == SIP_METHOD_OTHER)
		return 501;
	return 400;
}

static enum torture_verdict verdict_of_response(const struct sip_msg *m,
						enum torture_own_via own_via)
{
	struct sip_via_iter it;
	struct sip_via via;

	sip_via_iter_init(&it, m);
	if (own_via == TORTURE_VIA_INSTEAD && sip_via_iter_next(&it, &via) != 1)
		return TORTURE_DROP;
	if (sip_via_iter_next(&it, &via) != 1)
		return TORTURE_DROP;
	return sip_span_is(m->buf, via.host, "255.255.255.255") ? TORTURE_DROP : TORTURE_FORWARD;
}

Test(torture, rfc3261_16_3_view_is_enough_for_the_verdict)
{
	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		const struct torture_row *row = &torture_table[i];
		enum torture_verdict verdict;
		unsigned int code = 0;
		struct loaded l;

		load(&l, row);
		if (l.result == SIP_OK && !l.msg.is_request) {
			verdict = verdict_of_response(&l.msg, row->own_via);
		} else if (l.result == SIP_OK) {
			code = code_of_parsed(&l.msg);
			verdict = code ? TORTURE_ANSWER : TORTURE_FORWARD;
		} else {
			code = code_of_failed(&l.msg, l.result);
			verdict = code ? TORTURE_ANSWER : TORTURE_DROP;
		}
		cr_expect(verdict == row->verdict && code == row->code,
			  "%s (%s): verdict %d, code %u; want %s", row->file, row->clause, verdict,
			  code, torture_verdict_text(row));
		unload(&l);
	}
}

/* Whatever is wrong with a request that is to be answered, the answer can be built. */
Test(torture, rfc3261_8_2_6_answers)
{
	static const struct sip_response_opts opts = { .to_tag = "1-2",
						       .received = "2001:db8::9",
						       .rport = 65535 };

	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		const struct torture_row *row = &torture_table[i];
		uint8_t out[TORTURE_MAX];
		char start[32];
		struct loaded l;
		int len;

		if (row->verdict != TORTURE_ANSWER)
			continue;
		load(&l, row);
		snprintf(start, sizeof(start), "SIP/2.0 %u ", row->code);
		len = sip_build_response(out, sizeof(out), &l.msg, row->code, &opts);
		cr_expect(len > 0 && memcmp(out, start, strlen(start)) == 0, "%s (%s): %d",
			  row->file, row->clause, len);
		cr_expect(len > 0 && memmem(out, (size_t)len, "received=2001:db8::9", 20), "%s",
			  row->file);
		unload(&l);
	}
}

Test(torture, rfc5118_request_uris)
{
	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		const struct torture_row *row = &torture_table[i];
		struct sip_uri uri;
		struct loaded l;

		load(&l, row);
		if (l.result == SIP_OK && l.msg.is_request)
			cr_expect_eq(sip_uri_parse(l.msg.buf, l.msg.uri, &uri) != 0, row->uri_bad,
				     "%s (%s)", row->file, row->clause);
		unload(&l);
	}
}

/* What must have been read out of the messages that make it hard. */
struct expect {
	const char *file;
	const char *method, *from_tag, *to_tag, *call_id, *via_host, *branch;
	uint32_t cseq;
	uint32_t max_forwards; /* 0: absent */
	unsigned int n_vias;
	unsigned int n_contacts;
	uint32_t len; /* 0: the whole datagram */
};

static const struct expect expects[] = {
	{ .file = "rfc4475/wsinv.dat",
	  .method = "INVITE",
	  .from_tag = "98asjd8",
	  .to_tag = "1918181833n",
	  .call_id = "wsinv.ndaksdj@192.0.2.1",
	  .via_host = "192.0.2.2",
	  .branch = "390skdjuw",
	  .cseq = 9,
	  .max_forwards = 68,
	  .n_vias = 3,
	  .n_contacts = 1 },
	{ .file = "rfc4475/intmeth.dat",
	  .method = "!interesting-Method0123456789_*+`.%indeed'~",
	  .from_tag = "_token~1'+`*%!-.",
	  .to_tag = "",
	  .call_id = "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
	  .via_host = "host1.example.com",
	  .branch = "z9hG4bK-.!%66*_+`'~",
	  .cseq = 139122385,
	  .max_forwards = 255,
	  .n_vias = 1 },
	{ .file = "rfc4475/esc02.dat",
	  .method = "RE%47IST%45R",
	  .from_tag = "f232jadfj23",
	  .to_tag = "",
	  .call_id = "esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf",
	  .via_host = "host.example.com",
	  .branch = "z9hG4bK209%fzsnel234",
	  .cseq = 29344,
	  .max_forwards = 70,
	  .n_vias = 1,
	  .n_contacts = 2 },
	{ .file = "rfc4475/lwsdisp.dat",
	  .method = "OPTIONS",
	  .from_tag = "323",
	  .to_tag = "",
	  .call_id = "lwsdisp.1234abcd@funky.example.com",
	  .via_host = "funky.example.com",
	  .branch = "z9hG4bKkdjuw",
	  .cseq = 60,
	  .max_forwards = 70,
	  .n_vias = 1 },
	{ .file = "rfc4475/dblreq.dat",
	  .method = "REGISTER",
	  .from_tag = "43251j3j324",
	  .to_tag = "",
	  .call_id = "dblreq.0ha0isndaksdj99sdfafnl3lk233412",
	  .via_host = "192.0.2.125",
	  .branch = "z9hG4bKkdjuw23492",
	  .cseq = 8,
	  .max_forwards = 8,
	  .n_vias = 1,
	  .n_contacts = 1,
	  .len = 300 },
	{ .file = "rfc4475/transports.dat",
	  .method = "OPTIONS",
	  .from_tag = "323",
	  .to_tag = "",
	  .call_id = "transports.kijh4akdnaqjkwendsasfdj",
	  .via_host = "t1.example.com",
	  .branch = "z9hG4bKkdjuw",
	  .cseq = 60,
	  .max_forwards = 70,
	  .n_vias = 5 },
	{ .file = "rfc4475/unreason.dat",
	  .method = "INVITE",
	  .from_tag = "11141343",
	  .to_tag = "2229",
	  .call_id = "unreason.1234ksdfak3j2erwedfsASdf",
	  .via_host = "192.0.2.198",
	  .branch = "z9hG4bK1324923",
	  .cseq = 35,
	  .n_vias = 1,
	  .n_contacts = 1 },
	{ .file = "rfc4475/badbranch.dat",
	  .method = "OPTIONS",
	  .from_tag = "33242",
	  .to_tag = "",
	  .call_id = "badbranch.sadonfo23i420jv0as0derf3j3n",
	  .via_host = "192.0.2.1",
	  .branch = "z9hG4bK",
	  .cseq = 8,
	  .max_forwards = 3,
	  .n_vias = 1 },
	{ .file = "rfc4475/inv2543.dat",
	  .method = "INVITE",
	  .from_tag = "",
	  .to_tag = "",
	  .call_id = "inv2543.1717@ift.client.example.com",
	  .via_host = "iftgw.example.com",
	  .branch = "",
	  .cseq = 56,
	  .n_vias = 1 },
	{ .file = "rfc5118/mult-ip-in-header",
	  .method = "BYE",
	  .from_tag = "81x2",
	  .to_tag = "9817--94",
	  .call_id = "997077@lau_4100",
	  .via_host = "[2001:db8::9:1]",
	  .branch = "z9hG4bKas3-111",
	  .cseq = 89187,
	  .max_forwards = 70,
	  .n_vias = 3 },
};

static unsigned int count_vias(const struct sip_msg *m)
{
	struct sip_via_iter it;
	struct sip_via via;
	unsigned int n = 0;

	sip_via_iter_init(&it, m);
	while (sip_via_iter_next(&it, &via) == 1)
		n++;
	return n;
}

static unsigned int count_contacts(const struct sip_msg *m)
{
	struct sip_addr_iter it;
	struct sip_addr addr;
	unsigned int n = 0;

	sip_addr_iter_init(&it, m, SIP_HDR_CONTACT);
	while (sip_addr_iter_next(&it, &addr) == 1)
		n++;
	return n;
}

static void expect_text(const struct expect *e, const struct sip_msg *m, struct sip_span got,
			const char *want)
{
	cr_expect(got.len == strlen(want) && sip_span_is(m->buf, got, want),
		  "%s: got \"%.*s\", want \"%s\"", e->file, got.len, sip_at(m, got), want);
}

Test(torture, rfc4475_3_1_1_fields)
{
	for (size_t i = 0; i < sizeof(expects) / sizeof(expects[0]); i++) {
		const struct expect *e = &expects[i];
		struct loaded l;

		load(&l, row_of(e->file));
		cr_assert_eq(l.result, SIP_OK, "%s", e->file);
		expect_text(e, &l.msg, l.msg.method_name, e->method);
		expect_text(e, &l.msg, l.msg.from_tag, e->from_tag);
		expect_text(e, &l.msg, l.msg.to_tag, e->to_tag);
		expect_text(e, &l.msg, l.msg.call_id, e->call_id);
		expect_text(e, &l.msg, l.msg.via.host, e->via_host);
		expect_text(e, &l.msg, l.msg.via.branch, e->branch);
		cr_expect_eq(l.msg.cseq, e->cseq, "%s", e->file);
		cr_expect_eq(sip_msg_has(&l.msg, SIP_HDR_MAX_FORWARDS), e->max_forwards > 0, "%s",
			     e->file);
		cr_expect(e->max_forwards == 0 || l.msg.max_forwards == e->max_forwards, "%s",
			  e->file);
		cr_expect_eq(count_vias(&l.msg), e->n_vias, "%s", e->file);
		cr_expect_eq(count_contacts(&l.msg), e->n_contacts, "%s", e->file);
		cr_expect_eq(l.msg.len, e->len ? e->len : (uint32_t)(l.guard.end - l.msg.buf), "%s",
			     e->file);
		unload(&l);
	}
}

static unsigned int count_files(const char *dir)
{
	char path[1024];
	struct dirent *entry;
	unsigned int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", TORTURE_DIR, dir);
	d = opendir(path);
	cr_assert_not_null(d, "%s", path);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		row_of(path);
		n++;
	}
	closedir(d);
	return n;
}

Test(torture, every_message_has_a_row)
{
	cr_expect_eq(count_files("rfc4475"), 49);
	cr_expect_eq(count_files("rfc5118"), 12);
}

/* docs/TORTURE.md holds each row as "| file | clause | result | verdict | why |". */
Test(torture, document_says_the_same)
{
	static char doc[65536];
	FILE *f = fopen(TORTURE_DOC, "rb");
	size_t len, lines = 0;

	cr_assert_not_null(f, "%s", TORTURE_DOC);
	len = fread(doc, 1, sizeof(doc) - 1, f);
	fclose(f);
	doc[len] = '\0';
	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		const struct torture_row *row = &torture_table[i];
		char line[512];

		snprintf(line, sizeof(line), "| `%s` | %s | %s | %s | %s |\n", row->file,
			 row->clause, sip_result_name(row->result), torture_verdict_text(row),
			 row->why);
		cr_expect_not_null(strstr(doc, line), "missing in docs/TORTURE.md: %s", line);
	}
	for (const char *at = doc; (at = strstr(at, "\n| `rfc")) != NULL; at++)
		lines++;
	cr_expect_eq(lines, TORTURE_ROWS, "docs/TORTURE.md has %zu rows", lines);
}
