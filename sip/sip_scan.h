/*
 * The byte scan: where lines and words end, and how far a class of bytes goes on. All that is SIMD
 * in the library is here. The pass over a message (sip_pass.h) is built once with each variant of
 * it; which one runs is chosen once, before main().
 *
 * A word is letters, digits, '-' and '.', what a host name is made of (RFC 3261 25.1). Every byte
 * that separates anything in SIP ends a word, and most bytes of a message are in one, so that a
 * decoder jumps from separator to separator.
 *
 * Not for users of the library, but for its tests and benchmarks. The choice is a mutable global:
 * written before main(), and by tests that have one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A set of bytes: bit h of low[l] says whether h * 16 + l is in it, for bytes below 0x80; those
 * above are all in it or all not. */
struct sip_set {
	uint8_t low[16];
	bool upper;
};

struct sip_parse;
struct sip_msg;
struct sip_hdr;
struct sip_via;

/**
 * One way to do it. Bit n of what is returned stands for byte i + n of 64; nothing at or beyond
 * buf + limit is read, and i < limit.
 */
struct sip_scan {
	const char *name;
	/** The bytes that are LF; those from limit on are not. */
	uint64_t (*feeds)(const uint8_t *buf, uint32_t i, uint32_t limit);
	/** The bytes that are in no word; those from limit on are in none. */
	uint64_t (*stops)(const uint8_t *buf, uint32_t i, uint32_t limit);
	/** The first byte in [i, limit) that is not in the set, or limit. */
	uint32_t (*skip)(const uint8_t *buf, uint32_t i, uint32_t limit, const struct sip_set *set);
	/** The pass over a message from its start line on, built with this scan. */
	void (*pass)(struct sip_parse *p, uint32_t start);
	/** sip_via_plain(), built with this scan. */
	bool (*via)(const struct sip_msg *m, const struct sip_hdr *h, struct sip_via *via);
};

/** The i-th that this build knows, fastest first and the scalar twin last; NULL behind it. */
const struct sip_scan *sip_scan_nth(unsigned int i);

/** Whether this machine can run it. */
bool sip_scan_runs(const struct sip_scan *scan);

/** The one in use. */
const struct sip_scan *sip_scan_used(void);

/** For tests and benchmarks: use this one, which the machine must support. */
void sip_scan_use(const struct sip_scan *scan);
