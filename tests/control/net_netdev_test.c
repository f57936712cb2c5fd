/* What control sets on exception netdevs, looked at with iproute2. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/net/ctl_netdev.h"
#include "tests/control/net_bench.h"

struct config {
	struct ctl_port port;
	struct ctl_address a[4];
	struct ctl_route r[4];
};

static struct sip_ip ip(const char *text)
{
	struct sip_ip out = { 0 };

	cr_assert_eq(dp_ip_parse(text, &out), 0, "%s", text);
	return out;
}

static void has_address(struct config *c, const char *text, uint8_t prefix_len)
{
	c->a[c->port.n_addresses++] =
		(struct ctl_address){ .ip = ip(text), .prefix_len = prefix_len };
	c->port.addresses = c->a;
	c->port.name = (char *)"net0";
}

static void has_route(struct config *c, const char *to, uint8_t prefix_len, const char *via)
{
	c->r[c->port.n_routes++] =
		(struct ctl_route){ .to = ip(to), .prefix_len = prefix_len, .via = ip(via) };
	c->port.routes = c->r;
}

static void add(struct ctl_netlink *nl, unsigned int ifindex, const struct config *c)
{
	char err[CTL_NETDEV_ERROR_SIZE] = "";
	int ret = ctl_netdev_add(nl, ifindex, &c->port, err);

	cr_assert_eq(ret, 0, "%s", err);
}

static void settle(struct ctl_netlink *nl, unsigned int ifindex, const struct config *c)
{
	char err[CTL_NETDEV_ERROR_SIZE] = "";
	int ret = ctl_netdev_settle(nl, ifindex, &c->port, err);

	cr_assert_eq(ret, 0, "%s", err);
}

Test(netdev, addresses_routes_and_up_are_set_and_no_mtu)
{
	struct config c = { .port.mtu = 1400 };
	struct ctl_netlink *nl;
	unsigned int ifindex;

	bench_enter();
	bench_tap("net0", &ifindex);
	nl = ctl_netlink_open();
	cr_assert(nl);
	has_address(&c, "192.0.2.10", 24);
	has_address(&c, "2001:db8::10", 64);
	has_route(&c, "0.0.0.0", 0, "192.0.2.1");
	has_route(&c, "2001:db8:1::", 48, "2001:db8::1");
	has_route(&c, "198.51.100.0", 24, "192.0.2.2");
	add(nl, ifindex, &c);
	cr_expect(bench_shows("192.0.2.10/24 brd 192.0.2.255", "ip addr show dev net0"));
	cr_expect(bench_shows("2001:db8::10/64 scope global", "ip addr show dev net0"));
	cr_expect_not(
		bench_shows("2001:db8::10/64 scope global tentative", "ip addr show dev net0"));
	/* The data plane has set what the netdev can take. */
	cr_expect(bench_shows("mtu 1500", "ip link show dev net0"));
	cr_expect(bench_shows(",UP", "ip link show dev net0"));
	cr_expect(bench_shows("default via 192.0.2.1 dev net0 proto 155", "ip route"));
	cr_expect(bench_shows("198.51.100.0/24 via 192.0.2.2 dev net0 proto 155", "ip route"));
	cr_expect(bench_shows("2001:db8:1::/48 via 2001:db8::1 dev net0 proto 155 metric 512",
			      "ip -6 route"));
	ctl_netlink_close(nl);
}

Test(netdev, doing_it_again_changes_nothing)
{
	struct config c = { 0 };
	struct ctl_netlink *nl;
	unsigned int ifindex;
	char *before, *after;

	bench_enter();
	bench_tap("net0", &ifindex);
	nl = ctl_netlink_open();
	has_address(&c, "192.0.2.10", 24);
	has_route(&c, "0.0.0.0", 0, "192.0.2.1");
	add(nl, ifindex, &c);
	before = bench_output("ip -d addr show dev net0; ip route");
	add(nl, ifindex, &c);
	settle(nl, ifindex, &c);
	after = bench_output("ip -d addr show dev net0; ip route");
	cr_expect_str_eq(after, before);
	free(before);
	free(after);
	ctl_netlink_close(nl);
}

