/* What the data plane starts DPDK with, and how its workers rest. */
#include "dataplane/io/dp_caps.h"
#include "dataplane/io/dp_eal_args.h"
#include "dataplane/io/dp_rest.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct dp_boot boot(unsigned int workers, const char *cpus, const char *device,
			   unsigned int huge)
{
	struct dp_boot b = { .n_ports = 1, .n_workers = (uint16_t)workers, .huge = (uint8_t)huge };

	snprintf(b.worker_cpus, sizeof(b.worker_cpus), "%s", cpus);
	snprintf(b.ports[0].device, sizeof(b.ports[0].device), "%s", device);
	return b;
}

/* The arguments as one line. */
static const char *line(const struct dp_eal_args *a)
{
	static char text[DP_EAL_TEXT_SIZE];
	size_t n = 0;

	for (int i = 1; i < a->argc; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i > 1 ? " " : "",
				      a->argv[i]);
	cr_expect_null(a->argv[a->argc]);
	return text;
}

#define VDEV "net_af_xdp0,iface=wire0"
#define HEAD "--no-telemetry --file-prefix px --log-level=*:warning "

Test(start, arguments)
{
	static const struct {
		unsigned int workers;
		const char *worker_cpus, *cpus, *device;
		unsigned int huge, free_mb;
		const char *want; /* arguments, or part of the failure */
	} rows[] = {
		/* memory */
		{ 1, "", "0-1", VDEV, 0, 0,
		  "--lcores 0@(0-1),(1-1)@(0-1) --no-huge --no-shconf -m 128 --no-pci "
		  "--iova-mode=va" },
		{ 1, "", "0-1", VDEV, 0, 128,
		  "--lcores 0@(0-1),(1-1)@(0-1) --in-memory --no-pci --iova-mode=va" },
		{ 1, "", "0-1", VDEV, 2, 4096,
		  "--lcores 0@(0-1),(1-1)@(0-1) --no-huge --no-shconf -m 128 --no-pci "
		  "--iova-mode=va" },
		{ 1, "", "0-1", VDEV, 1, 127, "!128 MB are needed and 127 MB are free" },
		/* devices */
		{ 1, "", "0", "0000:03:00.1,x=y", 0, 128,
		  "--lcores 0@(0),(1-1)@(0) --in-memory -a 0000:03:00.1,x=y" },
		{ 1, "", "0", "03:00.0", 0, 127, "!for a PCI device and 127 MB are free" },
		{ 1, "", "0", "03:00.0", 2, 4096, "!a PCI device needs them" },
		/* CPUs */
		{ 3, "", "0,2-3", VDEV, 0, 128,
		  "--lcores 0@(0,2-3),(1-3)@(0,2-3) --in-memory --no-pci --iova-mode=va" },
		{ 2, "2,5", "0-7", VDEV, 0, 128,
		  "--lcores 0@(0-1,3-4,6-7),1@2,2@5 --in-memory --no-pci --iova-mode=va" },
		{ 3, "2,5", "0-7", VDEV, 0, 128,
		  "--lcores 0@(0-1,3-4,6-7),(1-3)@(2,5) --in-memory --no-pci --iova-mode=va" },
		{ 2, "0-1", "0-1", VDEV, 0, 128,
		  "--lcores 0@(0-1),1@0,2@1 --in-memory --no-pci --iova-mode=va" },
		{ 1, "4", "0-1", VDEV, 0, 128, "!may only run on CPUs 0-1" },
		{ 1, "a", "0-1", VDEV, 0, 128, "!no CPU list" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_boot b =
			boot(rows[i].workers, rows[i].worker_cpus, rows[i].device, rows[i].huge);
		static struct dp_eal_args a;
		struct dp_failure f = { "" };
		cpu_set_t cpus;
		struct dp_eal_needs needs = { &cpus, "px", 128, rows[i].free_mb, false };
		bool fails = rows[i].want[0] == '!';

		cr_assert_eq(dp_cpu_list(rows[i].cpus, &cpus), 0);
		cr_expect_eq(dp_eal_args_build(&a, &b, &needs, &f), fails ? -1 : 0, "row %zu: %s",
			     i, f.text);
		if (fails) {
			cr_expect_not_null(strstr(f.text, rows[i].want + 1), "row %zu: %s", i,
					   f.text);
		} else {
			char want[512];

			snprintf(want, sizeof(want), HEAD "%s", rows[i].want);
			cr_expect_str_eq(line(&a), want, "row %zu: %s", i, line(&a));
		}
	}
}

Test(start, as_many_devices_as_there_may_be_fit)
{
	static struct dp_eal_args a;
	struct dp_failure f = { "" };
	struct dp_boot b = boot(1, "", "", 0);
	cpu_set_t cpus;
	struct dp_eal_needs needs = { &cpus, "px", 1, 1, false };

	dp_cpu_list("0", &cpus);
	b.n_ports = DP_MAX_PORTS;
	for (unsigned int i = 0; i < DP_MAX_PORTS; i++)
		snprintf(b.ports[i].device, sizeof(b.ports[i].device), "00:%02x.0", i);
	cr_expect_eq(dp_eal_args_build(&a, &b, &needs, &f), 0, "%s", f.text);
	for (unsigned int i = 0; i < DP_MAX_PORTS; i++)
		snprintf(b.ports[i].device, sizeof(b.ports[i].device), "00:%02x.0,%0240d", i, 0);
	cr_expect_eq(dp_eal_args_build(&a, &b, &needs, &f), 0, "%s", f.text);
}

Test(start, pci_devices)
{
	static const struct {
		const char *device;
		bool pci;
	} rows[] = {
		{ "0000:03:00.0", true },
		{ "03:00.1", true },
		{ "0000:af:1f.7,x=1", true },
		{ "net_af_xdp0,iface=x", false },
		{ "net_pcap0", false },
		{ "03:00.8", false },
		{ "03:00.0x", false },
		{ "", false },
		{ "virtio_user0,path=/x:1.0", false },
		{ "0:0:0:0.0", false },
		{ "eth0.1", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(dp_device_is_pci(rows[i].device), rows[i].pci, "\"%s\"",
			     rows[i].device);
}

Test(start, cpu_lists)
{
	static const struct {
		const char *text;
		int count; /* -1: refused */
	} rows[] = {
		{ "0", 1 },   { "0-3", 4 }, { "0,2,4-5", 4 }, { "3-3", 1 },     { "", -1 },
		{ "a", -1 },  { "1-", -1 }, { "3-1", -1 },    { "1,", -1 },     { ",1", -1 },
		{ "-1", -1 }, { "1 ", -1 }, { "1024", -1 },   { "0-9999", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cpu_set_t set;
		int ret = dp_cpu_list(rows[i].text, &set);

		cr_expect_eq(ret == 0 ? CPU_COUNT(&set) : -1, rows[i].count, "\"%s\"",
			     rows[i].text);
	}
}

static void put(const char *dir, const char *size, const char *n)
{
	char path[256];
	FILE *fp;

	snprintf(path, sizeof(path), "%s/hugepages-%s", dir, size);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/hugepages-%s/free_hugepages", dir, size);
	fp = fopen(path, "w");
	fprintf(fp, "%s\n", n);
	fclose(fp);
}

Test(start, free_hugepages_of_all_sizes_count)
{
	char dir[] = "/tmp/sipsteer-huge-XXXXXX", command[64];

	cr_assert_not_null(mkdtemp(dir));
	cr_expect_eq(dp_free_huge_mb(dir), 0);
	put(dir, "2048kB", "100");
	put(dir, "1048576kB", "2");
	cr_expect_eq(dp_free_huge_mb(dir), 200 + 2048);
	cr_expect_eq(dp_free_huge_mb("/nonexistent"), 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert_eq(system(command), 0);
}

Test(start, missing_capabilities_are_named)
{
	static const struct {
		const char *device;
		uint64_t have;
		const char *missing;
	} rows[] = {
		{ "net_af_xdp0,iface=x", 0,
		  "CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK, CAP_SYS_ADMIN" },
		{ "net_af_xdp0,iface=x", UINT64_MAX, "" },
		{ "net_af_packet0,iface=x", 1ull << CAP_NET_ADMIN, "CAP_NET_RAW" },
		{ "0000:03:00.0", 0, "CAP_NET_ADMIN" },
		{ "net_pcap0", 1ull << CAP_NET_ADMIN, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];
		size_t n = dp_caps_missing(rows[i].have, dp_caps_for(rows[i].device), text,
					   sizeof(text));

		cr_expect_str_eq(text, rows[i].missing, "%s", rows[i].device);
		cr_expect_eq(n, strlen(rows[i].missing), "%s", rows[i].device);
	}
}

Test(rest, spins_then_sleeps_in_growing_steps_up_to_its_bound)
{
	struct dp_rest r;
	uint32_t us, before = 0;

	dp_rest_init(&r, false, 2048, 10000);
	for (int i = 0; i < DP_REST_SPINS; i++)
		cr_assert_eq(dp_rest_next(&r), 0, "round %d", i);
	cr_expect_eq(dp_rest_next(&r), DP_REST_FIRST_US);
	cr_expect(!dp_rest_is_long(&r));
	for (int i = 0; i < 20; i++) {
		us = dp_rest_next(&r);
		cr_assert_geq(us, before);
		before = us;
	}
	cr_expect_eq(before, DP_REST_MOST_US);
	cr_expect(dp_rest_is_long(&r), "it has slept for 20 times its bound, or nearly");
	dp_rest_busy(&r);
	cr_expect(!dp_rest_is_long(&r));
	cr_expect_eq(dp_rest_next(&r), 0, "a packet: from the start");
}

/* Half the ring must last while a worker sleeps and wakes. */
Test(rest, bound_follows_ring_and_speed)
{
	static const struct {
		uint32_t ring, mbps, us;
	} rows[] = {
		{ 1024, 10000, DP_REST_MOST_US },
		{ 256, 10000, 27 },
		{ 4096, 100000, 43 },
		{ 64, 100000, DP_REST_LEAST_US },
		{ 2048, 1000, DP_REST_MOST_US },
		{ 1024, 0, DP_REST_MOST_US },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_rest r;

		dp_rest_init(&r, false, rows[i].ring, rows[i].mbps);
		cr_expect_eq(r.bound_us, rows[i].us, "ring %u, %u Mbit/s: %u us", rows[i].ring,
			     rows[i].mbps, r.bound_us);
	}
}

/* Sleeps until slow_us bounds them, and once more. @return that one. */
static uint32_t slow_sleep(struct dp_rest *r)
{
	while (!dp_rest_is_slow(r))
		dp_rest_next(r);
	for (int i = 0; i < 10; i++)
		dp_rest_next(r);
	return dp_rest_next(r);
}

/* A wake-up of so many microseconds, for as long as it takes to settle: how long it sleeps, what it
 * costs. */
Test(rest, after_a_while_sleeps_are_as_long_as_waking_up_is_dear)
{
	static const struct {
		uint32_t ring, mbps, wake_us;
		uint32_t least, most; /* of the sleep */
	} rows[] = {
		{ 2048, 10000, 0, 50, 50 },    { 2048, 10000, 1, 50, 50 },
		{ 4096, 10000, 6, 140, 250 },  { 4096, 10000, 14, 250, 250 },
		{ 1024, 10000, 14, 108, 108 }, /* half the ring in 108 us */
		{ 512, 25000, 14, 21, 21 },    { 1024, 0, 14, 250, 250 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t wake = rows[i].wake_us;
		uint32_t us = 0;
		struct dp_rest r;

		dp_rest_init(&r, false, rows[i].ring, rows[i].mbps);
		for (int n = 0; n < 100; n++) {
			us = slow_sleep(&r);
			dp_rest_weigh(&r, 1000 * wake, 1000 * (us + wake));
			cr_assert(us <= DP_REST_SLOW_US);
		}
		cr_expect(us >= rows[i].least && us <= rows[i].most, "row %zu: %u us", i, us);
		/* A packet: short sleeps for a while, the long ones not forgotten. */
		dp_rest_busy(&r);
		cr_expect(!dp_rest_is_slow(&r));
		for (int n = 0; n < 200; n++)
			cr_assert(dp_rest_next(&r) <= DP_REST_MOST_US);
		cr_expect_eq(slow_sleep(&r), us);
		/* Waking up became cheap: back to the short ones. */
		for (int n = 0; n < 100; n++)
			dp_rest_weigh(&r, 0, 1000);
		cr_expect_eq(slow_sleep(&r), r.bound_us);
	}
}

/* Idle for days: no sum overflows. */
Test(rest, idle_for_long)
{
	struct dp_rest r;

	dp_rest_init(&r, false, 1024, 0);
	for (uint64_t us = 0; us < 10000000000; us += 50) {
		dp_rest_next(&r);
		if (us > 200000)
			cr_assert(dp_rest_is_slow(&r));
	}
	dp_rest_weigh(&r, 0, 0);
}

Test(rest, polling_never_sleeps)
{
	struct dp_rest r;

	dp_rest_init(&r, true, 1024, 10000);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(dp_rest_next(&r), 0);
}
