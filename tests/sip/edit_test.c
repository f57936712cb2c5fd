/* Edits on parsed messages: every one is proven by applying it and parsing the result. */
#include "sip/sip_edit.h"
#include "tests/sip/parse_helper.h"
#include "tests/sip/samples.h"

#include <errno.h>
#include <stdio.h>

static struct sip_msg after;
static struct sip_edits es;
static char out[70000];

static void set_up(void)
{
	parse_set_up();
	sip_edits_init(&es);
}

TestSuite(edit, .init = set_up, .fini = parse_tear_down);

/* The edited message as text. */
static const char *applied(void)
{
	int n = sip_edits_apply(&es, msg.buf, msg.len, (uint8_t *)out, sizeof(out) - 1);

	cr_assert_geq(n, 0);
	cr_expect_eq((size_t)n, sip_edits_len(&es, msg.len));
	out[n] = '\0';
	return out;
}

/* The edited message, parsed again. */
static enum sip_result reparse(void)
{
	const char *text = applied();

	return sip_msg_parse(&after, (const uint8_t *)text, strlen(text));
}

static bool after_is(struct sip_span s, const char *text)
{
	return sip_span_is(after.buf, s, text);
}

static int add(unsigned int off, unsigned int del, const char *ins)
{
	return sip_edits_add(&es, (uint16_t)off, (uint16_t)del, ins, (uint16_t)strlen(ins));
}

static const char *apply_to(const char *text)
{
	int n = sip_edits_apply(&es, (const uint8_t *)text, strlen(text), (uint8_t *)out,
				sizeof(out) - 1);

	cr_assert_geq(n, 0);
	out[n] = '\0';
	return out;
}

Test(edit, no_edit_gives_the_same_bytes)
{
	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	cr_expect_str_eq(applied(), SAMPLE_INVITE);
	cr_assert_eq(parse(SAMPLE_OK), SIP_OK);
	cr_expect_str_eq(applied(), SAMPLE_OK);
}

Test(edit, the_list_is_sorted_and_stable)
{
	cr_expect_eq(add(8, 1, "I"), 0);
	cr_expect_eq(add(0, 0, "<"), 0);
	cr_expect_eq(add(4, 2, "xyz"), 0);
	cr_expect_eq(add(10, 0, "1"), 0);
	cr_expect_eq(add(10, 0, "2"), 0);
	cr_expect_eq(add(4, 0, "!"), 0);
	cr_expect_eq(es.delta, 5);
	cr_expect_str_eq(apply_to("0123456789"), "<0123xyz!67I912");
}

Test(edit, insertion_before_a_deletion_at_one_place_keeps_its_order)
{
	cr_expect_eq(add(2, 0, "a"), 0);
	cr_expect_eq(add(2, 3, "b"), 0);
	cr_expect_eq(add(2, 0, "c"), 0);
	cr_expect_eq(add(5, 0, "d"), 0);
	cr_expect_str_eq(apply_to("01234567"), "01abcd567");
}

Test(edit, overlaps_are_refused_and_change_nothing)
{
	static const struct {
		unsigned int off, del;
		int result;
	} rows[] = {
		{ 10, 5, -EINVAL }, { 10, 1, -EINVAL },    { 14, 1, -EINVAL },  { 14, 0, -EINVAL },
		{ 11, 0, -EINVAL }, { 9, 2, -EINVAL },     { 0, 100, -EINVAL }, { 12, 90, -EINVAL },
		{ 19, 2, -EINVAL }, { 65535, 1, -EINVAL }, { 10, 0, 0 },        { 15, 0, 0 },
		{ 9, 1, 0 },        { 15, 5, 0 },
	};

	for (size_t i = 0; i < n_rows(rows); i++) {
		sip_edits_init(&es);
		cr_assert_eq(add(10, 5, ""), 0);
		cr_assert_eq(add(20, 0, "x"), 0);
		cr_expect_eq(add(rows[i].off, rows[i].del, "y"), rows[i].result, "%u+%u",
			     rows[i].off, rows[i].del);
		if (rows[i].result < 0) {
			cr_expect_eq(es.n, 2);
			cr_expect_eq(es.delta, -4);
		}
	}
}

