/*
 * Digest access authentication for REGISTER probes: RFC 2617 / RFC 7616 as SIP uses them (RFC 3261
 * 22.4, RFC 8760): MD5 and SHA-256, qop auth or none. Pure but for the client nonce. Any thread.
 */
#pragma once

#include "control/probe/ctl_probe_msg.h"

#define CTL_DIGEST_SIZE 2560 /* bytes of an Authorization value at most */

struct ctl_digest_who {
	const char *user, *password;
	const char *method, *uri;
};

/**
 * Credentials that answer the first of a response's challenges that we can answer (RFC 8760 2.4:
 * the topmost supported one).
 * @param nc      Nonce count, 1 and up, for qop.
 * @param cnonce  NULL: a random one. Given by tests.
 * @param value   Out: header value.
 * @return        Index of the challenge answered, or -ENOTSUP: none is ours to answer; -EINVAL: too
 *                long, or user or realm can't be quoted.
 */
int ctl_digest_answer(const struct ctl_probe_response *r, const struct ctl_digest_who *who,
		      uint32_t nc, const char *cnonce, char value[CTL_DIGEST_SIZE]);
