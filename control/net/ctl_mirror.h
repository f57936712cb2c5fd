/*
 * The kernel mirror: links, addresses, routes and neighbours of the exception netdevs, followed by
 * netlink and handed on as a struct ctl_net_view. Control thread.
 *
 * Neighbours are followed change by change. Links, addresses and routes are small and seldom
 * change, and the kernel does not tell of every route that goes with a link: a notification about
 * them only says that the table is to be read anew, at once, but not more often than a tenth of
 * the time would allow for that. What the kernel could not tell (ENOBUFS) leads to reading all
 * anew. Reading never blocks the loop.
 *
 * The first change is handed on at once, further ones at most every 5 ms.
 *
 * When the data plane dies, its netdevs go and the kernel forgets all about them. The mirror then
 * stands still instead of publishing the loss: what was published serves the successor. From the
 * first sign it waits for ctl_mirror_suspend(), 200 ms for a netdev that is down, 10 s for one that
 * is gone; with that it keeps quiet until ctl_mirror_resume().
 */
#pragma once

#include <event2/event.h>

#include "control/net/ctl_netlink.h"
#include "control/snapshot/ctl_snapshot.h"

struct ctl_mirror;

struct ctl_mirror_params {
	struct event_base *base;
	struct ctl_netlink *netlink; /* borrowed: for what the kernel is to do about neighbours */
	/* Put a view in force. @return false to be called again 5 ms later. Borrows the view. */
	bool (*publish)(void *arg, const struct ctl_net_view *view);
	/* The ports' netdevs have gone or are about to (true), or all is there and handed on again.
	 * May be NULL. */
	void (*away)(void *arg, bool away);
	void *arg;
};

/** @return NULL with errno. Suspended until ctl_mirror_resume(). */
struct ctl_mirror *ctl_mirror_new(const struct ctl_mirror_params *p);
void ctl_mirror_free(struct ctl_mirror *m);

/** Stand still: the ports' netdevs are gone, or about to be. */
void ctl_mirror_suspend(struct ctl_mirror *m);

/**
 * Read all anew, for these netdevs, then follow. Neighbours that were valid when the mirror was
 * suspended are taught to the kernel, which confirms them when they are used.
 * @param ifindex  Of each port; 0: it has none.
 */
void ctl_mirror_resume(struct ctl_mirror *m, unsigned int n_ports, const unsigned int *ifindex);

/** Whether everything has been read and handed on since the last ctl_mirror_resume(). */
bool ctl_mirror_in_step(const struct ctl_mirror *m);

/** How often the kernel could not tell all and everything was read anew. */
uint64_t ctl_mirror_overflows(const struct ctl_mirror *m);

/** A worker misses a next hop: have the kernel resolve it. */
void ctl_mirror_miss(struct ctl_mirror *m, unsigned int port, const struct sip_ip *ip);

/** A worker uses a next hop: have the kernel confirm it, if it is about to doubt it. */
void ctl_mirror_used(struct ctl_mirror *m, unsigned int port, const struct sip_ip *ip);
