/*
 * What a snapshot has prepared of our own header fields: the text that depends on a listener or a
 * member alone, keys in hexadecimal digits among it, so that a request copies it whole. Filled when
 * the snapshot is built, by control; pure.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/* RFC 3261 20.42, 20.30: what stands around a listener's address and port in our Via, and in our
 * Record-Route. */
#define STEER_VIA_HEAD   "Via: SIP/2.0/UDP "
#define STEER_VIA_TAIL   ";rport;branch=z9hG4bKss"
#define STEER_ROUTE_HEAD "Record-Route: <sip:"
#define STEER_ROUTE_TAIL ";lr;ss="

#define STEER_HOSTPORT_MAX 47 /* "[" 39 "]:" 5 */

/** Fill a listener's texts and digits; its key is there.
 * @param hostport  Of len bytes, STEER_HOSTPORT_MAX at most. */
void steer_prepare_listener(struct dp_listener *l, const char *hostport, size_t len);

/** Fill a member's digits; its key is there. */
void steer_prepare_member(struct dp_member *m, uint32_t pair_key);
