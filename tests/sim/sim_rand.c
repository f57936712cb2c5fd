#include "tests/sim/sim_rand.h"

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void sim_rand_init(struct sim_rand *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = (seed += 0x9e3779b97f4a7c15ull);

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		r->s[i] = z ^ z >> 31;
	}
}

uint64_t sim_rand_next(struct sim_rand *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

uint64_t sim_below(struct sim_rand *r, uint64_t n)
{
	uint64_t x = sim_rand_next(r);

	return n != 0 ? x % n : 0;
}

/* A random number of doublings, then a random place up to the next one. Integers only: floating
 * point may differ between machines. */
uint64_t sim_between(struct sim_rand *r, uint64_t lo, uint64_t hi)
{
	unsigned int n = 0;
	uint64_t x, span;

	if (lo >= hi)
		return lo;
	for (x = lo; x < hi; x = x != 0 ? 2 * x : 1)
		n++;
	x = lo;
	for (uint64_t k = sim_below(r, n); k > 0; k--)
		x = x != 0 ? 2 * x : 1;
	span = x != 0 ? x : 1;
	x += sim_below(r, span + 1);
	return x < hi ? x : hi;
}

bool sim_chance(struct sim_rand *r, unsigned int permille)
{
	return sim_below(r, 1000) < permille;
}

/* -log2(u) for u in (0, 1] in 1/256, by counting zeros and a chord, which is off by less than a
 * tenth; ln 2 is 0.693. */
uint64_t sim_gap(struct sim_rand *r, uint64_t mean_us)
{
	uint64_t x = sim_rand_next(r) | 1, part, log;
	int zeros = __builtin_clzll(x);

	part = zeros < 63 ? (x << (zeros + 1)) >> 56 : 0;
	log = ((uint64_t)(zeros + 1) << 8) - part;
	log = log * mean_us / 256 * 693 / 1000;
	return log != 0 ? log : 1;
}
