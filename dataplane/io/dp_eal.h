/*
 * DPDK's environment: started once, from the boot block, and ended. Leaves no file behind, also
 * when the process is killed: neither hugepage files nor a runtime directory. Main thread.
 */
#pragma once

#include "dataplane/dp_region.h"
#include "dataplane/io/dp_failure.h"

/**
 * Start it. Afterwards lcore 0 is this thread and lcores 1 to boot->n_workers wait for work.
 * Signals that are blocked now stay blocked in them.
 * @param prefix     Unique among data planes of this machine.
 * @param memory_mb  What ports and pools will take.
 * @return 0 or -1 with *f.
 */
int dp_eal_start(const struct dp_boot *boot, const char *prefix, uint32_t memory_mb, bool verbose,
		 struct dp_failure *f);

void dp_eal_stop(void);

/**
 * What DPDK's first error message since dp_eal_log_forget() said, for the end of a sentence:
 * " (text)", or "" when there was none.
 */
const char *dp_eal_error(char *out, unsigned int size);

/** Another attempt begins: what was said before does not matter any more. */
void dp_eal_log_forget(void);

/** The start is over: print what DPDK has said so far if it failed, and from now on all it says. */
void dp_eal_log_settle(bool failed);
