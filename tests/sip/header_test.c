/* Header lines: names, folds, line ends, limits; and the headers that every message has. */
#include "tests/sip/parse_helper.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

TestSuite(header, .init = parse_set_up, .fini = parse_tear_down);

static const char *value_text(const struct sip_hdr *h)
{
	return text_of((struct sip_span){ h->value_off, h->value_len });
}

static const char *name_text(const struct sip_hdr *h)
{
	return text_of((struct sip_span){ h->name_off, h->name_len });
}

Test(header, names_full_and_compact_any_case_rfc3261_7_3_1_and_7_3_3)
{
	static const struct {
		const char *line;
		enum sip_hdr_id id;
	} rows[] = {
		{ "Route", SIP_HDR_ROUTE },
		{ "rOuTe", SIP_HDR_ROUTE },
		{ "Record-Route", SIP_HDR_RECORD_ROUTE },
		{ "Max-Forwards", SIP_HDR_MAX_FORWARDS },
		{ "Contact", SIP_HDR_CONTACT },
		{ "m", SIP_HDR_CONTACT },
		{ "M", SIP_HDR_CONTACT },
		{ "Expires", SIP_HDR_EXPIRES },
		{ "Content-Type", SIP_HDR_CONTENT_TYPE },
		{ "c", SIP_HDR_CONTENT_TYPE },
		{ "Retry-After", SIP_HDR_RETRY_AFTER },
		{ "Authorization", SIP_HDR_AUTHORIZATION },
		{ "Proxy-Authorization", SIP_HDR_PROXY_AUTHORIZATION },
		{ "WWW-Authenticate", SIP_HDR_WWW_AUTHENTICATE },
		{ "Proxy-Authenticate", SIP_HDR_PROXY_AUTHENTICATE },
		{ "Supported", SIP_HDR_SUPPORTED },
		{ "k", SIP_HDR_SUPPORTED },
		{ "Require", SIP_HDR_REQUIRE },
		{ "Proxy-Require", SIP_HDR_PROXY_REQUIRE },
		{ "Unsupported", SIP_HDR_UNSUPPORTED },
		{ "Path", SIP_HDR_PATH },
		{ "Service-Route", SIP_HDR_SERVICE_ROUTE },
		{ "Replaces", SIP_HDR_REPLACES },
		{ "Join", SIP_HDR_JOIN },
		{ "Refer-To", SIP_HDR_REFER_TO },
		{ "r", SIP_HDR_REFER_TO },
		{ "Resource-Priority", SIP_HDR_RESOURCE_PRIORITY },
		{ "Event", SIP_HDR_EVENT },
		{ "o", SIP_HDR_EVENT },
		{ "Allow", SIP_HDR_ALLOW },
		{ "User-Agent", SIP_HDR_USER_AGENT },
		{ "Server", SIP_HDR_SERVER },
		{ "Subject", SIP_HDR_SUBJECT },
		{ "s", SIP_HDR_SUBJECT },
		{ "SUBJECT", SIP_HDR_SUBJECT },
		{ "X-Unknown", SIP_HDR_OTHER },
		{ "Subjec", SIP_HDR_OTHER },
		{ "Subjects", SIP_HDR_OTHER },
		{ "Allow-Events", SIP_HDR_OTHER },
		{ "z", SIP_HDR_OTHER },
		{ "Max_Forwards", SIP_HDR_OTHER },
		{ "MaxForwards", SIP_HDR_OTHER },
		{ "Max-ForwardS1", SIP_HDR_OTHER },
		{ "Rout\xe5", SIP_HDR_OTHER },
		{ "2oute", SIP_HDR_OTHER },
	};
	char text[512];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH("%s: 5\r\n"), rows[i].line);
		cr_expect_eq(parse(text), SIP_OK, "%s", rows[i].line);
		cr_assert_eq(msg.n_hdrs, 6);
		cr_expect_eq(msg.hdr[5].id, rows[i].id, "%s", rows[i].line);
		cr_expect_str_eq(name_text(&msg.hdr[5]), rows[i].line);
		cr_expect(sip_msg_has(&msg, rows[i].id), "%s", rows[i].line);
		cr_expect_eq(sip_msg_hdr(&msg, rows[i].id), &msg.hdr[5], "%s", rows[i].line);
	}
}

