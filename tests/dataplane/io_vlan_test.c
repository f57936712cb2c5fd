/* 802.1Q tags, and whose a frame is. */
#include "dataplane/io/dp_vlan.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/io_frame.h"
#include "tests/leaks.h"

TestSuite(vlan, .fini = leaks_check);

static struct dp_boot boot(void)
{
	static const struct {
		const char *device;
		uint16_t vlan;
	} ports[] = {
		{ "net_af_xdp0,iface=a", 10 }, { "net_af_xdp1,iface=b", 0 },
		{ "net_af_xdp0,iface=a", 0 },  { "net_af_xdp0,iface=a", 4094 },
		{ "net_af_xdp2,iface=c", 7 },
	};
	struct dp_boot b = { .n_ports = 5 };

	for (unsigned int i = 0; i < 5; i++) {
		snprintf(b.ports[i].device, sizeof(b.ports[i].device), "%s", ports[i].device);
		b.ports[i].vlan = ports[i].vlan;
	}
	return b;
}

Test(vlan, who_shares_a_device)
{
	static const unsigned int device[] = { 0, 1, 0, 0, 4 }, n[] = { 3, 1, 3, 3, 1 };
	struct dp_boot b = boot();
	struct dp_vlans v;

	for (unsigned int i = 0; i < 5; i++) {
		cr_expect_eq(dp_vlan_device(&b, i), device[i], "port %u", i);
		dp_vlans_of(&b, i, &v);
		cr_expect_eq(v.n, n[i], "port %u", i);
	}
}

Test(vlan, whose_a_frame_is)
{
	static const struct {
		const char *what;
		unsigned int port; /* one of the device's */
		uint16_t type, tci;
		size_t len;
		int is;
		bool tagged;
	} rows[] = {
		{ "untagged", 0, 0x0800, 0, 60, 2, false },
		{ "VLAN 10", 0, 0x8100, 10, 60, 0, true },
		{ "VLAN 10 of priority 5", 2, 0x8100, 10 | 5 << 13, 60, 0, true },
		{ "VLAN 4094, drop eligible", 0, 0x8100, 4094 | 1 << 12, 60, 3, true },
		{ "priority tag", 0, 0x8100, 3 << 13, 60, 2, true },
		{ "another VLAN", 0, 0x8100, 11, 60, -1, true },
		{ "service tag (802.1ad)", 0, 0x88a8, 10, 60, 2, false },
		{ "cut within the tag", 0, 0x8100, 10, 17, 2, false },
		{ "no frame at all", 0, 0x8100, 10, 0, 2, false },
		{ "untagged where all are tagged", 4, 0x0800, 0, 60, -1, false },
		{ "tagged", 4, 0x8100, 7, 60, 4, true },
	};
	struct dp_boot b = boot();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t f[60] = { 2 };
		struct dp_vlans v;
		bool tagged;

		dp_vlans_of(&b, rows[i].port, &v);
		f[12] = (uint8_t)(rows[i].type >> 8);
		f[13] = (uint8_t)rows[i].type;
		f[14] = (uint8_t)(rows[i].tci >> 8);
		f[15] = (uint8_t)rows[i].tci;
		cr_expect_eq(dp_vlan_port(&v, f, rows[i].len, &tagged), rows[i].is, "%s",
			     rows[i].what);
		cr_expect_eq(tagged, rows[i].tagged, "%s", rows[i].what);
	}
}

Test(vlan, tag_off_and_on)
{
	static const uint8_t plain[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x08, 0, 0x45, 99 };
	static const uint8_t tagged[] = { 1,  2,  3,    4, 5, 6,  7,    8, 9,    10,
					  11, 12, 0x81, 0, 1, 44, 0x08, 0, 0x45, 99 };
	uint8_t f[20];

	memcpy(f, tagged, sizeof(tagged));
	dp_vlan_strip(f);
	cr_expect_eq(memcmp(f + 4, plain, sizeof(plain)), 0);
	dp_vlan_put(f, 300);
	cr_expect_eq(memcmp(f, tagged, sizeof(tagged)), 0);
}

/* A tag that is a priority only is none (802.1Q 6.9); any other is a VLAN, and the kernel's. */
Test(vlan, priority_tag_is_seen_through)
{
	struct io_frame d = { "198.51.100.7", "192.0.2.10", 5062, 5060, "OPTIONS", 7, 0, 0 };
	uint8_t f[256];
	size_t len = io_frame_build(&d, f + 4, sizeof(f) - 4) + 4;
	struct dp_packet p;

	dp_vlan_put(f, 6 << 13);
	dp_classify(f, len, &p);
	cr_expect_eq(p.kind, DP_PACKET_UDP);
	cr_expect_eq(p.reason, DP_REASON_N);
	cr_expect_eq(p.payload_off, 46);
	cr_expect(dp_classify_udp_sum(f, &p));
	f[15] = 1;
	dp_classify(f, len, &p);
	cr_expect_eq(p.kind, DP_PACKET_OTHER);
	for (size_t n = 14; n < 18; n++) {
		f[15] = 0;
		dp_classify(f, n, &p);
		cr_expect_eq(p.kind, DP_PACKET_OTHER);
	}
}
