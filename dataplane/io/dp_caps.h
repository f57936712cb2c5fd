/*
 * Capabilities (capabilities(7)): what a device needs and this process lacks. Main thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Those that this process has in effect, a bit each. */
uint64_t dp_caps_effective(void);

/** Those that opening a device string takes, with its exception netdev. */
uint64_t dp_caps_for(const char *device);

/**
 * Names of those needed that are not there: "CAP_NET_RAW, CAP_SYS_ADMIN".
 * @return the length of the text, 0 when nothing is missing.
 */
size_t dp_caps_missing(uint64_t have, uint64_t need, char *text, size_t size);
