/*
 * A block under construction: one growing buffer, offsets instead of pointers, a sticky failure.
 */
#include "control/snapshot/ctl_block.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN     64ull
#define HUGE_PAGE (2ull << 20)

/* A large one asks for huge pages: it is walked through at every change. */
static void *get(size_t size)
{
	void *p = aligned_alloc(size < HUGE_PAGE ? ALIGN : HUGE_PAGE, size);

	if (p && size >= HUGE_PAGE)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

static bool reserve(struct ctl_block *b, size_t more)
{
	size_t size = b->size ? b->size : 4096;
	uint8_t *p;

	if (b->failed || more > UINT32_MAX - b->len) {
		b->failed = true;
		return false;
	}
	while (size < b->len + more)
		size *= 2;
	if (size == b->size)
		return true;
	p = get(size);
	if (!p) {
		b->failed = true;
		return false;
	}
	if (b->len)
		memcpy(p, b->p, b->len);
	free(b->p);
	b->p = p;
	b->size = size;
	return true;
}

void ctl_block_init(struct ctl_block *b, size_t head)
{
	*b = (struct ctl_block){ 0 };
	ctl_block_array(b, 1, head);
}

uint32_t ctl_block_array(struct ctl_block *b, size_t n, size_t element)
{
	size_t bytes, off = (b->len + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	if (__builtin_mul_overflow(n, element, &bytes) || !reserve(b, bytes + ALIGN)) {
		b->failed = true;
		return 0;
	}
	memset(b->p + b->len, 0, off - b->len + bytes);
	b->len = off + bytes;
	return (uint32_t)off;
}

void *ctl_block_at(struct ctl_block *b, uint32_t off)
{
	return b->p + off;
}

void *ctl_block_take(struct ctl_block *b)
{
	void *p = b->p;

	if (b->failed) {
		free(b->p);
		p = NULL;
	}
	*b = (struct ctl_block){ 0 };
	return p;
}
