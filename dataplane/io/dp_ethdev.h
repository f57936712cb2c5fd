/*
 * One DPDK Ethernet device from its device string to its queues, and back. Used for the configured
 * ports and for the exception netdevs. Main thread, while no worker uses the device; afterwards the
 * fields are read only, and queue q belongs to the worker that was given it.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/io/dp_device.h"
#include "dataplane/io/dp_failure.h"

struct rte_mempool;

struct dp_ethdev_params {
	const char *what;   /* "port net0", for failures */
	const char *device; /* device string */
	uint16_t n_queues;  /* wanted, of each direction; the device may have fewer */
	uint16_t rx_ring;   /* 0: the device's default */
	uint16_t tx_ring;
	bool offloads;            /* use checksum offloads where there are some */
	bool interrupts;          /* use receive interrupts where there are some */
	struct rte_mempool *pool; /* borrowed: received packets lie there */
};

struct dp_ethdev {
	bool open;
	char device[DP_DEVICE_SIZE]; /* its string */
	uint16_t id;                 /* DPDK's port number */
	uint16_t n_queues;
	uint16_t rx_ring, tx_ring;
	uint8_t mac[6];
	bool interrupts;          /* its receive queues have some */
	bool tx_udp_sum;          /* it sums UDP over IPv4 and IPv6 where a packet asks for it */
	char netdev[IF_NAMESIZE]; /* the kernel netdev that it is, or takes its packets from; "" */
};

/**
 * Probe and set up all but what start does.
 * @return 0 or -1 with *f; nothing is left behind then.
 */
int dp_ethdev_open(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f);

/** Let packets flow. @return as above, and the device is still open. */
int dp_ethdev_start(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f);

/** Stop, close and remove it. Fine for one that is not open. */
void dp_ethdev_close(struct dp_ethdev *d);
