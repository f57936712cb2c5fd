/*
 * Names: of methods, header fields, results, and reason phrases; and the way back from a name to
 * its number. Constant tables; any thread.
 */
#include "sip/sip_build.h"
#include "sip/sip_internal.h"

#include <assert.h>
#include <string.h>

static const char *const method_names[SIP_METHOD_N] = {
	[SIP_METHOD_OTHER] = "OTHER",
	[SIP_METHOD_INVITE] = "INVITE",
	[SIP_METHOD_ACK] = "ACK",
	[SIP_METHOD_BYE] = "BYE",
	[SIP_METHOD_CANCEL] = "CANCEL",
	[SIP_METHOD_REGISTER] = "REGISTER",
	[SIP_METHOD_OPTIONS] = "OPTIONS",
	[SIP_METHOD_PRACK] = "PRACK",
	[SIP_METHOD_SUBSCRIBE] = "SUBSCRIBE",
	[SIP_METHOD_NOTIFY] = "NOTIFY",
	[SIP_METHOD_PUBLISH] = "PUBLISH",
	[SIP_METHOD_INFO] = "INFO",
	[SIP_METHOD_REFER] = "REFER",
	[SIP_METHOD_MESSAGE] = "MESSAGE",
	[SIP_METHOD_UPDATE] = "UPDATE",
};

/* Compact forms: RFC 3261 20, RFC 3515 (Refer-To), RFC 6665 (Event). */
static const struct {
	const char *name;
	char compact;
} hdr_names[SIP_HDR_N] = {
	[SIP_HDR_OTHER] = { "other", 0 },
	[SIP_HDR_VIA] = { "Via", 'v' },
	[SIP_HDR_ROUTE] = { "Route", 0 },
	[SIP_HDR_RECORD_ROUTE] = { "Record-Route", 0 },
	[SIP_HDR_MAX_FORWARDS] = { "Max-Forwards", 0 },
	[SIP_HDR_FROM] = { "From", 'f' },
	[SIP_HDR_TO] = { "To", 't' },
	[SIP_HDR_CALL_ID] = { "Call-ID", 'i' },
	[SIP_HDR_CSEQ] = { "CSeq", 0 },
	[SIP_HDR_CONTACT] = { "Contact", 'm' },
	[SIP_HDR_EXPIRES] = { "Expires", 0 },
	[SIP_HDR_CONTENT_LENGTH] = { "Content-Length", 'l' },
	[SIP_HDR_CONTENT_TYPE] = { "Content-Type", 'c' },
	[SIP_HDR_RETRY_AFTER] = { "Retry-After", 0 },
	[SIP_HDR_AUTHORIZATION] = { "Authorization", 0 },
	[SIP_HDR_PROXY_AUTHORIZATION] = { "Proxy-Authorization", 0 },
	[SIP_HDR_WWW_AUTHENTICATE] = { "WWW-Authenticate", 0 },
	[SIP_HDR_PROXY_AUTHENTICATE] = { "Proxy-Authenticate", 0 },
	[SIP_HDR_SUPPORTED] = { "Supported", 'k' },
	[SIP_HDR_REQUIRE] = { "Require", 0 },
	[SIP_HDR_PROXY_REQUIRE] = { "Proxy-Require", 0 },
	[SIP_HDR_UNSUPPORTED] = { "Unsupported", 0 },
	[SIP_HDR_PATH] = { "Path", 0 },
	[SIP_HDR_SERVICE_ROUTE] = { "Service-Route", 0 },
	[SIP_HDR_REPLACES] = { "Replaces", 0 },
	[SIP_HDR_JOIN] = { "Join", 0 },
	[SIP_HDR_REFER_TO] = { "Refer-To", 'r' },
	[SIP_HDR_RESOURCE_PRIORITY] = { "Resource-Priority", 0 },
	[SIP_HDR_EVENT] = { "Event", 'o' },
	[SIP_HDR_ALLOW] = { "Allow", 0 },
	[SIP_HDR_USER_AGENT] = { "User-Agent", 0 },
	[SIP_HDR_SERVER] = { "Server", 0 },
	[SIP_HDR_SUBJECT] = { "Subject", 's' },
};

