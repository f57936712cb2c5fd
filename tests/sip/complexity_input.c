/*
 * The search: every place of a message that can be long, filled with every unit that a parser could
 * stumble over.
 */
#include "tests/sip/complexity_input.h"

#include <stdio.h>
#include <string.h>

#define VIA   "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
#define FROM  "From: <sip:a@b>;tag=1\r\n"
#define TO    "To: <sip:b@c>\r\n"
#define REST  "Call-ID: 1\r\nCSeq: 1 INVITE\r\n"
#define START "INVITE sip:b@c SIP/2.0\r\n"
#define END   "\r\n\r\n"

/* A message is `before`, then the unit over and over, then `after`. */
struct place {
	const char *name;
	const char *before;
	const char *after;
};

static const struct place places[] = {
	{ "start line", "", "" },
	{ "method", "A", " sip:b@c SIP/2.0\r\n" VIA FROM TO REST "\r\n" },
	{ "uri", "INVITE sip:", "b@c SIP/2.0\r\n" VIA FROM TO REST "\r\n" },
	{ "uri params", "INVITE sip:b@c;", "x SIP/2.0\r\n" VIA FROM TO REST "\r\n" },
	{ "reason", "SIP/2.0 200 ", "\r\n" VIA FROM TO REST "\r\n" },
	{ "before the start line", "\r\n", START VIA FROM TO REST "\r\n" },
	{ "header lines", START VIA FROM TO REST, "x: y" END },
	{ "header name", START VIA FROM TO REST "A", ": b" END },
	{ "unknown header", START VIA FROM TO REST "X: ", END },
	{ "via", START FROM TO REST "Via: ", "SIP/2.0/UDP a" END },
	{ "via params", START FROM TO REST "Via: SIP/2.0/UDP a;", "x=y" END },
	{ "second via", START VIA FROM TO REST "Via: SIP/2.0/UDP a", END },
	{ "list behind a via", START FROM TO REST "Via: SIP/2.0/UDP a,", "SIP/2.0/UDP a" END },
	{ "from", START VIA TO REST "From: ", "<sip:a@b>;tag=1" END },
	{ "from params", START VIA TO REST "From: <sip:a@b>;", "tag=1" END },
	{ "from uri", START VIA TO REST "From: <sip:", "a@b>" END },
	{ "from quoted", START VIA TO REST "From: \"", "\" <sip:a@b>" END },
	{ "to params", START VIA FROM REST "To: <sip:a@b>;", "tag=1" END },
	{ "call-id", START VIA FROM TO "CSeq: 1 INVITE\r\nCall-ID: 1", END },
	{ "cseq", START VIA FROM TO "Call-ID: 1\r\nCSeq: 1 ", "INVITE" END },
	{ "cseq number", START VIA FROM TO "Call-ID: 1\r\nCSeq: ", "1 INVITE" END },
	{ "max-forwards", START VIA FROM TO REST "Max-Forwards: ", "70" END },
	{ "content-length", START VIA FROM TO REST "Content-Length: ", "0" END },
	{ "route", START VIA FROM TO REST "Route: ", "<sip:a;lr>" END },
	{ "list of routes", START VIA FROM TO REST "Route: <sip:a;lr>,", "<sip:a;lr>" END },
	{ "route params", START VIA FROM TO REST "Route: <sip:a;lr>;", "x" END },
	{ "route uri params", START VIA FROM TO REST "Route: <sip:a;", "lr>" END },
	{ "supported", START VIA FROM TO REST "Supported: ", "path" END },
	{ "proxy-require", START VIA FROM TO REST "Proxy-Require: ", "a" END },
	{ "expires", START VIA FROM TO REST "Expires: ", "1" END },
	{ "body", START VIA FROM TO REST "\r\n", "" },
};

static const char *const units[] = {
	" ",
	"\t",
	"\r\n ",
	"\n\t",
	"\r",
	",",
	", ",
	" ,",
	";",
	"; ",
	";a",
	";a=",
	"; a = b ",
	";a=b",
	";branch=1",
	";tag=1",
	";lr",
	"a=\"",
	"\"",
	"\"\"",
	"\\",
	"\\\"",
	"\"a\",",
	"<",
	">",
	"<>",
	"<sip:a>,",
	"<sip:a;lr>,",
	"<sip:a@b;lr;x=y>;z,",
	"\"<\" <sip:a>,",
	"sip:a,",
	"sip:a;lr,",
	"SIP/2.0/UDP a,",
	"SIP/2.0/UDP a;branch=1,",
	"SIP / 2.0 / UDP a : 5 ; branch = 1 , ",
	"SIP/2.0/UDP [::1],",
	"SIP/2.0/UDP [1:2:3:4:5:6:7:8],",
	"a",
	"0",
	"1",
	"a:",
	":",
	"::",
	"[",
	"[::",
	"]",
	"@",
	"%",
	"%41",
	"/",
	"-",
	".",
	"1.",
	"a ",
	"a,",
	"path,",
	"a: b\r\n",
	"a:\n",
	":\n",
	"a\n",
	"Via: SIP/2.0/UDP a\r\n",
	"v:SIP/2.0/UDP a\n",
	"Route: <sip:a;lr>\r\n",
	"Route:<sip:a>\n",
	"l:0\n",
	"t:a:b\n",
	"Content-Lengtha:\n",
	"\n",
	"\r\n",
	"\xc3\xa9",
	"\x80",
	"\x01",
};

#define N_PLACES (sizeof(places) / sizeof(places[0]))
#define N_UNITS  (sizeof(units) / sizeof(units[0]))

unsigned int complexity_inputs(void)
{
	return (unsigned int)(N_PLACES * N_UNITS);
}

static const char *printable(const char *text)
{
	static char out[128];
	size_t n = 0;

	for (; *text && n + 5 < sizeof(out); text++) {
		if (*text == '\r')
			n += (size_t)snprintf(out + n, 5, "\\r");
		else if (*text == '\n')
			n += (size_t)snprintf(out + n, 5, "\\n");
		else if (*text < ' ' || *text == 0x7f)
			n += (size_t)snprintf(out + n, 5, "\\x%02x", (uint8_t)*text);
		else
			out[n++] = *text;
	}
	out[n] = '\0';
	return out;
}

size_t complexity_input(unsigned int i, uint8_t *out, size_t size, const char **name)
{
	static char text[256];
	const struct place *p = &places[i / N_UNITS];
	const char *unit = units[i % N_UNITS];
	size_t before = strlen(p->before), after = strlen(p->after), unit_len = strlen(unit);
	size_t len = before;

	memcpy(out, p->before, before);
	for (; len + unit_len + after <= size; len += unit_len)
		memcpy(out + len, unit, unit_len);
	memcpy(out + len, p->after, after);
	snprintf(text, sizeof(text), "%s: %s", p->name, printable(unit));
	*name = text;
	return len + after;
}