/* What was inserted where a deletion starts does not hide the deletion. */
Test(edit, overlaps_behind_an_insertion_at_the_same_place)
{
	cr_assert_eq(sip_edits_add(&es, 10, 5, "", 0), 0);
	cr_assert_eq(sip_edits_add(&es, 10, 0, "a", 1), 0);
	cr_assert_eq(sip_edits_add(&es, 10, 0, "b", 1), 0);
	cr_expect_eq(sip_edits_add(&es, 12, 0, "c", 1), -EINVAL);
	cr_expect_eq(sip_edits_add(&es, 14, 3, "", 0), -EINVAL);
	cr_expect_eq(es.n, 3);
	cr_expect_eq(sip_edits_add(&es, 15, 3, "d", 1), 0);
}

Test(edit, the_list_is_bounded)
{
	for (unsigned int i = 0; i < SIP_EDIT_MAX; i++)
		cr_expect_eq(add(i * 2, 1, ""), 0);
	cr_expect_eq(add(1000, 0, "x"), -ENOSPC);
	cr_expect_eq(es.n, SIP_EDIT_MAX);
	cr_expect_eq(es.delta, -SIP_EDIT_MAX);
}

Test(edit, apply_checks_its_buffers)
{
	uint8_t small[5] = { 0 };

	cr_assert_eq(add(1, 0, "xx"), 0);
	cr_expect_eq(sip_edits_apply(&es, (const uint8_t *)"0123", 4, small, 5), -ENOSPC);
	cr_expect_eq(small[0], 0, "nothing is written");
	cr_expect_eq(sip_edits_apply(&es, (const uint8_t *)"012", 3, small, 5), 5);
	cr_expect_eq(memcmp(small, "0xx12", 5), 0);
	cr_assert_eq(add(3, 1, ""), 0);
	cr_expect_eq(sip_edits_apply(&es, (const uint8_t *)"012", 3, small, 5), -EINVAL,
		     "an edit beyond the message");
}

static size_t n_vias(const char *host[4])
{
	struct sip_via_iter it;
	struct sip_via v;
	size_t n = 0;

	sip_via_iter_init(&it, &after);
	while (sip_via_iter_next(&it, &v) == 1) {
		static char text[4][64];

		snprintf(text[n % 4], 64, "%.*s", v.host.len, after.buf + v.host.off);
		host[n % 4] = text[n % 4];
		n++;
	}
	return n;
}

Test(edit, pop_via_rfc3261_16_7)
{
	static const struct {
		const char *vias;
		const char *rest;
	} rows[] = {
		{ "Via: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n", "Via: SIP/2.0/UDP b\r\n" },
		{ "Via: SIP/2.0/UDP a\r\nX: y\r\nVia: SIP/2.0/UDP b\r\n",
		  "X: y\r\nVia: SIP/2.0/UDP b\r\n" },
		{ "Via: SIP/2.0/UDP a, SIP/2.0/UDP b\r\n", "Via: SIP/2.0/UDP b\r\n" },
		{ "v:SIP/2.0/UDP a;x=\",\",SIP/2.0/UDP b,SIP/2.0/UDP c\r\n",
		  "v:SIP/2.0/UDP b,SIP/2.0/UDP c\r\n" },
		{ "Via: SIP/2.0/UDP a\r\n ;branch=1\r\n ,\r\n SIP/2.0/UDP b\r\n",
		  "Via: SIP/2.0/UDP b\r\n" },
		{ "Via: SIP/2.0/UDP a\r\n \r\nVia: SIP/2.0/UDP b\r\n", "Via: SIP/2.0/UDP b\r\n" },
		{ "X: y\nVia: SIP/2.0/UDP a\nv: SIP/2.0/UDP b\n", "X: y\nv: SIP/2.0/UDP b\n" },
	};
	char text[1024];
	const char *host[4];

	for (size_t i = 0; i < n_rows(rows); i++) {
		sip_edits_init(&es);
		snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n%s" FROM TO REST "\r\n",
			 rows[i].vias);
		cr_assert_eq(parse(text), SIP_OK, "%s", text);
		cr_expect_eq(sip_edit_pop_via(&es, &msg), 0, "%s", rows[i].vias);
		snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\n%s" FROM TO REST "\r\n",
			 rows[i].rest);
		cr_expect_str_eq(applied(), text);
		cr_expect_eq(reparse(), SIP_OK);
		n_vias(host);
		cr_expect_str_eq(host[0], "b");
	}
}

