/*
 * Random numbers of one seed, the same on every machine: xoshiro256** (Blackman, Vigna 2018),
 * seeded by splitmix64.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_rand {
	uint64_t s[4];
};

void sim_rand_init(struct sim_rand *r, uint64_t seed);
uint64_t sim_rand_next(struct sim_rand *r);

/** 0 to n - 1; 0 when n is 0. */
uint64_t sim_below(struct sim_rand *r, uint64_t n);

/** lo to hi, both included, each order of magnitude as likely as any other. */
uint64_t sim_between(struct sim_rand *r, uint64_t lo, uint64_t hi);

/** True in `permille` of 1000 cases. */
bool sim_chance(struct sim_rand *r, unsigned int permille);

/** Time to the next event of a stream of which one comes in mean_us: exponential, at least 1. */
uint64_t sim_gap(struct sim_rand *r, uint64_t mean_us);
