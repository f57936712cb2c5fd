/* name-addrs, their lists, and parameters. */
#include "sip/sip_uri.h"
#include "tests/sip/parse_helper.h"

#include <errno.h>
#include <stdio.h>

TestSuite(addr, .init = parse_set_up, .fini = parse_tear_down);

static const struct {
	const char *value;
	const char *display, *uri, *tag;
} good[] = {
	{ "<sip:a@h>", "", "sip:a@h", "" },
	{ "<sip:a@h>;tag=1", "", "sip:a@h", "1" },
	{ "sip:a@h", "", "sip:a@h", "" },
	{ "sip:a@h;tag=1", "", "sip:a@h", "1" },
	{ "sip:a@h ; tag = 1", "", "sip:a@h", "1" },
	{ "sip:c8oqz84zk7z@privacy.org>;tag=hyh8", NULL, NULL, NULL },
	{ "Alice <sip:a@h>;tag=1", "Alice", "sip:a@h", "1" },
	{ "Alice B.  <sip:a@h>;tag=1", "Alice B.", "sip:a@h", "1" },
	{ "\"Alice\" <sip:a@h>;x=y;tag=1;z", "\"Alice\"", "sip:a@h", "1" },
	{ "\"Alice\"<sip:a@h;tag=no>", "\"Alice\"", "sip:a@h;tag=no", "" },
	{ "\"A \\\" <sip:x@y>;tag=2, \\\\\" <sips:a@h:5061;lr?x=y>;TAG=1",
	  "\"A \\\" <sip:x@y>;tag=2, \\\\\"", "sips:a@h:5061;lr?x=y", "1" },
	{ "<sip:a@h>;x=\"a;tag=no\";tag=yes", "", "sip:a@h", "yes" },
	{ "<sip:a@h>;tag=1;tag=2", "", "sip:a@h", "1" },
	{ "<sip:a@h>;mytag=0;tagx=0;tag=1", "", "sip:a@h", "1" },
	{ "<sip:a@h>;tag", "", "sip:a@h", "" },
	{ "<sip:a@h>;tag=", "", "sip:a@h", "" },
	{ "<sip:a@h>;;;tag=1;", "", "sip:a@h", "1" },
	{ "<sip:a@h>;", "", "sip:a@h", "" },
	{ "<tel:+1-201-555-0123>", "", "tel:+1-201-555-0123", "" },
	{ "tel:112;phone-context=+1;tag=t", "", "tel:112", "t" },
	{ "<urn:service:sos>", "", "urn:service:sos", "" },
	{ "<sip:[2001:db8::1]:5070>;tag=x", "", "sip:[2001:db8::1]:5070", "x" },
	{ "<SIP:a@h>;tag=x", "", "SIP:a@h", "x" },
	{ "\r\n \"J \\\\\\\"\"\r\n <sip:a@h>\r\n ;\r\n tag = 98asjd8", "\"J \\\\\\\"\"", "sip:a@h",
	  "98asjd8" },
	{ "\"\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd\" <sip:a@h>", "\"\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd\"",
	  "sip:a@h", "" },
	{ "\xd0\x98\xd0\xb2 <sip:a@h>", "\xd0\x98\xd0\xb2", "sip:a@h", "" },
	/* Leniencies: RFC 4475 3.1.1.6 (lwsdisp), 3.1.2.14 (badaspec); other than tokens. */
	{ "caller<sip:a@h>;tag=323", "caller", "sip:a@h", "323" },
	{ "\"Watson, Thomas\" < sip:t.watson@example.org >;tag=1", "\"Watson, Thomas\"",
	  "sip:t.watson@example.org", "1" },
	{ "A@B.C <sip:a@h>;tag=43", "A@B.C", "sip:a@h", "43" },
	{ "isup:oli=00;tag=1", "", "isup:oli=00", "1" },
	{ "<sip:a@h;x=%22>", "", "sip:a@h;x=%22", "" },
	{ "<sip:a,b;c@h>;tag=1", "", "sip:a,b;c@h", "1" },
	{ "a: b <sip:a@h>", "a: b", "sip:a@h", "" },
};

