/*
 * Stream framing: finds where one message ends and the next begins in a TCP or TLS byte stream (RFC
 * 3261 18.3).
 *
 * Incremental: bytes are looked at once, however they are cut. The caller keeps the unconsumed
 * bytes in one flat buffer and calls again when more have come; the framer only remembers how far
 * it has looked. No allocation.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sip_frame_limits {
	uint32_t max_header;  /* bytes up to the blank line; beyond: SIP_FRAME_TOO_LARGE */
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
	SIP_FRAME_BAD, /* no Content-Length or a bad one: 400 and close, since the stream cannot be
			  followed any more */
};

void sip_framer_init(struct sip_framer *f, const struct sip_frame_limits *limits);

/**
 * Look at the bytes that are there.
 *
 * @param buf  All bytes not consumed yet, from the current message's first one.
 * @param len  Bytes in buf; never fewer than at the last call unless some were consumed.
 * @param n    Out: bytes of the message or keep-alive; the caller consumes them, then calls again.
 */
enum sip_frame_status sip_framer_next(struct sip_framer *f, const uint8_t *buf, size_t len,
				      uint32_t *n);
