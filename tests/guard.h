/*
 * Test buffers that end flush against a page that must not be touched: a read or write one byte
 * beyond the end is a fault.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct guard {
	uint8_t *map;
	size_t map_size;
	uint8_t *end; /* first byte of the untouchable page */
};

/** Map room for at least `size` bytes. Ends the test program when there is no memory. */
static inline void guard_init(struct guard *g, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t room = (size + page - 1) / page * page;

	g->map_size = room + page;
	g->map =
		mmap(NULL, g->map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->map == MAP_FAILED || mprotect(g->map + room, page, PROT_NONE) != 0)
		abort();
	g->end = g->map + room;
}

static inline void guard_fini(struct guard *g)
{
	munmap(g->map, g->map_size);
}

/** Copy bytes so that the last one is the last that may be touched. Good until the next call. */
static inline const uint8_t *guard_copy(struct guard *g, const void *bytes, size_t len)
{
	uint8_t *at = g->end - len;

	if (len > 0)
		memcpy(at, bytes, len);
	return at;
}
