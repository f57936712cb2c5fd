#include "dataplane/io/dp_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/io/dp_caps.h"
#include "dataplane/io/dp_eal.h"
#include "dataplane/io/dp_eal_args.h"
#include "dataplane/io/dp_netdev.h"
#include "dataplane/io/dp_vlan.h"
#include "dataplane/io/dp_wake.h"

#define MTU_DEFAULT       1500
#define EXCEPTION_RX_RING 64
#define EXCEPTION_TX_RING 256
#define TAP_MTU_MAX       1500 /* net_tap of DPDK 22.11 drops longer packets */
#define VHOST_NET         "/dev/vhost-net"
#define RETRY_US          50000

static bool is_af_xdp(const struct dp_boot_port *b)
{
	return dp_device_has(b->device, "net_af_xdp");
}

/* The next kernel netdev, from part *i on, that a device or its members take their packets from. */
static bool netdev_below(const struct dp_boot_port *b, unsigned int *i, char *iface, size_t size)
{
	char part[DP_DEVICE_SIZE];

	while (dp_device_part(b->device, (*i)++, part)) {
		if (dp_device_iface(part, iface, size))
			return true;
	}
	return false;
}

/* What no waiting mends. */
static int check(const struct dp_boot_port *b, struct dp_failure *f)
{
	char iface[64], caps[128];
	unsigned int part = 0;

	if (dp_caps_missing(dp_caps_effective(), dp_caps_for(b->device), caps, sizeof(caps)))
		return dp_fail(
			f,
			"port %s: device \"%s\" cannot be opened without %s; run this as root, or "
			"give it these capabilities",
			b->name, b->device, caps);
	while (netdev_below(b, &part, iface, sizeof(iface))) {
		if (dp_netdev_index(iface) == 0)
			return dp_fail(
				f,
				"port %s: device \"%s\": there is no network interface %s; create "
				"it, or correct `device:`",
				b->name, b->device, iface);
	}
	return 0;
}

static int claim(struct dp_port *p, struct dp_failure *f)
{
	char iface[64];
	unsigned int part = 0;

	while (p->n_claims < DP_DEVICE_PARTS
	       && netdev_below(p->boot, &part, iface, sizeof(iface))) {
		int fd = dp_netdev_claim(iface);

		if (fd == -EADDRINUSE)
			return dp_fail(
				f,
				"port %s: another data plane uses network interface %s; stop that "
				"one, or choose another `device:`",
				p->boot->name, iface);
		if (fd < 0)
			return dp_fail(f, "port %s: network interface %s cannot be claimed: %s",
				       p->boot->name, iface, strerror(-fd));
		p->claims[p->n_claims++] = fd;
	}
	return 0;
}

/* The largest MTU of the ports that share a port's device, 0: none of them says. */
static uint16_t device_mtu(const struct dp_boot *boot, unsigned int index)
{
	struct dp_vlans v;
	uint16_t most = 0;

	dp_vlans_of(boot, index, &v);
	for (unsigned int i = 0; i < v.n; i++) {
		uint16_t mtu = boot->ports[v.row[i].port].mtu;

		most = mtu > most ? mtu : most;
	}
	return most;
}

static void set_frame_max(struct dp_port *p)
{
	p->frame_max = (uint16_t)(p->mtu + RTE_ETHER_HDR_LEN + (p->vlan ? RTE_VLAN_HLEN : 0));
}

static int set_mtu(struct dp_port *p, uint16_t wanted, struct rte_mempool *pool,
		   struct dp_failure *f)
{
	uint16_t now = p->dev.netdev[0] ? dp_netdev_mtu(p->dev.netdev) : MTU_DEFAULT;
	uint16_t room = (uint16_t)(rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM);
	int ret = 0;

	wanted = wanted ? wanted : now;
	p->mtu = p->boot->mtu ? p->boot->mtu : wanted;
	if (wanted != now)
		ret = rte_eth_dev_set_mtu(p->dev.id, wanted);
	if (ret != 0)
		return dp_fail(
			f, "port %s: device \"%s\" refuses an MTU of %u: %s; choose another `mtu:`",
			p->boot->name, p->boot->device, wanted, strerror(-ret));
	if (wanted + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN > room)
		return dp_fail(
			f,
			"port %s: an MTU of %u is more than the %u bytes that packet buffers "
			"have; set `mtu:` for the port",
			p->boot->name, wanted, room);
	set_frame_max(p);
	return 0;
}

/*
 * Neighbour discovery and routing daemons need multicast. VRRP's routers have MACs that they share
 * (RFC 5798 7.3), and the kernel may give its netdev another one: so what comes for any MAC is let
 * in, and the kernel sorts out what is not its own.
 */
