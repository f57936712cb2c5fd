/*
 * The prober's UDP sockets: ordinary kernel sockets, one per family and source address, shared by
 * all members. ICMP errors are read from the sockets' error queues. Control thread.
 */
#pragma once

#include <event2/event.h>

#include "dataplane/dp_cfg.h"

struct ctl_udp;
struct ctl_udp_sock;

struct ctl_udp_handler {
	void (*datagram)(void *arg, const char *buf, size_t len, const struct dp_endpoint *from);
	/** A datagram to `to` came to nothing: ICMP type << 8 | code, and as much of the datagram
	 * as the error quoted. */
	void (*icmp)(void *arg, uint32_t icmp, const char *buf, size_t len,
		     const struct dp_endpoint *to);
	void *arg;
};

/** @return NULL when out of memory. */
struct ctl_udp *ctl_udp_new(struct event_base *base, const struct ctl_udp_handler *h);

/** Closes all sockets. */
void ctl_udp_free(struct ctl_udp *u);

/**
 * The socket to send from, opened when it is first needed.
 * @param from  Source address; all zero: the kernel's choice.
 * @param v4    Family, where from is all zero.
 * @return      NULL with errno.
 */
struct ctl_udp_sock *ctl_udp_socket(struct ctl_udp *u, const struct sip_ip *from, bool v4);

/** Read all that has arrived, within reason. */
void ctl_udp_drain(struct ctl_udp *u);

uint16_t ctl_udp_port(const struct ctl_udp_sock *s);

/** @return 0; -EAGAIN: lost like any datagram may be; else what hinders it. */
int ctl_udp_send(struct ctl_udp_sock *s, const struct dp_endpoint *to, const char *buf, size_t len);

/** The address that the kernel would send from. @return 0 or negative errno. */
int ctl_udp_source(const struct dp_endpoint *to, struct sip_ip *ip);
