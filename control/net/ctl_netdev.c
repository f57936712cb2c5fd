/*
 * Exception netdevs: what is there is read, what is missing is added, what is ours and unwanted is
 * taken away. Nothing is kept between calls: the kernel is the memory. Control thread.
 */
#include "control/net/ctl_netdev.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/net/ctl_attr.h"

/* Before the 1024 of router advertisements: what the file says goes first. IPv4 has no such
 * rival; there the kernel's 0 is kept. */
enum { ROUTE_METRIC_V6 = 512 };

union request {
	struct nlmsghdr nlh;
	uint8_t room[CTL_NETLINK_REQUEST_SIZE];
};

struct have_address {
	struct sip_ip ip;
	uint8_t prefix_len; /* of 32 or 128 */
	bool ours;
};

struct have_route {
	struct sip_ip to, via;
	uint8_t prefix_len; /* of 32 or 128 */
	uint32_t metric;
};

/* What a netdev has: all its addresses, and of its routes those that are ours. */
struct have {
	unsigned int ifindex;
	size_t n_addresses, n_routes;
	struct have_address *addresses;
	struct have_route *routes;
};

static unsigned int family_of(const struct sip_ip *ip)
{
	return dp_ip_is_v4(ip) ? AF_INET : AF_INET6;
}

static void put_ip(struct nlmsghdr *nlh, uint16_t type, const struct sip_ip *ip)
{
	if (dp_ip_is_v4(ip))
		mnl_attr_put(nlh, type, 4, ip->b + 12);
	else
		mnl_attr_put(nlh, type, 16, ip->b);
}

static bool is_set(const struct sip_ip *ip)
{
	static const struct sip_ip zero;

	return !dp_ip_equal(ip, &zero);
}

static bool get_ip(const struct nlattr *attr, unsigned int family, struct sip_ip *ip)
{
	static const struct sip_ip mapped = { .b = { [10] = 0xff, [11] = 0xff } };
	size_t len = family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attr) != len)
		return false;
	*ip = mapped;
	memcpy(ip->b + 16 - len, mnl_attr_get_payload(attr), len);
	return true;
}

static void *grow(void *array, size_t n, size_t size)
{
	return n & (n - 1) ? array : reallocarray(array, n ? 2 * n : 1, size);
}

/* ---- Reading what is there */

static int each_address(void *arg, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(nlh);
	struct have *h = arg;
	struct have_address a = { .prefix_len = m->ifa_prefixlen };
	struct have_address *grown;
	const struct nlattr *attr;
	bool known = false;

	if (nlh->nlmsg_type != RTM_NEWADDR || m->ifa_index != h->ifindex)
		return 0;
	for (attr = ctl_attr_first(nlh, sizeof(*m)); attr;
	     attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !known))
			known = get_ip(attr, m->ifa_family, &a.ip);
		if (type == IFA_PROTO)
			a.ours = mnl_attr_get_u8(attr) == CTL_NETDEV_PROTO;
	}
	if (!known)
		return 0;
	grown = grow(h->addresses, h->n_addresses, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	h->addresses = grown;
	h->addresses[h->n_addresses++] = a;
	return 0;
}

static int each_route(void *arg, const struct nlmsghdr *nlh)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(nlh);
	struct have *h = arg;
	struct have_route r = { .prefix_len = m->rtm_dst_len };
	struct have_route *grown;
	const struct nlattr *attr;
	uint32_t oif = 0;

	if (nlh->nlmsg_type != RTM_NEWROUTE || m->rtm_protocol != CTL_NETDEV_PROTO)
		return 0;
	if (m->rtm_family == AF_INET)
		r.to = (struct sip_ip){ .b = { [10] = 0xff, [11] = 0xff } };
	for (attr = ctl_attr_first(nlh, sizeof(*m)); attr;
	     attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_DST: get_ip(attr, m->rtm_family, &r.to); break;
		case RTA_GATEWAY: get_ip(attr, m->rtm_family, &r.via); break;
		case RTA_PRIORITY: r.metric = mnl_attr_get_u32(attr); break;
		case RTA_OIF: oif = mnl_attr_get_u32(attr); break;
		default: break;
		}
	}
	if (oif != h->ifindex)
		return 0;
	grown = grow(h->routes, h->n_routes, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	h->routes = grown;
	h->routes[h->n_routes++] = r;
	return 0;
}