Test(header, every_known_name_finds_its_own_id)
{
	char text[512];

	for (int id = SIP_HDR_CONTACT; id < SIP_HDR_N; id++) {
		if (id == SIP_HDR_CONTENT_LENGTH)
			continue;
		snprintf(text, sizeof(text), WITH("%s: 5\r\n"), sip_hdr_name((enum sip_hdr_id)id));
		cr_expect_eq(parse(text), SIP_OK, "%s", text);
		cr_expect_eq(msg.hdr[5].id, id, "%s", sip_hdr_name((enum sip_hdr_id)id));
	}
}

/* The name in capitals, in small letters, or alternating. */
static void in_case(char *out, const char *name, int way)
{
	for (; *name; name++, way += way > 1)
		*out++ = (char)(way % 2 ? toupper(*name) : tolower(*name));
	*out = '\0';
}

/* One space behind the colon, as nearly always, or two. */
static void expect_name(const char *name, int id, int spaces)
{
	const struct sip_hdr *h = &msg.hdr[5];
	char text[512];

	snprintf(text, sizeof(text), "%s%s:%*s1\r\nX: y\r\n\r\n",
		 "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST, name, spaces, "");
	parse(text);
	cr_assert_eq(msg.n_hdrs, 7, "%s", text);
	cr_expect_eq(h->id, id, "%s", text);
	cr_expect_str_eq(value_text(h), "1", "%s", text);
	cr_expect_str_eq(name_text(h), name);
}

Test(header, every_name_is_found_in_a_message_in_any_case)
{
	for (int id = SIP_HDR_OTHER + 1; id < SIP_HDR_N; id++) {
		const char *usual = sip_hdr_name((enum sip_hdr_id)id);
		char name[64];

		expect_name(usual, id, 1);
		for (int way = 0; way < 4; way++) {
			in_case(name, usual, way);
			expect_name(name, id, 1);
			expect_name(name, id, 2);
		}
	}
}

Test(header, compact_mandatory_headers_rfc3261_7_3_3)
{
	cr_assert_eq(parse("OPTIONS sip:b@h SIP/2.0\r\nv:SIP/2.0/UDP h\r\nf:<sip:a@h>\r\n"
			   "t:<sip:b@h>;tag=x\r\ni:c1\r\ncseq:1 OPTIONS\r\nl:0\r\n\r\n"),
		     SIP_OK);
	cr_expect_eq(msg.decoded, SIP_DECODED_ALL);
	expect_span(msg.via.host, "h");
	expect_span(msg.to_tag, "x");
	expect_span(msg.call_id, "c1");
	cr_expect(sip_msg_has(&msg, SIP_HDR_CONTENT_LENGTH));
}

Test(header, white_space_and_folds_rfc3261_7_3_1)
{
	static const struct {
		const char *lines;
		const char *name, *value;
	} rows[] = {
		{ "Subject: lunch\r\n", "Subject", "lunch" },
		{ "Subject:lunch\r\n", "Subject", "lunch" },
		{ "Subject      :      lunch\r\n", "Subject", "lunch" },
		{ "Subject\t:\tlunch\t \r\n", "Subject", "lunch" },
		{ "Subject: I know you're there,\r\n         pick up\r\n\tthe phone\r\n", "Subject",
		  "I know you're there,\r\n         pick up\r\n\tthe phone" },
		{ "Subject:\r\n lunch\r\n", "Subject", "lunch" },
		{ "Subject: lunch\r\n \r\n", "Subject", "lunch" },
		{ "Subject: lunch\r\n\t\r\n  \r\n", "Subject", "lunch" },
		{ "Subject:\r\n", "Subject", "" },
		{ "Subject: \r\n", "Subject", "" },
		{ "Subject:\r\n \r\n", "Subject", "" },
		{ "Subject: a:b:c\r\n", "Subject", "a:b:c" },
		{ "Subject: lunch\n", "Subject", "lunch" },
		{ "Subject: lunch\n tomorrow\n", "Subject", "lunch\n tomorrow" },
		{ "Subject: lunch\r\r\n", "Subject", "lunch" },
		{ "Subject: a\rb\r\n", "Subject", "a\rb" },
		{ "X[1]: v\r\n", "X[1]", "v" },
		{ "X\xc3\xa4: \xe2\x82\xac\r\n", "X\xc3\xa4", "\xe2\x82\xac" },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH("%sX-Last: z\r\n"), rows[i].lines);
		cr_expect_eq(parse(text), SIP_OK, "%s", rows[i].lines);
		cr_assert_eq(msg.n_hdrs, 7, "%s", rows[i].lines);
		cr_expect_str_eq(name_text(&msg.hdr[5]), rows[i].name);
		cr_expect_str_eq(value_text(&msg.hdr[5]), rows[i].value);
		cr_expect_eq(sip_hdr_end(&msg, &msg.hdr[5]) - sip_hdr_start(&msg.hdr[5]),
			     strlen(rows[i].lines), "%s", rows[i].lines);
		cr_expect_str_eq(name_text(&msg.hdr[6]), "X-Last");
		cr_expect_eq(sip_hdr_end(&msg, &msg.hdr[6]) + 2, msg.body_off);
	}
}

