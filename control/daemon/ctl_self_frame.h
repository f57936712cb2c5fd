/* The frame of a self-probe. Pure functions; any thread. */
#pragma once

#include "dataplane/dp_cfg.h"

#define CTL_SELF_FRAME_SIZE 1024

/**
 * An OPTIONS to a listener from a port of its own address, in UDP, IP and Ethernet from and to mac.
 * @param out    CTL_SELF_FRAME_SIZE bytes.
 * @param token  Its Call-ID; plain characters, at most 63.
 * @return the frame's length.
 */
size_t ctl_self_frame(uint8_t *out, const uint8_t mac[6], const struct dp_endpoint *listener,
		      uint16_t from_port, const char *token);
