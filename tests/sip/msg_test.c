/* Parsing of whole messages. */
#include <stdio.h>

#include "tests/sip/parse_helper.h"
#include "tests/sip/samples.h"

TestSuite(msg, .init = parse_set_up, .fini = parse_tear_down);

Test(msg, request_fields_rfc3261_7_1)
{
	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	cr_expect(msg.is_request);
	cr_expect_eq(msg.method, SIP_METHOD_INVITE);
	cr_expect_eq(msg.status, 0);
	expect_span(msg.method_name, "INVITE");
	expect_span(msg.uri, "sip:bob@biloxi.example.com");
	cr_expect_eq(msg.n_hdrs, 11);
	cr_expect_eq(msg.len, strlen(SAMPLE_INVITE));
	cr_expect_eq(msg.len - msg.body_off, 4);
	expect_span(msg.call_id, "a84b4c76e66710@pc33.atlanta.example.com");
	cr_expect_eq(msg.cseq, 314159);
	cr_expect_eq(msg.max_forwards, 70);
	cr_expect_eq(msg.content_length, 4);
	expect_span(msg.from_uri, "sip:alice@atlanta.example.com");
	expect_span(msg.from_tag, "1928301774");
	expect_span(msg.to_uri, "sip:bob@biloxi.example.com");
	cr_expect_eq(msg.to_tag.len, 0);
}

static const struct {
	const char *vias;
	bool more;
} via_rows[] = {
	{ "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n", false },
	{ "Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2\r\n", true },
	{ "Via: SIP/2.0/UDP a\r\n ;branch=z9hG4bK1\r\nSubject: via\r\n", false },
	{ "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK2\r\n", true },
	{ "v: SIP/2.0/UDP a;branch=z9hG4bK1\r\nSubject: x\r\nVIA: SIP/2.0/UDP b\r\n", true },
	{ "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nvIa\t:\r\n SIP/2.0/UDP b\r\n", true },
	{ "Via: SIP/2.0/UDP a;branch=z9hG4bK1\nVia: SIP/2.0/UDP b\r\n ;branch=1\r\n", true },
};

/* At the front of a message and at its end, where the scan has fewer bytes to look at. */
Test(msg, whether_there_is_another_via)
{
	for (size_t i = 0; i < 2 * (sizeof(via_rows) / sizeof(via_rows[0])); i++) {
		static const char rest[] = "From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\n"
					   "Call-ID: 1\r\nCSeq: 1 INVITE\r\n";
		const char *vias = via_rows[i / 2].vias;
		char text[1024];

		snprintf(text, sizeof(text), "INVITE sip:b@b SIP/2.0\r\n%s%s\r\n",
			 i % 2 ? rest : vias, i % 2 ? vias : rest);
		cr_assert_eq(parse(text), SIP_OK, "%s", text);
		cr_expect_eq(msg.more_vias, via_rows[i / 2].more, "%s", text);
	}
}

static const struct {
	const char *routes;
	bool more;
} route_rows[] = {
	{ "Subject: none\r\n", false },
	{ "Route: <sip:a;lr>\r\n", false },
	{ "Route: <sip:a;lr>, <sip:b;lr>\r\n", false },
	{ "Route: <sip:a;lr>\r\n , <sip:b;lr>\r\nRecord-Route: <sip:c;lr>\r\n", false },
	{ "Route: <sip:a;lr>\r\nRoute: <sip:b;lr>\r\n", true },
	{ "ROUTE: <sip:a;lr>\r\nSubject: x\r\nroute:<sip:b;lr>\n", true },
	{ "Route: <sip:a;lr>\r\nrOute\t:\r\n <sip:b;lr>\r\n", true },
	{ "Route: <sip:a;lr>\nRoute: <sip:b;lr>\r\n ;x=1\r\n", true },
};

Test(msg, whether_there_is_another_route_line)
{
	for (size_t i = 0; i < 2 * n_rows(route_rows); i++) {
		const char *routes = route_rows[i / 2].routes;
		char text[1024];

		snprintf(text, sizeof(text), "OPTIONS sip:b@h SIP/2.0\r\n%s%s%s\r\n",
			 i % 2 ? "" : routes, VIA FROM TO REST, i % 2 ? routes : "");
		cr_assert_eq(parse(text), SIP_OK, "%s", text);
		cr_expect_eq(msg.more_routes, route_rows[i / 2].more, "%s", text);
	}
}

Test(msg, top_via_rfc3261_20_42)
{
	cr_assert_eq(parse(SAMPLE_INVITE), SIP_OK);
	expect_span(msg.via.value,
		    "SIP/2.0/UDP pc33.atlanta.example.com:5062;branch=z9hG4bKnashds8;rport");
	expect_span(msg.via.transport, "UDP");
	expect_span(msg.via.host, "pc33.atlanta.example.com");
	cr_expect_eq(msg.via.port, 5062);
	expect_span(msg.via.branch, "z9hG4bKnashds8");
	cr_expect(msg.via.has_rport);
	cr_expect_eq(msg.via.rport.len, 0);
	expect_span(msg.via.rport_param, ";rport");
	cr_expect_not(msg.via.has_received);
	expect_span(msg.via.params, ";branch=z9hG4bKnashds8;rport");
}

Test(msg, response_fields_rfc3261_7_2)
{
	cr_assert_eq(parse(SAMPLE_OK), SIP_OK);
	cr_expect_not(msg.is_request);
	cr_expect_eq(msg.status, 200);
	expect_span(msg.reason, "OK");
	cr_expect_eq(msg.method, SIP_METHOD_INVITE);
	expect_span(msg.method_name, "INVITE");
	expect_span(msg.to_tag, "a6c85cf");
	cr_expect(sip_msg_has(&msg, SIP_HDR_CONTACT));
	cr_expect(sip_msg_has(&msg, SIP_HDR_CONTENT_LENGTH));
}

Test(msg, vias_over_lines_and_lists_rfc3261_7_3_1)
{
	static const char *const hosts[] = { "lb.example.com", "[2001:db8::9:1]",
					     "pc33.atlanta.example.com" };
	struct sip_via_iter it;
	struct sip_via via;

	cr_assert_eq(parse(SAMPLE_OK), SIP_OK);
	sip_via_iter_init(&it, &msg);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(sip_via_iter_next(&it, &via), 1);
		expect_span(via.host, hosts[i]);
	}
	cr_expect_eq(sip_via_iter_next(&it, &via), 0);
}

Test(msg, every_truncation_fails_within_the_buffer)
{
	static const char *const samples[] = { SAMPLE_INVITE, SAMPLE_OK };

	for (size_t s = 0; s < 2; s++) {
		size_t whole = strlen(samples[s]);

		for (size_t len = 0; len < whole; len++) {
			cr_expect_neq(parse_bytes(samples[s], len), SIP_OK, "sample %zu cut at %zu",
				      s, len);
			cr_expect_leq(msg.err_off, len);
		}
	}
}
