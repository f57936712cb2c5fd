/*
 * RFC 4475 and RFC 5118: what the proxy does with each message, as tests/sip/torture_table.h says.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"
#include "tests/sip/torture_load.h"

TestSuite(steer_torture, .fini = leaks_check);

#define A      "203.0.113.5:5060"
#define A6     "[2001:db8:113::5]:5060"
#define LB     "192.0.2.10:5060"
#define MA     "198.51.100.11:5060"
#define ROUTED "127.0.0.1:5080"

static uint8_t bytes[TORTURE_MAX];

static bool is_response(const char *msg)
{
	while (*msg == '\r' || *msg == '\n')
		msg++;
	return strncasecmp(msg, "SIP/", 4) == 0;
}

/* The Via that we would have pushed when the request of this response went to the member: sent as
 * a client would have, by its Via and what names an RFC 2543 transaction. */
static void own_via(struct bench *b, const struct sip_msg *m, const struct sip_via *via, char *out)
{
	char text[BENCH_MSG];
	const char *buf = (const char *)m->buf;

	snprintf(text, sizeof(text),
		 "OPTIONS sip:x@example.com SIP/2.0\nVia: %.*s\nFrom: <sip:a@b>%s%.*s\n"
		 "Call-ID: %.*s\nCSeq: %u OPTIONS\n",
		 via->value.len, buf + via->value.off, m->from_tag.len ? ";tag=" : "",
		 m->from_tag.len, buf + m->from_tag.off, m->call_id.len, buf + m->call_id.off,
		 m->cseq);
	bench_send(b, A, LB, text);
	cr_assert(b->v.action == STEER_FORWARD, "%s", text);
	snprintf(out, 512, "Via: %s\r\n", bench_header(b->out, "Via", 0));
}

/* A response, as it would come back to us. Returns its length. */
static size_t as_ours(struct bench *b, const struct torture_row *row, char *msg, size_t len)
{
	static struct sip_msg m;
	static char out[BENCH_MSG];
	struct sip_via_iter it;
	struct sip_via via;
	char own[512];
	size_t head, skip = 0;

	if (sip_msg_parse(&m, (uint8_t *)msg, len) != SIP_OK && m.n_hdrs == 0)
		return len;
	sip_via_iter_init(&it, &m);
	if (sip_via_iter_next(&it, &via) != 1)
		return len;
	if (row->own_via == TORTURE_VIA_INSTEAD) {
		const struct sip_hdr *h = sip_msg_hdr(&m, SIP_HDR_VIA);

		cr_assert(sip_via_iter_next(&it, &via) == 1);
		head = sip_hdr_start(h);
		skip = (size_t)(sip_hdr_end(&m, h) - sip_hdr_start(h));
	} else {
		head = m.hdrs_off;
	}
	own_via(b, &m, &via, own);
	memcpy(out, msg, head);
	strcpy(out + head, own);
	memcpy(out + head + strlen(own), msg + head + skip, len - head - skip);
	len = len - skip + strlen(own);
	memcpy(msg, out, len);
	return len;
}

static bool judge(struct bench *b, const struct torture_row *row)
{
	switch (row->verdict) {
	case TORTURE_FORWARD: return b->v.action == STEER_FORWARD;
	case TORTURE_ANSWER: return b->v.action == STEER_ANSWER && b->v.status == row->code;
	case TORTURE_DROP: return b->v.action == STEER_DROP;
	}
	return false;
}

Test(steer_torture, rfc4475_rfc5118_verdicts)
{
	for (size_t i = 0; i < sizeof(torture_table) / sizeof(torture_table[0]); i++) {
		const struct torture_row *row = &torture_table[i];
		/* RFC 5118 has our bench's IPv6 address for itself; mpart01's Route names the proxy
		 * that it was sent to. */
		struct bench_opts o = { .no_v6 = true, .listen = ROUTED };
		const char *dst = strstr(row->file, "mpart01") ? ROUTED : LB;
		struct bench *b = bench_new(&o);
		char msg[BENCH_MSG];
		size_t len = torture_load(row, bytes);
		bool response = false;

		cr_assert(len > 0, "%s", row->file);
		memcpy(msg, bytes, len);
		msg[len] = '\0';
		if (is_response(msg) && row->own_via != TORTURE_VIA_NONE) {
			bench_bytes(b, MA, LB, msg, len);
			cr_expect(b->v.action == STEER_DROP, "%s: not ours as it stands",
				  row->file);
			len = as_ours(b, row, msg, len);
			response = true;
		}
		bench_bytes(b, response ? MA : A, dst, msg, len);
		cr_expect(judge(b, row), "%s (%s): want %s: %s; got action %u, status %u: %s",
			  row->file, row->clause, torture_verdict_text(row), row->why, b->v.action,
			  b->v.status, b->v.why);
		if (row->verdict == TORTURE_FORWARD && !response)
			cr_expect(strcmp(bench_endpoint_text(&b->v.to), MA) == 0, "%s", row->file);
		bench_free(b);
	}
}
