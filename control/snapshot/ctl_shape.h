/*
 * A hash of all that a configuration block is made of, but for the members and the settings of
 * pairs: blocks of one shape differ in the rows of pairs alone, and in what is looked up by
 * members' addresses. Control thread.
 */
#pragma once

#include "control/snapshot/ctl_seats.h"
#include "control/snapshot/ctl_snapshot.h"

uint64_t ctl_shape(const struct ctl_model *m, const struct ctl_seats *seats,
		   const struct ctl_secrets *secrets);
