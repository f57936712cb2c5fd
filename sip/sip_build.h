/*
 * Messages made from a parsed request: responses, and the ACK and CANCEL of an INVITE.
 *
 * They are written into a caller's buffer, whole or not at all. Pure; any thread; no allocation.
 */
#pragma once

#include "sip/sip_msg.h"

/** Reason phrase of a status code ("Service Unavailable"), or "" for an unknown one. RFC 3261 21.
 */
const char *sip_reason(unsigned int status);

struct sip_response_opts {
	const char *reason;  /* NULL: sip_reason(status) */
	const char *to_tag;  /* added when the request's To has none; NULL: none is added (100) */
	const char *headers; /* further whole header lines with CRLFs, or NULL */
	/* What 18.2.1 and RFC 3581 put on the top Via: NULL leaves it as it is. */
	const char *received; /* text of the source address */
	uint16_t rport;       /* source port, written when received is not NULL */
};

/**
 * Build a response (RFC 3261 8.2.6): Vias, From, To, Call-ID, CSeq copied, Content-Length: 0.
 * @return its length; -ENOSPC; -EINVAL when the request is not answerable (sip_msg_answerable()).
 */
int sip_build_response(uint8_t *out, size_t out_size, const struct sip_msg *req,
		       unsigned int status, const struct sip_response_opts *opts);

/**
 * Build the ACK for a non-2xx final (RFC 3261 17.1.1.3).
 * @param req     The INVITE as it was sent, our Via on top: its top Via, Request-URI, Route,
 * Call-ID, From, CSeq number.
 * @param to      To of the response (message and value), whose tag the ACK carries.
 */
int sip_build_ack(uint8_t *out, size_t out_size, const struct sip_msg *req,
		  const struct sip_msg *resp);

/** Build the CANCEL of an INVITE as it was sent (RFC 3261 9.1). */
int sip_build_cancel(uint8_t *out, size_t out_size, const struct sip_msg *req);
