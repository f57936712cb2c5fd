/*
 * AES-128 (FIPS 197) in one direction, and the chain of it that seals tokens: with the processor's
 * instructions where it has them, else in plain C. All give the same values, so that instances on
 * different machines agree. Pure; any thread.
 *
 * The plain form looks up a table by secret bytes. Who can time this machine's cache from within
 * may learn of the key by it; that is why the instructions come first.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STEER_AES_ROUNDS 11 /* round keys of 16 bytes */

/** The round keys of a 16-byte key. */
void steer_aes_expand(const uint8_t *key, uint8_t *round);

/**
 * CBC-MAC of the blocks {first, w[0]}, {w[1], w[2]}, ... as little-endian words, a word that is
 * missing being 0; its first 64 bits. A pseudo-random function as long as no input is the beginning
 * of another one (Petrank and Rackoff, "CBC MAC for Real-Time Data Sources", 2000): `first` must
 * tell how many words follow.
 */
typedef uint64_t steer_aes_mac_fn(const uint8_t *round, uint64_t first, const uint64_t *w,
				  size_t n);

/** A way to compute it. */
struct steer_aes_impl {
	const char *name;
	steer_aes_mac_fn *mac;
};

/** All that this machine can run, the best one first. @return how many; at least 1. */
size_t steer_aes_impls(const struct steer_aes_impl **list);

/** The best one. */
extern steer_aes_mac_fn *steer_aes_mac;

steer_aes_mac_fn steer_aes_mac_plain;
/** The instructions'; NULL: none on this machine. (steer_aes_x86.c, steer_aes_arm.c or
 * steer_aes_none.c) */
steer_aes_mac_fn *steer_aes_machine(void);
