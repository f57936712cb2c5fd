/*
 * Stream framing: finds where one message ends and the next begins in a TCP or TLS byte stream (RFC
 * 3261 18.3).
 *
 * Incremental: however the bytes are cut, the work is linear in them and the same frames come out.
 * The caller keeps the unconsumed bytes in one flat buffer and calls again when more have come; the
 * framer only remembers how far it has looked. No allocation.
 *
 * Where a frame ends:
 * - A line ends with LF, a CR before it belongs to the line end: the same rule as in
 *   sip_msg_parse(). The header ends with the first empty line; a line of white space is a folded
 *   one and not empty.
 * - The body is as long as the one Content-Length says (or its compact form `l`, folded or not).
 * - Line ends before a start line are no part of a message (RFC 3261 7.5). CRLFCRLF is a ping, a
 *   CRLF without a second one a pong, whose report waits for the byte after it. A bare LF is
 *   skipped like a pong.
 *
 * Resynchronisation: a message that was framed but is malformed inside (whatever sip_msg_parse()
 * says of it) leaves the stream in step, and the next one is taken as usual. Where the length is
 * not known (SIP_FRAME_BAD) or not wanted (SIP_FRAME_TOO_LARGE) there is no point in the stream
 * that can be trusted to begin a message: looking for one would let a body pass as a request. So
 * the connection is to be closed, after an answer if one can be made. Both results stay the same if
 * the framer is called again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sip_frame_limits {
	uint32_t max_header;  /* bytes with the blank line; beyond: SIP_FRAME_TOO_LARGE */
	uint32_t max_message; /* bytes with body */
};

struct sip_framer {
	struct sip_frame_limits limits;
	uint32_t scanned; /* bytes of the current message already looked at */
	uint32_t total;   /* length of the current message once its header end was seen, else 0 */
};

enum sip_frame_status {
	SIP_FRAME_MORE,    /* no whole message yet */
	SIP_FRAME_MESSAGE, /* a message of *len bytes starts at the buffer's start */
	SIP_FRAME_PING, /* a CRLFCRLF keep-alive of *len bytes: answer with CRLF (RFC 5626 4.4.1) */
	SIP_FRAME_PONG, /* CRLF between messages of *len bytes: skip (RFC 3261 7.5) */
	SIP_FRAME_TOO_LARGE, /* a limit is exceeded: answer 513 if possible and close */
	SIP_FRAME_BAD,       /* no Content-Length, two, or a bad one, or a first byte that begins no
				message: 400 and close, since the stream cannot be followed any more */
};

void sip_framer_init(struct sip_framer *f, const struct sip_frame_limits *limits);

/**
 * Look at the bytes that are there.
 *
 * @param buf  All bytes not consumed yet, from the current message's first one.
 * @param len  Bytes in buf; never fewer than at the last call unless some were consumed.
 * @param n    Out: bytes of the message or keep-alive; the caller consumes them, then calls again.
 *             With SIP_FRAME_BAD and SIP_FRAME_TOO_LARGE: bytes of the header with its blank line,
 *             from which an answer can be built, or 0 when the header is not whole (or what came is
 *             no SIP at all). Else 0.
 */
enum sip_frame_status sip_framer_next(struct sip_framer *f, const uint8_t *buf, size_t len,
				      uint32_t *n);
