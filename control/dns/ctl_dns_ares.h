/*
 * Questions to resolvers: one c-ares channel on the control thread's event base. c-ares makes the
 * sockets, the identifiers and the checks (identifier, question, the server's address), tries the
 * resolvers in turn, and goes to TCP when an answer is truncated; here its sockets and its timeouts
 * become events, so that nothing ever waits. Control thread.
 */
#pragma once

#include <event2/event.h>

#include "control/config/ctl_model.h"
#include "control/dns/ctl_dns_lookup.h"

struct ctl_dns_ares;

/**
 * @param set  Resolvers and timeouts; copied.
 * @param why  Out: what is wrong, at least 128 bytes.
 * @return NULL with *why.
 */
struct ctl_dns_ares *ctl_dns_ares_new(struct event_base *base, const struct ctl_dns_settings *set,
				      char *why);

/** Forgets all questions; no callback comes. NULL is fine. */
void ctl_dns_ares_free(struct ctl_dns_ares *r);

/** What a lookup asks through; valid as long as r. */
const struct ctl_dns_io *ctl_dns_ares_io(struct ctl_dns_ares *r);

/** The resolvers in use, as "192.0.2.53, [2001:db8::53]:5353". */
void ctl_dns_ares_servers(const struct ctl_dns_ares *r, char *text, size_t size);
