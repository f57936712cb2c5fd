/* Device strings and their parts. */
#include "dataplane/io/dp_device.h"

#include <criterion/criterion.h>

#include "dataplane/io/dp_eal_args.h"

#define BOND "net_bonding0,mode=1,slave=a,slave=b;net_af_xdp0,iface=eth1,queue_count=2;0000:03:00.1"

Test(device, parts)
{
	static const struct {
		const char *device;
		unsigned int i;
		const char *part, *name, *iface; /* NULL: none */
	} rows[] = {
		{ "net_af_xdp0,iface=eth1", 0, "net_af_xdp0,iface=eth1", "net_af_xdp0", "eth1" },
		{ "net_af_xdp0,iface=eth1", 1, NULL, NULL, NULL },
		{ "0000:03:00.0", 0, "0000:03:00.0", "0000:03:00.0", NULL },
		{ "net_tap0,iface=t0", 0, "net_tap0,iface=t0", "net_tap0", NULL },
		{ "net_x0,myiface=e,iface=f", 0, "net_x0,myiface=e,iface=f", "net_x0", "f" },
		{ BOND, 0, "net_bonding0,mode=1,slave=a,slave=b", "net_bonding0", NULL },
		{ BOND, 1, "net_af_xdp0,iface=eth1,queue_count=2", "net_af_xdp0", "eth1" },
		{ BOND, 2, "0000:03:00.1", "0000:03:00.1", NULL },
		{ BOND, 3, NULL, NULL, NULL },
		{ "a;", 1, "", "", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char part[DP_DEVICE_SIZE], name[DP_DEVICE_SIZE], iface[16];
		bool there = dp_device_part(rows[i].device, rows[i].i, part);

		cr_expect_eq(there, rows[i].part != NULL, "row %zu", i);
		if (!rows[i].part || !there)
			continue;
		cr_expect_str_eq(part, rows[i].part);
		dp_device_name(part, name);
		cr_expect_str_eq(name, rows[i].name);
		cr_expect_eq(dp_device_iface(part, iface, sizeof(iface)), rows[i].iface != NULL,
			     "row %zu", i);
		if (rows[i].iface)
			cr_expect_str_eq(iface, rows[i].iface);
	}
}

Test(device, what_a_bond_is_made_of)
{
	cr_expect(dp_device_has(BOND, "net_af_xdp"));
	cr_expect(dp_device_has(BOND, "net_bonding"));
	cr_expect(!dp_device_has(BOND, "net_af_packet"));
	cr_expect(dp_device_any_pci(BOND));
	cr_expect(!dp_device_any_pci("net_bonding0,slave=0000:03:00.1"));
	cr_expect(!dp_device_is_pci(BOND));
}
