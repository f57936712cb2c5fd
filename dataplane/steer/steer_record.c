/*
 * Records: a pool, an index to find them by key, a timer wheel to forget them. One thread; all
 * memory is taken at the start, and touched then, so that no page is first touched by a packet.
 *
 * Pool: records never move. Each is either on the stack of free ones, or in use, and then in the
 * index and in exactly one place on the wheel.
 *
 * Index: open addressing, linear probing, two slots or more for each record, so that it is at most
 * half full. A slot holds the number of a record and the upper half of its key, of which the
 * highest bits are its home: keys are digests under a key of ours, so these are as good as any hash
 * of them. Probing and deleting touch no record but the one that is looked for.
 * Deleting shifts back what follows (Knuth, TAOCP 3, 6.4, algorithm R), so there are no tombstones
 * and the index is as fast after a year as on the first day.
 *
 * Wheel: a ring of lists, one per tick of 2^10 us (1 ms); a list is a chain of chunks of record
 * numbers. Ticks are short so that records are let go at the pace at which they came: those on top
 * of the stack of free ones have been seen a moment ago, and are in the cache when they are used.
 * Once on the wheel a record stays where it is: holding it longer or shorter writes its time and no
 * more. When its tick comes, it goes if it has expired, else it is put on the list of its new time;
 * so a record that was held for longer goes on time, and one that was held for shorter goes when it
 * would have gone before, not found meanwhile. A chunk's records are fetched together and not one
 * after the other, since none of them is in the cache after so long a time, and so are their places
 * in the index.
 */
#include "dataplane/steer/steer_record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TICK_SHIFT    10
#define NONE          UINT32_MAX
#define RECORDS_MAX   (1u << 28)
#define INDEX_MIN     8u
#define WHEEL_MAX     32768u /* lists: 33.5 s */
#define HUGE_PAGE     (2ull << 20)
#define SLOT_USED     1u
#define CHUNK_NUMBERS 14

/* Ticks that a record stays longer than it must, half a second. A request is held for 32 s as it
 * comes and for 32 s more as its response passes: this way it is mostly looked at once, not twice.
 */
#define SLACK (1u << (19 - TICK_SHIFT))

/* A record in its pool, on a cache line of its own. */
struct node {
	_Alignas(64) struct steer_record r;
};
_Static_assert(sizeof(struct node) == 64, "a record is a cache line");
_Static_assert(offsetof(struct node, r) == 0, "a record's address is its node's");

/* Part of a list of the wheel; or, linked by `next`, of the chunks that are free. */
struct chunk {
	_Alignas(64) uint32_t next;
	uint32_t n;
	uint32_t number[CHUNK_NUMBERS];
};
_Static_assert(sizeof(struct chunk) == 64, "a chunk is a cache line");

struct steer_records {
	struct node *pool;
	uint64_t *index; /* hash << 32 | number << 1 | used */
	uint32_t *free;  /* stack of numbers */
	struct chunk *chunks;
	uint32_t *lists; /* first chunk of each tick's list */
	uint32_t capacity;
	uint32_t n_free;
	uint32_t index_mask;
	unsigned int home_shift; /* of the 32-bit hash */
	uint32_t wheel_mask;
	uint32_t free_chunk;
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
	return steer_records_new_looking(n, max_hold_us, max_hold_us);
}

struct steer_records *steer_records_new_looking(uint32_t n, uint64_t max_hold_us, uint64_t look_us)
{
	struct steer_records *rs;
	uint32_t index_size, wheel_size, n_chunks;
	uint64_t ticks;