static const char *const result_names[SIP_ERR_N] = {
	[SIP_OK] = "ok",
	[SIP_ERR_EMPTY] = "empty",
	[SIP_ERR_TOO_LARGE] = "too-large",
	[SIP_ERR_NOT_SIP] = "not-sip",
	[SIP_ERR_VERSION] = "version",
	[SIP_ERR_START_LINE] = "start-line",
	[SIP_ERR_NO_END] = "no-end",
	[SIP_ERR_HEADER_NAME] = "header-name",
	[SIP_ERR_TOO_MANY_HEADERS] = "too-many-headers",
	[SIP_ERR_MISSING_VIA] = "missing-via",
	[SIP_ERR_MISSING_FROM] = "missing-from",
	[SIP_ERR_MISSING_TO] = "missing-to",
	[SIP_ERR_MISSING_CALL_ID] = "missing-call-id",
	[SIP_ERR_MISSING_CSEQ] = "missing-cseq",
	[SIP_ERR_VIA] = "via",
	[SIP_ERR_FROM] = "from",
	[SIP_ERR_TO] = "to",
	[SIP_ERR_CALL_ID] = "call-id",
	[SIP_ERR_CSEQ] = "cseq",
	[SIP_ERR_CSEQ_METHOD] = "cseq-method",
	[SIP_ERR_DUPLICATE] = "duplicate",
	[SIP_ERR_CONTENT_LENGTH] = "content-length",
	[SIP_ERR_MAX_FORWARDS] = "max-forwards",
};

/* RFC 3261 21, and the codes that later RFCs registered. Ordered by status. */
static const struct {
	uint16_t status;
	const char *reason;
} reasons[] = {
	{ 100, "Trying" },
	{ 180, "Ringing" },
	{ 181, "Call Is Being Forwarded" },
	{ 182, "Queued" },
	{ 183, "Session Progress" },
	{ 199, "Early Dialog Terminated" },
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Notification" },
	{ 300, "Multiple Choices" },
	{ 301, "Moved Permanently" },
	{ 302, "Moved Temporarily" },
	{ 305, "Use Proxy" },
	{ 380, "Alternative Service" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 407, "Proxy Authentication Required" },
	{ 408, "Request Timeout" },
	{ 410, "Gone" },
	{ 412, "Conditional Request Failed" },
	{ 413, "Request Entity Too Large" },
	{ 414, "Request-URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Unsupported URI Scheme" },
	{ 417, "Unknown Resource-Priority" },
	{ 420, "Bad Extension" },
	{ 421, "Extension Required" },
	{ 422, "Session Interval Too Small" },
	{ 423, "Interval Too Brief" },
	{ 428, "Use Identity Header" },
	{ 429, "Provide Referrer Identity" },
	{ 430, "Flow Failed" },
	{ 433, "Anonymity Disallowed" },
	{ 439, "First Hop Lacks Outbound Support" },
	{ 440, "Max-Breadth Exceeded" },
	{ 469, "Bad Info Package" },
	{ 470, "Consent Needed" },
	{ 480, "Temporarily Unavailable" },
	{ 481, "Call/Transaction Does Not Exist" },
	{ 482, "Loop Detected" },
	{ 483, "Too Many Hops" },
	{ 484, "Address Incomplete" },
	{ 485, "Ambiguous" },
	{ 486, "Busy Here" },
	{ 487, "Request Terminated" },
	{ 488, "Not Acceptable Here" },
	{ 489, "Bad Event" },
	{ 491, "Request Pending" },
	{ 493, "Undecipherable" },
	{ 494, "Security Agreement Required" },
	{ 500, "Server Internal Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Server Time-out" },
	{ 505, "Version Not Supported" },
	{ 513, "Message Too Large" },
	{ 555, "Push Notification Service Not Supported" },
	{ 580, "Precondition Failure" },
	{ 600, "Busy Everywhere" },
	{ 603, "Decline" },
	{ 604, "Does Not Exist Anywhere" },
	{ 606, "Not Acceptable" },
	{ 607, "Unwanted" },
	{ 608, "Rejected" },
};

static_assert(SIP_HDR_N <= 64, "present is a 64-bit set");