Test(header, lines_that_are_no_header_rfc3261_7_3)
{
	static const char *const rows[] = {
		"no colon\r\n", ": empty\r\n",        "Sub ject: x\r\n",  "Subject\r\n",
		"\x01: x\r\n",  "Sub\x7fject: x\r\n", "\rSubject: x\r\n", "Subject\r\n :x\r\n",
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH("%sX-Last: z\r\n"), rows[i]);
		cr_expect_eq(parse(text), SIP_ERR_HEADER_NAME, "%s", rows[i]);
		cr_expect_eq(msg.err_off, strlen(WITH("")) - 2, "%s", rows[i]);
		cr_expect(sip_msg_answerable(&msg), "%s", rows[i]);
		cr_expect_eq(msg.n_hdrs, 6, "the pass goes on behind it: %s", rows[i]);
	}
	cr_expect_eq(parse_bytes("OPTIONS sip:b@h SIP/2.0\r\n folded: x\r\n\r\n", 39),
		     SIP_ERR_HEADER_NAME);
	cr_expect_eq(parse_bytes(WITH("S\0x: 1\r\n"), sizeof(WITH("S\0x: 1\r\n")) - 1),
		     SIP_ERR_HEADER_NAME);
}

Test(header, name_of_255_bytes_and_256)
{
	char name[257], text[1024];

	memset(name, 'x', sizeof(name));
	name[255] = '\0';
	snprintf(text, sizeof(text), WITH("%s: v\r\n"), name);
	cr_expect_eq(parse(text), SIP_OK);
	cr_expect_eq(msg.hdr[5].name_len, 255);
	name[255] = 'x';
	name[256] = '\0';
	snprintf(text, sizeof(text), WITH("%s: v\r\n"), name);
	cr_expect_eq(parse(text), SIP_ERR_HEADER_NAME);
}

static size_t with_headers(char *text, size_t size, int n)
{
	size_t len = (size_t)snprintf(text, size, "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST);

	for (int i = 5; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "X%d: %d\r\n", i, i);
	return len + (size_t)snprintf(text + len, size - len, "\r\n");
}

Test(header, limit_of_256_header_fields)
{
	char text[8192];
	size_t len = with_headers(text, sizeof(text), SIP_HDR_MAX);

	cr_expect_eq(parse_bytes(text, len), SIP_OK);
	cr_expect_eq(msg.n_hdrs, SIP_HDR_MAX);
	cr_expect_str_eq(value_text(&msg.hdr[SIP_HDR_MAX - 1]), "255");
	len = with_headers(text, sizeof(text), SIP_HDR_MAX + 1);
	cr_expect_eq(parse_bytes(text, len), SIP_ERR_TOO_MANY_HEADERS);
	cr_expect_eq(msg.n_hdrs, SIP_HDR_MAX);
	cr_expect(sip_msg_answerable(&msg));
	cr_expect_eq(memcmp(msg.buf + msg.err_off, "X256:", 5), 0);
}

Test(header, message_of_65535_bytes_and_one_more)
{
	static char text[70000];
	size_t len = strlen(WITH(""));

	memcpy(text, WITH(""), len);
	memset(text + len, 'b', sizeof(text) - len);
	cr_expect_eq(parse_bytes(text, SIP_MSG_MAX), SIP_OK);
	cr_expect_eq(msg.len, SIP_MSG_MAX);
	cr_expect_eq(parse_bytes(text, SIP_MSG_MAX + 1), SIP_ERR_TOO_LARGE);
	cr_expect_eq(msg.n_hdrs, 0);
	memset(text + len - 2, 'h', sizeof(text) - len);
	cr_expect_eq(parse_bytes(text, SIP_MSG_MAX), SIP_ERR_NO_END);
}

Test(header, end_of_headers_rfc3261_7)
{
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST), SIP_ERR_NO_END);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST "\r"), SIP_ERR_NO_END);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST "X"), SIP_ERR_NO_END);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST "X: 1"), SIP_ERR_NO_END);
	cr_expect_eq(msg.n_hdrs, 5, "a line that may be cut short does not count");
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA "l: 1\r\n" FROM TO REST),
		     SIP_ERR_NO_END);
	cr_expect_eq(msg.len, strlen("OPTIONS sip:b@h SIP/2.0\r\n" VIA "l: 1\r\n" FROM TO REST),
		     "without a body, no Content-Length cuts it");
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0"), SIP_ERR_NO_END);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n"), SIP_ERR_NO_END);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\n" VIA FROM TO REST "\nbody"), SIP_OK);
	cr_expect_eq(msg.len - msg.body_off, 4);
}

