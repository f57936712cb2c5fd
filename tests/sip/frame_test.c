/*
 * Stream framing: each row is a stream written down as the frames that it must fall into. It is fed
 * whole, byte by byte, and in two pieces for every place of the cut, always flush against a guard
 * page.
 */
#include "sip/sip_frame.h"
#include "tests/sip/guard.h"

#include <criterion/criterion.h>
#include <string.h>

#define MAX_PIECES 8
#define MAX_STREAM 4096

struct piece {
	enum sip_frame_status status;
	const char *text;
	uint32_t n; /* with BAD and TOO_LARGE: the reported header bytes */
};

struct stream {
	const char *name;
	struct sip_frame_limits limits; /* 0: plenty */
	struct piece piece[MAX_PIECES]; /* up to the first one without text */
};

#define START               "OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
#define MSG(headers, body)  SIP_FRAME_MESSAGE, START headers "\r\n" body, 0
#define MORE(text)          SIP_FRAME_MORE, text, 0
#define PING                SIP_FRAME_PING, "\r\n\r\n", 0
#define PONG                SIP_FRAME_PONG, "\r\n", 0
#define BAD(text, n)        SIP_FRAME_BAD, text, n
#define LARGE(text, n)      SIP_FRAME_TOO_LARGE, text, n
#define BAD_HEADER(headers) SIP_FRAME_BAD, START headers "\r\n", sizeof(START headers "\r\n") - 1

