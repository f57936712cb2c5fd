#include "dataplane/io/dp_ethdev.h"

#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "dataplane/io/dp_device.h"
#include "dataplane/io/dp_eal.h"

#define RING_DEFAULT 1024

/* A sentence about a device, with DPDK's own last error in it. */
static int fail(const struct dp_ethdev_params *p, const char *what, int err, struct dp_failure *f)
{
	char why[256];

	return dp_fail(f, "%s: device \"%s\" %s: %s%s", p->what, p->device, what, strerror(-err),
		       dp_eal_error(why, sizeof(why)));
}

/* The members of a bonded device have to be there before it. */
static int probe_members(const struct dp_ethdev_params *p, struct dp_failure *f)
{
	char part[DP_DEVICE_SIZE], why[256];

	for (unsigned int i = 1; dp_device_part(p->device, i, part); i++) {
		int ret = rte_dev_probe(part);

		if (ret != 0 && ret != -EEXIST)
			return dp_fail(f,
				       "%s: member \"%s\" of \"%s\" cannot be opened%s; check that "
				       "it exists, and that nobody else uses it",
				       p->what, part, p->device, dp_eal_error(why, sizeof(why)));
	}
	return 0;
}

static void remove_members(const char *device)
{
	char part[DP_DEVICE_SIZE], name[DP_DEVICE_SIZE];

	for (unsigned int i = 1; dp_device_part(device, i, part); i++) {
		struct rte_eth_dev_info info;
		uint16_t id;

		dp_device_name(part, name);
		if (rte_eth_dev_get_port_by_name(name, &id) != 0
		    || rte_eth_dev_info_get(id, &info) != 0)
			continue;
		rte_eth_dev_stop(id);
		rte_eth_dev_close(id);
		rte_dev_remove(info.device);
	}
}

static int probe(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f)
{
	struct rte_dev_iterator it;
	uint16_t id;
	char why[256], part[DP_DEVICE_SIZE];
	int ret;

	if (probe_members(p, f) != 0) {
		remove_members(p->device);
		return -1;
	}
	dp_device_part(p->device, 0, part);
	ret = rte_dev_probe(part);
	if (ret != 0 && ret != -EEXIST)
		return dp_fail(
			f,
			"%s: device \"%s\" cannot be opened%s; check that it exists, that its "
			"driver is installed, that nobody else uses it, and that this user may",
			p->what, p->device, dp_eal_error(why, sizeof(why)));
	RTE_ETH_FOREACH_MATCHING_DEV(id, part, &it)
	{
		d->id = id;
		d->open = true;
		rte_eth_iterator_cleanup(&it);
		return 0;
	}
	return dp_fail(f, "%s: device \"%s\" is no network device; correct `device:`", p->what,
		       p->device);
}

static uint16_t power_of_two(uint16_t n)
{
	return (uint16_t)(n > 1 ? 1u << (32 - __builtin_clz(n - 1u)) : 1u);
}

static uint16_t ring_size(uint16_t wanted, uint16_t by_default)
{
	uint16_t n = wanted ? wanted : by_default ? by_default : RING_DEFAULT;

	return power_of_two(n > 32768 ? 32768 : n);
}

