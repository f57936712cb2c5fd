/*
 * The configuration half of the snapshot to come, kept from one publication to the next: a change
 * of some pairs' members or settings is made in place, and costs what changed; all else is built
 * from nothing. Either way it says what the model says. Control thread.
 */
#pragma once

#include "control/snapshot/ctl_snapshot.h"

struct ctl_draft;

struct ctl_draft *ctl_draft_new(void);
void ctl_draft_free(struct ctl_draft *d);

/**
 * Bring the draft to what the model says.
 * @param n    Has numbers for all of the model.
 * @param old  What is in force: the draft's serial is one more. NULL: nothing is.
 * @return     To be published; borrowed until the next call. NULL when out of memory.
 */
const struct dp_cfg *ctl_draft_update(struct ctl_draft *d, const struct ctl_model *m,
				      const struct ctl_numbers *n,
				      const struct ctl_secrets *secrets, const struct dp_cfg *old);

/** Of the last update. */
struct ctl_draft_stats {
	bool whole;   /* built from nothing */
	size_t pairs; /* else: how many were written */
};

struct ctl_draft_stats ctl_draft_stats(const struct ctl_draft *d);
