/*
 * The flow label of what we send over IPv6 (RFC 6437): a keyed function of where it goes, so that a
 * router's "packet too big" that quotes it is known to have seen a packet of ours on that way. A
 * response to a client has nothing else by which it could be told: our Via is gone from it. Pure;
 * any thread.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/**
 * @param key  Spread (steer_secret_spread()); this data plane's own.
 * @return 20 bits, never 0, which would say that the flow has no label.
 */
uint32_t dp_flow_label(const struct dp_secret *key, const struct dp_endpoint *from,
		       const struct dp_endpoint *to);