static uint16_t least(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

/* @param mtu  0: the device's own. */
static int configure_as(struct dp_ethdev *d, const struct dp_ethdev_params *p, uint16_t mtu,
			struct dp_failure *f)
{
	const uint64_t rx_sums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = { .rxmode.mtu = mtu, .intr_conf.rxq = d->interrupts };
	int ret = rte_eth_dev_info_get(d->id, &info);

	if (ret != 0)
		return fail(p, "does not describe itself", ret, f);
	d->n_queues = least(p->n_queues, least(info.max_rx_queues, info.max_tx_queues));
	d->rx_ring = ring_size(p->rx_ring, info.default_rxportconf.ring_size);
	d->tx_ring = ring_size(p->tx_ring, info.default_txportconf.ring_size);
	if (info.if_index && !if_indextoname(info.if_index, d->netdev))
		d->netdev[0] = '\0';
	if (p->offloads && (info.rx_offload_capa & rx_sums) == rx_sums)
		conf.rxmode.offloads |= rx_sums;
	if (p->offloads && (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM)) {
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
		d->tx_udp_sum = true;
	}
	if (d->n_queues > 1 && info.flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
	}
	ret = rte_eth_dev_configure(d->id, d->n_queues, d->n_queues, &conf);
	if (ret == 0)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(d->id, &d->rx_ring, &d->tx_ring);
	return ret == 0 ? 0 : fail(p, "cannot be configured", ret, f);
}

/* With receive interrupts, or without where the device or the way it is driven has none (virtio by
 * uio_pci_generic, say). */
static int configure(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f)
{
	struct dp_failure ignored = { 0 };

	d->interrupts = p->interrupts;
	if (d->interrupts && configure_as(d, p, 0, &ignored) == 0)
		return 0;
	d->interrupts = false;
	return configure_as(d, p, 0, f);
}

static int queues(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f)
{
	unsigned int socket = (unsigned int)rte_eth_dev_socket_id(d->id);
	struct rte_ether_addr mac;
	int ret = 0;

	for (uint16_t q = 0; q < d->n_queues && ret == 0; q++)
		ret = rte_eth_rx_queue_setup(d->id, q, d->rx_ring, socket, NULL, p->pool);
	for (uint16_t q = 0; q < d->n_queues && ret == 0; q++)
		ret = rte_eth_tx_queue_setup(d->id, q, d->tx_ring, socket, NULL);
	if (ret != 0)
		return fail(p, "gives no queues (does another program use it?)", ret, f);
	ret = rte_eth_macaddr_get(d->id, &mac);
	if (ret != 0)
		return fail(p, "has no MAC address", ret, f);
	memcpy(d->mac, mac.addr_bytes, sizeof(d->mac));
	return 0;
}

int dp_ethdev_open(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f)
{
	*d = (struct dp_ethdev){ 0 };
	snprintf(d->device, sizeof(d->device), "%s", p->device);
	if (probe(d, p, f) == 0 && configure(d, p, f) == 0 && queues(d, p, f) == 0)
		return 0;
	if (!d->open)
		remove_members(d->device);
	dp_ethdev_close(d);
	return -1;
}

/* Whether what was agreed to is there: not all drivers say at once that it is not. */
static bool has_interrupts(const struct dp_ethdev *d)
{
	for (uint16_t q = 0; q < d->n_queues; q++) {
		if (rte_eth_dev_rx_intr_enable(d->id, q) != 0
		    || rte_eth_dev_rx_intr_ctl_q_get_fd(d->id, q) < 0)
			return false;
		rte_eth_dev_rx_intr_disable(d->id, q);
	}
	return true;
}

/* Some drivers refuse interrupts only here. */
static int start_without(struct dp_ethdev *d, const struct dp_ethdev_params *p,
			 struct dp_failure *f)
{
	uint16_t mtu = 0;

	d->interrupts = false;
	rte_eth_dev_get_mtu(d->id, &mtu);
	if (configure_as(d, p, mtu, f) != 0 || queues(d, p, f) != 0)
		return -1;
	return dp_ethdev_start(d, p, f);
}

int dp_ethdev_start(struct dp_ethdev *d, const struct dp_ethdev_params *p, struct dp_failure *f)
{
	int ret = rte_eth_dev_start(d->id);

	if (ret != 0 && d->interrupts)
		return start_without(d, p, f);
	d->interrupts = d->interrupts && ret == 0 && has_interrupts(d);
	return ret == 0 ? 0 : fail(p, "cannot be started", ret, f);
}

void dp_ethdev_close(struct dp_ethdev *d)
{
	struct rte_eth_dev_info info;
	struct rte_device *dev = NULL;

	if (!d->open)
		return;
	if (rte_eth_dev_info_get(d->id, &info) == 0)
		dev = info.device;
	rte_eth_dev_stop(d->id);
	rte_eth_dev_close(d->id);
	if (dev)
		rte_dev_remove(dev);
	remove_members(d->device);
	d->open = false;
}
