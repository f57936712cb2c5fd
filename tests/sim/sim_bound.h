/*
 * What the settings promise: how long each thing may take at most. Pure; microseconds.
 *
 * All of them are for a network without loss whose round trip is at most rtt_us, and for an
 * instance that gets to run; what the process was late is to be added.
 */
#pragma once

#include "control/pair/ctl_pair.h"

/**
 * From the death of the active member to the step that leaves it (for another one, or for UNKNOWN).
 * Its last good answer may have been sent just before; the next probe goes out one oos-check after
 * the one that was answered, waits probe-timeout, and `fall` of them must fail, each one begun when
 * its period is over and the one before it has failed:
 *
 *   rtt + oos-check + (fall - 1) * max(oos-check, probe-timeout) + probe-timeout
 *
 * @return 0 when the settings promise nothing: oos-check 0 leaves it to suspicion.
 */
uint64_t sim_bound_detect(const struct ctl_pair_conf *conf, uint64_t rtt_us);

/**
 * The same by live traffic, from the first request that is lost: T1 until it is said to be
 * unanswered, CTL_PAIR_COOL_US when a suspicion was cleared just before, and a burst of
 * CTL_PAIR_BURST steps. Also while oos-check is 0.
 */
uint64_t sim_bound_suspect(void);

/**
 * In UNKNOWN and OUT-OF-SERVICE, from the moment that a member begins to answer to the switch to
 * it: its probe under way may have had its last send already and must fail first (probe-timeout),
 * then its turn comes within one round of n members; a burst to the member that was active before
 * our own link was lost goes first.
 *
 *   probe-timeout + n * oos-force + burst + rtt
 */
uint64_t sim_bound_search(const struct ctl_pair_conf *conf, unsigned int n, uint64_t rtt_us);

/** From UNKNOWN to OUT-OF-SERVICE, when none of n members answers: one round, the last one's
 * timeout, and the probe of before the round. */
uint64_t sim_bound_missed(const struct ctl_pair_conf *conf, unsigned int n);

/**
 * Failback `immediate`: from the moment that a better member answers well, is not held, and nothing
 * else stands against it, to the return: a probe of before must end, then `rise` are answered.
 */
uint64_t sim_bound_immediate(const struct ctl_pair_conf *conf, uint64_t rtt_us);

/**
 * Failback `timed`, likewise: the round under way may have passed it, and waits 64*T1 for each of
 * the n_better members that are better than the active one and stay silent; then the interval, then
 * a round until its turn.
 */
uint64_t sim_bound_timed(const struct ctl_pair_conf *conf, unsigned int n_better);
