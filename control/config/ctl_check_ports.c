/*
 * Ports: devices, addresses, routes.
 */
#include "control/config/ctl_check.h"

#include <string.h>

#include "control/config/ctl_ip.h"
#include "control/config/ctl_schema.h"

#define IPV6_MIN_MTU 1280 /* RFC 8200 5 */

/* Name of a virtual device, or a PCI address: what comes before its arguments. */
static size_t device_name_len(const char *device)
{
	return strcspn(device, ",");
}

static bool is_same_device(const char *a, const char *b)
{
	size_t len = device_name_len(a);

	return len == device_name_len(b) && strncmp(a, b, len) == 0;
}

/* Two ports on one device: each has a VLAN of its own there, one of them may be untagged. */
static void check_same_vlan(const struct ctl_port *p, const struct ctl_port *other,
			    struct ctl_diag *d)
{
	if (p->vlan != other->vlan)
		return;
	ctl_diag_add(d, true, ctl_map_line(&ctl_map_port, p, "device"),
		     "device: the port in line %u has it already, with the same VLAN; ports that "
		     "share a device need a `vlan:` each",
		     other->line);
}

static void check_device(const struct ctl_model *m, size_t i, struct ctl_diag *d)
{
	const struct ctl_port *p = &m->ports[i];

	for (size_t k = 0; k < i; k++) {
		const struct ctl_port *other = &m->ports[k];

		if (!p->device || !other->device || !is_same_device(p->device, other->device))
			continue;
		if (strcmp(p->device, other->device) == 0) {
			check_same_vlan(p, other, d);
			continue;
		}
		ctl_diag_add(d, true, ctl_map_line(&ctl_map_port, p, "device"),
			     "device: \"%.*s\" is the port's in line %u already; virtual devices "
			     "need numbers of their own, as net_af_xdp0 and net_af_xdp1",
			     (int)device_name_len(p->device), p->device, other->line);
		return;
	}
}

static bool has_ipv6(const struct ctl_port *p)
{
	for (size_t i = 0; i < p->n_addresses; i++) {
		if (!dp_ip_is_v4(&p->addresses[i].ip))
			return true;
	}
	return false;
}

static bool overlap(const struct ctl_address *a, const struct ctl_address *b)
{
	unsigned int x = ctl_ip_bits(&a->ip, a->prefix_len), y = ctl_ip_bits(&b->ip, b->prefix_len);

	if (dp_ip_is_v4(&a->ip) != dp_ip_is_v4(&b->ip))
		return false;
	return ctl_ip_in(&a->ip, &b->ip, x < y ? x : y);
}

static void check_two_addresses(const struct ctl_address *a, const struct ctl_address *b,
				bool same_port, struct ctl_diag *d)
{
	char text[46];

	dp_ip_format(&a->ip, text);
	if (dp_ip_equal(&a->ip, &b->ip))
		ctl_diag_add(d, true, a->line, "addresses: %s stands in line %u already", text,
			     b->line);
	else if (!same_port && overlap(a, b))
		ctl_diag_add(
			d, false, a->line,
			"addresses: the subnet of %s overlaps with one of another port in line "
			"%u; which port a packet takes is then the kernel's choice",
			text, b->line);
}

/* An address against all that come before it. */
static void check_address(const struct ctl_model *m, size_t port, size_t i, struct ctl_diag *d)
{
	const struct ctl_address *a = &m->ports[port].addresses[i];

	for (size_t p = 0; p <= port; p++) {
		size_t n = p == port ? i : m->ports[p].n_addresses;

		for (size_t k = 0; k < n; k++)
			check_two_addresses(a, &m->ports[p].addresses[k], p == port, d);
	}
}

/* ---- Routes */

static bool is_on_link(const struct ctl_port *p, const struct sip_ip *ip)
{
	if (ctl_ip_is_link_local(ip) && !dp_ip_is_v4(ip))
		return true;
	for (size_t i = 0; i < p->n_addresses; i++) {
		const struct ctl_address *a = &p->addresses[i];

		if (dp_ip_is_v4(&a->ip) == dp_ip_is_v4(ip)
		    && ctl_ip_in(ip, &a->ip, ctl_ip_bits(&a->ip, a->prefix_len)))
			return true;
	}
	return false;
}

static void check_gateway(const struct ctl_model *m, const struct ctl_port *p,
			  const struct ctl_route *r, struct ctl_diag *d)
{
	unsigned int line = ctl_map_line(&ctl_map_route, r, "via");
	char via[46];

	if (!ctl_map_given(&ctl_map_route, r, "to") || !ctl_map_given(&ctl_map_route, r, "via"))
		return;
	dp_ip_format(&r->via, via);
	if (dp_ip_is_v4(&r->via) != dp_ip_is_v4(&r->to))
		ctl_diag_add(d, true, line,
			     "via: %s is %s, but the route is to an %s prefix; a gateway is of the "
			     "same family",
			     via, dp_ip_is_v4(&r->via) ? "IPv4" : "IPv6",
			     dp_ip_is_v4(&r->to) ? "IPv4" : "IPv6");
	else if (ctl_own_port(m, &r->via) >= 0)
		ctl_diag_add(d, true, line, "via: %s is our own address; write the gateway's", via);
	else if (!is_on_link(p, &r->via) && !ctl_map_bad(&ctl_map_port, p, "addresses"))
		ctl_diag_add(d, true, line,
			     "via: %s is in no subnet of this port; a gateway must be reachable "
			     "directly",
			     via);
}

static bool same_prefix(const struct ctl_route *a, const struct ctl_route *b)
{
	return a->prefix_len == b->prefix_len && dp_ip_equal(&a->to, &b->to)
	       && ctl_map_given(&ctl_map_route, a, "to") && ctl_map_given(&ctl_map_route, b, "to");
}

static void check_route_twice(const struct ctl_model *m, size_t port, size_t i, struct ctl_diag *d)
{
	const struct ctl_route *r = &m->ports[port].routes[i];
	char to[46];

	for (size_t p = 0; p <= port; p++) {
		size_t n = p == port ? i : m->ports[p].n_routes;

		for (size_t k = 0; k < n; k++) {
			const struct ctl_route *other = &m->ports[p].routes[k];

			if (!same_prefix(r, other))
				continue;
			dp_ip_format(&r->to, to);
			ctl_diag_add(d, true, ctl_map_line(&ctl_map_route, r, "to"),
				     "to: there is a route to %s/%u in line %u already", to,
				     r->prefix_len, other->line);
			return;
		}
	}
}

void ctl_check_ports(struct ctl_model *m, struct ctl_diag *d)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		const struct ctl_port *p = &m->ports[i];

		check_device(m, i, d);
		if (p->mtu && p->mtu < IPV6_MIN_MTU && has_ipv6(p))
			ctl_diag_add(d, true, ctl_map_line(&ctl_map_port, p, "mtu"),
				     "mtu: %u is too small for the port's IPv6 addresses; at least "
				     "%d is needed",
				     p->mtu, IPV6_MIN_MTU);
		for (size_t k = 0; k < p->n_addresses; k++)
			check_address(m, i, k, d);
		for (size_t k = 0; k < p->n_routes; k++) {
			check_gateway(m, p, &p->routes[k], d);
			check_route_twice(m, i, k, d);
		}
	}
}
