/*
 * Which worker a message belongs to. A transaction has one owner, the worker that has its record;
 * its number is in our branch (steer_branch), so a response names its owner itself. The requests
 * of a source that is spread (struct steer_in) belong to the worker that their Call-ID names,
 * unless the one that received them has their record. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/dp_cfg.h"

/** Whether the owner that a branch names is another one of n workers. STEER_NO_OWNER is none. */
static inline bool steer_owner_is_other(unsigned int owner, unsigned int worker,
					unsigned int n_workers)
{
	return owner != worker && owner < n_workers;
}

/**
 * The worker that a Call-ID names, below n_workers (at least 1). Evenly spread, and, with the key
 * secret, nobody can choose Call-IDs that all name the same.
 */
unsigned int steer_owner_of_call(const struct dp_secret *key, const uint8_t *call_id, size_t len,
				 unsigned int n_workers);
