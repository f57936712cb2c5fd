/*
 * Device strings. One names a device of DPDK with its arguments; behind semicolons follow the
 * members of a bonded one:
 *
 *   net_bonding0,mode=1,slave=net_af_xdp0,slave=net_af_xdp1;net_af_xdp0,iface=a;net_af_xdp1,iface=b
 *
 * Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define DP_DEVICE_PARTS 8   /* the device and its members */
#define DP_DEVICE_SIZE  256 /* of a device string */

/** Part i of a device string: the device itself (0), its members. @return whether there is one. */
bool dp_device_part(const char *device, unsigned int i, char out[DP_DEVICE_SIZE]);

/** The name of a part: what comes before its arguments. */
void dp_device_name(const char *part, char out[DP_DEVICE_SIZE]);

/** The kernel netdev that a part takes its packets from. @return whether there is one. */
bool dp_device_iface(const char *part, char *iface, size_t size);

/** Whether a device or one of its members begins with this name. */
bool dp_device_has(const char *device, const char *begin);
