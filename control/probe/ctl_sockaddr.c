#include "control/probe/ctl_sockaddr.h"

#include <errno.h>
#include <string.h>

socklen_t ctl_sockaddr_to(union ctl_sockaddr *a, const struct sip_ip *ip, uint16_t port, bool v4)
{
	memset(a, 0, sizeof(*a));
	if (v4) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		memcpy(&a->in.sin_addr, ip->b + 12, 4);
		return sizeof(a->in);
	}
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons(port);
	memcpy(&a->in6.sin6_addr, ip->b, 16);
	return sizeof(a->in6);
}

void ctl_sockaddr_from(struct dp_endpoint *e, const union ctl_sockaddr *a)
{
	memset(e, 0, sizeof(*e));
	e->transport = DP_UDP;
	if (a->sa.sa_family == AF_INET) {
		memset(e->ip.b + 10, 0xff, 2);
		memcpy(e->ip.b + 12, &a->in.sin_addr, 4);
		e->port = ntohs(a->in.sin_port);
	} else {
		memcpy(e->ip.b, &a->in6.sin6_addr, 16);
		e->port = ntohs(a->in6.sin6_port);
	}
}

int ctl_sockaddr_local(int fd, struct dp_endpoint *e)
{
	union ctl_sockaddr a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.sa, &len) != 0)
		return -errno;
	ctl_sockaddr_from(e, &a);
	return 0;
}
