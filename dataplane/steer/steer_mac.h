/*
 * Keyed functions: what makes branches, cookies and flow tokens unforgeable, and the same on every
 * instance.
 *
 * What a message brings (a branch, a Call-ID) goes through steer_digest(), a universal hash: nobody
 * who does not know the key can find two inputs with one digest, but the digests themselves would
 * tell of it. So they never leave the machine. What does leave is steer_seal(), AES of a few
 * words, digests among them, taken in by a universal hash of their own: a pseudo-random function of
 * a universal hash is one of the whole input (Shoup, "On Fast and Provably Secure Message
 * Authentication Based on Universal Hashing", 1996). Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/dp_cfg.h"
#include "dataplane/steer/steer_aes.h"

/** What a MAC is for: the same parts in another domain give another value. */
enum steer_domain {
	STEER_DOMAIN_TRANSACTION =
		1, /* client transaction: key of a record, and part of a branch's tag */
	STEER_DOMAIN_BRANCH,
	STEER_DOMAIN_LOOP,
	STEER_DOMAIN_COOKIE,
	STEER_DOMAIN_FLOW,
	STEER_DOMAIN_TO_TAG,
	STEER_DOMAIN_CALL,   /* Call-ID: key of a challenge record, and part of a cookie's tag */
	STEER_DOMAIN_SPREAD, /* the other half of a key */
	STEER_DOMAIN_CLIENT, /* address and port of a request's sender, in its record */
};

struct steer_part {
	const void *p;
	size_t len;
};

/** Fill the rest of a key from its bytes. */
void steer_secret_spread(struct dp_secret *key);

#define STEER_DIGEST_PARTS 4

/**
 * Digest of a number and up to STEER_DIGEST_PARTS parts, each of less than 64 KiB, under a spread
 * key; the lengths count too, so that no two lists of parts are one input. NH (Black et al.,
 * "UMAC: Fast and Secure Message Authentication", 1999), its 128 bits folded to 64.
 */
uint64_t steer_digest(const struct dp_secret *key, enum steer_domain domain, uint32_t extra,
		      const struct steer_part *parts, size_t n);

/** The same of one part, and of two, of any length. */
uint64_t steer_digest1_any(const struct dp_secret *key, enum steer_domain domain, uint32_t extra,
			   struct steer_part a);
uint64_t steer_digest2_any(const struct dp_secret *key, enum steer_domain domain, uint32_t extra,
			   struct steer_part a, struct steer_part b);

__extension__ typedef unsigned __int128 steer_uint128;

static inline uint64_t steer_load64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t steer_digest_fold(const uint64_t *key, steer_uint128 sum)
{
	return (uint64_t)sum + (uint64_t)(sum >> 64) * key[DP_DIGEST_WORDS];
}

/* Of 16 bytes in two halves. */
static inline steer_uint128 steer_digest_product(const uint64_t *key, const uint8_t *p,
						 const uint8_t *q)
{
	return (steer_uint128)(steer_load64(p) + key[0]) * (steer_load64(q) + key[1]);
}

/** steer_digest() of one part, which is what most are: in line for 17 to 32 bytes. */
static inline uint64_t steer_digest1(const struct dp_secret *key, enum steer_domain domain,
				     uint32_t extra, struct steer_part a)
{
	const uint64_t *k = key->digest;
	const uint8_t *p = a.p, *last = p + a.len - 16;

	if (__builtin_expect(a.len - 17 >= 16, 0))
		return steer_digest1_any(key, domain, extra, a);
	return steer_digest_fold(k,
				 (steer_uint128)(((uint64_t)extra << 32 | 1 << 8 | domain) + k[0])
						 * (a.len + k[1])
					 + steer_digest_product(k + 2, p, p + 8)
					 + steer_digest_product(k + 4, last, last + 8));
}

/** Whether two parts have the usual lengths: the second one is an IPv4 literal mostly. */
static inline bool steer_digest2_is_short(struct steer_part a, struct steer_part b)
{
	return (a.len - 17 < 16) & (b.len - 8 <= 8);
}

/** The digest of two parts of these lengths. */
static inline uint64_t steer_digest2_short(const struct dp_secret *key, enum steer_domain domain,
					   uint32_t extra, struct steer_part a, struct steer_part b)
{
	const uint64_t *k = key->digest;
	const uint8_t *p = a.p, *last = p + a.len - 16, *q = b.p;

	return steer_digest_fold(k,
				 (steer_uint128)(((uint64_t)extra << 32 | 2 << 8 | domain) + k[0])
						 * ((a.len << 16 | b.len) + k[1])
					 + steer_digest_product(k + 2, p, p + 8)
					 + steer_digest_product(k + 4, last, last + 8)
					 + steer_digest_product(k + 6, q, q + b.len - 8));
}

/** steer_digest() of two. */
static inline uint64_t steer_digest2(const struct dp_secret *key, enum steer_domain domain,
				     uint32_t extra, struct steer_part a, struct steer_part b)
{
	return steer_digest2_is_short(a, b) ? steer_digest2_short(key, domain, extra, a, b)
					    : steer_digest2_any(key, domain, extra, a, b);
}

/**
 * AES-128 (steer_aes.h) of the universal hash of the domain, n and n words: NH with key words of
 * its own, all 128 bits of it; the first 64 bits. Two inputs meet with a chance of 2^-64. Under a
 * spread key.
 * @param n  Less than DP_SEAL_WORDS.
 */
uint64_t steer_seal(const struct dp_secret *key, enum steer_domain domain, const uint64_t *words,
		    size_t n);

/** Two seals of three words each under one key: as steer_seal() of each, in hardly more time than
 * one. */
struct steer_aes_two steer_seal_two(const struct dp_secret *key, enum steer_domain domain,
				    const uint64_t words[3], enum steer_domain domain2,
				    const uint64_t words2[3]);

/** SipHash-2-4 (Aumasson and Bernstein, 2012) of plain bytes. */
uint64_t steer_siphash(const struct dp_secret *key, const void *p, size_t len);

/** Unkeyed, well-mixed 64-bit hash of bytes, the same everywhere: pair selection (with Maglev).
 * Products of 64 bits, their halves folded; whoever wants two inputs of one value finds them. */
uint64_t steer_hash(const void *p, size_t len);