Test(edit, pop_the_only_via_and_none)
{
	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	cr_expect_eq(sip_edit_pop_via(&es, &msg), 0);
	cr_expect_eq(reparse(), SIP_ERR_MISSING_VIA);
	sip_edits_init(&es);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" FROM TO REST "\r\n"), SIP_ERR_MISSING_VIA);
	cr_expect_eq(sip_edit_pop_via(&es, &msg), -EINVAL);
	cr_expect_eq(parse(WITH_VIA("rubbish")), SIP_ERR_VIA);
	cr_expect_eq(sip_edit_pop_via(&es, &msg), -EINVAL);
	cr_expect_eq(es.n, 0);
}

Test(edit, push_via_record_route_and_path_rfc3261_16_6_rfc3327_5_1)
{
	static const char lines[] = "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n"
				    "Record-Route: <sip:192.0.2.10;lr>\r\n";
	const char *host[4];

	cr_assert_eq(parse("\r\n" SAMPLE_INVITE), SIP_OK);
	cr_assert_eq(sip_edit_push_top(&es, &msg, lines, sizeof(lines) - 1), 0);
	cr_assert_eq(sip_edit_push_top(&es, &msg, "Path: <sip:1>\r\n", 15), 0);
	cr_expect_eq(reparse(), SIP_OK);
	cr_expect_eq(n_vias(host), 2);
	cr_expect_str_eq(host[0], "192.0.2.10");
	cr_expect_eq(after.n_hdrs, msg.n_hdrs + 3);
	cr_expect_eq(after.hdr[0].id, SIP_HDR_VIA);
	cr_expect_eq(after.hdr[1].id, SIP_HDR_RECORD_ROUTE);
	cr_expect_eq(after.hdr[2].id, SIP_HDR_PATH);
	cr_expect_eq(memcmp(applied() + 2, SAMPLE_INVITE, 30), 0);
}

Test(edit, insert_before_a_header_or_on_top)
{
	cr_assert_eq(parse(SAMPLE_OK), SIP_OK);
	cr_assert_eq(sip_edit_insert_before(&es, &msg, SIP_HDR_RECORD_ROUTE, "X: 1\r\n", 6), 0);
	cr_assert_eq(sip_edit_insert_before(&es, &msg, SIP_HDR_PATH, "Path: <sip:1>\r\n", 15), 0);
	cr_expect_eq(reparse(), SIP_OK);
	cr_expect_eq(after.hdr[0].id, SIP_HDR_PATH);
	cr_expect_eq(after.hdr[3].id, SIP_HDR_OTHER);
	cr_expect_eq(after.hdr[4].id, SIP_HDR_RECORD_ROUTE);
}