static void have_fini(struct have *h)
{
	free(h->addresses);
	free(h->routes);
	memset(h, 0, sizeof(*h));
}

static int dump_have(struct ctl_netlink *nl, struct have *h)
{
	static const unsigned int families[] = { AF_INET, AF_INET6 };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < 2; i++) {
		union request rq;
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(&rq);
		struct ifaddrmsg *am = mnl_nlmsg_put_extra_header(nlh, sizeof(*am));
		struct rtmsg *rm;

		nlh->nlmsg_type = RTM_GETADDR;
		am->ifa_family = (uint8_t)families[i];
		am->ifa_index = h->ifindex;
		ret = ctl_netlink_dump(nl, nlh, each_address, h);
		if (ret < 0)
			break;
		nlh = mnl_nlmsg_put_header(&rq);
		rm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rm));
		nlh->nlmsg_type = RTM_GETROUTE;
		rm->rtm_family = (uint8_t)families[i];
		rm->rtm_protocol = CTL_NETDEV_PROTO;
		mnl_attr_put_u32(nlh, RTA_OIF, h->ifindex);
		ret = ctl_netlink_dump(nl, nlh, each_route, h);
	}
	return ret;
}

static int read_have(struct ctl_netlink *nl, unsigned int ifindex, struct have *h)
{
	int ret = -EAGAIN;

	memset(h, 0, sizeof(*h));
	for (int try = 0; ret == -EAGAIN && try < 10; try++) {
		have_fini(h);
		h->ifindex = ifindex;
		ret = dump_have(nl, h);
	}
	if (ret < 0)
		have_fini(h);
	return ret;
}

/* ---- One request each */

/* Its MTU the data plane has set, which knows what the netdev can take. */
static int set_link(struct ctl_netlink *nl, unsigned int ifindex)
{
	union request rq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(&rq);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

	nlh->nlmsg_type = RTM_NEWLINK;
	m->ifi_index = (int)ifindex;
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
	return ctl_netlink_request(nl, nlh);
}

static void put_broadcast(struct nlmsghdr *nlh, const struct ctl_address *a)
{
	struct sip_ip b = a->ip;

	for (unsigned int bit = a->prefix_len; bit < 32; bit++)
		b.b[12 + bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	put_ip(nlh, IFA_BROADCAST, &b);
}

static int change_address(struct ctl_netlink *nl, uint16_t type, unsigned int ifindex,
			  const struct ctl_address *a)
{
	union request rq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(&rq);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));
	bool v4 = dp_ip_is_v4(&a->ip);

	nlh->nlmsg_type = type;
	m->ifa_family = (uint8_t)family_of(&a->ip);
	m->ifa_prefixlen = a->prefix_len;
	m->ifa_index = ifindex;
	put_ip(nlh, IFA_LOCAL, &a->ip);
	put_ip(nlh, IFA_ADDRESS, &a->ip);
	if (type == RTM_NEWADDR) {
		nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
		m->ifa_flags = v4 ? 0 : IFA_F_NODAD;
		mnl_attr_put_u8(nlh, IFA_PROTO, CTL_NETDEV_PROTO);
		if (v4 && a->prefix_len < 31)
			put_broadcast(nlh, a);
	}
	return ctl_netlink_request(nl, nlh);
}

static int change_route(struct ctl_netlink *nl, uint16_t type, uint16_t flags, unsigned int ifindex,
			const struct ctl_route *r, uint32_t metric)
{
	union request rq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(&rq);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	m->rtm_family = (uint8_t)family_of(&r->to);
	m->rtm_dst_len = r->prefix_len;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = CTL_NETDEV_PROTO;
	m->rtm_scope = is_set(&r->via) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	if (r->prefix_len)
		put_ip(nlh, RTA_DST, &r->to);
	if (is_set(&r->via))
		put_ip(nlh, RTA_GATEWAY, &r->via);
	if (metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, metric);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	return ctl_netlink_request(nl, nlh);
}

/* ---- Adding */

static bool has_address(const struct have *h, const struct ctl_address *a)
{
	for (size_t i = 0; i < h->n_addresses; i++) {
		if (h->addresses[i].prefix_len == a->prefix_len
		    && dp_ip_equal(&h->addresses[i].ip, &a->ip))
			return true;
	}
	return false;
}

