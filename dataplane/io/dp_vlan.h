/*
 * 802.1Q tags, and which of several ports on one device a frame belongs to: each VLAN of a device
 * is a port of its own, with or without one for untagged frames. Pure functions; any thread.
 */
#pragma once

#include "dataplane/dp_region.h"
#include "dataplane/io/dp_classify.h"

/** The ports of one device. */
struct dp_vlans {
	unsigned int n;
	struct {
		uint16_t vlan; /* 0: untagged */
		uint8_t port;  /* index into boot.ports */
	} row[DP_MAX_PORTS];
};

/** The first port with the same device string, `index` itself when it has the device alone or is
 * the first. */
unsigned int dp_vlan_device(const struct dp_boot *boot, unsigned int index);

/** The ports that share a device with port `index`. */
void dp_vlans_of(const struct dp_boot *boot, unsigned int index, struct dp_vlans *v);

/**
 * Whose a frame is.
 * @param tagged  Out: whether it has a tag to take off.
 * @return the port, or -1: none of the device's ports has this VLAN.
 */
int dp_vlan_port(const struct dp_vlans *v, const uint8_t *frame, size_t len, bool *tagged);

/** Take the tag off: the frame begins DP_VLAN_LEN bytes further on then. */
void dp_vlan_strip(uint8_t *frame);

/** Put a tag in: DP_VLAN_LEN bytes follow `frame`, then the frame as it was. */
void dp_vlan_put(uint8_t *frame, uint16_t vlan);
