/* Start lines. */
#include "tests/sip/parse_helper.h"

#include <stdio.h>

TestSuite(start, .init = parse_set_up, .fini = parse_tear_down);

#define LINE(start) start "\r\n" VIA FROM TO REST "\r\n"

Test(start, request_lines_rfc3261_7_1)
{
	static const struct {
		const char *text;
		enum sip_result result;
		const char *uri;
	} rows[] = {
		{ LINE("OPTIONS sip:b@h SIP/2.0"), SIP_OK, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h sip/2.0"), SIP_OK, "sip:b@h" },
		{ LINE("OPTIONS tel:+1-201-555-0123;phone-context=+1 SIP/2.0"), SIP_OK,
		  "tel:+1-201-555-0123;phone-context=+1" },
		{ LINE("OPTIONS urn:service:sos SIP/2.0"), SIP_OK, "urn:service:sos" },
		{ LINE("OPTIONS sips:[2001:db8::1]:5061;lr SIP/2.0"), SIP_OK,
		  "sips:[2001:db8::1]:5061;lr" },
		{ LINE("OPTIONS nobodyKnowsThisScheme:totallyopaque SIP/2.0"), SIP_OK,
		  "nobodyKnowsThisScheme:totallyopaque" },
		{ "\r\n\r\n" LINE("OPTIONS sip:b@h SIP/2.0"), SIP_OK, "sip:b@h" },
		{ "\n" LINE("OPTIONS sip:b@h SIP/2.0"), SIP_OK, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/7.0"), SIP_ERR_VERSION, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/2.1"), SIP_ERR_VERSION, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/02.0"), SIP_ERR_VERSION, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/2"), SIP_ERR_START_LINE, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/2x0"), SIP_ERR_START_LINE, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/2.0x"), SIP_ERR_START_LINE, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h SIP/"), SIP_ERR_START_LINE, "sip:b@h" },
		{ LINE("OPTIONS sip:b@h  SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS  sip:b@h SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS sip:b@h SIP/2.0 "), SIP_ERR_START_LINE, "" },
		{ LINE(" OPTIONS sip:b@h SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS\tsip:b@h SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS sip:b@h\tSIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS sip:b@h; lr SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS <sip:b@h> SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS 5sip:b@h SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS sip:\"b\"@h SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTIONS SIP/2.0"), SIP_ERR_START_LINE, "" },
		{ LINE("OPTI@NS sip:b@h SIP/2.0"), SIP_ERR_START_LINE, "" },
	};

	for (size_t i = 0; i < n_rows(rows); i++) {
		cr_expect_eq(parse(rows[i].text), rows[i].result, "%s", rows[i].text);
		cr_expect(msg.is_request, "%s", rows[i].text);
		expect_span(msg.uri, rows[i].uri, "%s", rows[i].text);
		cr_expect_eq(msg.n_hdrs, 5, "%s", rows[i].text);
	}
}

Test(start, malformed_requests_can_be_answered_rfc3261_8_2_6)
{
	cr_expect_eq(parse(LINE("OPTIONS  sip:b@h SIP/2.0")), SIP_ERR_START_LINE);
	cr_expect(sip_msg_answerable(&msg));
	cr_expect_eq(parse(LINE("OPTIONS sip:b@h SIP/7.0")), SIP_ERR_VERSION);
	cr_expect(sip_msg_answerable(&msg));
	cr_expect_eq(parse(LINE("ACK  sip:b@h SIP/2.0")), SIP_ERR_START_LINE);
	cr_expect_not(sip_msg_answerable(&msg), "never an answer to an ACK");
}

