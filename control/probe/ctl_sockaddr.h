/*
 * Addresses as sockets take them. Pure but for ctl_sockaddr_local(); any thread.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "dataplane/dp_cfg.h"

union ctl_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/** @param v4  Family (ip may be all zero). @return length of what is in *a. */
socklen_t ctl_sockaddr_to(union ctl_sockaddr *a, const struct sip_ip *ip, uint16_t port, bool v4);

/** *e but for its transport, which is DP_UDP. */
void ctl_sockaddr_from(struct dp_endpoint *e, const union ctl_sockaddr *a);

/** A socket's own address and port. @return 0 or negative errno. */
int ctl_sockaddr_local(int fd, struct dp_endpoint *e);