	if (n > RECORDS_MAX)
		return NULL;
	rs = calloc(1, sizeof(*rs));
	if (rs == NULL)
		return NULL;
	rs->capacity = n > 0 ? pow2_at_least(n) : 0;
	index_size = 2 * pow2_at_least(n > INDEX_MIN ? n : INDEX_MIN);
	/* What is held for longer than the wheel's turn lies on its last list and is moved on. */
	look_us = look_us < max_hold_us ? look_us : max_hold_us;
	ticks = (look_us >> TICK_SHIFT) + SLACK + 2;
	wheel_size = pow2_at_least(ticks < WHEEL_MAX ? ticks : WHEEL_MAX);
	/* Every list that has a record can end in a chunk that is not full, and one more is being
	 * worked off. */
	n_chunks = rs->capacity / CHUNK_NUMBERS
		   + (wheel_size < rs->capacity ? wheel_size : rs->capacity) + 2;
	rs->max_hold_us = max_hold_us;
	rs->index_mask = index_size - 1;
	rs->home_shift = (unsigned int)__builtin_clz(index_size) + 1;
	rs->wheel_mask = wheel_size - 1;
	rs->pool = alloc_touched(sizeof(*rs->pool) * (rs->capacity + 1ull), 0);
	rs->index = alloc_touched(sizeof(*rs->index) * index_size, 0);
	rs->free = alloc_touched(sizeof(*rs->free) * (rs->capacity + 1ull), 0);
	rs->chunks = alloc_touched(sizeof(*rs->chunks) * n_chunks, 0);
	rs->lists = alloc_touched(sizeof(*rs->lists) * wheel_size, 0xff);
	if (!rs->pool || !rs->index || !rs->free || !rs->chunks || !rs->lists) {
		steer_records_free(rs);
		return NULL;
	}
	for (uint32_t i = 0; i < rs->capacity; i++)
		rs->free[rs->n_free++] = rs->capacity - 1 - i;
	for (uint32_t i = 0; i < n_chunks; i++)
		rs->chunks[i].next = i + 1 < n_chunks ? i + 1 : NONE;
	return rs;
}

void steer_records_free(struct steer_records *rs)
{
	if (rs == NULL)
		return;
	free(rs->pool);
	free(rs->index);
	free(rs->free);
	free(rs->chunks);
	free(rs->lists);
	free(rs);
}

/* ---- Index ---- */