Test(edit, pop_routes_rfc3261_16_4)
{
	static const struct {
		const char *routes;
		unsigned int n;
		int result;
		const char *rest;
	} rows[] = {
		{ "Route: <sip:1>\r\n", 1, 0, "" },
		{ "Route: <sip:1>, <sip:2>\r\n", 1, 0, "Route: <sip:2>\r\n" },
		{ "Route: <sip:1>, <sip:2>\r\n", 2, 0, "" },
		{ "Route: \"a,\" <sip:1,1>;x=\",\"\r\n ,\r\n <sip:2>,<sip:3>\r\n", 1, 0,
		  "Route: <sip:2>,<sip:3>\r\n" },
		{ "Route: <sip:1>,<sip:2>,<sip:3>\r\n", 2, 0, "Route: <sip:3>\r\n" },
		{ "Route: <sip:1>\r\nRoute: <sip:2>\r\n", 1, 0, "Route: <sip:2>\r\n" },
		{ "Route: <sip:1>\r\nX: y\r\nRoute: <sip:2>\r\n", 2, 0, "X: y\r\n" },
		{ "Route: <sip:1>\r\nRoute: <sip:2>,<sip:3>\r\n", 2, 0, "Route: <sip:3>\r\n" },
		{ "Route: <sip:1>\r\nX: y\r\nRoute: <sip:2>,<sip:3>\r\n", 3, 0, "X: y\r\n" },
		{ "Route: <sip:1>\r\n", 0, 0, "Route: <sip:1>\r\n" },
		{ "Route: <sip:1>\r\n", 2, -EINVAL, "Route: <sip:1>\r\n" },
		{ "X: y\r\n", 1, -EINVAL, "X: y\r\n" },
		{ "Route: <sip:1>\r\nRoute: <sip:2\r\n", 2, -EINVAL,
		  "Route: <sip:1>\r\nRoute: <sip:2\r\n" },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		sip_edits_init(&es);
		snprintf(text, sizeof(text), WITH("%s"), rows[i].routes);
		cr_assert_eq(parse(text), SIP_OK, "%s", text);
		cr_expect_eq(sip_edit_pop_route(&es, &msg, rows[i].n), rows[i].result, "%u of %s",
			     rows[i].n, rows[i].routes);
		snprintf(text, sizeof(text), WITH("%s"), rows[i].rest);
		cr_expect_str_eq(applied(), text);
	}
}

Test(edit, remove_an_element_of_a_list)
{
	static const struct {
		const char *routes;
		unsigned int which;
		const char *rest;
	} rows[] = {
		{ "Route: <sip:1>\r\n", 0, "" },
		{ "Route: <sip:1>, <sip:2>, <sip:3>\r\n", 0, "Route: <sip:2>, <sip:3>\r\n" },
		{ "Route: <sip:1>, <sip:2>, <sip:3>\r\n", 1, "Route: <sip:1>, <sip:3>\r\n" },
		{ "Route: <sip:1>, <sip:2>, <sip:3>\r\n", 2, "Route: <sip:1>, <sip:2>\r\n" },
		{ "Route: <sip:1>\r\n ,\r\n <sip:2>\r\n", 1, "Route: <sip:1>\r\n" },
		{ "Route: <sip:1>;x=1 , <sip:2>\r\n", 0, "Route: <sip:2>\r\n" },
		{ "Route: <sip:1>\r\nRoute: <sip:2>\r\n", 1, "Route: <sip:1>\r\n" },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		struct sip_addr_iter it;
		struct sip_addr a;

		sip_edits_init(&es);
		snprintf(text, sizeof(text), WITH("%s"), rows[i].routes);
		cr_assert_eq(parse(text), SIP_OK);
		sip_addr_iter_init(&it, &msg, SIP_HDR_ROUTE);
		for (unsigned int n = 0; n <= rows[i].which; n++)
			cr_assert_eq(sip_addr_iter_next(&it, &a), 1);
		cr_expect_eq(sip_edit_remove_addr(&es, &msg, it.hdr, &a), 0, "%s", rows[i].routes);
		snprintf(text, sizeof(text), WITH("%s"), rows[i].rest);
		cr_expect_str_eq(applied(), text);
		a.whole.off = 0;
		sip_edits_init(&es);
		cr_expect_eq(sip_edit_remove_addr(&es, &msg, it.hdr, &a), -EINVAL,
			     "an element of another header");
	}
}

