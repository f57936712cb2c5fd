/*
 * Kernel netdevs: the few things that the data plane asks of them or sets, by ioctl. Main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** @return its index, or 0 when there is none of that name. */
unsigned int dp_netdev_index(const char *name);

/** Up and with a carrier. False when it is gone. */
bool dp_netdev_running(const char *name);

/** @return its MTU, or 0. */
uint16_t dp_netdev_mtu(const char *name);

/** @return how many receive queues are in use, 0 when the driver does not say. */
unsigned int dp_netdev_rx_queues(const char *name);

/** All return 0 or negative errno. */
int dp_netdev_set_mtu(const char *name, uint16_t mtu);
int dp_netdev_set_mac(const char *name, const uint8_t mac[6]);
int dp_netdev_set_up(const char *name);

/** Let all multicast frames through, as neighbour discovery needs them. */
int dp_netdev_set_allmulti(const char *name);

/**
 * Switch IPv6 off on a netdev whose packets we take, or the kernel would answer for the same
 * link-local address on it.
 * @return 1 when it was on, 0 when it was off (or the kernel has none), or negative errno.
 */
int dp_netdev_disable_ipv6(const char *name);

/**
 * Claim a netdev for this process, within its network namespace, until the descriptor is closed or
 * the process ends. Two data planes on one netdev must not meet in the driver: when the second one
 * gives up, DPDK's AF_XDP driver takes the first one's XDP program off the netdev.
 * @return a descriptor, -EADDRINUSE when another process has claimed it, or negative errno.
 */
int dp_netdev_claim(const char *name);