const char *sip_method_name(enum sip_method method)
{
	return (unsigned int)method < SIP_METHOD_N ? method_names[method] : "";
}

const char *sip_hdr_name(enum sip_hdr_id id)
{
	return (unsigned int)id < SIP_HDR_N ? hdr_names[id].name : "";
}

const char *sip_result_name(enum sip_result result)
{
	return (unsigned int)result < SIP_ERR_N ? result_names[result] : "";
}

const char *sip_reason(unsigned int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/*
 * Names are found by a perfect hash, in tables that are filled before main() and only read after: a
 * name's number stands where the hash of its bytes points. The multipliers were found by trial; two
 * names in one place would be one that is not found, which the tests of all names show.
 */
#define HDR_HASH UINT64_C(0xad6d2f42790c01d)
#define HDR_BITS 7

struct sip_method_entry sip_methods[1 << SIP_METHOD_BITS];

#define LOWER UINT64_C(0x2020202020202020) /* makes letters lower case */

/* Letters in lower case. Of a name of fewer than eight bytes both hold all, spaces behind them. */
static struct {
	uint64_t first;
	uint64_t last;
	uint8_t len;
	uint8_t id;
} hdrs[1 << HDR_BITS];

struct sip_pattern sip_patterns[(1 << SIP_PATTERN_BITS) + SIP_PATTERN_MORE];

/* Up to eight bytes of a text, zeros behind them. */
static uint64_t first_bytes(const uint8_t *p, uint32_t len)
{
	if (len >= 8)
		return sip_load64(p);
	if (len >= 4)
		return sip_load32(p) | (uint64_t)sip_load32(p + len - 4) << (len - 4) * 8;
	if (len == 0)
		return 0;
	return p[0] | (uint64_t)p[len / 2] << len / 2 * 8 | (uint64_t)p[len - 1] << (len - 1) * 8;
}

enum sip_method sip_method_lookup(const uint8_t *name, uint32_t len)
{
	uint64_t first = first_bytes(name, len);
	const struct sip_method_entry *e = sip_method_place(first);

	if (e->first != first || e->len != len
	    || (len > 8 && memcmp(method_names[e->id] + 8, name + 8, len - 8) != 0))
		return SIP_METHOD_OTHER;
	return (enum sip_method)e->id;
}

static unsigned int hdr_place(uint64_t last, uint32_t len)
{
	return (unsigned int)((last + len) * HDR_HASH >> (64 - HDR_BITS));
}

/* What eight bytes of each end do not tell. No other byte of a name becomes one of these letters.
 */
static bool middle_is(const char *full, const uint8_t *name, uint32_t len)
{
	for (uint32_t i = 8; i + 8 < len; i++)
		if ((name[i] | 0x20) != (full[i] | 0x20))
			return false;
	return true;
}

static inline enum sip_hdr_id hdr_find(uint64_t first, uint64_t last, const uint8_t *name,
				       uint32_t len)
{
	unsigned int at;

	first |= LOWER;
	last |= LOWER;
	at = hdr_place(last, len);
	if (hdrs[at].last != last || hdrs[at].first != first || hdrs[at].len != len)
		return SIP_HDR_OTHER;
	if (len > 16 && !middle_is(hdr_names[hdrs[at].id].name, name, len))
		return SIP_HDR_OTHER;
	return (enum sip_hdr_id)hdrs[at].id;
}

enum sip_hdr_id sip_hdr_lookup(const uint8_t *name, uint32_t len)
{
	uint64_t first = first_bytes(name, len);

	return hdr_find(first, len < 8 ? first : sip_load64(name + len - 8), name, len);
}

static void add_hdr(const char *text, uint32_t len, int id)
{
	const uint8_t *name = (const uint8_t *)text;
	uint64_t first = first_bytes(name, len) | LOWER;
	uint64_t last = len < 8 ? first : sip_load64(name + len - 8) | LOWER;
	unsigned int at = hdr_place(last, len);

	hdrs[at].first = first;
	hdrs[at].last = last;
	hdrs[at].len = (uint8_t)len;
	hdrs[at].id = (uint8_t)id;
}

/* A pattern for lines that begin with these three bytes, unless there it is already. */
static void add_spelling(const struct sip_pattern *new, const char *start)
{
	static uint16_t more = 1 << SIP_PATTERN_BITS;
	uint8_t line[4] = { (uint8_t)start[0], (uint8_t)start[1], (uint8_t)start[2] };
	struct sip_pattern *p = &sip_patterns[sip_pattern_place(line) / sizeof(*p)];

	while (p->id > 0) {
		if (p->id == new->id && p->value == new->value)
			return;
		if (p->next == 0) {
			assert(more < sizeof(sip_patterns) / sizeof(*p));
			p->next = (uint16_t)(more++ * sizeof(*p));
		}
		p = &sip_patterns[p->next / sizeof(*p)];
	}
	*p = *new;
}

/* Those whose "Name: " has more than 16 bytes have no pattern. */
static void add_pattern(const char *text, uint32_t len, int id, const char *start)
{
	struct sip_pattern new = { .value = (uint8_t)(len + 2), .id = (uint8_t)id };

	if (len > 14)
		return;
	for (uint32_t i = 0; i < len; i++) {
		new.mask[i] = sip_is((uint8_t)text[i], SIP_C_ALPHA) ? 0xdf : 0xff;
		new.text[i] = (uint8_t)text[i] & new.mask[i];
	}
	memcpy(new.text + len, ": ", 2);
	memset(new.mask + len, 0xff, 2);
	if (new.value < sizeof(new.text)) {
		new.text[new.value] = new.mask[new.value] = 0xff;
		new.lift[new.value] = 0xff - (' ' + 1);
	}
	new.hdr = sip_hdr_fields(new.value, len, (uint64_t)id);
	add_spelling(&new, start);
}

static char in_case(char c, bool upper)
{
	if (!sip_is((uint8_t)c, SIP_C_ALPHA))
		return c;
	return (char)(upper ? c & ~0x20 : c | 0x20);
}

/* The first three bytes of "Name: ". */
static void start_of(char start[3], const char *text, uint32_t len)
{
	for (uint32_t i = 0; i < 3; i++)
		start[i] = i < len ? text[i] : ": "[i - len];
}

/* As names are written here: these come first in their places. */
static void add_usual(const char *text, uint32_t len, int id)
{
	char start[3];

	start_of(start, text, len);
	add_pattern(text, len, id, start);
}

/* In capitals, in small letters, and with one capital. */
static void add_other_cases(const char *text, uint32_t len, int id)
{
	char start[3];

	for (int way = 0; way < 3; way++) {
		start_of(start, text, len);
		for (int i = 0; i < 3; i++)
			start[i] = in_case(start[i], way == 0 || (way == 2 && i == 0));
		add_pattern(text, len, id, start);
	}
}

/* Where no name belongs: three bytes that are hashed to another place. Three zeros have place 0. */
static void no_patterns(void)
{
	for (size_t i = 0; i < sizeof(sip_patterns) / sizeof(sip_patterns[0]); i++) {
		memset(sip_patterns[i].mask, 0xff, 3);
		sip_patterns[i].value = sizeof(sip_patterns[i].text); /* nothing behind it */
		sip_patterns[i].text[0] = i == 0;
	}
}

static void add_methods(void)
{
	for (int i = SIP_METHOD_OTHER + 1; i < SIP_METHOD_N; i++) {
		const char *name = method_names[i];
		uint32_t len = (uint32_t)strlen(name);
		uint64_t first = first_bytes((const uint8_t *)name, len);

		sip_methods[sip_method_place(first) - sip_methods] =
			(struct sip_method_entry){ first, (uint8_t)len, (uint8_t)i };
	}
}

/* Call something for every name of a header, and for every compact form. */
static void for_names(void (*add)(const char *text, uint32_t len, int id))
{
	for (int i = SIP_HDR_OTHER + 1; i < SIP_HDR_N; i++) {
		add(hdr_names[i].name, (uint32_t)strlen(hdr_names[i].name), i);
		if (hdr_names[i].compact)
			add(&hdr_names[i].compact, 1, i);
	}
}

static __attribute__((constructor)) void fill_tables(void)
{
	no_patterns();
	add_methods();
	for_names(add_hdr);
	for_names(add_usual);
	for_names(add_other_cases);
}
