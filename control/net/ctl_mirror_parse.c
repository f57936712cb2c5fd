/*
 * Netlink messages, taken apart. What is missing or of an unexpected size is left out, never
 * guessed; outputs are zeroed first, so that equal things compare equal as bytes.
 */
#include "control/net/ctl_mirror_parse.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "control/net/ctl_attr.h"

/* A next hop may be sent to in these states; in the others its address is unknown or wrong. */
enum {
	NEIGH_USABLE = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP
};

static const struct sip_ip v4_zero = { .b = { [10] = 0xff, [11] = 0xff } };

unsigned int ctl_netdev_port(const struct ctl_netdev_map *map, unsigned int ifindex)
{
	for (unsigned int i = 0; i < map->n; i++) {
		if (ifindex && map->ifindex[i] == ifindex)
			return i;
	}
	return CTL_NO_PORT;
}

static bool get_ip(const void *data, size_t size, unsigned int family, struct sip_ip *ip)
{
	size_t len = family == AF_INET ? 4 : 16;

	if (size != len || (family != AF_INET && family != AF_INET6))
		return false;
	*ip = v4_zero;
	memcpy(ip->b + 16 - len, data, len);
	return true;
}

static bool attr_ip(const struct nlattr *attr, unsigned int family, struct sip_ip *ip)
{
	return get_ip(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), family, ip);
}

static bool attr_u32(const struct nlattr *attr, uint32_t *v)
{
	if (mnl_attr_get_payload_len(attr) != sizeof(*v))
		return false;
	*v = mnl_attr_get_u32(attr);
	return true;
}

/* Prefix lengths count from the mapped address's first bit. */
static uint8_t of_128(unsigned int family, uint8_t prefix_len)
{
	return (uint8_t)(prefix_len + (family == AF_INET ? 96 : 0));
}

unsigned int ctl_parse_link(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
			    struct dp_net_port *out)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	unsigned int port;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return CTL_NO_PORT;
	port = ctl_netdev_port(map, (unsigned int)m->ifi_index);
	if (port == CTL_NO_PORT)
		return port;
	memset(out, 0, sizeof(*out));
	out->up = (m->ifi_flags & IFF_UP) && (m->ifi_flags & IFF_RUNNING);
	for (attr = ctl_attr_first(nlh, sizeof(*m)); attr;
	     attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		uint32_t mtu;

		if (mnl_attr_get_type(attr) == IFLA_MTU && attr_u32(attr, &mtu))
			out->mtu = mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
		if (mnl_attr_get_type(attr) == IFLA_ADDRESS
		    && mnl_attr_get_payload_len(attr) == sizeof(out->mac))
			memcpy(out->mac, mnl_attr_get_payload(attr), sizeof(out->mac));
	}
	return port;
}

unsigned int ctl_parse_address(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
			       struct dp_net_addr out[2])
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool local = false, any = false, broadcast = false;
	uint32_t flags;
	unsigned int port;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return 0;
	port = ctl_netdev_port(map, m->ifa_index);
	if (port == CTL_NO_PORT)
		return 0;
	memset(out, 0, 2 * sizeof(*out));
	flags = m->ifa_flags;
	for (attr = ctl_attr_first(nlh, sizeof(*m)); attr;
	     attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		uint16_t type = mnl_attr_get_type(attr);

		/* IFA_ADDRESS is the peer's on point-to-point links; IFA_LOCAL goes first. */
		if (type == IFA_LOCAL)
			local = attr_ip(attr, m->ifa_family, &out[0].ip);
		else if (type == IFA_ADDRESS && !local)
			any = attr_ip(attr, m->ifa_family, &out[0].ip);
		else if (type == IFA_BROADCAST)
			broadcast = attr_ip(attr, m->ifa_family, &out[1].ip);
		else if (type == IFA_FLAGS)
			attr_u32(attr, &flags);
	}
	if ((!local && !any) || (flags & IFA_F_DADFAILED))
		return 0;
	for (unsigned int i = 0; i < 2; i++) {
		out[i].port = (uint8_t)port;
		out[i].prefix_len = of_128(m->ifa_family, m->ifa_prefixlen);
	}
	out[1].broadcast = 1;
	return broadcast ? 2 : 1;
}

/* ---- Routes */

struct hop {
	unsigned int port;
	struct sip_ip gateway;
};

/* RTA_VIA: a gateway of the other family (IPv4 by an IPv6 next hop). */
static void via_gateway(const struct nlattr *attr, struct sip_ip *gateway)
{
	const struct rtvia *v = mnl_attr_get_payload(attr);
	size_t size = mnl_attr_get_payload_len(attr);

	if (size > sizeof(*v))
		get_ip(v->rtvia_addr, size - sizeof(*v), v->rtvia_family, gateway);
}

