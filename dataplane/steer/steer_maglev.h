/*
 * Weighted consistent hashing: Maglev (Eisenbud et al., NSDI 2016, section 3.4), built by control,
 * looked up by steering. The same names and weights give the same table on every machine, whatever
 * their order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** One backend: a pair. */
struct steer_maglev_entry {
	uint32_t key;    /* dp_key() of the pair's name: its permutation depends on nothing else */
	uint32_t weight; /* 1 and up: share of the table in proportion */
	uint16_t value;  /* what the table holds for it: the pair's number */
};

/* Slots of a table, a prime: 100 for each of 10,000 entries. */
#define STEER_MAGLEV_SIZE        1000003
#define STEER_MAGLEV_SIZE_ONE    101 /* when there is one entry, and nothing to spread */
#define STEER_MAGLEV_MAX_ENTRIES 65536

/**
 * Size of the table for n entries: a prime, the same for every n above one. A size that followed n
 * or the weights would deal all slots anew at the entry that makes it change; this way one that
 * leaves disturbs at most 1 % of the others' share.
 */
uint32_t steer_maglev_size(const struct steer_maglev_entry *e, size_t n);

/**
 * Fill a table. Shares are in proportion to weights; equal weights differ by one slot at most.
 * @param table    Out: u16[size].
 * @param size     A prime, at most STEER_MAGLEV_SIZE.
 * @return         0, -EINVAL (n or a weight is 0, too many entries, size is no such prime),
 * -ENOMEM.
 */
int steer_maglev_build(const struct steer_maglev_entry *e, size_t n, uint16_t *table,
		       uint32_t size);

/** Where the value for a hash stands: multiply-shift instead of a division. */
static inline const uint16_t *steer_maglev_slot(const uint16_t *table, uint32_t size, uint64_t hash)
{
	return table + (uint32_t)(((hash >> 32) * size) >> 32);
}

/** The value for a hash. */
static inline uint16_t steer_maglev_lookup(const uint16_t *table, uint32_t size, uint64_t hash)
{
	return *steer_maglev_slot(table, size, hash);
}
