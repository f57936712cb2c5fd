/*
 * What sipsteerd answers: the table of its JSON-RPC methods. Control thread.
 */
#pragma once

#include "control/daemon/ctl_daemon.h"

/** Serve d->listener with all methods; followers get the history's events. @return NULL when out of
 * memory. */
struct ctl_rpc *ctl_methods_serve(struct ctl_daemon *d);

/** Stop serving; d->rpc is freed. */
void ctl_methods_end(struct ctl_daemon *d);

/* What the larger answers are made of; the caller owns them. NULL: out of memory. */

/** Counters: { workers, ports, members, in_flight, reasons, snapshot } (ctl_stats.c). */
json_t *ctl_stats_json(const struct ctl_daemon *d);

/** Requests in flight, over all workers, and one member's share (ctl_stats_flight.c). */
json_t *ctl_flight_json(const struct ctl_daemon *d);
json_t *ctl_member_live_json(const struct dp_member_counters *c);

/** The network as the fast path sees it: { ports, addresses, routes, neighbours }. */
json_t *ctl_net_json(const struct ctl_daemon *d);

/** Services of the model in force. */
json_t *ctl_services_json(const struct ctl_daemon *d);

/** Versions, processes, state. */
json_t *ctl_version_json(const struct ctl_daemon *d);
