/*
 * Meters own answers per source address: a token bucket for each of a bounded number of sources
 * (IPv6: per /64). When there is no place for another, one gives way whose bucket is full again, or
 * else the fullest. One thread, no allocation after _new.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sip/sip_uri.h"

struct steer_limits;

struct steer_limits *steer_limits_new(uint32_t n_sources);
void steer_limits_free(struct steer_limits *l);

/**
 * Take one token of a source's bucket, which holds at most `per_s` (one second's worth) and fills
 * at that rate.
 * @return whether there was one; always true when per_s is 0.
 */
bool steer_limits_take(struct steer_limits *l, const struct sip_ip *source, uint32_t per_s,
		       uint64_t now_us);
