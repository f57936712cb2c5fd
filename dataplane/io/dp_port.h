/*
 * A configured port: its device, and the netdev by which the kernel keeps living on it. Main thread
 * to open and close; workers use the device's queues and read the fields. Ports with different
 * VLANs may share a device: the first of them has it, the others know it.
 *
 * The exception netdev carries the port's name and MAC. It is a virtio_user device on
 * /dev/vhost-net where that exists, else a net_tap one. It is made when the port opens and is gone
 * when the process is, however it ends.
 */
#pragma once

#include "dataplane/dp_region.h"
#include "dataplane/io/dp_device.h"
#include "dataplane/io/dp_ethdev.h"
#include "dataplane/io/dp_pools.h"

struct dp_port {
	const struct dp_boot_port *boot; /* borrowed from the region */
	unsigned int device;        /* the port whose device it is: itself, or an earlier one */
	struct dp_ethdev dev;       /* `open` only in the port that has it */
	struct dp_ethdev exception; /* as many queues as dev */
	bool exception_tap;         /* it is a TUN device */
	uint16_t mtu;
	uint16_t exception_mtu; /* of the netdev at the start: less where it cannot take as much */
	uint16_t vlan;          /* 802.1Q tag of all that it sends and takes; 0: none */
	uint16_t frame_max;     /* longest frame that may be given to dev */
	unsigned int ifindex;   /* of the exception netdev */
	unsigned int n_claims;  /* on the netdevs below dev */
	int claims[DP_DEVICE_PARTS];
};

/**
 * Open a port and its exception netdev. A predecessor that was just killed may still hold the
 * device or the netdev's name: it is given DP_PORT_RETRY_MS to let go.
 * @param ports  As in boot->ports; those before `index` are open.
 * @param index  Of the port. Out: ports[index].
 * @param pools  Borrowed for the port's life.
 * @return 0 or -1 with *f; nothing is left behind then.
 */
#define DP_PORT_RETRY_MS 1500
int dp_port_open(struct dp_port *ports, const struct dp_boot *boot, unsigned int index,
		 const struct dp_pools *pools, struct dp_failure *f);

/** Fine for one that is not open. */
void dp_port_close(struct dp_port *p);

/** Whether a worker can wait for what comes on it. @param what  Out: what it is that says nothing.
 */
bool dp_port_wakes(const struct dp_port *p, const char **what);

bool dp_port_link_up(const struct dp_port *p);

/** Speed in Mbit/s, 0 when unknown. */
uint32_t dp_port_speed(const struct dp_port *p);
