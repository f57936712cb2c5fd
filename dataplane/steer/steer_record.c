/*
 * Records: a pool, an index to find them by key, a timer wheel to forget them. One thread; all
 * memory is taken at the start, and touched then, so that no page is first touched by a packet.
 *
 * Pool: records never move; a free one is on the free list, one in use on a list of the wheel.
 *
 * Index: open addressing, linear probing, two slots or more for each record, so that it is at most
 * half full. A slot holds the number of a record and 32 bits of its key's hash, of which the
 * highest are its home: probing and deleting touch no record but the one that is looked for.
 * Deleting shifts back what follows (Knuth, TAOCP 3, 6.4, algorithm R), so there are no tombstones
 * and the index is as fast after a year as on the first day.
 *
 * Wheel: a ring of lists, one per tick of 2^17 us (131 ms). A record lies on the list of the tick
 * at which it has surely expired, or of an earlier one: holding it longer writes only its time, and
 * the wheel moves it on when its tick comes; holding it shorter moves it at once. Whatever the
 * wheel has not come to yet is not found any more all the same. The list of the tick being worked
 * off gets no new records, so that working it off ends.
 */
#include "dataplane/steer/steer_record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TICK_SHIFT      17
#define NONE            UINT32_MAX
#define RECORDS_MAX     (1u << 28)
#define INDEX_MIN       8u
#define WHEEL_MAX       (1u << 16)
#define HUGE_PAGE       (2ull << 20)
#define SLOT_USED       1u
#define HASH_MULTIPLIER 0x9e3779b97f4a7c15ull /* 2^64 over the golden ratio (Knuth 6.4) */

/* A record of the pool: what the caller sees, and where it hangs. */
struct node {
	struct steer_record r;
	uint32_t next, prev; /* on its list of the wheel; next also on the free list */
	uint32_t list;       /* which list */
	uint32_t reserved;
};
_Static_assert(sizeof(struct node) == 64, "a record is a cache line");
_Static_assert(offsetof(struct node, r) == 0, "a record's address is its node's");

struct steer_records {
	struct node *pool;
	uint64_t *index; /* hash << 32 | number << 1 | used */
	uint32_t *lists; /* first node of each tick's list */
	uint32_t capacity;
	uint32_t in_use;
	uint32_t free; /* first of the free list */
	uint32_t index_mask;
	unsigned int home_shift; /* of the 32-bit hash */
	uint32_t wheel_mask;
	uint64_t tick; /* the one being worked off; all earlier ones are */
	uint64_t max_hold_us;
};

