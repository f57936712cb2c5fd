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

enum sip_method sip_method_lookup(const uint8_t *name, uint32_t len)
{
	for (int i = SIP_METHOD_OTHER + 1; i < SIP_METHOD_N; i++)
		if (strlen(method_names[i]) == len && memcmp(method_names[i], name, len) == 0)
			return (enum sip_method)i;
	return SIP_METHOD_OTHER;
}

static bool equal_nocase(const uint8_t *a, const char *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (sip_lower(a[i]) != sip_lower((uint8_t)b[i]))
			return false;
	return true;
}

enum sip_hdr_id sip_hdr_lookup(const uint8_t *name, uint32_t len)
{
	for (int i = SIP_HDR_OTHER + 1; i < SIP_HDR_N; i++) {
		if (len == 1 && hdr_names[i].compact && sip_lower(name[0]) == hdr_names[i].compact)
			return (enum sip_hdr_id)i;
		if (strlen(hdr_names[i].name) == len && equal_nocase(name, hdr_names[i].name, len))
			return (enum sip_hdr_id)i;
	}
	return SIP_HDR_OTHER;
}