Test(netdev, what_left_the_configuration_goes_and_what_others_set_stays)
{
	struct config old = { 0 }, new = { 0 };
	struct ctl_netlink *nl;
	unsigned int ifindex;

	bench_enter();
	bench_tap("net0", &ifindex);
	nl = ctl_netlink_open();
	has_address(&old, "192.0.2.10", 24);
	has_address(&old, "192.0.2.11", 24);
	has_route(&old, "198.51.100.0", 24, "192.0.2.1");
	has_route(&old, "203.0.113.0", 24, "192.0.2.1");
	add(nl, ifindex, &old);
	bench_run("ip addr add 192.0.2.77/32 dev net0");
	bench_run("ip route add 10.9.0.0/16 via 192.0.2.3");
	ctl_netlink_close(nl);

	/* another control takes over, with another file */
	nl = ctl_netlink_open();
	has_address(&new, "192.0.2.11", 24);
	has_route(&new, "203.0.113.0", 24, "192.0.2.9");
	settle(nl, ifindex, &new);
	cr_expect_not(bench_shows("192.0.2.10/", "ip addr"));
	/* a secondary, which the kernel removes with its primary unless told otherwise */
	cr_expect(bench_shows("192.0.2.11/24", "ip addr"));
	cr_expect(bench_shows("192.0.2.77/32", "ip addr"));
	cr_expect_not(bench_shows("198.51.100.0/24", "ip route"));
	cr_expect(bench_shows("203.0.113.0/24 via 192.0.2.9", "ip route"));
	ctl_netlink_close(nl);
}

Test(netdev, a_foreign_route_survives_where_its_address_stays)
{
	struct config old = { 0 }, new = { 0 };
	struct ctl_netlink *nl;
	unsigned int ifindex;

	bench_enter();
	bench_tap("net0", &ifindex);
	nl = ctl_netlink_open();
	has_address(&old, "192.0.2.10", 24);
	has_route(&old, "198.51.100.0", 24, "192.0.2.1");
	has_address(&new, "192.0.2.10", 24);
	add(nl, ifindex, &old);
	bench_run("ip route add 10.9.0.0/16 via 192.0.2.3 proto static");
	settle(nl, ifindex, &new);
	cr_expect(bench_shows("10.9.0.0/16 via 192.0.2.3", "ip route"));
	cr_expect_not(bench_shows("198.51.100.0/24", "ip route"));
	ctl_netlink_close(nl);
}

Test(netdev, refusals_name_the_thing_and_the_remedy)
{
	static const struct {
		const char *to, *via;
		uint8_t prefix_len;
		const char *says[2];
	} rows[] = {
		{ "0.0.0.0", "203.0.113.1", 0, { "route 0.0.0.0/0 via 203.0.113.1", "gateway" } },
		{ "10.0.0.0", "192.0.2.1", 8, { "route 10.0.0.0/8", "not ours" } },
	};
	struct ctl_netlink *nl;
	unsigned int ifindex;

	bench_enter();
	bench_tap("net0", &ifindex);
	nl = ctl_netlink_open();
	bench_run("ip addr add 192.0.2.5/24 dev net0; ip link set net0 up");
	bench_run("ip route add 10.0.0.0/8 via 192.0.2.7");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char err[CTL_NETDEV_ERROR_SIZE] = "";
		struct config c = { 0 };

		has_address(&c, "192.0.2.10", 24);
		has_route(&c, rows[i].to, rows[i].prefix_len, rows[i].via);
		cr_expect_lt(ctl_netdev_add(nl, ifindex, &c.port, err), 0, "row %zu", i);
		cr_expect(strstr(err, "port net0"), "row %zu: %s", i, err);
		for (size_t k = 0; k < 2; k++)
			cr_expect(strstr(err, rows[i].says[k]), "row %zu: %s", i, err);
	}
	ctl_netlink_close(nl);
}

Test(netdev, a_netdev_that_is_gone_is_an_error)
{
	char err[CTL_NETDEV_ERROR_SIZE] = "";
	struct config c = { 0 };
	struct ctl_netlink *nl;

	bench_enter();
	nl = ctl_netlink_open();
	has_address(&c, "192.0.2.10", 24);
	cr_expect_eq(ctl_netdev_add(nl, 4711, &c.port, err), -ENODEV);
	cr_expect(strstr(err, "No such device"), "%s", err);
	ctl_netlink_close(nl);
}
