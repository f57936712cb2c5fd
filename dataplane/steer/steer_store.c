/*
 * Three pools (chunks, flights, contexts), each with a list of what is free, and a wheel of doubly
 * linked lists of flights. Number 0 is nobody's in each.
 *
 * Once on the wheel a flight stays on its list, also when it is given back, and used anew: what is
 * due later than that is put on its own list when it comes up. So a flight that is answered early,
 * as most are, costs the wheel nothing: the one that takes its place is due later.
 *
 * Invariants: a flight in use has a record pointer; one that is free is due never; it is on the
 * wheel exactly when its `prev` is not OFF; the wheel's lists before `tick` are empty, but for what
 * lies a whole turn ahead.
 */
#include "dataplane/steer/steer_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/steer/steer_zero.h"

#define WHEEL_LISTS 4096u /* 33.5 s: longer times are looked at once a turn */
#define OFF         UINT32_MAX
#define NEVER       UINT64_MAX
#define CONTEXT_FOR 2u /* flights: many have a second branch at a time only when a server dies */
#define HUGE_PAGE   (2ull << 20)
#define FLIGHTS_MAX (1u << 26)
#define LINE        64u

struct chunk {
	_Alignas(LINE) uint8_t b[STEER_CHUNK_BYTES];
};
_Static_assert(sizeof(struct chunk) == 8 * LINE, "whole lines, which are written and not read");

/* Of a flight that is used anew: its place on the wheel, and that it has no record. */
#define KEPT offsetof(struct steer_flight, key)

struct steer_store {
	struct chunk *chunks;
	uint32_t *links; /* of each chunk: the next one of its chain, or of the free ones */
	struct steer_flight *flights;
	struct steer_context *contexts;
	uint32_t *lists; /* first flight of each */
	uint32_t free_chunk, free_flight, free_context;
	uint32_t n_flights, n_contexts;
	uint32_t used_chunks, used_flights, used_contexts;
	uint64_t tick; /* being worked off */
	uint64_t size;
};

static void *alloc_touched(size_t size)
{
	size_t align = size >= HUGE_PAGE ? HUGE_PAGE : 64;
	void *p = aligned_alloc(align, (size + align - 1) & ~(align - 1));

	if (!p)
		return NULL;
	if (align == HUGE_PAGE)
		madvise(p, size, MADV_HUGEPAGE); /* only a wish */
	memset(p, 0, size);
	return p;
}

/* Links all numbers but 0, the lowest first: what is in use stays close together. */
static void link_free(struct steer_store *st)
{
	for (uint32_t i = 1; i <= st->n_flights; i++) {
		st->links[i] = st->flights[i].context = i < st->n_flights ? i + 1 : STEER_NONE;
		st->flights[i].prev = OFF;
		st->flights[i].due_us = NEVER;
	}
	for (uint32_t i = 1; i <= st->n_contexts; i++)
		st->contexts[i].next = i < st->n_contexts ? i + 1 : STEER_NONE;
	st->free_chunk = st->free_flight = st->free_context = 1;
}

struct steer_store *steer_store_new(uint64_t size)
{
	const uint64_t each = sizeof(struct chunk) + sizeof(uint32_t) + sizeof(struct steer_flight)
			      + sizeof(struct steer_context) / CONTEXT_FOR;
	uint64_t n = size / each;
	struct steer_store *st;

	if (n > FLIGHTS_MAX)
		return NULL;
	st = calloc(1, sizeof(*st));
	if (!st)
		return NULL;
	n = n < CONTEXT_FOR ? CONTEXT_FOR : n;
	st->n_flights = (uint32_t)n;
	st->n_contexts = (uint32_t)n / CONTEXT_FOR;
	st->size = n * each;
	st->chunks = alloc_touched((n + 1) * sizeof(*st->chunks));
	st->links = alloc_touched((n + 1) * sizeof(*st->links));
	st->flights = alloc_touched((n + 1) * sizeof(*st->flights));
	st->contexts = alloc_touched((st->n_contexts + 1ull) * sizeof(*st->contexts));
	st->lists = alloc_touched(WHEEL_LISTS * sizeof(*st->lists));
	if (!st->chunks || !st->links || !st->flights || !st->contexts || !st->lists) {
		steer_store_free(st);
		return NULL;
	}
	link_free(st);
	return st;
}

