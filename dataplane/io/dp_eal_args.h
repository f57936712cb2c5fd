/*
 * What DPDK's environment is started with: memory with or without hugepages, threads and their
 * CPUs, devices. Knows no DPDK itself: the outcome is an argument vector. Main thread.
 */
#pragma once

#include <sched.h>

#include "dataplane/dp_region.h"
#include "dataplane/io/dp_failure.h"

#define DP_EAL_ARGS      48
#define DP_EAL_TEXT_SIZE 8192

struct dp_eal_args {
	int argc;
	char *argv[DP_EAL_ARGS + 1]; /* into text; NULL-terminated */
	size_t used;
	char text[DP_EAL_TEXT_SIZE];
};

/** What the machine offers, and what is needed. */
struct dp_eal_needs {
	const cpu_set_t *cpus; /* that this process may run on */
	const char *prefix;    /* file prefix: no two data planes share one */
	uint32_t memory_mb;    /* for packet buffers and rings */
	uint32_t free_huge_mb; /* hugepages of any size that nobody uses */
	bool verbose;          /* let DPDK say what it does */
};

/**
 * Build the arguments. lcore 0 is the main thread, 1 to boot->n_workers are the workers.
 * @param a  Out. Must not be moved: argv points into it.
 * @return 0 or -1 with *f (no hugepages though they are insisted on or needed, CPUs that cannot be
 * had).
 */
int dp_eal_args_build(struct dp_eal_args *a, const struct dp_boot *boot,
		      const struct dp_eal_needs *needs, struct dp_failure *f);

/** Whether a part of a device string names a PCI device ("0000:03:00.0", "03:00.0,arg=1"). */
bool dp_device_is_pci(const char *device);

/** Whether a device string or one of its members does. */
bool dp_device_any_pci(const char *device);

/** MiB of hugepages that are free, below a directory as /sys/kernel/mm/hugepages is. */
uint32_t dp_free_huge_mb(const char *dir);

/** Read a CPU list ("2-5,7"). @return 0 or -EINVAL. */
int dp_cpu_list(const char *text, cpu_set_t *set);
