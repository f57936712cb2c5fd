/*
 * Buffers that end where a page without access begins, so that a read beyond the end is a fault.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** A buffer of `size` bytes at most, flush against a guard page. One thread. */
struct guard {
	uint8_t *map;
	size_t map_size;
	uint8_t *end; /* first byte of the guard page */
};

/** Map it; aborts the test when the system has no memory. */
void guard_init(struct guard *g, size_t size);
void guard_fini(struct guard *g);

/** Copy bytes so that the last one is the last readable one. Borrowed from g until the next call.
 */
const uint8_t *guard_copy(const struct guard *g, const void *data, size_t len);
