/*
 * Parts of a configuration block that are made from several rows: who a source is, and which pair a
 * hash selects. Both append to a block that begins with a struct dp_cfg whose services and pairs
 * are filled in. Control thread.
 */
#pragma once

#include "control/snapshot/ctl_block.h"
#include "control/snapshot/ctl_numbers.h"

/** Fill `sources` and its hash, for which the block has room already. number: of each pair. */
void ctl_build_sources(struct ctl_block *b, const struct ctl_model *m, const struct ctl_numbers *n,
		       const uint16_t *number);

/** Append each service's Maglev table: taken over from `old` (NULL: none) where its pairs and
 * weights are the same. */
void ctl_build_maglev(struct ctl_block *b, const struct ctl_model *m, const struct dp_cfg *old);