Test(addr, from_rfc3261_20_20)
{
	char text[1024];

	for (size_t i = 0; i < n_rows(good); i++) {
		struct sip_addr a;
		const struct sip_hdr *h;

		snprintf(text, sizeof(text), WITH_FROM("%s"), good[i].value);
		if (!good[i].uri) {
			cr_expect_eq(parse(text), SIP_ERR_FROM, "%s", good[i].value);
			continue;
		}
		cr_expect_eq(parse(text), SIP_OK, "%s", good[i].value);
		expect_span(msg.from_uri, good[i].uri, "%s", good[i].value);
		expect_span(msg.from_tag, good[i].tag, "%s", good[i].value);
		h = sip_msg_hdr(&msg, SIP_HDR_FROM);
		cr_assert_eq(sip_addr_parse(msg.buf,
					    (struct sip_span){ h->value_off, h->value_len }, &a),
			     0);
		expect_span(a.display, good[i].display, "%s", good[i].value);
		expect_span(a.uri, good[i].uri, "%s", good[i].value);
	}
}

Test(addr, malformed_rfc3261_25_1)
{
	static const char *const rows[] = {
		"",
		"<>",
		"< >",
		"*",
		"Bob",
		"\"Bob\"",
		"\"Bob\" sip:a@h",
		"<sip:a@h",
		"sip:a@h>",
		"\"Bob <sip:a@h>",
		"\"Mr. J. User <sip:j.user@example.com>", /* RFC 4475 3.1.2.6 (quotbal) */
		"Bell, Alexander <sip:a@h>;tag=43",       /* RFC 4475 3.1.2.15 (baddn) */
		"<sip:a@h> x",
		"<sip:a@h>x=y",
		"<sip:a@h>>",
		"<<sip:a@h>>",
		"<sip:a b@h>",
		"<sip:a\r\n b@h>",
		"sip:a@h x",
		"sip:",
		"<sip:>",
		"5ip:a@h",
		";tag=1",
		"<sip:a@h>;x y;tag=1",
		"<sip:a@h>;x=\"a",
		"<sip:a@h>;x=a\"b\";tag=1",
		"<sip:a@h>;tag=1, <sip:b@h>;tag=2",
		"sip:a@h;tag=1 x",
		"<sip:a\x7f@h>",
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH_FROM("%s"), rows[i]);
		cr_expect_eq(parse(text), SIP_ERR_FROM, "%s", rows[i]);
		cr_expect_eq(sip_msg_answerable(&msg), rows[i][0] != '\0', "%s", rows[i]);
		snprintf(text, sizeof(text),
			 "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM REST "To: %s\r\n\r\n", rows[i]);
		cr_expect_eq(parse(text), SIP_ERR_TO, "%s", rows[i]);
	}
}

/* As a caller outside a message may have it. */
Test(addr, at_offset_0)
{
	static const uint8_t text[] = "<sip:a@h>;tag=1";
	struct sip_addr a;

	cr_assert_eq(sip_addr_parse(text, (struct sip_span){ 0, sizeof(text) - 1 }, &a), 0);
	cr_expect(sip_span_is(text, a.uri, "sip:a@h"));
	cr_expect(sip_span_is(text, a.params, ";tag=1"));
}

Test(addr, lists_over_lines_rfc3261_20_34)
{
	static const char *const uris[] = { "sip:1;lr", "sip:2,2;lr", "sip:3", "sip:4;x" };
	struct sip_addr_iter it;
	struct sip_addr a;

	cr_assert_eq(parse(WITH("Route: <sip:1;lr>,\"a,b\"  <sip:2,2;lr>;x=\",\" , sip:3\r\n"
				"X: <sip:no>\r\nroute: <sip:4;x>\r\n")),
		     SIP_OK);
	sip_addr_iter_init(&it, &msg, SIP_HDR_ROUTE);
	for (size_t i = 0; i < n_rows(uris); i++) {
		cr_assert_eq(sip_addr_iter_next(&it, &a), 1, "%s", uris[i]);
		expect_span(a.uri, uris[i]);
		cr_expect_geq(a.whole.off, it.hdr->value_off);
		cr_expect_leq(a.whole.off + a.whole.len, it.hdr->value_off + it.hdr->value_len);
	}
	cr_expect_eq(sip_addr_iter_next(&it, &a), 0);
	cr_expect_eq(sip_addr_iter_next(&it, &a), 0);
	sip_addr_iter_init(&it, &msg, SIP_HDR_PATH);
	cr_expect_eq(sip_addr_iter_next(&it, &a), 0);
}

