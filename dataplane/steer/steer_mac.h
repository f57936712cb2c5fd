/*
 * Keyed functions: what makes branches, cookies and flow tokens unforgeable, and the same on every
 * instance.
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012) over a domain byte and parts, each preceded by its
 * length, so that no two lists of parts give the same input. Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp_cfg.h"

/** What a MAC is for: the same parts in another domain give another value. */
enum steer_domain {
	STEER_DOMAIN_TRANSACTION =
		1, /* client transaction: key of a record, and what a branch's tag is made from */
	STEER_DOMAIN_BRANCH,
	STEER_DOMAIN_LOOP,
	STEER_DOMAIN_COOKIE,
	STEER_DOMAIN_FLOW,
	STEER_DOMAIN_TO_TAG,
	STEER_DOMAIN_CALL, /* Call-ID: key of a challenge record */
};

struct steer_part {
	const void *p;
	size_t len;
};

uint64_t steer_mac(const struct dp_secret *key, enum steer_domain domain,
		   const struct steer_part *parts, size_t n);

/** SipHash-2-4 of plain bytes, with neither domain nor lengths: what steer_mac() is made of. */
uint64_t steer_siphash(const struct dp_secret *key, const void *p, size_t len);

/** Unkeyed, well-mixed 64-bit hash of bytes, the same everywhere: pair selection (with Maglev). */
uint64_t steer_hash(const void *p, size_t len);