Test(header, mandatory_rfc3261_8_1_1)
{
	static const struct {
		const char *text;
		enum sip_result result;
	} rows[] = {
		{ "OPTIONS sip:b@h SIP/2.0\r\n" FROM TO REST "\r\n", SIP_ERR_MISSING_VIA },
		{ "OPTIONS sip:b@h SIP/2.0\r\n" VIA TO REST "\r\n", SIP_ERR_MISSING_FROM },
		{ "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM REST "\r\n", SIP_ERR_MISSING_TO },
		{ "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO "CSeq: 1 OPTIONS\r\n\r\n",
		  SIP_ERR_MISSING_CALL_ID },
		{ "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO "Call-ID: 1\r\n\r\n",
		  SIP_ERR_MISSING_CSEQ },
		{ "OPTIONS sip:b@h SIP/2.0\r\n\r\n", SIP_ERR_MISSING_VIA },
		{ "SIP/2.0 200 OK\r\n" FROM TO REST "\r\n", SIP_ERR_MISSING_VIA },
	};

	for (size_t i = 0; i < n_rows(rows); i++) {
		cr_expect_eq(parse(rows[i].text), rows[i].result, "%s", rows[i].text);
		cr_expect_not(sip_msg_answerable(&msg), "%s", rows[i].text);
	}
}

Test(header, once_only_rfc4475_3_3_8)
{
	static const struct {
		const char *line;
		enum sip_result result;
	} rows[] = {
		{ FROM, SIP_ERR_DUPLICATE },
		{ "f: <sip:other@h>\r\n", SIP_ERR_DUPLICATE },
		{ TO, SIP_ERR_DUPLICATE },
		{ "Call-ID: c1\r\n", SIP_ERR_DUPLICATE },
		{ "CSeq: 2 OPTIONS\r\n", SIP_ERR_DUPLICATE },
		{ "Max-Forwards: 1\r\nMax-Forwards: 1\r\n", SIP_ERR_DUPLICATE },
		{ "Content-Length: 0\r\nl: 0\r\n", SIP_ERR_DUPLICATE },
		{ "Expires: 1\r\nExpires: 2\r\n", SIP_OK },
		{ VIA VIA, SIP_OK },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH("%s"), rows[i].line);
		cr_expect_eq(parse(text), rows[i].result, "%s", rows[i].line);
		cr_expect(sip_msg_answerable(&msg), "%s", rows[i].line);
		expect_span(msg.from_uri, "sip:a@h", "the first one counts");
	}
}

Test(header, content_length_rfc3261_18_3)
{
	static const struct {
		const char *line;
		const char *body;
		enum sip_result result;
		uint32_t body_len;
	} rows[] = {
		{ "Content-Length: 4\r\n", "body", SIP_OK, 4 },
		{ "Content-Length:4\r\n", "body", SIP_OK, 4 },
		{ "Content-Length: 0004\r\n", "body", SIP_OK, 4 },
		{ "Content-Length: 2\r\n", "body", SIP_OK, 2 },
		{ "Content-Length: 0\r\n", "body", SIP_OK, 0 },
		{ "", "body", SIP_OK, 4 },
		{ "", "", SIP_OK, 0 },
		{ "Content-Length: 5\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: 4294967296\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: 4294967300\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: 99999999999999999999\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: -1\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: +1\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: 4 4\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length: 0x4\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
		{ "Content-Length:\r\n", "body", SIP_ERR_CONTENT_LENGTH, 0 },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH("%s") "%s", rows[i].line, rows[i].body);
		cr_expect_eq(parse(text), rows[i].result, "%s", rows[i].line);
		if (rows[i].result == SIP_OK)
			cr_expect_eq(msg.len - msg.body_off, rows[i].body_len, "%s", rows[i].line);
		else
			cr_expect(sip_msg_answerable(&msg), "%s", rows[i].line);
	}
}