static const struct stream streams[] = {
	{ "20.14: body by Content-Length", { 0 }, { { MSG("Content-Length: 5\r\n", "12345") } } },
	{ "20.14: no body", { 0 }, { { MSG("Content-Length: 0\r\n", "") } } },
	{ "7.3.3: compact form",
	  { 0 },
	  { { MSG("l:3\r\n", "abc") }, { MSG("L : 2\r\n", "\r\n") } } },
	{ "7.3.1: any case, white space before the colon",
	  { 0 },
	  { { MSG("cOnTeNt-LeNgTh \t:\t 0002 \t\r\n", "xy") } } },
	{ "7.3.1: folded value", { 0 }, { { MSG("Content-Length:\r\n  4\r\n \r\n", "wxyz") } } },
	{ "7.3.1: a folded line that looks like a header",
	  { 0 },
	  { { MSG("Subject: a\r\n Content-Length: 99\r\n\tl: 98\r\nl: 1\r\n", "b") } } },
	{ "7.3.1: a folded empty line does not end the header",
	  { 0 },
	  { { MSG("Subject: a\r\n \r\nl: 1\r\n", "b") } } },
	{ "names that only begin like it",
	  { 0 },
	  { { MSG("Content-Length-X: 7\r\nContent: 8\r\nlong: 9\r\nl: 0\r\n", "") } } },
	{ "18.3: several messages, a body that looks like a message",
	  { 0 },
	  { { MSG("l: 32\r\n", "INVITE sip:a SIP/2.0\r\nl: 999\r\n\r\n") },
	    { MSG("l: 0\r\n", "") },
	    { MSG("l: 4\r\n", "\r\n\r\n") },
	    { SIP_FRAME_MESSAGE, "SIP/2.0 200 OK\r\nContent-Length: 1\r\n\r\n\n", 0 } } },
	{ "bare LF line ends",
	  { 0 },
	  { { SIP_FRAME_MESSAGE, "BYE sip:a SIP/2.0\nl: 2\n\nxy", 0 },
	    { SIP_FRAME_MESSAGE, "BYE sip:a SIP/2.0\r\nl: 0\n\r\n", 0 },
	    { SIP_FRAME_MESSAGE, "BYE sip:a SIP/2.0\nl:\n 1\r\n\n!", 0 } } },
	{ "a second CR is no line end",
	  { 0 },
	  { { SIP_FRAME_MESSAGE, "BYE sip:a SIP/2.0\r\nl: 0\r\n\r\r\n\r\n", 0 } } },
	{ "a bare CR is white space in a number, as for the parser",
	  { 0 },
	  { { MSG("Content-Length:\r 4\r\r\n \r \r\n", "wxyz") } } },
	{ "malformed inside, still in step",
	  { 0 },
	  { { SIP_FRAME_MESSAGE, "no SIP at all\r\n:::\r\nl: 2\r\n\r\n??", 0 },
	    { MSG("l: 0\r\n", "") } } },
	{ "RFC 5626 4.4.1: ping", { 0 }, { { PING }, { PING }, { MSG("l: 0\r\n", "") } } },
	{ "RFC 5626 4.4.1: ping after a message, then a message",
	  { 0 },
	  { { MSG("l: 0\r\n", "") }, { PING }, { PONG }, { MSG("l: 0\r\n", "") } } },
	{ "7.5: CRLF before a start line", { 0 }, { { PONG }, { MSG("l: 0\r\n", "") } } },
	{ "a CRLF alone may be half a ping", { 0 }, { { PING }, { MORE("\r\n") } } },
	{ "three quarters of a ping", { 0 }, { { MORE("\r\n\r") } } },
	{ "bare LF between messages",
	  { 0 },
	  { { SIP_FRAME_PONG, "\n", 0 },
	    { SIP_FRAME_PONG, "\n", 0 },
	    { MSG("l: 0\r\n", "") },
	    { PONG },
	    { SIP_FRAME_PONG, "\n", 0 },
	    { MORE("\r") } } },
	{ "a CR alone", { 0 }, { { MSG("l: 0\r\n", "") }, { BAD("\rINVITE", 0) } } },
	{ "a pong, then a CR alone", { 0 }, { { PONG }, { BAD("\rX", 0) } } },
	{ "a TLS record", { 0 }, { { BAD("\x16\x03\x01\x02", 0) } } },
	{ "white space begins no message", { 0 }, { { BAD(" INVITE sip:a SIP/2.0\r\n", 0) } } },
	{ "18.3: no Content-Length", { 0 }, { { BAD_HEADER("To: a\r\n") } } },
	{ "no header at all", { 0 }, { { BAD_HEADER("") } } },
	{ "RFC 4475 3.3.9: two Content-Lengths",
	  { 0 },
	  { { BAD_HEADER("Content-Length: 13\r\nMax-Forwards: 1\r\nl: 5\r\n") } } },
	{ "two Content-Lengths that agree",
	  { 0 },
	  { { BAD_HEADER("Content-Length: 5\r\nl: 5\r\n") } } },
	{ "RFC 4475 3.1.2.3: negative", { 0 }, { { BAD_HEADER("Content-Length: -999\r\n") } } },
	{ "signed", { 0 }, { { BAD_HEADER("Content-Length: +9\r\n") } } },
	{ "empty", { 0 }, { { BAD_HEADER("Content-Length: \r\n") } } },
	{ "not a number", { 0 }, { { BAD_HEADER("Content-Length: 5a\r\n") } } },
	{ "two numbers", { 0 }, { { BAD_HEADER("Content-Length: 5 5\r\n") } } },
	{ "two numbers, folded", { 0 }, { { BAD_HEADER("Content-Length: 5\r\n 5\r\n") } } },
	{ "a list", { 0 }, { { BAD_HEADER("Content-Length: 5, 5\r\n") } } },
	{ "header as large as allowed",
	  { .max_header = sizeof(START) - 1 + 8, .max_message = 1000 },
	  { { MSG("l: 3\r\n", "abc") } } },
	{ "header too large by one",
	  { .max_header = sizeof(START) - 1 + 7, .max_message = 1000 },
	  { { LARGE(START "l: 3\r\n\r\n", 0) } } },
	{ "no line end in sight",
	  { .max_header = 16, .max_message = 1000 },
	  { { LARGE("AAAAAAAAAAAAAAAAAAAAAAAA", 0) } } },
	{ "message as large as allowed",
	  { .max_header = 100, .max_message = sizeof(START) - 1 + 8 + 3 },
	  { { MSG("l: 3\r\n", "abc") } } },
	{ "message too large by one: known before the body comes",
	  { .max_header = 100, .max_message = sizeof(START) - 1 + 8 + 2 },
	  { { LARGE(START "l: 3\r\n\r\n", sizeof(START) - 1 + 8) } } },
	{ "a header larger than the message limit",
	  { .max_header = 100, .max_message = 20 },
	  { { LARGE(START "l: 0\r\n\r\n", sizeof(START) - 1 + 8) } } },
	{ "a length beyond 32 bits",
	  { .max_header = 100, .max_message = UINT32_MAX },
	  { { LARGE(START "l: 4294967296\r\n\r\n", sizeof(START) - 1 + 17) } } },
	{ "a length beyond 64 bits",
	  { .max_header = 100, .max_message = UINT32_MAX },
	  { { LARGE(START "l: 18446744073709551621\r\n\r\n", sizeof(START) - 1 + 27) } } },
	{ "an unfinished header",
	  { 0 },
	  { { MSG("l: 0\r\n", "") }, { MORE(START "l: 0\r\n\r") } } },
	{ "an unfinished body", { 0 }, { { MORE(START "l: 4\r\n\r\n123") } } },
};

/* One way of cutting a stream: `first` bytes, then pieces of `step`. */
struct cut {
	size_t first;
	size_t step;
};

