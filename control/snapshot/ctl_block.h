/*
 * A block under construction: a growing, zeroed buffer of arrays that refer to each other by
 * offset. Out of memory sticks: every later call is harmless, and ctl_block_take() returns NULL.
 * Control thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_block {
	uint8_t *p;
	size_t len, size;
	bool failed;
};

/** Start with a zeroed head of that many bytes (the block's own struct). */
void ctl_block_init(struct ctl_block *b, size_t head);

/** Append a zeroed array, aligned to a cache line. @return its offset; 0 when out of memory. */
uint32_t ctl_block_array(struct ctl_block *b, size_t n, size_t element);

/** Bytes at an offset; good until the next append. Never NULL for an offset that was returned. */
void *ctl_block_at(struct ctl_block *b, uint32_t off);

/** The finished buffer, owned by the caller, or NULL when out of memory. The block is empty
 * afterwards. */
void *ctl_block_take(struct ctl_block *b);
