/* The ports' exception netdevs, all of them. */
#include <errno.h>
#include <stdio.h>

#include "control/base/ctl_log.h"
#include "control/daemon/ctl_daemon.h"
#include "control/net/ctl_netdev.h"

int ctl_ports_add(struct ctl_daemon *d, const struct ctl_model *m, char *err)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		unsigned int ifindex = d->region->port[i].exception_ifindex;
		int ret;

		if (!ifindex) {
			snprintf(err, CTL_NETDEV_ERROR_SIZE,
				 "port %s: the data plane has no exception netdev for it",
				 m->ports[i].name);
			return -ENODEV;
		}
		ret = ctl_netdev_add(d->netlink, ifindex, &m->ports[i], err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void ctl_ports_settle(struct ctl_daemon *d, const struct ctl_model *m)
{
	/* A data plane that is on its way brings new netdevs, which are set up then. */
	for (size_t i = 0; i < m->n_ports && ctl_link_state(d->link) == CTL_LINK_UP; i++) {
		unsigned int ifindex = d->region->port[i].exception_ifindex;
		char err[CTL_NETDEV_ERROR_SIZE];

		if (ifindex && ctl_netdev_settle(d->netlink, ifindex, &m->ports[i], err) < 0)
			ctl_log(LOG_ERR, "%s", err);
	}
}

void ctl_ports_follow(struct ctl_daemon *d)
{
	unsigned int ifindex[DP_MAX_PORTS];
	unsigned int n = d->region->boot.n_ports;

	for (unsigned int i = 0; i < n; i++)
		ifindex[i] = d->region->port[i].exception_ifindex;
	ctl_mirror_resume(d->mirror, n, ifindex);
}