Test(edit, received_and_rport_rfc3581_4_rfc3261_18_2_1)
{
	static const struct {
		const char *via, *ip;
		uint16_t port;
		const char *result;
	} rows[] = {
		{ "SIP/2.0/UDP h", "192.0.2.1", 5060,
		  "SIP/2.0/UDP h;received=192.0.2.1;rport=5060" },
		{ "SIP/2.0/UDP h:5070;branch=b", "2001:db8::1", 1,
		  "SIP/2.0/UDP h:5070;branch=b;received=2001:db8::1;rport=1" },
		{ "SIP/2.0/UDP h;rport;branch=b", "192.0.2.1", 65535,
		  "SIP/2.0/UDP h;received=192.0.2.1;rport=65535;branch=b" },
		{ "SIP/2.0/UDP h;rport=7;branch=b", "192.0.2.1", 8,
		  "SIP/2.0/UDP h;received=192.0.2.1;rport=8;branch=b" },
		{ "SIP/2.0/UDP h;received=1.1.1.1;branch=b", "192.0.2.1", 8,
		  "SIP/2.0/UDP h;received=192.0.2.1;rport=8;branch=b" },
		{ "SIP/2.0/UDP h;received=1.1.1.1;branch=b;rport=9", "192.0.2.1", 8,
		  "SIP/2.0/UDP h;received=192.0.2.1;branch=b;rport=8" },
		{ "SIP/2.0/UDP h;rport ; branch=b;received = 1.1.1.1", "192.0.2.1", 8,
		  "SIP/2.0/UDP h;rport=8 ; branch=b;received=192.0.2.1" },
		{ "SIP/2.0/UDP h;rport , SIP/2.0/UDP b;rport", "192.0.2.1", 8,
		  "SIP/2.0/UDP h;received=192.0.2.1;rport=8 , SIP/2.0/UDP b;rport" },
		{ "SIP/2.0/UDP h , SIP/2.0/UDP b", "192.0.2.1", 8,
		  "SIP/2.0/UDP h;received=192.0.2.1;rport=8 , SIP/2.0/UDP b" },
	};
	char text[1024], scratch[80], port[8];

	for (size_t i = 0; i < n_rows(rows); i++) {
		sip_edits_init(&es);
		snprintf(text, sizeof(text), WITH_VIA("%s"), rows[i].via);
		cr_assert_eq(parse(text), SIP_OK);
		cr_expect_eq(sip_edit_via_received(&es, &msg, scratch, rows[i].ip,
						   strlen(rows[i].ip), rows[i].port),
			     0, "%s", rows[i].via);
		snprintf(text, sizeof(text), WITH_VIA("%s"), rows[i].result);
		cr_expect_str_eq(applied(), text);
		cr_assert_eq(reparse(), SIP_OK);
		cr_expect(after_is(after.via.received, rows[i].ip), "%s", rows[i].via);
		snprintf(port, sizeof(port), "%u", rows[i].port);
		cr_expect(after_is(after.via.rport, port), "%s", rows[i].via);
	}
}

Test(edit, received_refuses_what_it_cannot_write)
{
	char scratch[80];

	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	cr_expect_eq(sip_edit_via_received(&es, &msg, scratch, "", 0, 5060), -EINVAL);
	cr_expect_eq(sip_edit_via_received(&es, &msg, scratch, "x", 46, 5060), -EINVAL);
	cr_expect_eq(parse(WITH_VIA("rubbish")), SIP_ERR_VIA);
	cr_expect_eq(sip_edit_via_received(&es, &msg, scratch, "192.0.2.1", 9, 5060), -EINVAL);
	cr_expect_eq(es.n, 0);
}

Test(edit, longest_received_fits_its_scratch)
{
	static const char ip[] = "2001:0db8:1111:2222:3333:4444:255.255.255.255";
	char scratch[81];

	scratch[80] = 'x';
	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	cr_expect_eq(sip_edit_via_received(&es, &msg, scratch, ip, sizeof(ip) - 1, 65535), 0);
	cr_expect_eq(scratch[80], 'x');
	cr_expect_eq(reparse(), SIP_OK);
	cr_expect(after_is(after.via.received, ip));
}