struct feed {
	struct guard guard;
	struct sip_framer framer;
	const struct stream *stream;
	struct cut cut;
	unsigned int at_piece;
	size_t consumed;
	bool over; /* after BAD or TOO_LARGE */
};

static void expect_frame(struct feed *f, enum sip_frame_status status, uint32_t n)
{
	const struct piece *want = &f->stream->piece[f->at_piece];
	const bool ends = status == SIP_FRAME_BAD || status == SIP_FRAME_TOO_LARGE;
	size_t want_n = want->text == NULL ? 0 : ends ? want->n : strlen(want->text);

	cr_expect(f->at_piece < MAX_PIECES && want->text != NULL && status == want->status
			  && n == want_n,
		  "%s (cut %zu/%zu): piece %u: got status %d with %u bytes, want %d with %zu",
		  f->stream->name, f->cut.first, f->cut.step, f->at_piece, status, n, want->status,
		  want_n);
	f->over = ends || n == 0;
	f->consumed += n;
	f->at_piece++;
}

/* `len` bytes of the stream have come: take every frame out of them. */
static void feed_up_to(struct feed *f, const char *bytes, size_t len)
{
	while (!f->over) {
		size_t have = len - f->consumed;
		const uint8_t *buf = guard_copy(&f->guard, bytes + f->consumed, have);
		uint32_t n = 0xdead;
		enum sip_frame_status status = sip_framer_next(&f->framer, buf, have, &n);

		if (status == SIP_FRAME_MORE) {
			cr_expect_eq(n, 0, "%s: MORE with %u bytes", f->stream->name, n);
			return;
		}
		expect_frame(f, status, n);
		if (f->over) {
			uint32_t again = 0xdead;

			cr_expect_eq(sip_framer_next(&f->framer, buf, have, &again), status, "%s",
				     f->stream->name);
			cr_expect_eq(again, n, "%s", f->stream->name);
		}
	}
}

static void feed_stream(const struct stream *s, const char *bytes, size_t len, struct cut cut)
{
	static const struct sip_frame_limits plenty = { 65535, 65535 };
	struct feed f = { .stream = s, .cut = cut };
	const struct piece *rest;

	guard_init(&f.guard, MAX_STREAM);
	sip_framer_init(&f.framer, s->limits.max_header ? &s->limits : &plenty);
	for (size_t fed = cut.first; fed < len && !f.over; fed += cut.step)
		feed_up_to(&f, bytes, fed);
	feed_up_to(&f, bytes, len);
	rest = &s->piece[f.at_piece];
	cr_expect(f.over || rest->text == NULL || rest->status == SIP_FRAME_MORE,
		  "%s (cut %zu/%zu): nothing came for piece %u", s->name, cut.first, cut.step,
		  f.at_piece);
	cr_expect(f.over || len - f.consumed == (rest->text ? strlen(rest->text) : 0),
		  "%s (cut %zu/%zu): %zu bytes left", s->name, cut.first, cut.step,
		  len - f.consumed);
	guard_fini(&f.guard);
}

static size_t join(const struct stream *s, char *out)
{
	size_t len = 0;

	for (unsigned int i = 0; i < MAX_PIECES && s->piece[i].text; i++) {
		size_t add = strlen(s->piece[i].text);

		cr_assert_lt(len + add, MAX_STREAM);
		memcpy(out + len, s->piece[i].text, add);
		len += add;
	}
	return len;
}

Test(frame, rfc3261_18_3_every_cut_gives_the_same_frames)
{
	static char bytes[MAX_STREAM];

	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		const struct stream *s = &streams[i];
		size_t len = join(s, bytes);

		feed_stream(s, bytes, len, (struct cut){ len, 1 });
		feed_stream(s, bytes, len, (struct cut){ 0, 1 });
		feed_stream(s, bytes, len, (struct cut){ 1, 2 });
		feed_stream(s, bytes, len, (struct cut){ 2, 3 });
		for (size_t at = 1; at < len; at++)
			feed_stream(s, bytes, len, (struct cut){ at, len });
	}
}

Test(frame, does_not_look_again_at_what_it_has_seen)
{
	static char bytes[MAX_STREAM];
	const struct sip_frame_limits limits = { MAX_STREAM, MAX_STREAM };
	struct sip_framer f;
	uint32_t n;

	memset(bytes, 'a', sizeof(bytes));
	sip_framer_init(&f, &limits);
	for (size_t len = 1; len < sizeof(bytes); len++) {
		/* What was reported as seen may change: the framer must not notice. */
		if (len > 4)
			bytes[len - 4] = '\n';
		cr_assert_eq(sip_framer_next(&f, (uint8_t *)bytes, len, &n), SIP_FRAME_MORE,
			     "%zu bytes", len);
		cr_assert_eq(f.scanned, len);
	}
}