Test(addr, star_is_for_contact_rfc3261_20_10)
{
	struct sip_addr_iter it;
	struct sip_addr a;

	cr_assert_eq(parse(WITH("Contact: *\r\nRoute: *\r\n")), SIP_OK);
	sip_addr_iter_init(&it, &msg, SIP_HDR_CONTACT);
	cr_assert_eq(sip_addr_iter_next(&it, &a), 1);
	expect_span(a.uri, "*");
	sip_addr_iter_init(&it, &msg, SIP_HDR_ROUTE);
	cr_expect_eq(sip_addr_iter_next(&it, &a), -EINVAL);
}

Test(addr, malformed_list_elements_rfc3261_25_1)
{
	static const char *const rows[] = { "Route:\r\n",
					    "Route: ,\r\n",
					    "Route: <sip:1>,\r\n",
					    "Route: ,<sip:1>\r\n",
					    "Route: <sip:1\r\n",
					    "Route: \"x <sip:1>\r\n",
					    "Route: <sip:1> <sip:2>\r\n",
					    "Route: x\r\n" };
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		struct sip_addr_iter it;
		struct sip_addr a;
		int r;

		snprintf(text, sizeof(text), WITH("%s"), rows[i]);
		cr_assert_eq(parse(text), SIP_OK, "lists are lazy: %s", rows[i]);
		sip_addr_iter_init(&it, &msg, SIP_HDR_ROUTE);
		do {
			r = sip_addr_iter_next(&it, &a);
		} while (r == 1);
		cr_expect_eq(r, -EINVAL, "%s", rows[i]);
	}
}

Test(addr, parameters_by_name_rfc3261_7_3_1)
{
	static const struct {
		const char *params, *name;
		bool found;
		const char *value;
	} rows[] = {
		{ ";lr", "lr", true, "" },
		{ ";LR;x", "lr", true, "" },
		{ ";lr=on", "lr", true, "on" },
		{ ";a=1;b=2", "b", true, "2" },
		{ ";a=\"x;b=1\";b=\"2\"", "b", true, "\"2\"" },
		{ " ; a ", "a", false, "" },
		{ "; a = 1 ; b\r\n =\t2", "b", true, "2" },
		{ ";;;b", "b", true, "" },
		{ ";a=b", "b", false, "" },
		{ ";ab=1", "a", false, "" },
		{ ";a=1", "ab", false, "" },
		{ ";a=\"open;b=2", "b", false, "" },
		{ ";a=1 junk;b=2", "b", false, "" },
		{ ";=1;b=2", "b", false, "" },
		{ ";", "b", false, "" },
		{ "", "b", false, "" },
		{ ";x=[2001:db8::1];y=a@b?c", "y", true, "a@b?c" },
	};

	for (size_t i = 0; i < n_rows(rows); i++) {
		size_t len = strlen(rows[i].params);
		struct sip_span s = { 0, (uint16_t)len }, value = { 0, 0 };

		parse(rows[i].params); /* for the guarded copy */
		cr_expect_eq(sip_param_find(msg.buf, s, rows[i].name, &value), rows[i].found,
			     "%s in %s", rows[i].name, rows[i].params);
		expect_span(value, rows[i].value, "%s in %s", rows[i].name, rows[i].params);
		cr_expect_eq(sip_param_find(msg.buf, s, rows[i].name, NULL), rows[i].found);
	}
}