static const struct have_route *find_route(const struct have *h, const struct ctl_route *r)
{
	for (size_t i = 0; i < h->n_routes; i++) {
		if (h->routes[i].prefix_len == r->prefix_len
		    && dp_ip_equal(&h->routes[i].to, &r->to))
			return &h->routes[i];
	}
	return NULL;
}

static int add_addresses(struct ctl_netlink *nl, const struct have *h, const struct ctl_port *port,
			 char *err)
{
	for (size_t i = 0; i < port->n_addresses; i++) {
		const struct ctl_address *a = &port->addresses[i];
		char text[46];
		int ret;

		if (has_address(h, a))
			continue;
		ret = change_address(nl, RTM_NEWADDR, h->ifindex, a);
		if (ret == 0)
			continue;
		dp_ip_format(&a->ip, text);
		snprintf(err, CTL_NETDEV_ERROR_SIZE, "port %s: address %s/%u: %s%s", port->name,
			 text, a->prefix_len, ctl_netlink_error(nl),
			 ret == -EPERM ? "; sipsteerd needs root or CAP_NET_ADMIN" : "");
		return ret;
	}
	return 0;
}

static int fail_route(struct ctl_netlink *nl, const struct ctl_port *port,
		      const struct ctl_route *r, int ret, char *err)
{
	char to[46], via[46];
	const char *remedy = "";

	dp_ip_format(&r->to, to);
	dp_ip_format(&r->via, via);
	if (ret == -EEXIST)
		remedy = "; the kernel has another route there that is not ours: remove one of the "
			 "two";
	else if (ret == -ENETUNREACH || ret == -EINVAL || ret == -EHOSTUNREACH)
		remedy = "; the gateway has to lie within a prefix of one of the port's addresses";
	snprintf(err, CTL_NETDEV_ERROR_SIZE, "port %s: route %s/%u via %s: %s%s", port->name, to,
		 r->prefix_len, via, ctl_netlink_error(nl), remedy);
	return ret;
}

static int add_routes(struct ctl_netlink *nl, const struct have *h, const struct ctl_port *port,
		      char *err)
{
	for (size_t i = 0; i < port->n_routes; i++) {
		const struct ctl_route *r = &port->routes[i];
		const struct have_route *old = find_route(h, r);
		uint16_t flags = NLM_F_CREATE | (old ? NLM_F_REPLACE : NLM_F_EXCL);
		uint32_t metric = dp_ip_is_v4(&r->to) ? 0 : ROUTE_METRIC_V6;
		int ret;

		if (old && dp_ip_equal(&old->via, &r->via))
			continue;
		ret = change_route(nl, RTM_NEWROUTE, flags, h->ifindex, r, metric);
		if (ret < 0)
			return fail_route(nl, port, r, ret, err);
	}
	return 0;
}

static int fail_netdev(struct ctl_netlink *nl, const struct ctl_port *port, const char *what,
		       int ret, char *err)
{
	snprintf(err, CTL_NETDEV_ERROR_SIZE, "port %s: cannot %s the exception netdev: %s",
		 port->name, what, ret == -ENOMEM ? "out of memory" : ctl_netlink_error(nl));
	return ret;
}

static bool has_ours(const struct have *h)
{
	for (size_t i = 0; i < h->n_addresses; i++) {
		if (h->addresses[i].ours)
			return true;
	}
	return false;
}

static void set_ipv6(const struct ctl_port *port, const char *key, const char *value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%.15s/%s", port->name, key);
	f = fopen(path, "we");
	if (!f)
		return; /* a kernel without IPv6 */
	fputs(value, f);
	fclose(f);
}

/*
 * While its link-local address is tentative (RFC 4862 5.4, about 1.5 s after the link came up) the
 * kernel solicits no neighbour: the first packets to an IPv6 next hop would wait in vain. So a new
 * netdev gets that address anew, without probes.
 */
static void skip_dad(const struct ctl_port *port)
{
	bool v6 = false;

	for (size_t i = 0; i < port->n_addresses; i++)
		v6 |= !dp_ip_is_v4(&port->addresses[i].ip);
	if (!v6)
		return;
	set_ipv6(port, "accept_dad", "0");
	set_ipv6(port, "disable_ipv6", "1");
	set_ipv6(port, "disable_ipv6", "0");
}