void steer_store_free(struct steer_store *st)
{
	if (!st)
		return;
	free(st->chunks);
	free(st->links);
	free(st->flights);
	free(st->contexts);
	free(st->lists);
	free(st);
}

/* ---- Copies ---- */

static uint32_t chunks_for(uint32_t len)
{
	return (len + STEER_CHUNK_BYTES - 1) / STEER_CHUNK_BYTES;
}

/* The free ones are a chain: its first ones are cut off. */
static bool chain_new(struct steer_store *st, struct steer_copy *c, const uint8_t *p, uint32_t len)
{
	uint32_t n = chunks_for(len), last = st->free_chunk;

	if (n == 0 || n > st->n_flights - st->used_chunks)
		return false;
	st->used_chunks += n;
	c->first = last;
	c->len = len;
	for (;; last = st->links[last]) {
		uint32_t part = len < STEER_CHUNK_BYTES ? len : STEER_CHUNK_BYTES;

		memcpy(st->chunks[last].b, p, part);
		p += part;
		len -= part;
		if (len == 0)
			break;
	}
	st->free_chunk = st->links[last];
	st->links[last] = STEER_NONE;
	return true;
}

void steer_store_drop(struct steer_store *st, struct steer_copy *c)
{
	uint32_t last = c->first;

	if (last == STEER_NONE)
		return;
	while (st->links[last] != STEER_NONE)
		last = st->links[last];
	st->links[last] = st->free_chunk;
	st->free_chunk = c->first;
	st->used_chunks -= chunks_for(c->len);
	*c = (struct steer_copy){ 0 };
}

bool steer_store_put(struct steer_store *st, struct steer_copy *c, const uint8_t *p, uint32_t len)
{
	struct steer_copy fresh;

	if (!chain_new(st, &fresh, p, len))
		return false;
	steer_store_drop(st, c);
	*c = fresh;
	return true;
}

void steer_store_get(const struct steer_store *st, const struct steer_copy *c, uint8_t *out)
{
	uint32_t left = c->len;

	for (uint32_t i = c->first; i != STEER_NONE; i = st->links[i]) {
		uint32_t n = left < STEER_CHUNK_BYTES ? left : STEER_CHUNK_BYTES;

		memcpy(out, st->chunks[i].b, n);
		out += n;
		left -= n;
	}
}

/* ---- Wheel ---- */

/* The tick by which a time has passed. */
static uint64_t tick_of(uint64_t due_us)
{
	return (due_us >> STEER_WHEEL_SHIFT) + 1;
}

static void wheel_remove(struct steer_store *st, struct steer_flight *f)
{
	if (f->prev == OFF)
		return;
	if (f->prev != STEER_NONE)
		st->flights[f->prev].next = f->next;
	else
		st->lists[f->tick & (WHEEL_LISTS - 1)] = f->next;
	if (f->next != STEER_NONE)
		st->flights[f->next].prev = f->prev;
	f->prev = OFF;
}

static void wheel_add(struct steer_store *st, struct steer_flight *f)
{
	uint32_t number = steer_store_number(st, f), *list;
	uint64_t tick = tick_of(f->due_us);

	/* Never the list being worked off, nor one beyond this turn. */
	if (tick <= st->tick)
		tick = st->tick + 1;
	if (tick - st->tick >= WHEEL_LISTS)
		tick = st->tick + WHEEL_LISTS - 1;
	list = &st->lists[tick & (WHEEL_LISTS - 1)];
	f->tick = (uint32_t)tick;
	f->prev = STEER_NONE;
	f->next = *list;
	if (f->next != STEER_NONE)
		st->flights[f->next].prev = number;
	*list = number;
}

void steer_store_at(struct steer_store *st, struct steer_flight *f, uint64_t due_us)
{
	f->due_us = due_us;
	/* What comes up before that stays where it is. */
	if (__builtin_expect(f->prev != OFF && (int32_t)((uint32_t)tick_of(due_us) - f->tick) >= 0,
			     1))
		return;
	wheel_remove(st, f);
	wheel_add(st, f);
}

struct steer_flight *steer_store_due(struct steer_store *st, uint64_t now_us)
{
	uint64_t now_tick = now_us >> STEER_WHEEL_SHIFT;

