/* Via: the top one, and the walk over all of them. */
#include "tests/sip/parse_helper.h"

#include <errno.h>
#include <stdio.h>

TestSuite(via, .init = parse_set_up, .fini = parse_tear_down);

/* Fields that a row leaves out are absent. */
struct via_row {
	const char *value;
	const char *transport, *host, *branch, *received, *rport, *maddr, *ttl, *params;
	const char *rport_param, *received_param;
	uint16_t port;
	bool has_rport;
};

static const struct via_row good[] = {
	{ "SIP/2.0/UDP h", .transport = "UDP", .host = "h" },
	{ "SIP/2.0/UDP h:5060", .transport = "UDP", .host = "h", .port = 5060 },
	{ "SIP/2.0/UDP h:65535", .transport = "UDP", .host = "h", .port = 65535 },
	{ "SIP/2.0/UDP h:0", .transport = "UDP", .host = "h" },
	{ "SIP/2.0/TLS-SCTP my_host.example.com;branch=z9hG4bK1", .transport = "TLS-SCTP",
	  .host = "my_host.example.com", .branch = "z9hG4bK1", .params = ";branch=z9hG4bK1" },
	{ "sip/2.0/udp 192.0.2.1;BRANCH=z9hG4bK1", .transport = "udp", .host = "192.0.2.1",
	  .branch = "z9hG4bK1", .params = ";BRANCH=z9hG4bK1" },
	{ "SIP/2.0/UDP [2001:db8::9:1]:5061;received=2001:db8::9:255;branch=z9hG4bKas3-111",
	  .transport = "UDP", .host = "[2001:db8::9:1]", .port = 5061,
	  .received = "2001:db8::9:255", .received_param = ";received=2001:db8::9:255",
	  .branch = "z9hG4bKas3-111", .params = ";received=2001:db8::9:255;branch=z9hG4bKas3-111" },
	{ "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]", .transport = "UDP",
	  .host = "[2001:db8::9:1]", .received = "[2001:db8::9:255]",
	  .received_param = ";received=[2001:db8::9:255]",
	  .params = ";received=[2001:db8::9:255]" },
	{ "SIP/2.0/UDP h;rport", .transport = "UDP", .host = "h", .has_rport = true,
	  .rport_param = ";rport", .params = ";rport" },
	{ "SIP/2.0/UDP h;rport=", .transport = "UDP", .host = "h", .has_rport = true,
	  .rport_param = ";rport=", .params = ";rport=" },
	{ "SIP/2.0/UDP h;rport=1234;x", .transport = "UDP", .host = "h", .has_rport = true,
	  .rport = "1234", .rport_param = ";rport=1234", .params = ";rport=1234;x" },
	{ "SIP/2.0/UDP h;maddr=224.2.0.1;ttl=16;branch=z9;alias;x=\"a;b,\\\"c\"",
	  .transport = "UDP", .host = "h", .maddr = "224.2.0.1", .ttl = "16", .branch = "z9",
	  .params = ";maddr=224.2.0.1;ttl=16;branch=z9;alias;x=\"a;b,\\\"c\"" },
	{ "SIP/2.0/UDP h;branch=", .transport = "UDP", .host = "h", .params = ";branch=" },
	{ "SIP/2.0/UDP h;branch=abc==", .transport = "UDP", .host = "h",
	  .branch = "abc==", .params = ";branch=abc==" },
	{ "SIP/2.0/UDP h;rport=9;branch=z9hG4bK-rport=1;xrport=2;rportx=3", .transport = "UDP",
	  .host = "h", .has_rport = true, .rport = "9", .rport_param = ";rport=9",
	  .branch = "z9hG4bK-rport=1",
	  .params = ";rport=9;branch=z9hG4bK-rport=1;xrport=2;rportx=3" },
	/* RFC 4475 3.1.1.1 */
	{ "SIP  / 2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw", .transport = "UDP",
	  .host = "192.0.2.2", .branch = "390skdjuw", .params = ";branch=390skdjuw" },
	{ "SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8   ,\r\n "
	  "SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239",
	  .transport = "TCP", .host = "spindle.example.com", .branch = "z9hG4bK9ikj8",
	  .params = ";\r\n  branch  =   z9hG4bK9ikj8" },
	{ "SIP/2.0/UDP\th : 5070 ; rport = 1 ; received = 192.0.2.9", .transport = "UDP",
	  .host = "h", .port = 5070, .has_rport = true, .rport = "1", .rport_param = "; rport = 1",
	  .received = "192.0.2.9", .received_param = "; received = 192.0.2.9",
	  .params = "; rport = 1 ; received = 192.0.2.9" },
	{ "SIP/3.0/UDP h", .transport = "UDP", .host = "h" },
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void expect_via(const struct sip_via *v, const struct via_row *r)
{
	expect_span(v->transport, or_empty(r->transport), "%s", r->value);
	expect_span(v->host, or_empty(r->host), "%s", r->value);
	expect_span(v->branch, or_empty(r->branch), "%s", r->value);
	expect_span(v->received, or_empty(r->received), "%s", r->value);
	expect_span(v->received_param, or_empty(r->received_param), "%s", r->value);
	expect_span(v->rport, or_empty(r->rport), "%s", r->value);
	expect_span(v->rport_param, or_empty(r->rport_param), "%s", r->value);
	expect_span(v->maddr, or_empty(r->maddr), "%s", r->value);
	expect_span(v->ttl, or_empty(r->ttl), "%s", r->value);
	expect_span(v->params, or_empty(r->params), "%s", r->value);
	cr_expect_eq(v->port, r->port, "%s", r->value);
	cr_expect_eq(v->has_rport, r->has_rport, "%s", r->value);
	cr_expect_eq(v->has_received, r->received != NULL, "%s", r->value);
}

Test(via, good_rfc3261_20_42_rfc3581_rfc5118)
{
	char text[1024];

	for (size_t i = 0; i < n_rows(good); i++) {
		struct sip_via_iter it;
		struct sip_via v;

		snprintf(text, sizeof(text), WITH_VIA("%s"), good[i].value);
		cr_expect_eq(parse(text), SIP_OK, "%s", good[i].value);
		expect_via(&msg.via, &good[i]);
		sip_via_iter_init(&it, &msg);
		cr_assert_eq(sip_via_iter_next(&it, &v), 1, "%s", good[i].value);
		expect_via(&v, &good[i]);
		cr_expect_eq(memcmp(&v.value, &msg.via.value, sizeof(v.value)), 0);
	}
}

static const struct {
	const char *value;
	bool answerable; /* sent-by could be read */
} bad[] = {
	{ "", false },
	{ "SIP/2.0", false },
	{ "SIP/2.0/UDP", false },
	{ "SIP/2.0/UDP ", false },
	{ "SIP/2.0/ h", false },
	{ "SIP//UDP h", false },
	{ "/2.0/UDP h", false },
	{ "SIP/2.0/UDP;h", false },
	{ "SIP/2.0/UDP[::1]", false },
	{ "SIP/2.0/UDP h:", false },
	{ "SIP/2.0/UDP h:x", false },
	{ "SIP/2.0/UDP h:65536", false },
	{ "SIP/2.0/UDP 2001:db8::9:1", false },
	{ "SIP/2.0/UDP [2001:db8::9:1", false },
	{ "SIP/2.0/UDP [2001:db8::9::1]", false },
	{ "SIP/2.0/UDP []", false },
	{ ",SIP/2.0/UDP h", false },
	{ "SIP/2.0/UDP h h", true },
	{ "SIP/2.0/UDP h:5060x", true },
	{ "SIP/2.0/UDP h@x", true },
	{ "SIP/2.0/UDP h;", true },
	{ "SIP/2.0/UDP h;;branch=1", true },
	{ "SIP/2.0/UDP 192.0.2.15;;,;,,", true }, /* RFC 4475 3.1.2.1 */
	{ "SIP/2.0/UDP h;=1", true },
	{ "SIP/2.0/UDP h;x=\"open", true },
	{ "SIP/2.0/UDP h;x=\"a\"b", true },
	{ "SIP/2.0/UDP h;branch=a b", true },
	{ "SIP/2.0/UDP h;branch=a;branch=b", true },
	{ "SIP/2.0/UDP h;rport;rport", true },
	{ "SIP/2.0/UDP h;received=192.0.2.1;received=192.0.2.2", true },
	{ "SIP/2.0/UDP h;maddr=192.0.2.1;maddr=192.0.2.2", true },
	{ "SIP/2.0/UDP h;ttl=1;ttl=2", true },
	{ "SIP/2.0/UDP h,", true },
	{ "SIP/2.0/UDP h<", true },
	{ "SIP/2.0/UDP h;branch=a\x01", true },
};

Test(via, malformed_rfc3261_25_1)
{
	char text[1024];

	for (size_t i = 0; i < n_rows(bad); i++) {
		struct sip_via_iter it;
		struct sip_via v;

		snprintf(text, sizeof(text), WITH_VIA("%s"), bad[i].value);
		cr_expect_eq(parse(text), SIP_ERR_VIA, "%s", bad[i].value);
		cr_expect_eq(sip_msg_answerable(&msg), bad[i].answerable, "%s", bad[i].value);
		sip_via_iter_init(&it, &msg);
		cr_expect_eq(sip_via_iter_next(&it, &v), -EINVAL, "%s", bad[i].value);
	}
}

Test(via, only_the_top_one_must_be_good_rfc3261_16_3)
{
	struct sip_via_iter it;
	struct sip_via v;

	cr_expect_eq(parse(WITH("Via: rubbish\r\n")), SIP_OK);
	sip_via_iter_init(&it, &msg);
	cr_expect_eq(sip_via_iter_next(&it, &v), 1);
	cr_expect_eq(sip_via_iter_next(&it, &v), -EINVAL);
	cr_expect_eq(memcmp(msg.buf + it.off, "rubbish", 7), 0);
	cr_expect_eq(parse(WITH_VIA("SIP/2.0/UDP h, rubbish")), SIP_OK);
}

Test(via, walk_over_lines_and_lists_rfc3261_7_3_1)
{
	static const char *const hosts[] = { "h", "b", "c", "d", "e" };
	struct sip_via_iter it;
	struct sip_via v;

	cr_assert_eq(parse(WITH("v: SIP/2.0/UDP b,SIP/2.0/UDP c;x=\",\" ,\r\n SIP/2.0/TCP d\r\n"
				"X: SIP/2.0/UDP no\r\nVIA: SIP/2.0/TLS e\r\n")),
		     SIP_OK);
	sip_via_iter_init(&it, &msg);
	for (size_t i = 0; i < n_rows(hosts); i++) {
		cr_assert_eq(sip_via_iter_next(&it, &v), 1);
		expect_span(v.host, hosts[i]);
		cr_expect_leq(it.hdr->value_off, v.value.off, "the iterator stays at its header");
	}
	cr_expect_eq(sip_via_iter_next(&it, &v), 0);
	cr_expect_eq(sip_via_iter_next(&it, &v), 0);
}
