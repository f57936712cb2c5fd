/*
 * Token buckets per source, in a set-associative table: a source belongs to one set and shares its
 * few ways with the others that do. One thread.
 *
 * Tokens are kept in millionths, so that a microsecond at a rate of n adds n: no division. A source
 * that is not known has a full bucket. When a set has no place left, its fullest bucket
 * gives way: what is forgotten is then what comes nearest to a new bucket, and nothing at all once
 * it was not used for a second.
 *
 * What an attacker can do. Sources can be forged, so a flood of random ones gets one answer from
 * each: that is what it costs to answer strangers, and it is the flood's own rate. To be answered
 * more often than its rate, a source's empty bucket must be driven out, by having the other ways of
 * its set emptied further than it; since the sets are chosen with a random key, that takes some
 * `ways * rate` packets to each of very many sources within one second. Random sources, which take
 * a token or two each, only drive out one another.
 */
#include "dataplane/steer/steer_limit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/steer/steer_mac.h"

#define WAYS        8
#define TOKEN       1000000u /* parts */
#define SECOND_US   1000000u
#define SOURCES_MAX (1u << 26)

struct bucket {
	uint64_t source;  /* 0: unused */
	uint64_t used_us; /* `parts` is of that moment */
	uint64_t parts;
	uint64_t reserved;
};

struct steer_limits {
	struct bucket *buckets; /* sets of WAYS */
	uint32_t set_mask;
	struct dp_secret key;
};

struct steer_limits *steer_limits_new(uint32_t n_sources)
{
	struct steer_limits *l;
	uint32_t n_sets = 1;

	if (n_sources > SOURCES_MAX)
		return NULL;
	while (n_sets * WAYS < n_sources)
		n_sets *= 2;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->set_mask = n_sets - 1;
	l->buckets = aligned_alloc(64, (size_t)n_sets * WAYS * sizeof(*l->buckets));
	if (l->buckets == NULL || getrandom(l->key.b, sizeof(l->key.b), 0) != sizeof(l->key.b)) {
		steer_limits_free(l);
		return NULL;
	}
	memset(l->buckets, 0, (size_t)n_sets * WAYS * sizeof(*l->buckets));
	return l;
}

void steer_limits_free(struct steer_limits *l)
{
	if (l == NULL)
		return;
	free(l->buckets);
	free(l);
}

/* IPv4: the address behind 32 ones, which begin no source's IPv6 address (RFC 4291 2.7); IPv6: the
 * /64; for ::/64 a number that is neither. Never 0. */
static uint64_t source_of(const struct sip_ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint64_t source;
	uint32_t v4;

	if (memcmp(ip->b, mapped, sizeof(mapped)) == 0) {
		memcpy(&v4, ip->b + sizeof(mapped), sizeof(v4));
		return UINT64_MAX << 32 | v4;
	}
	memcpy(&source, ip->b, sizeof(source));
	return source != 0 ? source : UINT32_MAX;
}

/* What the bucket holds now. */
static uint64_t parts_at(const struct bucket *b, uint32_t per_s, uint64_t now_us)
{
	uint64_t full = (uint64_t)per_s * TOKEN;
	uint64_t elapsed = now_us > b->used_us ? now_us - b->used_us : 0;
	uint64_t parts;

	if (elapsed >= SECOND_US)
		return full;
	parts = b->parts + elapsed * per_s;
	return parts < full ? parts : full;
}

/* The one of a full set that gives way. */
static struct bucket *victim_of(struct bucket *set, uint32_t per_s, uint64_t now_us)
{
	struct bucket *victim = &set[0];
	uint64_t most = parts_at(victim, per_s, now_us);

	for (unsigned int i = 1; i < WAYS; i++) {
		uint64_t parts = parts_at(&set[i], per_s, now_us);

		if (parts > most) {
			victim = &set[i];
			most = parts;
		}
	}
	return victim;
}

bool steer_limits_take(struct steer_limits *l, const struct sip_ip *source, uint32_t per_s,
		       uint64_t now_us)
{
	struct bucket *set, *b = NULL, *unused = NULL;
	uint64_t key, parts;

	if (per_s == 0)
		return true;
	key = source_of(source);
	set = &l->buckets[(steer_siphash(&l->key, &key, sizeof(key)) & l->set_mask) * WAYS];
	for (unsigned int i = 0; i < WAYS && b == NULL; i++) {
		if (set[i].source == key)
			b = &set[i];
		else if (set[i].source == 0)
			unused = &set[i];
	}
	if (b != NULL) {
		parts = parts_at(b, per_s, now_us);
	} else {
		b = unused != NULL ? unused : victim_of(set, per_s, now_us);
		*b = (struct bucket){ .source = key };
		parts = (uint64_t)per_s * TOKEN;
	}
	if (now_us > b->used_us)
		b->used_us = now_us;
	b->parts = parts >= TOKEN ? parts - TOKEN : parts;
	return parts >= TOKEN;
}