	for (;;) {
		uint32_t number = st->lists[st->tick & (WHEEL_LISTS - 1)];

		while (number != STEER_NONE) {
			struct steer_flight *f = &st->flights[number];

			wheel_remove(st, f);
			if (f->due_us <= now_us)
				return f;
			if (f->due_us != NEVER)
				wheel_add(st, f);
			number = st->lists[st->tick & (WHEEL_LISTS - 1)];
		}
		if (st->tick >= now_tick)
			return NULL;
		/* After a long pause each list is worked off once, not once for each turn missed.
		 */
		if (now_tick - st->tick >= WHEEL_LISTS)
			st->tick = now_tick - WHEEL_LISTS + 1;
		else
			st->tick++;
	}
}

/* ---- Flights and contexts ---- */

uint32_t steer_store_add(struct steer_store *st, const uint8_t *p, uint32_t len)
{
	uint32_t number = st->free_flight;
	struct steer_flight *f = &st->flights[number];
	struct steer_copy copy;

	if (number == STEER_NONE || !chain_new(st, &copy, p, len))
		return STEER_NONE;
	st->free_flight = f->context;
	st->used_flights++;
	f->context = STEER_NONE;
	/* Its place on the wheel is kept; it is due never. */
	steer_zero((uint8_t *)f + KEPT, sizeof(*f) - KEPT);
	f->copy = copy;
	return number;
}

void steer_store_fetch_flight(const struct steer_store *st, uint32_t number)
{
	const uint8_t *f = (const uint8_t *)&st->flights[number];

	__builtin_prefetch(f, 1);
	__builtin_prefetch(f + LINE, 1);
}

/* A chunk, and of a longer copy the second one's first half: few datagrams are longer. */
void steer_store_fetch(const struct steer_store *st, uint32_t len)
{
	const uint8_t *first = st->chunks[st->free_chunk].b;
	const uint8_t *second = st->chunks[st->links[st->free_chunk]].b;

	steer_store_fetch_flight(st, st->free_flight);
#pragma GCC unroll 8
	for (uint32_t i = 0; i < STEER_CHUNK_BYTES; i += LINE)
		__builtin_prefetch(first + i, 1);
	if (len <= STEER_CHUNK_BYTES)
		return;
#pragma GCC unroll 4
	for (uint32_t i = 0; i < STEER_CHUNK_BYTES / 2; i += LINE)
		__builtin_prefetch(second + i, 1);
}

void steer_store_remove(struct steer_store *st, uint32_t number)
{
	struct steer_flight *f = &st->flights[number];

	steer_store_drop(st, &f->copy);
	if (f->context != STEER_NONE) {
		struct steer_context *x = &st->contexts[f->context];

		steer_store_drop(st, &x->best_copy);
		x->next = st->free_context;
		st->free_context = f->context;
		st->used_contexts--;
	}
	f->record = NULL;
	f->due_us = NEVER;
	f->context = st->free_flight;
	st->free_flight = number;
	st->used_flights--;
}

struct steer_flight *steer_store_flight(const struct steer_store *st, uint32_t number)
{
	return &st->flights[number];
}

uint32_t steer_store_number(const struct steer_store *st, const struct steer_flight *f)
{
	return (uint32_t)(f - st->flights);
}

uint32_t steer_store_flights(const struct steer_store *st)
{
	return st->n_flights;
}

struct steer_context *steer_store_context(struct steer_store *st, struct steer_flight *f)
{
	struct steer_context *x = &st->contexts[st->free_context];

	if (st->free_context == STEER_NONE)
		return NULL;
	f->context = st->free_context;
	st->free_context = x->next;
	st->used_contexts++;
	*x = (struct steer_context){ 0 };
	return x;
}

struct steer_context *steer_store_context_of(const struct steer_store *st,
					     const struct steer_flight *f)
{
	return f->context != STEER_NONE ? &st->contexts[f->context] : NULL;
}

struct steer_store_use steer_store_use(const struct steer_store *st)
{
	return (struct steer_store_use){
		.used = (uint64_t)st->used_chunks * (sizeof(struct chunk) + sizeof(*st->links))
			+ (uint64_t)st->used_flights * sizeof(struct steer_flight)
			+ (uint64_t)st->used_contexts * sizeof(struct steer_context),
		.size = st->size,
		.flights = st->used_flights,
		.contexts = st->used_contexts,
	};
}