static uint32_t pow2_at_least(uint64_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* Memory that is there: touched, and in huge pages where the kernel has them. */
static void *alloc_touched(size_t size, int byte)
{
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : 64;
	void *p = aligned_alloc(align, (size + align - 1) & ~(align - 1));

	if (p == NULL)
		return NULL;
	if (align == HUGE_PAGE)
		madvise(p, size, MADV_HUGEPAGE); /* only a wish */
	memset(p, byte, size);
	return p;
}

struct steer_records *steer_records_new(uint32_t n, uint64_t max_hold_us)
{
	struct steer_records *rs;
	uint32_t index_size, wheel_size;

	if (n > RECORDS_MAX)
		return NULL;
	rs = calloc(1, sizeof(*rs));
	if (rs == NULL)
		return NULL;
	rs->capacity = n > 0 ? pow2_at_least(n) : 0;
	index_size = 2 * pow2_at_least(n > INDEX_MIN ? n : INDEX_MIN);
	/* What is held for longer than the wheel's turn lies on its last list and is moved on. */
	wheel_size = max_hold_us >> TICK_SHIFT < WHEEL_MAX - 2
			     ? pow2_at_least((max_hold_us >> TICK_SHIFT) + 2)
			     : WHEEL_MAX;
	rs->max_hold_us = max_hold_us;
	rs->index_mask = index_size - 1;
	rs->home_shift = (unsigned int)__builtin_clz(index_size) + 1;
	rs->wheel_mask = wheel_size - 1;
	rs->pool = alloc_touched(sizeof(*rs->pool) * (rs->capacity + 1ull), 0);
	rs->index = alloc_touched(sizeof(*rs->index) * index_size, 0);
	rs->lists = alloc_touched(sizeof(*rs->lists) * wheel_size, 0xff);
	if (rs->pool == NULL || rs->index == NULL || rs->lists == NULL) {
		steer_records_free(rs);
		return NULL;
	}
	for (uint32_t i = 0; i < rs->capacity; i++)
		rs->pool[i].next = i + 1 < rs->capacity ? i + 1 : NONE;
	rs->free = rs->capacity > 0 ? 0 : NONE;
	return rs;
}

void steer_records_free(struct steer_records *rs)
{
	if (rs == NULL)
		return;
	free(rs->pool);
	free(rs->index);
	free(rs->lists);
	free(rs);
}

/* ---- Index ---- */

static inline uint32_t hash_of(uint64_t key)
{
	return (uint32_t)(key * HASH_MULTIPLIER >> 32);
}

static inline uint32_t home_of(const struct steer_records *rs, uint64_t slot)
{
	return (uint32_t)(slot >> 32) >> rs->home_shift;
}

static inline uint32_t number_in(uint64_t slot)
{
	return (uint32_t)slot >> 1;
}

/* The slot of a key, or the empty one where it would go. */
static inline uint32_t probe(const struct steer_records *rs, uint64_t key)
{
	uint32_t hash = hash_of(key);
	uint32_t i = hash >> rs->home_shift;
	uint64_t slot;

	while ((slot = rs->index[i]) != 0) {
		if (slot >> 32 == hash && rs->pool[number_in(slot)].r.key == key)
			break;
		i = (i + 1) & rs->index_mask;
	}
	return i;
}

static void index_delete(struct steer_records *rs, uint32_t hole)
{
	uint32_t mask = rs->index_mask;
	uint32_t i = hole;
	uint64_t slot;

	while ((slot = rs->index[i = (i + 1) & mask]) != 0) {
		/* It may move back to the hole unless its home lies behind that. */
		if (((i - home_of(rs, slot)) & mask) >= ((i - hole) & mask)) {
			rs->index[hole] = slot;
			hole = i;
		}
	}
	rs->index[hole] = 0;
}

/* ---- Wheel ---- */

/* The first tick at whose beginning the record has expired. */
static inline uint64_t tick_after(uint64_t expires_us)
{
	return (expires_us >> TICK_SHIFT) + 1;
}

static void wheel_add(struct steer_records *rs, struct node *n)
{
	uint32_t number = (uint32_t)(n - rs->pool);
	uint64_t tick = tick_after(n->r.expires_us);
	uint32_t list, first;

	/* Never the list being worked off: tick is ahead, since time does not go back. */
	if (tick - rs->tick > rs->wheel_mask)
		tick = rs->tick + rs->wheel_mask;
	list = (uint32_t)tick & rs->wheel_mask;
	first = rs->lists[list];
	n->list = list;
	n->prev = NONE;
	n->next = first;
	if (first != NONE)
		rs->pool[first].prev = number;
	rs->lists[list] = number;
}

static void wheel_take(struct steer_records *rs, struct node *n)
{
	if (n->prev != NONE)
		rs->pool[n->prev].next = n->next;
	else
		rs->lists[n->list] = n->next;
	if (n->next != NONE)
		rs->pool[n->next].prev = n->prev;
}

/* ---- Records ---- */

struct steer_record *steer_records_find(struct steer_records *rs, uint64_t key, uint64_t now_us)
{
	uint64_t slot = rs->index[probe(rs, key)];
	struct steer_record *r;

	if (slot == 0)
		return NULL;
	r = &rs->pool[number_in(slot)].r;
	return r->expires_us > now_us ? r : NULL;
}

static uint64_t expiry(const struct steer_records *rs, uint64_t now_us, uint64_t hold_us)
{
	return now_us + (hold_us < rs->max_hold_us ? hold_us : rs->max_hold_us);
}

struct steer_record *steer_records_insert(struct steer_records *rs, uint64_t key, uint64_t now_us,
					  uint64_t hold_us)
{
	uint32_t i = probe(rs, key);
	uint64_t slot = rs->index[i];
	struct node *n;

	if (slot != 0) {
		n = &rs->pool[number_in(slot)];
		if (n->r.expires_us > now_us)
			return &n->r;
		wheel_take(rs, n); /* expired: as good as a new one */
	} else {
		uint32_t number = rs->free;

		if (number == NONE)
			return NULL;
		/* All lists are empty: the wheel may stand where it likes. */
		if (rs->in_use == 0 && now_us >> TICK_SHIFT > rs->tick)
			rs->tick = now_us >> TICK_SHIFT;
		n = &rs->pool[number];
		rs->free = n->next;
		rs->index[i] = (uint64_t)hash_of(key) << 32 | number << 1 | SLOT_USED;
		rs->in_use++;
	}
	n->r = (struct steer_record){ .key = key, .expires_us = expiry(rs, now_us, hold_us) };
	wheel_add(rs, n);
	return &n->r;
}

void steer_records_hold(struct steer_records *rs, struct steer_record *r, uint64_t now_us,
			uint64_t hold_us)
{
	struct node *n = (struct node *)r;
	uint32_t wait = (n->list - (uint32_t)rs->tick) & rs->wheel_mask;
	uint64_t tick;

	r->expires_us = expiry(rs, now_us, hold_us);
	tick = tick_after(r->expires_us);
	if (tick >= rs->tick + wait)
		return; /* the wheel comes by in time */
	wheel_take(rs, n);
	wheel_add(rs, n);
}

/* Out of the index and back to the pool; off the wheel already. */
static void forget(struct steer_records *rs, struct node *n)
{
	index_delete(rs, probe(rs, n->r.key));
	n->next = rs->free;
	rs->free = (uint32_t)(n - rs->pool);
	rs->in_use--;
}

void steer_records_remove(struct steer_records *rs, struct steer_record *r)
{
	struct node *n = (struct node *)r;

	wheel_take(rs, n);
	forget(rs, n);
}

uint32_t steer_records_tick(struct steer_records *rs, uint64_t now_us, uint32_t budget)
{
	uint64_t now_tick = now_us >> TICK_SHIFT;
	uint32_t removed = 0;

	for (;;) {
		uint32_t *list = &rs->lists[rs->tick & rs->wheel_mask];

		for (; *list != NONE; budget--) {
			struct node *n = &rs->pool[*list];

			if (budget == 0)
				return removed;
			wheel_take(rs, n);
			if (n->r.expires_us <= now_us) {
				forget(rs, n);
				removed++;
			} else {
				wheel_add(rs, n);
			}
		}
		if (rs->tick >= now_tick)
			return removed;
		/* After a long pause each list is worked off once, not once for each turn missed.
		 */
		if (now_tick - rs->tick > rs->wheel_mask)
			rs->tick = now_tick - rs->wheel_mask;
		else
			rs->tick++;
	}
}

uint32_t steer_records_in_use(const struct steer_records *rs)
{
	return rs->in_use;
}
