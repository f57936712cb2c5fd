/*
 * Whether two configuration blocks say the same, wherever in them things are.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/** All but look-ups by address and serial. @return NULL, or what differs (static storage). */
const char *cfg_same_rows(const struct dp_cfg *a, const struct dp_cfg *b);

/** What is found at an endpoint: a member, and who a source is. @return as above. */
const char *cfg_same_at(const struct dp_cfg *a, const struct dp_cfg *b,
			const struct dp_endpoint *at);
