/*
 * AES-128 (FIPS 197) of one block, in one direction: with the processor's instructions where it has
 * them, else in plain C. All give the same values, so that instances on different machines agree.
 * Pure; any thread.
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

/** The first 64 bits of one block's cipher; the block and they are little-endian words. */
typedef uint64_t steer_aes_fn(const uint8_t *round, uint64_t low, uint64_t high);

/** The same of two blocks, which takes hardly longer: a round waits for the one before it, not for
 * the other block's. */
struct steer_aes_two {
	uint64_t first, second;
};
typedef struct steer_aes_two steer_aes_two_fn(const uint8_t *round, uint64_t low, uint64_t high,
					      uint64_t low2, uint64_t high2);

/** A way to compute them. */
struct steer_aes_impl {
	const char *name;
	steer_aes_fn *block;
	steer_aes_two_fn *two;
};

/** All that this machine can run, the best one first. @return how many; at least 1. */
size_t steer_aes_impls(const struct steer_aes_impl **list);

/** The best one. */
extern steer_aes_fn *steer_aes_block;
extern steer_aes_two_fn *steer_aes_two;

steer_aes_fn steer_aes_block_plain;
steer_aes_two_fn steer_aes_two_plain;
/** The instructions'; its functions are NULL: none on this machine. (steer_aes_x86.c,
 * steer_aes_arm.c or steer_aes_none.c) */
struct steer_aes_impl steer_aes_machine(void);