static void let_all_in(const struct dp_port *p)
{
	bool all = rte_eth_promiscuous_enable(p->dev.id) == 0;

	if (rte_eth_allmulticast_enable(p->dev.id) == 0
	    || (p->dev.netdev[0] && dp_netdev_set_allmulti(p->dev.netdev) == 0) || all) {
		if (!all)
			fprintf(stderr,
				"port %s: the device takes nothing for MACs but its own; VRRP's "
				"shared ones will not work on it\n",
				p->boot->name);
		return;
	}
	fprintf(stderr,
		"port %s: the device cannot be told to receive multicast; IPv6 may not work on "
		"it\n",
		p->boot->name);
}

/* net_af_xdp takes the queues that it is told of; the kernel spreads packets over all of them. */
static void warn_of_lost_queues(const struct dp_port *p)
{
	unsigned int all = dp_netdev_rx_queues(p->dev.netdev);

	if (p->dev.netdev[0] && is_af_xdp(p->boot) && all > p->dev.n_queues)
		fprintf(stderr,
			"port %s: %u of the %u receive queues of %s are taken, what comes on the "
			"others is lost; set ethtool -L %s combined %u (or rx and tx), or raise "
			"queue_count= and `workers:`\n",
			p->boot->name, p->dev.n_queues, all, p->dev.netdev, p->dev.netdev,
			p->dev.n_queues);
}

/* The netdevs that are bypassed. */
static void prepare_netdevs(const struct dp_port *p)
{
	char iface[64];
	unsigned int part = 0;

	while (netdev_below(p->boot, &part, iface, sizeof(iface))) {
		if (dp_netdev_disable_ipv6(iface) == 1)
			fprintf(stderr, "port %s: IPv6 switched off on %s, which is bypassed\n",
				p->boot->name, iface);
		dp_netdev_set_up(iface);
	}
}

static int open_device(struct dp_port *p, const struct dp_boot *boot, struct rte_mempool *pool,
		       struct dp_failure *f)
{
	char what[DP_NAME_SIZE + 8];
	struct dp_ethdev_params params = {
		.what = what,
		.device = p->boot->device,
		.n_queues = boot->n_workers,
		.rx_ring = boot->rx_descriptors,
		.tx_ring = boot->tx_descriptors,
		.offloads = true,
		.interrupts = boot->idle != DP_IDLE_POLL && !dp_wake_knows(p->boot->device)
			      && !dp_device_has(p->boot->device, "net_bonding"),
		.pool = pool,
	};

	snprintf(what, sizeof(what), "port %s", p->boot->name);
	if (dp_ethdev_open(&p->dev, &params, f) != 0)
		return -1;
	prepare_netdevs(p);
	warn_of_lost_queues(p);
	if (set_mtu(p, device_mtu(boot, p->device), pool, f) != 0
	    || dp_ethdev_start(&p->dev, &params, f) != 0)
		return -1;
	let_all_in(p);
	return 0;
}

