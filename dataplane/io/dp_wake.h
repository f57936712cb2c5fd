/*
 * Sleeping until something comes: the descriptors behind ports that the kernel drives (AF_XDP and
 * packet sockets, TUN devices), which DPDK's drivers poll and keep to themselves. Where all of a
 * data plane's ports have some, or receive interrupts (dp_irq.h), a worker that has been idle for
 * long can wait for them instead of looking again and again.
 *
 * The main thread finds them once, when all ports are open; each worker has a copy.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define DP_WAKE_FDS 128

struct dp_wake {
	bool usable; /* whatever comes makes one of them readable */
	unsigned int n;
	struct pollfd fds[DP_WAKE_FDS];
};

/**
 * Find them among this process's descriptors.
 * @param usable  Whether all ports can be waited for.
 * @param taps    Whether the exception netdevs are TUN devices that we read; else those that there
 * are belong to the kernel's vhost-net.
 */
void dp_wake_find(struct dp_wake *w, bool usable, bool taps);

/** One more, such as an eventfd. */
void dp_wake_add(struct dp_wake *w, int fd);

/** Whether a device string's driver takes its packets from a socket. */
bool dp_wake_knows(const char *device);

/**
 * Wait until one is readable, at most so long. A descriptor that breaks makes all unusable: whoever
 * waits must then look for himself.
 * @return whether one was.
 */
bool dp_wake_wait(struct dp_wake *w, uint32_t us);