Test(start, status_lines_rfc3261_7_2)
{
	static const struct {
		const char *text;
		enum sip_result result;
		uint16_t status;
		const char *reason;
	} rows[] = {
		{ LINE("SIP/2.0 200 OK"), SIP_OK, 200, "OK" },
		{ LINE("sip/2.0 200 OK"), SIP_OK, 200, "OK" },
		{ LINE("SIP/2.0 100 "), SIP_OK, 100, "" },
		{ LINE("SIP/2.0 100"), SIP_OK, 100, "" },
		{ LINE("SIP/2.0 699 = 2**3 * 9**2  but not 3*2 "), SIP_OK, 699,
		  "= 2**3 * 9**2  but not 3*2 " },
		{ LINE("SIP/2.0 486 \xd0\x97\xd0\xb0\xd0\xbd\xd1\x8f\xd1\x82"), SIP_OK, 486,
		  "\xd0\x97\xd0\xb0\xd0\xbd\xd1\x8f\xd1\x82" },
		{ LINE("SIP/7.0 200 OK"), SIP_ERR_VERSION, 0, "" },
		{ LINE("SIP/2.0 099 Low"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0 700 High"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0 4294967301 better not"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0 20 OK"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0 2x0 OK"), SIP_ERR_START_LINE, 0, "" },
		/* The 64th byte is a CR that ends nothing. */
		{ LINE("SIP/2.0 200 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\rand more"),
		  SIP_OK, 200, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\rand more" },
		{ "SIP/2.0 183 Bare\n" VIA FROM TO REST "\r\n", SIP_OK, 183, "Bare" },
		{ LINE("SIP/2.0 200 A Reason Phrase Of More Than The Sixty-Four Bytes "
		       "Of One Block"),
		  SIP_OK, 200, "A Reason Phrase Of More Than The Sixty-Four Bytes Of One Block" },
		{ LINE("SIP/2.0  200 OK"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0 200\tOK"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0"), SIP_ERR_START_LINE, 0, "" },
		{ LINE("SIP/2.0 "), SIP_ERR_START_LINE, 0, "" },
	};

	for (size_t i = 0; i < n_rows(rows); i++) {
		cr_expect_eq(parse(rows[i].text), rows[i].result, "%s", rows[i].text);
		cr_expect_not(msg.is_request, "%s", rows[i].text);
		cr_expect_eq(msg.status, rows[i].status, "%s", rows[i].text);
		expect_span(msg.reason, rows[i].reason, "%s", rows[i].text);
		cr_expect(rows[i].reason[0] || msg.reason.off == 0, "%s", rows[i].text);
		cr_expect_not(sip_msg_answerable(&msg), "no answer to a response");
	}
}

/* Any byte in the status code or behind it: a line that fits 64 bytes is read in fewer steps. */
Test(start, status_codes_of_short_and_long_lines_are_read_alike)
{
	static const char more[] = "And A Reason Phrase That Takes The Line Beyond A Block";
	char text[2][512];

	for (unsigned int at = 8; at < 12; at++)
		for (int byte = 1; byte < 256; byte++) {
			struct sip_msg was;
			enum sip_result r;

			if (byte == '\n')
				continue;
			for (int is_long = 0; is_long < 2; is_long++)
				snprintf(text[is_long], sizeof(text[0]),
					 "SIP/2.0 %s OK%s\r\n" VIA FROM TO REST "\r\n",
					 at % 2 ? "699" : "100", is_long ? more : "");
			text[0][at] = text[1][at] = (char)byte;
			r = parse(text[0]);
			was = msg;
			cr_expect_eq(parse(text[1]), r, "%02x at %u", byte, at);
			cr_expect_eq(msg.status, was.status, "%02x at %u", byte, at);
			cr_expect_eq(msg.err_off, was.err_off, "%02x at %u", byte, at);
			cr_expect_eq(msg.reason.off, was.reason.off, "%02x at %u", byte, at);
			cr_expect_eq(msg.hdrs_off - was.hdrs_off, (int)sizeof(more) - 1);
		}
}

Test(start, what_is_not_sip)
{
	static const char *const rows[] = {
		LINE("GET / HTTP/1.1"),
		LINE("HTTP/1.1 200 OK"),
		LINE("x"),
		"x",
		"SIP",
		"\1\2\3\4",
		LINE("OPTIONS sip:b@h"),
		LINE("OPTIONS sip:b@h SIP2.0"),
		"\xff\xff\xff\xff\r\n\r\n",
		LINE("Via: SIP/2.0 h"),
	};

	for (size_t i = 0; i < n_rows(rows); i++) {
		cr_expect_eq(parse(rows[i]), SIP_ERR_NOT_SIP, "%s", rows[i]);
		cr_expect_not(sip_msg_answerable(&msg));
		cr_expect_eq(msg.n_hdrs, 0);
	}
}

Test(start, keep_alives_rfc3261_7_5_rfc5626_4_4_1)
{
	static const char *const rows[] = { "", "\r\n", "\r\n\r\n", "\n", "\r" };

	for (size_t i = 0; i < n_rows(rows); i++)
		cr_expect_eq(parse(rows[i]), SIP_ERR_EMPTY, "row %zu", i);
}

Test(start, methods_are_case_sensitive_rfc3261_7_1)
{
	static const struct {
		const char *name;
		enum sip_method method;
	} rows[] = {
		{ "INVITE", SIP_METHOD_INVITE },
		{ "ACK", SIP_METHOD_ACK },
		{ "BYE", SIP_METHOD_BYE },
		{ "CANCEL", SIP_METHOD_CANCEL },
		{ "REGISTER", SIP_METHOD_REGISTER },
		{ "OPTIONS", SIP_METHOD_OPTIONS },
		{ "PRACK", SIP_METHOD_PRACK },
		{ "SUBSCRIBE", SIP_METHOD_SUBSCRIBE },
		{ "NOTIFY", SIP_METHOD_NOTIFY },
		{ "PUBLISH", SIP_METHOD_PUBLISH },
		{ "INFO", SIP_METHOD_INFO },
		{ "REFER", SIP_METHOD_REFER },
		{ "MESSAGE", SIP_METHOD_MESSAGE },
		{ "UPDATE", SIP_METHOD_UPDATE },
		{ "invite", SIP_METHOD_OTHER },
		{ "INVITEX", SIP_METHOD_OTHER },
		{ "INVIT", SIP_METHOD_OTHER },
		{ "A", SIP_METHOD_OTHER },
		{ "!interesting-Method0123456789_*+`.%indeed'~", SIP_METHOD_OTHER },
	};
	char text[512];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text),
			 "%s sip:b@h SIP/2.0\r\n" VIA FROM TO "Call-ID: c\r\nCSeq: 7 %s\r\n\r\n",
			 rows[i].name, rows[i].name);
		cr_expect_eq(parse(text), SIP_OK, "%s", rows[i].name);
		cr_expect_eq(msg.method, rows[i].method, "%s", rows[i].name);
		expect_span(msg.method_name, rows[i].name);
		if (rows[i].method != SIP_METHOD_OTHER)
			cr_expect_str_eq(sip_method_name(rows[i].method), rows[i].name);
	}
}

Test(start, a_response_takes_its_method_from_cseq_rfc3261_8_1_3_3)
{
	cr_expect_eq(parse("SIP/2.0 200 OK\r\n" VIA FROM TO "Call-ID: c\r\nCSeq: 7 BYE\r\n\r\n"),
		     SIP_OK);
	cr_expect_eq(msg.method, SIP_METHOD_BYE);
	expect_span(msg.method_name, "BYE");
}
