/*
 * A configuration block from nothing, and its parts. What is appended to a block begins with a
 * struct dp_cfg whose services and pairs are filled in. Control thread.
 */
#pragma once

#include "control/snapshot/ctl_block.h"
#include "control/snapshot/ctl_seats.h"
#include "control/snapshot/ctl_snapshot.h"

/** As ctl_build_cfg(), with the model's numbers and slots. */
struct dp_cfg *ctl_build_seated(const struct ctl_model *m, const struct ctl_seats *seats,
				const struct ctl_secrets *secrets, const struct dp_cfg *old);

/** Make a member known by its address. @return false when there is no room. */
bool ctl_build_place(struct dp_cfg *c, uint16_t pair, uint8_t slot, const struct dp_endpoint *at);

/** Append the prefixes of sources. number: of each pair. */
void ctl_build_prefixes(struct ctl_block *b, const struct ctl_model *m, const uint16_t *number);

/** Append each service's Maglev table: taken over from `old` (NULL: none) where its pairs and
 * weights are the same. */
void ctl_build_maglev(struct ctl_block *b, const struct ctl_model *m, const struct dp_cfg *old);
