/*
 * Netlink requests. One socket, one request at a time, matched by sequence number; what is left
 * of earlier, posted requests is skipped. Control thread.
 */
#include "control/net/ctl_netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "control/net/ctl_attr.h"

enum { RX_SIZE = 32768, TIMEOUT_S = 5 };

struct ctl_netlink {
	struct mnl_socket *sock;
	uint32_t seq;
	char error[160];
	_Alignas(struct nlmsghdr) char rx[RX_SIZE];
};

struct ctl_netlink *ctl_netlink_open(void)
{
	struct ctl_netlink *nl = calloc(1, sizeof(*nl));
	const struct timeval tv = { .tv_sec = TIMEOUT_S };
	int on = 1;

	if (!nl)
		return NULL;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->sock)
		goto fail;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	if (setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		goto fail;
	/* Better words and filtered dumps; without them all still works. */
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return nl;

fail:
	on = errno;
	ctl_netlink_close(nl);
	errno = on;
	return NULL;
}

void ctl_netlink_close(struct ctl_netlink *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
}

const char *ctl_netlink_error(const struct ctl_netlink *nl)
{
	return nl->error;
}

static int fail_with(struct ctl_netlink *nl, int code)
{
	snprintf(nl->error, sizeof(nl->error), "%s", strerror(code));
	return -code;
}

/* What posted requests left behind: refusals that nobody waits for. */
static void drain(struct ctl_netlink *nl)
{
	while (recv(mnl_socket_get_fd(nl->sock), nl->rx, sizeof(nl->rx), MSG_DONTWAIT) >= 0
	       || errno == ENOBUFS || errno == EINTR)
		;
}

static int send_request(struct ctl_netlink *nl, struct nlmsghdr *nlh, uint16_t flags)
{
	nlh->nlmsg_flags = (uint16_t)(nlh->nlmsg_flags | NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++nl->seq;
	nl->error[0] = '\0';
	drain(nl);
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return fail_with(nl, errno);
	return 0;
}

/* The kernel's words, which follow the copy of the request that an error carries. */
static void take_words(struct ctl_netlink *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	unsigned int off = sizeof(*e);

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		off += e->msg.nlmsg_len - (unsigned int)sizeof(e->msg);
	for (attr = ctl_attr_first(nlh, off); attr; attr = ctl_attr_next(attr, ctl_attr_end(nlh))) {
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG
		    && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			snprintf(nl->error, sizeof(nl->error), "%s", mnl_attr_get_str(attr));
	}
}

/* @return 0 for an acknowledgement, else negative errno. */
static int take_error(struct ctl_netlink *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return fail_with(nl, EBADMSG);
	if (e->error == 0)
		return 0;
	fail_with(nl, -e->error);
	take_words(nl, nlh);
	return e->error;
}

/* An answer as it comes in. It is read to its end whatever happens, or else the socket would
 * refuse the next dump. */
struct answer {
	ctl_netlink_each each;
	void *arg;
	int result;
};

/* A dump that breaks off says so in its last message. */
static int done_code(const struct nlmsghdr *nlh)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(nlh), sizeof(code));
	return code;
}

/* Walk one datagram. @return whether the answer ends in it. */
static bool walk(struct ctl_netlink *nl, size_t n, struct answer *a)
{
	const struct nlmsghdr *nlh = (const void *)nl->rx;
	int left = (int)n;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != nl->seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			a->result = fail_with(nl, EAGAIN);
		if (nlh->nlmsg_type == NLMSG_ERROR)
			a->result = take_error(nl, nlh);
		if (nlh->nlmsg_type == NLMSG_DONE && done_code(nlh) < 0)
			a->result = fail_with(nl, -done_code(nlh));
		if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE)
			return true;
		if (a->each && a->result == 0)
			a->result = a->each(a->arg, nlh);
	}
	return false;
}

static int receive(struct ctl_netlink *nl, ctl_netlink_each each, void *arg)
{
	struct answer a = { .each = each, .arg = arg };

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, nl->rx, sizeof(nl->rx));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_with(nl, errno == EAGAIN ? ETIMEDOUT : errno);
		if (walk(nl, (size_t)n, &a))
			return a.result;
	}
}

int ctl_netlink_request(struct ctl_netlink *nl, struct nlmsghdr *nlh)
{
	int ret = send_request(nl, nlh, NLM_F_ACK);

	return ret < 0 ? ret : receive(nl, NULL, NULL);
}

int ctl_netlink_post(struct ctl_netlink *nl, struct nlmsghdr *nlh)
{
	return send_request(nl, nlh, 0);
}

int ctl_netlink_dump(struct ctl_netlink *nl, struct nlmsghdr *nlh, ctl_netlink_each each, void *arg)
{
	int ret = send_request(nl, nlh, NLM_F_DUMP);

	return ret < 0 ? ret : receive(nl, each, arg);
}