static void exception_device(const struct dp_port *p, unsigned int index, bool vhost, char *device,
			     size_t size)
{
	const uint8_t *m = p->dev.mac;

	if (vhost)
		snprintf(device, size,
			 "virtio_user%u,path=" VHOST_NET ",queues=%u,queue_size=%u,iface=%s,"
			 "mac=%02x:%02x:%02x:%02x:%02x:%02x",
			 index, p->dev.n_queues, EXCEPTION_TX_RING, p->boot->name, m[0], m[1], m[2],
			 m[3], m[4], m[5]);
	else
		snprintf(device, size, "net_tap%u,iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x",
			 index, p->boot->name, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static int open_exception(struct dp_port *p, const struct dp_boot *boot, unsigned int index,
			  struct rte_mempool *pool, struct dp_failure *f)
{
	bool vhost = access(VHOST_NET, R_OK | W_OK) == 0;
	char what[DP_NAME_SIZE + 24], device[256];
	struct dp_ethdev_params params = {
		.what = what,
		.device = device,
		.n_queues = p->dev.n_queues,
		.rx_ring = EXCEPTION_RX_RING,
		.tx_ring = EXCEPTION_TX_RING,
		.interrupts = vhost && boot->idle != DP_IDLE_POLL,
		.pool = pool,
	};
	uint16_t mtu = p->mtu;

	snprintf(what, sizeof(what), "exception netdev %s", p->boot->name);
	if (dp_netdev_index(p->boot->name) != 0)
		return dp_fail(
			f,
			"port %s: a network interface of that name exists already; remove it, "
			"or give the port another `name:`",
			p->boot->name);
	exception_device(p, index, vhost, device, sizeof(device));
	if (dp_ethdev_open(&p->exception, &params, f) != 0)
		return -1;
	if (p->exception.n_queues != p->dev.n_queues)
		return dp_fail(f, "%s: has %u queues where %u are needed; use fewer workers", what,
			       p->exception.n_queues, p->dev.n_queues);
	if (!vhost && mtu > TAP_MTU_MAX) {
		fprintf(stderr, "port %s: without " VHOST_NET " its netdev's MTU is %u\n",
			p->boot->name, TAP_MTU_MAX);
		mtu = TAP_MTU_MAX;
	}
	if (rte_eth_dev_set_mtu(p->exception.id, mtu) != 0)
		dp_netdev_set_mtu(p->boot->name, mtu);
	p->exception_mtu = mtu;
	p->exception_tap = !vhost;
	dp_netdev_set_mac(p->boot->name, p->dev.mac);
	if (dp_ethdev_start(&p->exception, &params, f) != 0)
		return -1;
	dp_netdev_set_up(p->boot->name);
	p->ifindex = dp_netdev_index(p->boot->name);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The device is another port's, which is open. */
static void share_device(struct dp_port *p, const struct dp_port *owner)
{
	p->dev = owner->dev;
	p->dev.open = false;
	p->mtu = p->boot->mtu ? p->boot->mtu : owner->mtu;
	set_frame_max(p);
}

/* Where a port is on its way to being open. */
struct opening {
	struct dp_port *p;
	const struct dp_boot *boot;
	unsigned int index;
	struct rte_mempool *pool;
};

static int step_device(struct opening *o, struct dp_failure *f)
{
	if (claim(o->p, f) == 0 && open_device(o->p, o->boot, o->pool, f) == 0)
		return 0;
	dp_port_close(o->p);
	return -1;
}

/* The device stays open meanwhile: DPDK 22.11's AF_XDP driver keeps a closed queue's socket, so
 * that it cannot be opened again by the same process. */
static int step_exception(struct opening *o, struct dp_failure *f)
{
	if (open_exception(o->p, o->boot, o->index, o->pool, f) == 0)
		return 0;
	dp_ethdev_close(&o->p->exception);
	return -1;
}

/* What a predecessor that was just killed still holds will soon be free. */
static int try_until(uint64_t end_ms, struct opening *o,
		     int (*step)(struct opening *, struct dp_failure *), struct dp_failure *f)
{
	for (;;) {
		struct dp_failure this = { 0 };

		dp_eal_log_forget();
		if (step(o, &this) == 0)
			return 0;
		if (now_ms() >= end_ms)
			return dp_fail(f, "%s", this.text);
		usleep(RETRY_US);
	}
}

int dp_port_open(struct dp_port *ports, const struct dp_boot *boot, unsigned int index,
		 const struct dp_pools *pools, struct dp_failure *f)
{
	struct dp_port *p = &ports[index];
	struct opening o = { p, boot, index, pools->packets };
	uint64_t end = now_ms() + DP_PORT_RETRY_MS;
	bool shares;

	*p = (struct dp_port){ .boot = &boot->ports[index],
			       .device = dp_vlan_device(boot, index),
			       .vlan = boot->ports[index].vlan };
	shares = p->device != index;
	if (check(p->boot, f) != 0)
		return -1;
	if (!pools->packed && is_af_xdp(p->boot))
		return dp_fail(f,
			       "port %s: device \"%s\" cannot be used beside a PCI device, nor in "
			       "scattered memory; use the PCI driver of that network card",
			       p->boot->name, p->boot->device);
	if (shares)
		share_device(p, &ports[p->device]);
	if ((shares || try_until(end, &o, step_device, f) == 0)
	    && try_until(end, &o, step_exception, f) == 0)
		return 0;
	dp_port_close(p);
	return -1;
}

void dp_port_close(struct dp_port *p)
{
	dp_ethdev_close(&p->exception);
	dp_ethdev_close(&p->dev);
	while (p->n_claims)
		close(p->claims[--p->n_claims]);
	p->ifindex = 0;
}

bool dp_port_wakes(const struct dp_port *p, const char **what)
{
	*what = NULL;
	if (!dp_wake_knows(p->boot->device) && !p->dev.interrupts)
		*what = "its device";
	else if (!p->exception_tap && !p->exception.interrupts)
		*what = "its exception netdev";
	return *what == NULL;
}

bool dp_port_link_up(const struct dp_port *p)
{
	struct rte_eth_link link;

	/* net_af_xdp and net_af_packet know nothing of the carrier of the netdev below them. */
	if (p->dev.netdev[0])
		return dp_netdev_running(p->dev.netdev);
	return rte_eth_link_get_nowait(p->dev.id, &link) == 0 && link.link_status;
}

uint32_t dp_port_speed(const struct dp_port *p)
{
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(p->dev.id, &link) != 0
	    || link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN)
		return 0;
	return link.link_speed;
}