/* Of several next hops the first that leads through a port of ours and is alive. */
static void first_hop(const struct nlattr *multipath, unsigned int family,
		      const struct ctl_netdev_map *map, struct hop *hop)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	while (left >= (int)sizeof(*nh) && nh->rtnh_len >= sizeof(*nh) && nh->rtnh_len <= left) {
		const struct nlattr *attr;
		const void *end = (const char *)nh + nh->rtnh_len;
		unsigned int port = ctl_netdev_port(map, (unsigned int)nh->rtnh_ifindex);

		if (port != CTL_NO_PORT && !(nh->rtnh_flags & RTNH_F_DEAD)) {
			hop->port = port;
			for (attr = ctl_attr_check(nh + 1, end); attr;
			     attr = ctl_attr_next(attr, end)) {
				if (mnl_attr_get_type(attr) == RTA_GATEWAY)
					attr_ip(attr, family, &hop->gateway);
				if (mnl_attr_get_type(attr) == RTA_VIA)
					via_gateway(attr, &hop->gateway);
			}
			return;
		}
		left -= (int)RTNH_ALIGN(nh->rtnh_len);
		nh = RTNH_NEXT(nh);
	}
}

static bool wanted_table(uint32_t table)
{
	return table == RT_TABLE_MAIN || table == RT_TABLE_LOCAL || table == RT_TABLE_DEFAULT;
}

static bool wanted_type(unsigned int type)
{
	return type != RTN_MULTICAST && type != RTN_THROW && type != RTN_UNSPEC;
}

/* @return the table. */
static uint32_t route_attributes(const struct nlmsghdr *nlh, const struct rtmsg *m,
				 const struct ctl_netdev_map *map, struct dp_net_route *out,
				 struct hop *hop)
{
	const struct nlattr *attr;
	uint32_t table = m->rtm_table, oif = 0;

	for (attr = ctl_attr_first(nlh, sizeof(*m)); attr;
	     attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_DST: attr_ip(attr, m->rtm_family, &out->prefix); break;
		case RTA_GATEWAY: attr_ip(attr, m->rtm_family, &hop->gateway); break;
		case RTA_VIA: via_gateway(attr, &hop->gateway); break;
		case RTA_MULTIPATH: first_hop(attr, m->rtm_family, map, hop); break;
		case RTA_PRIORITY: attr_u32(attr, &out->metric); break;
		case RTA_TABLE: attr_u32(attr, &table); break;
		case RTA_OIF: attr_u32(attr, &oif); break;
		default: break;
		}
	}
	if (oif && !(m->rtm_flags & RTNH_F_DEAD))
		hop->port = ctl_netdev_port(map, oif);
	return table;
}

bool ctl_parse_route(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
		     struct dp_net_route *out)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(nlh);
	struct hop hop = { .port = CTL_NO_PORT };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return false;
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || (m->rtm_flags & RTM_F_CLONED)
	    || !wanted_type(m->rtm_type))
		return false;
	memset(out, 0, sizeof(*out));
	if (m->rtm_family == AF_INET)
		out->prefix = v4_zero;
	out->prefix_len = of_128(m->rtm_family, m->rtm_dst_len);
	if (!wanted_table(route_attributes(nlh, m, map, out, &hop)))
		return false;
	if (m->rtm_type != RTN_UNICAST || hop.port == CTL_NO_PORT) {
		out->unreachable = 1;
		return true;
	}
	out->port = (uint8_t)hop.port;
	out->gateway = hop.gateway;
	return true;
}

bool ctl_parse_neigh(const struct nlmsghdr *nlh, const struct ctl_netdev_map *map,
		     struct ctl_neigh *out)
{
	const struct ndmsg *m = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool has_ip = false, has_mac = false;
	unsigned int port;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*m))
		return false;
	port = ctl_netdev_port(map, (unsigned int)m->ndm_ifindex);
	if (port == CTL_NO_PORT || (m->ndm_flags & NTF_PROXY))
		return false;
	memset(out, 0, sizeof(*out));
	out->at.port = (uint8_t)port;
	out->state = m->ndm_state;
	for (attr = ctl_attr_first(nlh, sizeof(*m)); attr;
	     attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		if (mnl_attr_get_type(attr) == NDA_DST)
			has_ip = attr_ip(attr, m->ndm_family, &out->at.ip);
		if (mnl_attr_get_type(attr) == NDA_LLADDR
		    && mnl_attr_get_payload_len(attr) == sizeof(out->at.mac)) {
			memcpy(out->at.mac, mnl_attr_get_payload(attr), sizeof(out->at.mac));
			has_mac = true;
		}
	}
	out->at.valid = has_mac && (out->state & NEIGH_USABLE);
	return has_ip;
}
