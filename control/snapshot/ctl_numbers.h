/*
 * Stable numbers: which number a pair has and which slot a member, across reloads and restarts of
 * control. A number whose owner is gone is not given to another until a grace period has passed.
 * Control thread.
 */
#pragma once

#include "control/config/ctl_model.h"

struct ctl_numbers;

#define CTL_NUMBER_GRACE_MS \
	64000 /* twice 64*T1: nothing that names the old owner is in flight any more */

struct ctl_numbers *ctl_numbers_new(void);
void ctl_numbers_free(struct ctl_numbers *n);

/** Learn what a published snapshot uses (a restarted control adopts these). @return 0 or -ENOMEM.
 */
int ctl_numbers_adopt(struct ctl_numbers *n, const struct dp_cfg *cfg);

/**
 * Give every pair and member of the model its number and slot; what was there keeps its own.
 * @param now_ms  Monotonic milliseconds, for the grace period.
 * @return 0, -ENOMEM, or -ENOSPC (too many pairs, or a pair without free slot); unchanged on
 * failure.
 */
int ctl_numbers_assign(struct ctl_numbers *n, const struct ctl_model *m, uint64_t now_ms);

/**
 * Which members would get a slot, if a pair had these, the first ones before the others.
 * @param fits  Out, one for each name.
 */
void ctl_numbers_fit(const struct ctl_numbers *n, const char *pair, const char *const *names,
		     size_t n_names, uint64_t now_ms, bool *fits);

/** Number of a pair by name, or -ENOENT. */
int ctl_numbers_pair(const struct ctl_numbers *n, const char *pair);

/** Slot of a member of the pair with a number that ctl_numbers_pair() gave, or -ENOENT. */
int ctl_numbers_slot_of(const struct ctl_numbers *n, int number, const char *member);

/** Slot of a member by names, or -ENOENT. */
int ctl_numbers_slot(const struct ctl_numbers *n, const char *pair, const char *member);