Test(edit, max_forwards_rfc3261_16_6)
{
	static const struct {
		const char *lines;
		uint32_t value;
		const char *result;
	} rows[] = {
		{ "Max-Forwards: 70\r\n", 69, "Max-Forwards: 69\r\n" },
		{ "Max-Forwards:  10\r\n", 9, "Max-Forwards:  9\r\n" },
		{ "Max-Forwards:\r\n 10 \r\n", 9, "Max-Forwards:\r\n 9 \r\n" },
		{ "MAX-FORWARDS:255\r\n", 0, "MAX-FORWARDS:0\r\n" },
	};
	char text[1024], scratch[32];

	for (size_t i = 0; i < n_rows(rows); i++) {
		sip_edits_init(&es);
		snprintf(text, sizeof(text), WITH("%s"), rows[i].lines);
		cr_assert_eq(parse(text), SIP_OK);
		cr_expect_eq(sip_edit_max_forwards(&es, &msg, scratch, rows[i].value), 0);
		snprintf(text, sizeof(text), WITH("%s"), rows[i].result);
		cr_expect_str_eq(applied(), text);
		cr_expect_eq(reparse(), SIP_OK);
		cr_expect_eq(after.max_forwards, rows[i].value);
	}
}

Test(edit, max_forwards_is_added_behind_the_first_via_rfc3261_16_6)
{
	char scratch[32];

	cr_assert_eq(parse(WITH("")), SIP_OK);
	cr_expect_eq(sip_edit_max_forwards(&es, &msg, scratch, 4294967295), 0);
	cr_expect_str_eq(applied(), "OPTIONS sip:b@h SIP/2.0\r\n" VIA
				    "Max-Forwards: 4294967295\r\n" FROM TO REST "\r\n");
	cr_expect_eq(reparse(), SIP_OK);
	cr_expect_eq(after.max_forwards, 4294967295);
	sip_edits_init(&es);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" FROM TO REST "\r\n"), SIP_ERR_MISSING_VIA);
	cr_expect_eq(sip_edit_max_forwards(&es, &msg, scratch, 70), -EINVAL);
}

Test(edit, replace_a_span)
{
	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	cr_assert_eq(sip_edit_replace(&es, msg.uri, "sip:x@y", 7), 0);
	cr_assert_eq(reparse(), SIP_OK);
	cr_expect(after_is(after.uri, "sip:x@y"));
	cr_expect_eq(after.n_hdrs, msg.n_hdrs);
}

/* A request on its way to a member: all at once. */
Test(edit, everything_that_forwarding_a_request_does_rfc3261_16_6)
{
	static const char lines[] = "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n"
				    "Record-Route: <sip:192.0.2.10;lr>\r\n";
	char text[80], mf[32];
	const char *host[4];

	cr_assert_eq(parse(WITH("Route: <sip:192.0.2.10;lr>, <sip:p2;lr>\r\nMax-Forwards: 9\r\n")),
		     SIP_OK);
	cr_assert_eq(sip_edit_max_forwards(&es, &msg, mf, 8), 0);
	cr_assert_eq(sip_edit_pop_route(&es, &msg, 1), 0);
	cr_assert_eq(sip_edit_via_received(&es, &msg, text, "192.0.2.77", 10, 40000), 0);
	cr_assert_eq(sip_edit_push_top(&es, &msg, lines, sizeof(lines) - 1), 0);
	cr_expect_str_eq(
		applied(),
		"OPTIONS sip:b@h SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKown\r\n"
		"Record-Route: <sip:192.0.2.10;lr>\r\n"
		"Via: SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.77;rport=40000\r\n" FROM TO
			REST "Route: <sip:p2;lr>\r\nMax-Forwards: 8\r\n\r\n");
	cr_assert_eq(reparse(), SIP_OK);
	cr_expect_eq(n_vias(host), 2);
	cr_expect_eq(after.max_forwards, 8);
}

/* And a response on its way back: our Via off, the client's on top. */
Test(edit, everything_that_forwarding_a_response_does_rfc3261_16_7)
{
	const char *host[4];

	cr_assert_eq(parse(SAMPLE_OK), SIP_OK);
	cr_assert_eq(sip_edit_pop_via(&es, &msg), 0);
	cr_assert_eq(reparse(), SIP_OK);
	cr_expect_eq(n_vias(host), 2);
	cr_expect_str_eq(host[0], "[2001:db8::9:1]");
	cr_expect(after_is(after.via.rport, "5061"));
	cr_expect_eq(after.via.port, 5070);
	cr_expect_eq(after.n_hdrs, msg.n_hdrs);
}
