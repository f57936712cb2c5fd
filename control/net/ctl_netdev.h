/*
 * What control sets on a port's exception netdev: MTU, up, the configured addresses and routes.
 *
 * It owns what it added: addresses and routes there carry CTL_NETDEV_PROTO as their protocol (`ip
 * route` and `ip -d address` show it), so that a restarted control knows them for its own and a
 * reload takes away what left the configuration. What others put there (FRR, keepalived, an
 * operator) is left alone. Control thread.
 */
#pragma once

#include "control/config/ctl_model.h"
#include "control/net/ctl_netlink.h"

/* Not assigned in iproute2's rt_protos, nor used by the kernel. */
#define CTL_NETDEV_PROTO 155

#define CTL_NETDEV_ERROR_SIZE 320

/**
 * Add what the port's configuration wants and the netdev lacks; nothing is taken away.
 * @param err  CTL_NETDEV_ERROR_SIZE bytes: what could not be done, why, and what to do.
 * @return 0 or negative errno, with what came before the failure done.
 */
int ctl_netdev_add(struct ctl_netlink *nl, unsigned int ifindex, const struct ctl_port *port,
		   char *err);

/**
 * Take away what is ours and not in the port's configuration, then add what that may have taken
 * along (the kernel removes an address's secondaries and routes with it).
 * @return as ctl_netdev_add().
 */
int ctl_netdev_settle(struct ctl_netlink *nl, unsigned int ifindex, const struct ctl_port *port,
		      char *err);

/** Give a netdev a neighbour that was known before it was made anew: at once usable, and to be
 * confirmed by the kernel when used. The outcome is not awaited. */
void ctl_netdev_teach(struct ctl_netlink *nl, unsigned int ifindex, const struct sip_ip *ip,
		      const uint8_t mac[6]);

/** Have the kernel resolve or confirm a neighbour (NTF_USE). The outcome is not awaited: it comes
 * as a notification. */
void ctl_netdev_use(struct ctl_netlink *nl, unsigned int ifindex, const struct sip_ip *ip);