Test(header, max_forwards_rfc3261_20_22)
{
	static const struct {
		const char *line;
		enum sip_result result;
		uint32_t value;
	} rows[] = {
		{ "Max-Forwards: 0\r\n", SIP_OK, 0 },
		{ "Max-Forwards: 70\r\n", SIP_OK, 70 },
		{ "Max-Forwards: 0068\r\n", SIP_OK, 68 },
		{ "Max-Forwards: 300\r\n", SIP_OK, 300 },
		{ "Max-Forwards: 4294967295\r\n", SIP_OK, 4294967295 },
		{ "Max-Forwards: 4294967296\r\n", SIP_ERR_MAX_FORWARDS, 0 },
		{ "Max-Forwards:\r\n", SIP_ERR_MAX_FORWARDS, 0 },
		{ "Max-Forwards: -1\r\n", SIP_ERR_MAX_FORWARDS, 0 },
		{ "Max-Forwards: 7O\r\n", SIP_ERR_MAX_FORWARDS, 0 },
		{ "Max-Forwards: 1,2\r\n", SIP_ERR_MAX_FORWARDS, 0 },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text), WITH("%s"), rows[i].line);
		cr_expect_eq(parse(text), rows[i].result, "%s", rows[i].line);
		if (rows[i].result == SIP_OK)
			cr_expect_eq(msg.max_forwards, rows[i].value, "%s", rows[i].line);
	}
}

Test(header, cseq_rfc3261_20_16_and_8_1_1_5)
{
	static const struct {
		const char *value;
		enum sip_result result;
		uint32_t number;
	} rows[] = {
		{ "1 OPTIONS", SIP_OK, 1 },
		{ "0009\r\n  OPTIONS", SIP_OK, 9 },
		{ "1\tOPTIONS", SIP_OK, 1 },
		{ "1  OPTIONS  ", SIP_OK, 1 },
		{ "2147483647 OPTIONS", SIP_OK, 2147483647 },
		{ "4294967295 OPTIONS", SIP_OK, 4294967295 },
		{ "4294967296 OPTIONS", SIP_ERR_CSEQ, 0 },
		{ "36893488147419103232 OPTIONS", SIP_ERR_CSEQ, 0 },
		{ "1 INVITE", SIP_ERR_CSEQ_METHOD, 0 },
		{ "1 options", SIP_ERR_CSEQ_METHOD, 0 },
		{ "1 OPTION", SIP_ERR_CSEQ_METHOD, 0 },
		{ "1 OPTIONSX", SIP_ERR_CSEQ_METHOD, 0 },
		{ "1", SIP_ERR_CSEQ, 0 },
		{ "1OPTIONS", SIP_ERR_CSEQ, 0 },
		{ "OPTIONS", SIP_ERR_CSEQ, 0 },
		{ "-1 OPTIONS", SIP_ERR_CSEQ, 0 },
		{ "", SIP_ERR_CSEQ, 0 },
		{ "1 OPTIONS x", SIP_ERR_CSEQ, 0 },
		{ "1 OPTI@NS", SIP_ERR_CSEQ, 0 },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		snprintf(text, sizeof(text),
			 "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO "Call-ID: c\r\nCSeq: %s\r\n\r\n",
			 rows[i].value);
		cr_expect_eq(parse(text), rows[i].result, "%s", rows[i].value);
		if (rows[i].result == SIP_OK)
			cr_expect_eq(msg.cseq, rows[i].number, "%s", rows[i].value);
		cr_expect_eq(sip_msg_answerable(&msg), rows[i].value[0] != '\0', "%s",
			     rows[i].value);
	}
}

/* The message ends where a look for the method might go on. */
Test(header, cseq_at_the_end_of_an_answer)
{
	static const char *const values[] = { "",      "1",  "12",  "123", "1234",
					      "12345", "1 ", "1 O", "x" };

	for (size_t i = 0; i < n_rows(values); i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "SIP/2.0 200 OK\r\n" VIA FROM TO "Call-ID: c1\r\nCSeq: %s\r\n\r\n",
			 values[i]);
		cr_expect_eq(parse(text), strcmp(values[i], "1 O") == 0 ? SIP_OK : SIP_ERR_CSEQ,
			     "%s", values[i]);
	}
}

