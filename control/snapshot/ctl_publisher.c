/*
 * The publisher: owns the region's heap, puts snapshot halves into it and makes them the newest
 * generation.
 *
 * The heap is a sorted list of blocks in use, kept outside the region: a data plane gone mad cannot
 * break it. A block that a newer generation no longer names is remembered with the last generation
 * that named it (its `last`), and its bytes are given out again once every online worker has acked
 * a newer one. Control thread only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/snapshot/ctl_snapshot.h"

#define BLOCK_ALIGN 4096ull

struct block {
	dp_off off;
	uint64_t len;
	uint64_t last; /* last generation that names it; UINT64_MAX: the newest one does */
};

struct ctl_publisher {
	struct dp_region *region;
	struct block *blocks; /* by offset */
	size_t n, size;
	struct dp_root root; /* of the newest generation */
	uint64_t adopted;    /* generation of a former publisher: until all hold it, older blocks
				unknown here are in use */
	uint64_t published, refused;
};

static const struct dp_root *newest_root(const struct dp_region *r)
{
	uint64_t generation = atomic_load_explicit(&r->generation, memory_order_acquire);

	return generation ? &r->roots[generation % DP_ROOTS] : NULL;
}

static int insert(struct ctl_publisher *p, size_t at, dp_off off, uint64_t len)
{
	if (p->n == p->size) {
		size_t size = p->size ? 2 * p->size : 16;
		struct block *b = reallocarray(p->blocks, size, sizeof(*b));

		if (!b)
			return -ENOMEM;
		p->blocks = b;
		p->size = size;
	}
	memmove(p->blocks + at + 1, p->blocks + at, (p->n - at) * sizeof(*p->blocks));
	p->blocks[at] = (struct block){ .off = off, .len = len, .last = UINT64_MAX };
	p->n++;
	return 0;
}

/** Take over what a former publisher left in force. Its size was written by that publisher: it is
 * bounded here. */
static int adopt(struct ctl_publisher *p, dp_off off)
{
	const struct dp_region *r = p->region;
	uint64_t len;
	size_t at = 0;

	if (off == 0)
		return 0;
	if (off < r->heap || off > r->heap + r->heap_size - sizeof(uint64_t))
		return -EINVAL;
	len = *(const uint64_t *)dp_at(r, off); /* both halves begin with their size */
	if (len > r->heap + r->heap_size - off)
		return -EINVAL;
	while (at < p->n && p->blocks[at].off < off)
		at++;
	return insert(p, at, off, len);
}

struct ctl_publisher *ctl_publisher_new(struct dp_region *region)
{
	struct ctl_publisher *p = calloc(1, sizeof(*p));
	const struct dp_root *root;
	int rc;

	if (!p)
		return NULL;
	p->region = region;
	root = newest_root(region);
	p->adopted = atomic_load_explicit(&region->generation, memory_order_relaxed);
	if (root)
		p->root = *root;
	rc = adopt(p, p->root.cfg);
	if (rc == 0)
		rc = adopt(p, p->root.net);
	if (rc) {
		ctl_publisher_free(p);
		errno = -rc;
		return NULL;
	}
	return p;
}

void ctl_publisher_free(struct ctl_publisher *p)
{
	if (!p)
		return;
	free(p->blocks);
	free(p);
}

const struct dp_cfg *ctl_publisher_cfg(const struct ctl_publisher *p)
{
	return p->root.cfg ? dp_at(p->region, p->root.cfg) : NULL;
}

const struct dp_net *ctl_publisher_net(const struct ctl_publisher *p)
{
	return p->root.net ? dp_at(p->region, p->root.net) : NULL;
}

/** Forget blocks that nobody can hold any more. */
static void reclaim(struct ctl_publisher *p)
{
	uint64_t min_ack = dp_region_min_ack(p->region);
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->blocks[i].last == UINT64_MAX || p->blocks[i].last >= min_ack)
			p->blocks[kept++] = p->blocks[i];
	}
	p->n = kept;
}

/** First fit. @return the block's index, or -ENOMEM. */
static int allocate(struct ctl_publisher *p, uint64_t len)
{
	dp_off at = (p->region->heap + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1);
	dp_off end = p->region->heap + p->region->heap_size;
	size_t i = 0;

	for (; i < p->n && p->blocks[i].off < at + len; i++)
		at = (p->blocks[i].off + p->blocks[i].len + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1);
	if (at > end || len > end - at)
		return -ENOMEM;
	return insert(p, i, at, len) ? -ENOMEM : (int)i;
}

/** Put a half into the heap and publish it instead of *slot. */
static uint64_t publish(struct ctl_publisher *p, const void *half, uint64_t len, dp_off *slot)
{
	dp_off old = *slot;
	uint64_t generation = 0;
	int i;

	if (!ctl_publisher_acked(p, p->adopted)) {
		p->refused++;
		errno = EAGAIN;
		return 0;
	}
	reclaim(p);
	i = allocate(p, len);
	if (i < 0) {
		p->refused++;
		errno = ENOMEM;
		return 0;
	}
	memcpy(dp_at(p->region, p->blocks[i].off), half, len);
	*slot = p->blocks[i].off;
	generation = dp_region_publish(p->region, &p->root);
	if (generation == 0) {
		memmove(p->blocks + i, p->blocks + i + 1,
			(p->n - (size_t)i - 1) * sizeof(*p->blocks));
		p->n--;
		*slot = old;
		p->refused++;
		errno = EAGAIN;
		return 0;
	}
	for (size_t k = 0; k < p->n; k++) {
		if (old && p->blocks[k].off == old)
			p->blocks[k].last = generation - 1;
	}
	p->published++;
	return generation;
}

uint64_t ctl_publish_cfg(struct ctl_publisher *p, const struct dp_cfg *cfg)
{
	return publish(p, cfg, cfg->size, &p->root.cfg);
}

uint64_t ctl_publish_net(struct ctl_publisher *p, const struct dp_net *net)
{
	return publish(p, net, net->size, &p->root.net);
}

bool ctl_publisher_acked(const struct ctl_publisher *p, uint64_t generation)
{
	return dp_region_min_ack(p->region) >= generation;
}

void ctl_publisher_stats(const struct ctl_publisher *p, struct ctl_publisher_stats *s)
{
	*s = (struct ctl_publisher_stats){
		.heap_size = p->region->heap_size,
		.blocks = p->n,
		.published = p->published,
		.refused = p->refused,
	};
	for (size_t i = 0; i < p->n; i++) {
		s->heap_used += p->blocks[i].len;
		s->waiting += p->blocks[i].last != UINT64_MAX;
	}
}
