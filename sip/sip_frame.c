/*
 * Stream framing by Content-Length (RFC 3261 18.3, 20.14; RFC 5626 4.4.1).
 *
 * Touched by whoever owns the connection; a framer belongs to one connection and to one thread at a
 * time. Invariant: `scanned` bytes hold no header end, and what has been found depends only on the
 * bytes, never on how they were cut into calls.
 *
 * The header is looked at twice: once for its end, as it arrives, and once for Content-Length, when
 * it is whole.
 */
#include "sip/sip_frame.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* RFC 3261 25.1 token: what a method, or the "SIP" of a status line, can begin with. */
static bool is_token(uint8_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != 0 && strchr("-.!%*_+`'~", c) != NULL;
}

static bool is_wsp(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/*
 * What the line ends before a start line mean. CRLF waits for the bytes that could make it a ping,
 * or a cut between the two CRLFs would turn one ping into two pongs.
 */
static enum sip_frame_status keep_alive(const uint8_t *buf, size_t len, uint32_t *n)
{
	if (buf[0] == '\n') {
		*n = 1;
		return SIP_FRAME_PONG;
	}
	if (len < 2)
		return SIP_FRAME_MORE;
	if (buf[1] != '\n')
		return SIP_FRAME_BAD;
	if (len < 3 || (len < 4 && buf[2] == '\r'))
		return SIP_FRAME_MORE;
	if (buf[2] == '\r' && buf[3] == '\n') {
		*n = 4;
		return SIP_FRAME_PING;
	}
	*n = 2;
	return SIP_FRAME_PONG;
}

/* Whether the LF at buf[nl] ends a line without content. The first byte of buf is no line end. */
static bool ends_blank_line(const uint8_t *buf, size_t nl)
{
	return buf[nl - 1] == '\n' || (nl >= 2 && buf[nl - 1] == '\r' && buf[nl - 2] == '\n');
}

/* Offset of the byte after the blank line, or 0 when it is not among the first len bytes. */
static size_t find_header_end(struct sip_framer *f, const uint8_t *buf, size_t len)
{
	size_t at = f->scanned;
	const uint8_t *nl;

	while (at < len && (nl = memchr(buf + at, '\n', len - at)) != NULL) {
		at = (size_t)(nl - buf) + 1;
		if (ends_blank_line(buf, at - 1))
			return at;
	}
	f->scanned = (uint32_t)len;
	return 0;
}

/*
 * Skip LWS: spaces, tabs and folds (a line end before a space or tab). RFC 3261 25.1. A CR counts
 * wherever it stands, as for sip_msg_parse(): the two must read the same number.
 */
static size_t skip_lws(const uint8_t *buf, size_t at, size_t end)
{
	for (; at < end; at++) {
		if (!is_wsp(buf[at]) && buf[at] != '\r'
		    && !(buf[at] == '\n' && at + 1 < end && is_wsp(buf[at + 1])))
			break;
	}
	return at;
}

/* Offset of the byte after the colon when the line at buf[at] is a Content-Length, else 0. */
static size_t match_content_length(const uint8_t *buf, size_t at, size_t end)
{
	static const char name[] = "content-length";
	const size_t name_len = sizeof(name) - 1;

	if (end - at > name_len && strncasecmp((const char *)buf + at, name, name_len) == 0)
		at += name_len;
	else if (buf[at] == 'l' || buf[at] == 'L')
		at++;
	else
		return 0;
	while (at < end && is_wsp(buf[at]))
		at++;
	return at < end && buf[at] == ':' ? at + 1 : 0;
}

/* The digits after the colon, UINT32_MAX for anything larger. False: no number, or more than one.
 */
static bool read_number(const uint8_t *buf, size_t at, size_t end, uint32_t *value)
{
	uint64_t v = 0;
	size_t digits;

	at = skip_lws(buf, at, end);
	digits = at;
	for (; at < end && buf[at] >= '0' && buf[at] <= '9'; at++) {
		v = v * 10 + (uint64_t)(buf[at] - '0');
		if (v > UINT32_MAX)
			v = UINT32_MAX;
	}
	if (at == digits)
		return false;
	at = skip_lws(buf, at, end);
	if (at == end || buf[at] != '\n')
		return false;
	*value = (uint32_t)v;
	return true;
}

/* The one Content-Length of a whole header. False: none, a second one, or no number. */
static bool read_content_length(const uint8_t *buf, size_t end, uint32_t *value)
{
	bool found = false;
	size_t at = 0;

	for (;;) {
		const uint8_t *nl = memchr(buf + at, '\n', end - at);
		size_t colon;

		at = (size_t)(nl - buf) + 1;
		if (at == end)
			return found;
		colon = match_content_length(buf, at, end);
		if (colon == 0)
			continue;
		if (found || !read_number(buf, colon, end, value))
			return false;
		found = true;
	}
}

/* The header, once its end is there, gives the message's length. */
static enum sip_frame_status measure(struct sip_framer *f, const uint8_t *buf, size_t len,
				     uint32_t *n)
{
	const uint32_t max_header = f->limits.max_header;
	uint32_t content_length = 0;
	size_t end = find_header_end(f, buf, len < max_header ? len : max_header);

	if (end == 0)
		return len < max_header ? SIP_FRAME_MORE : SIP_FRAME_TOO_LARGE;
	*n = (uint32_t)end;
	if (!read_content_length(buf, end, &content_length))
		return SIP_FRAME_BAD;
	if (end > f->limits.max_message || content_length > f->limits.max_message - end)
		return SIP_FRAME_TOO_LARGE;
	f->total = (uint32_t)end + content_length;
	return SIP_FRAME_MESSAGE;
}

static void start_over(struct sip_framer *f)
{
	f->scanned = 0;
	f->total = 0;
}

void sip_framer_init(struct sip_framer *f, const struct sip_frame_limits *limits)
{
	f->limits = *limits;
	start_over(f);
}

enum sip_frame_status sip_framer_next(struct sip_framer *f, const uint8_t *buf, size_t len,
				      uint32_t *n)
{
	enum sip_frame_status status;

	*n = 0;
	if (len == 0)
		return SIP_FRAME_MORE;
	if (f->total == 0) {
		if (buf[0] == '\r' || buf[0] == '\n')
			return keep_alive(buf, len, n);
		/* A TLS record or other binary on a plain port: no use waiting for its blank line.
		 */
		if (!is_token(buf[0]))
			return SIP_FRAME_BAD;
		status = measure(f, buf, len, n);
		if (status != SIP_FRAME_MESSAGE)
			return status;
		*n = 0;
	}
	if (len < f->total)
		return SIP_FRAME_MORE;
	*n = f->total;
	start_over(f);
	return SIP_FRAME_MESSAGE;
}