Test(header, call_id_is_any_text_rfc3261_20_8)
{
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO
			   "CSeq: 1 OPTIONS\r\nCall-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/"
			   "\"][?}{\r\n\r\n"),
		     SIP_OK);
	expect_span(msg.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO
			   "CSeq: 1 OPTIONS\r\nCall-ID: \r\n\r\n"),
		     SIP_ERR_CALL_ID);
	cr_expect_not(sip_msg_answerable(&msg));
}

Test(header, the_first_error_wins)
{
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/7.0\r\n" VIA "no colon\r\n" FROM TO REST
			   "Max-Forwards: x\r\n\r\n"),
		     SIP_ERR_VERSION);
	cr_expect_eq(parse("OPTIONS sip:b@h SIP/2.0\r\n" VIA "no colon\r\n" FROM TO REST
			   "Max-Forwards: x\r\n\r\n"),
		     SIP_ERR_HEADER_NAME);
}

Test(header, walking_headers_with_one_id)
{
	const struct sip_hdr *h;

	cr_assert_eq(parse(WITH("Route: <sip:1>\r\nX: y\r\nRoute: <sip:2>\r\nRoute: <sip:3>\r\n")),
		     SIP_OK);
	h = sip_msg_hdr(&msg, SIP_HDR_ROUTE);
	for (int i = 1; i <= 3; i++, h = sip_msg_hdr_next(&msg, h)) {
		cr_assert_not_null(h);
		cr_expect_eq(msg.buf[h->value_off + 5], '0' + i);
	}
	cr_expect_null(h);
	cr_expect_null(sip_msg_hdr(&msg, SIP_HDR_PATH));
}

Test(header, token_lists_rfc3261_20_32)
{
	cr_assert_eq(parse(WITH("Require: foo ,\t100rel\r\nk:timer\r\nSupported: a,,PATH\r\n"
				"Require:\r\n bar\r\n")),
		     SIP_OK);
	cr_expect(sip_msg_list_has(&msg, SIP_HDR_REQUIRE, "foo"));
	cr_expect(sip_msg_list_has(&msg, SIP_HDR_REQUIRE, "100REL"));
	cr_expect(sip_msg_list_has(&msg, SIP_HDR_REQUIRE, "bar"));
	cr_expect_not(sip_msg_list_has(&msg, SIP_HDR_REQUIRE, "fo"));
	cr_expect_not(sip_msg_list_has(&msg, SIP_HDR_REQUIRE, "timer"));
	cr_expect(sip_msg_list_has(&msg, SIP_HDR_SUPPORTED, "timer"));
	cr_expect(sip_msg_list_has(&msg, SIP_HDR_SUPPORTED, "path"));
	cr_expect_not(sip_msg_list_has(&msg, SIP_HDR_PROXY_REQUIRE, "foo"));
}

Test(header, numbers_rfc3261_20_19_and_20_33)
{
	static const struct {
		const char *line;
		int result;
		uint32_t value;
	} rows[] = {
		{ "Retry-After: 18000;duration=3600\r\n", 0, 18000 },
		{ "Retry-After: 120 (I'm in a meeting)\r\n", 0, 120 },
		{ "Retry-After: 5\r\n", 0, 5 },
		{ "Retry-After: 5(x)\r\n", 0, 5 },
		{ "Retry-After: 949302838503028349304023988\r\n", -EINVAL, 77 },
		{ "Retry-After: soon\r\n", -EINVAL, 77 },
		{ "Retry-After: 5s\r\n", -EINVAL, 77 },
		{ "Retry-After:\r\n", -EINVAL, 77 },
	};
	char text[1024];

	for (size_t i = 0; i < n_rows(rows); i++) {
		uint32_t value = 77;

		snprintf(text, sizeof(text), WITH("%s"), rows[i].line);
		cr_assert_eq(parse(text), SIP_OK);
		cr_expect_eq(sip_hdr_u32(&msg, sip_msg_hdr(&msg, SIP_HDR_RETRY_AFTER), &value),
			     rows[i].result, "%s", rows[i].line);
		cr_expect_eq(value, rows[i].value, "%s", rows[i].line);
	}
}

Test(header, names_of_results_are_all_there)
{
	for (int r = 0; r < SIP_ERR_N; r++)
		cr_expect_gt(strlen(sip_result_name((enum sip_result)r)), 0, "%d", r);
	cr_expect_str_eq(sip_result_name(SIP_ERR_N), "");
}