static inline uint32_t hash_of(uint64_t key)
{
	return (uint32_t)(key >> 32);
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

/* Delete the slot of a record that is in the index. */
static inline void index_delete(struct steer_records *rs, uint32_t hash, uint32_t number)
{
	uint32_t mask = rs->index_mask;
	uint32_t hole = hash >> rs->home_shift;
	uint64_t slot;
	uint32_t i;

	while (number_in(rs->index[hole]) != number)
		hole = (hole + 1) & mask;
	for (i = (hole + 1) & mask; (slot = rs->index[i]) != 0; i = (i + 1) & mask) {
		uint32_t home = (uint32_t)(slot >> 32) >> rs->home_shift;

		/* It may move back to the hole unless its home lies behind that. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			rs->index[hole] = slot;
			hole = i;
		}
	}
	rs->index[hole] = 0;
}

/* ---- Wheel ---- */

static inline void wheel_add(struct steer_records *rs, uint32_t number, uint64_t expires_us)
{
	uint64_t tick = (expires_us >> TICK_SHIFT) + 1 + SLACK;
	uint32_t *list;
	struct chunk *c;

	/* Never the list being worked off: what expires later than now is on a later tick. */
	if (tick - rs->tick > rs->wheel_mask)
		tick = rs->tick + rs->wheel_mask;
	list = &rs->lists[tick & rs->wheel_mask];
	if (*list == NONE || rs->chunks[*list].n == CHUNK_NUMBERS) {
		uint32_t fresh = rs->free_chunk;

		c = &rs->chunks[fresh];
		rs->free_chunk = c->next;
		c->next = *list;
		c->n = 0;
		*list = fresh;
	}
	c = &rs->chunks[*list];
	c->number[c->n++] = number;
}

/* Take up to `most` numbers from a list that is not empty. @return how many. */
static uint32_t wheel_take(struct steer_records *rs, uint32_t *list, uint32_t *numbers,
			   uint32_t most)
{
	struct chunk *c = &rs->chunks[*list];
	uint32_t n = c->n < most ? c->n : most;

	c->n -= n;
	memcpy(numbers, &c->number[c->n], n * sizeof(*numbers));
	if (c->n == 0) {
		uint32_t emptied = *list;

		*list = c->next;
		c->next = rs->free_chunk;
		rs->free_chunk = emptied;
		if (*list != NONE)
			__builtin_prefetch(&rs->chunks[*list]);
	}
	return n;
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

void steer_records_fetch_slot(const struct steer_records *rs, uint64_t key)
{
	__builtin_prefetch(&rs->index[hash_of(key) >> rs->home_shift], 1);
}

#define FETCH_PROBES 4 /* slots that are looked at; there are seldom more in a row */

bool steer_records_fetch(const struct steer_records *rs, uint64_t key)
{
	uint32_t hash = hash_of(key), i = hash >> rs->home_shift;
	uint64_t slot = rs->index[i];

	for (int n = 1; n < FETCH_PROBES && slot != 0 && slot >> 32 != hash; n++) {
		i = (i + 1) & rs->index_mask;
		slot = rs->index[i];
	}
	if (slot != 0 && slot >> 32 == hash) {
		__builtin_prefetch(&rs->pool[number_in(slot)], 1);
		return true;
	}
	if (rs->n_free > 0)
		__builtin_prefetch(&rs->pool[rs->free[rs->n_free - 1]], 1);
	return false;
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
	uint64_t expires_us = expiry(rs, now_us, hold_us);
	struct steer_record *r;

	if (slot != 0) {
		r = &rs->pool[number_in(slot)].r;
		if (r->expires_us > now_us)
			return r;
		/* Expired, but still there and on the wheel: as good as a new one. */
	} else {
		uint32_t number;

		if (rs->n_free == 0)
			return NULL;
		/* All lists are empty: the wheel may stand where it likes. */
		if (rs->n_free == rs->capacity && now_us >> TICK_SHIFT > rs->tick)
			rs->tick = now_us >> TICK_SHIFT;
		number = rs->free[--rs->n_free];
		rs->index[i] = (uint64_t)hash_of(key) << 32 | number << 1 | SLOT_USED;
		wheel_add(rs, number, expires_us);
		r = &rs->pool[number].r;
	}
	*r = (struct steer_record){ .key = key, .expires_us = expires_us };
	return r;
}

void steer_records_hold(struct steer_records *rs, struct steer_record *r, uint64_t now_us,
			uint64_t hold_us)
{
	r->expires_us = expiry(rs, now_us, hold_us);
}

void steer_records_remove(struct steer_records *rs, struct steer_record *r)
{
	(void)rs;
	r->expires_us = 0;
}

/* ---- Ticks ---- */

/* What was taken from the wheel together. */
struct batch {
	uint32_t n;
	uint32_t number[CHUNK_NUMBERS];
	uint32_t hash[CHUNK_NUMBERS];
};

/* Take the next numbers whose tick has come: b->n, 0: there are none, or no more of the budget. */
static void take_next(struct steer_records *rs, struct batch *b, uint64_t now_tick,
		      uint32_t *budget)
{
	uint32_t *list;

	b->n = 0;
	while (*(list = &rs->lists[rs->tick & rs->wheel_mask]) == NONE) {
		if (rs->tick >= now_tick)
			return;
		/* After a long pause each list is worked off once, not once for each turn missed.
		 */
		if (now_tick - rs->tick > rs->wheel_mask)
			rs->tick = now_tick - rs->wheel_mask;
		else
			rs->tick++;
	}
	if (*budget == 0)
		return;
	b->n = wheel_take(rs, list, b->number, *budget);
	*budget -= b->n;
	for (uint32_t i = 0; i < b->n; i++)
		__builtin_prefetch(&rs->pool[b->number[i]], 1);
}

static void fetch_slots(const struct steer_records *rs, struct batch *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		b->hash[i] = hash_of(rs->pool[b->number[i]].r.key);
		__builtin_prefetch(&rs->index[b->hash[i] >> rs->home_shift], 1);
	}
}

/* Forget those that have expired, put the others on the wheel again. @return how many were
 * forgotten. */
static uint32_t judge(struct steer_records *rs, struct batch *b, uint64_t now_us)
{
	uint32_t removed = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		uint32_t number = b->number[i];
		uint64_t expires_us = rs->pool[number].r.expires_us;

		if (expires_us > now_us) {
			wheel_add(rs, number, expires_us);
			continue;
		}
		index_delete(rs, b->hash[i], number);
		rs->free[rs->n_free++] = number;
		removed++;
	}
	b->n = 0;
	return removed;
}

/* Three batches are under way at a time: the records of one are being fetched while the places of
 * the one before are, and the one before that is judged. */
uint32_t steer_records_tick(struct steer_records *rs, uint64_t now_us, uint32_t budget)
{
	struct batch batch[3] = { 0 }, *first = &batch[0], *second = &batch[1], *third = &batch[2];
	uint32_t removed = 0;

	do {
		struct batch *judged = third;

		third = second;
		second = first;
		first = judged;
		take_next(rs, first, now_us >> TICK_SHIFT, &budget);
		fetch_slots(rs, second);
		removed += judge(rs, third, now_us);
	} while (first->n + second->n > 0);
	return removed;
}

uint32_t steer_records_in_use(const struct steer_records *rs)
{
	return rs->capacity - rs->n_free;
}
