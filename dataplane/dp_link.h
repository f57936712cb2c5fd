/*
 * The link: a Unix SEQPACKET socket on which the two processes hand the region's memfd to each
 * other's successor.
 *
 * The data plane listens at <directory of the control socket>/dataplane.sock and serves one control
 * at a time; control connects. Each side says hello once, the data plane first, with the memfd
 * attached if it has a region:
 *   - the data plane has one (it runs): control takes it and forgets its own;
 *   - the data plane has none (it has just started): control answers with the region that it kept,
 * or with a new one. After that the socket carries nothing: its end tells either side that the
 * other is gone. A new control that connects replaces the old one. Different layout versions: the
 * data plane closes, control says so and plans a restart.
 */
#pragma once

#include <stdint.h>

#define DP_LINK_MAGIC 0x6b6e696cu /* "link" */

struct dp_link_hello {
	uint32_t magic;
	uint32_t layout_version; /* DP_LAYOUT_VERSION of the sender */
	uint32_t has_region;     /* a memfd is attached */
	uint32_t pid;
	char version[32]; /* of the sender's build */
};

/**
 * Send a hello.
 * @param memfd  Attached when 0 or more; stays the caller's.
 * @return 0 or negative errno.
 */
int dp_link_send(int sock, int memfd);

/**
 * Receive a hello, waiting at most timeout_ms (negative: without end).
 * @param hello  Out: zeros on failure, but with -EPROTO what came if its magic was right, so that
 *               the other's layout and version can be named.
 * @param memfd  Out: the attached descriptor, owned by the caller, or -1.
 * @return 0; -ETIMEDOUT; -ECONNRESET when the peer is gone; -EPROTO when it speaks another layout
 * or nonsense.
 */
int dp_link_recv(int sock, struct dp_link_hello *hello, int *memfd, int timeout_ms);
