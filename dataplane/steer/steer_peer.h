/*
 * What one worker knows of each member from live traffic: when it last answered, how long an INVITE
 * takes to its first response; and how often control was told about it lately. A page of the table
 * comes into being when one of its members is first used. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp_region.h"

struct steer_peer {
	_Alignas(64) uint64_t answered_us; /* last response of any kind */
	uint64_t taken_us; /* when it last got a request of a member that is down; 0: never */
	uint32_t srtt_us;  /* of INVITEs, smoothed; 0: not known */
	uint32_t told[4];  /* when control was last told, by kind, in 1,024 us */
	uint32_t icmps;    /* proven errors told of since told[] of its kind */
};
_Static_assert(sizeof(struct steer_peer) == 64, "one cache line");

/** A first response came `us` after its INVITE. RFC 6298 2's smoothing. */
void steer_peer_measure(struct steer_peer *p, uint32_t us);

/** How long an INVITE may go without any response before that is suspicious, microseconds. */
uint32_t steer_peer_patience(const struct steer_peer *p);

/**
 * Whether control may be told of something now: a member's events can neither fill the ring nor
 * cost packets, however fast their causes come.
 */
bool steer_peer_tell(struct steer_peer *p, enum dp_event_type type, uint64_t now_us);
