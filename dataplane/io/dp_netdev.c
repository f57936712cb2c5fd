#include "dataplane/io/dp_netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

unsigned int dp_netdev_index(const char *name)
{
	return if_nametoindex(name);
}

static int ask(const char *name, unsigned long request, struct ifreq *ifr)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (s < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	ret = ioctl(s, request, ifr) == 0 ? 0 : -errno;
	close(s);
	return ret;
}

bool dp_netdev_running(const char *name)
{
	struct ifreq ifr = { 0 };

	return ask(name, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP)
	       && (ifr.ifr_flags & IFF_RUNNING);
}

uint16_t dp_netdev_mtu(const char *name)
{
	struct ifreq ifr = { 0 };

	if (ask(name, SIOCGIFMTU, &ifr) != 0 || ifr.ifr_mtu < 0)
		return 0;
	return (uint16_t)(ifr.ifr_mtu > UINT16_MAX ? UINT16_MAX : ifr.ifr_mtu);
}

unsigned int dp_netdev_rx_queues(const char *name)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq ifr = { .ifr_data = (void *)&c };

	return ask(name, SIOCETHTOOL, &ifr) == 0 ? c.combined_count + c.rx_count : 0;
}

int dp_netdev_set_mtu(const char *name, uint16_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	return ask(name, SIOCSIFMTU, &ifr);
}

int dp_netdev_set_mac(const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };

	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return ask(name, SIOCSIFHWADDR, &ifr);
}

static int set_flag(const char *name, short flag)
{
	struct ifreq ifr = { 0 };
	int ret = ask(name, SIOCGIFFLAGS, &ifr);

	if (ret != 0 || (ifr.ifr_flags & flag))
		return ret;
	ifr.ifr_flags |= flag;
	return ask(name, SIOCSIFFLAGS, &ifr);
}

int dp_netdev_set_up(const char *name)
{
	return set_flag(name, IFF_UP);
}

int dp_netdev_set_allmulti(const char *name)
{
	return set_flag(name, IFF_ALLMULTI);
}

int dp_netdev_disable_ipv6(const char *name)
{
	char path[128], now;
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (read(fd, &now, 1) != 1)
		ret = -EIO;
	else if (now == '0')
		ret = pwrite(fd, "1", 1, 0) == 1 ? 1 : -errno;
	close(fd);
	return ret;
}

/* A name among abstract sockets: they are as many worlds as there are network namespaces, and leave
 * nothing behind. */
int dp_netdev_claim(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), n;

	if (s < 0)
		return -errno;
	n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "sipsteer-netdev-%s", name);
	if (bind(s, (const struct sockaddr *)&sa,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n))
	    != 0) {
		n = -errno;
		close(s);
		return n;
	}
	return s;
}
