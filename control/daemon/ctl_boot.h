/*
 * The boot block: what a data plane is started with, out of the model. It stays as it is for the
 * region's life; a configuration that wants another one needs a restart. Control thread.
 */
#pragma once

#include "control/config/ctl_config.h"
#include "dataplane/dp_region.h"

/** Fill the boot block. Names and devices have been checked for length with the configuration. */
void ctl_boot_fill(struct dp_boot *boot, const struct ctl_model *m);

/**
 * Compare the boot block that is wanted with the one that a running data plane has.
 * @param d  Gets a warning for each difference that a restart would bring into force, and an error
 *           where the ports are others, so that the model cannot be put in force at all.
 */
void ctl_boot_compare(const struct dp_boot *want, const struct dp_boot *have, struct ctl_diag *d);