int ctl_netdev_add(struct ctl_netlink *nl, unsigned int ifindex, const struct ctl_port *port,
		   char *err)
{
	struct have h;
	int ret = set_link(nl, ifindex);

	if (ret < 0)
		return fail_netdev(nl, port, "set up", ret, err);
	ret = read_have(nl, ifindex, &h);
	if (ret < 0)
		return fail_netdev(nl, port, "read", ret, err);
	if (!has_ours(&h))
		skip_dad(port);
	ret = add_addresses(nl, &h, port, err);
	if (ret == 0)
		ret = add_routes(nl, &h, port, err);
	have_fini(&h);
	return ret;
}

/* ---- Taking away */

static bool wants_address(const struct ctl_port *port, const struct have_address *a)
{
	for (size_t i = 0; i < port->n_addresses; i++) {
		if (port->addresses[i].prefix_len == a->prefix_len
		    && dp_ip_equal(&port->addresses[i].ip, &a->ip))
			return true;
	}
	return false;
}

static bool wants_route(const struct ctl_port *port, const struct have_route *r)
{
	for (size_t i = 0; i < port->n_routes; i++) {
		if (port->routes[i].prefix_len == r->prefix_len
		    && dp_ip_equal(&port->routes[i].to, &r->to)
		    && dp_ip_equal(&port->routes[i].via, &r->via))
			return true;
	}
	return false;
}

/* Something may be gone already, by our own removal of what it hung on, or by others. */
static bool is_gone(int ret)
{
	return ret == -ESRCH || ret == -EADDRNOTAVAIL || ret == -ENOENT;
}

static int prune(struct ctl_netlink *nl, const struct have *h, const struct ctl_port *port)
{
	int ret = 0;

	for (size_t i = 0; i < h->n_routes && (ret == 0 || is_gone(ret)); i++) {
		const struct have_route *r = &h->routes[i];
		const struct ctl_route gone = { .to = r->to,
						.prefix_len = r->prefix_len,
						.via = r->via };

		if (!wants_route(port, r))
			ret = change_route(nl, RTM_DELROUTE, 0, h->ifindex, &gone, r->metric);
	}
	for (size_t i = 0; i < h->n_addresses && (ret == 0 || is_gone(ret)); i++) {
		const struct have_address *a = &h->addresses[i];
		const struct ctl_address gone = { .ip = a->ip, .prefix_len = a->prefix_len };

		if (a->ours && !wants_address(port, a))
			ret = change_address(nl, RTM_DELADDR, h->ifindex, &gone);
	}
	return is_gone(ret) ? 0 : ret;
}

int ctl_netdev_settle(struct ctl_netlink *nl, unsigned int ifindex, const struct ctl_port *port,
		      char *err)
{
	struct have h;
	int ret = read_have(nl, ifindex, &h);

	if (ret < 0)
		return fail_netdev(nl, port, "read", ret, err);
	ret = prune(nl, &h, port);
	have_fini(&h);
	if (ret < 0)
		return fail_netdev(nl, port, "tidy", ret, err);
	return ctl_netdev_add(nl, ifindex, port, err);
}

/* ---- Neighbours */

static void send_neighbour(struct ctl_netlink *nl, unsigned int ifindex, const struct sip_ip *ip,
			   const uint8_t *mac)
{
	union request rq;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(&rq);
	struct ndmsg *m = mnl_nlmsg_put_extra_header(nlh, sizeof(*m));

	nlh->nlmsg_type = RTM_NEWNEIGH;
	nlh->nlmsg_flags = NLM_F_CREATE;
	m->ndm_family = (uint8_t)family_of(ip);
	m->ndm_ifindex = (int)ifindex;
	m->ndm_state = mac ? NUD_STALE : NUD_NONE;
	m->ndm_flags = mac ? 0 : NTF_USE;
	put_ip(nlh, NDA_DST, ip);
	if (mac)
		mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
	ctl_netlink_post(nl, nlh);
}

void ctl_netdev_teach(struct ctl_netlink *nl, unsigned int ifindex, const struct sip_ip *ip,
		      const uint8_t mac[6])
{
	send_neighbour(nl, ifindex, ip, mac);
}

void ctl_netdev_use(struct ctl_netlink *nl, unsigned int ifindex, const struct sip_ip *ip)
{
	send_neighbour(nl, ifindex, ip, NULL);
}
