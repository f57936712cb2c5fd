/*
 * A NETLINK_ROUTE socket for requests: each is sent and its answer awaited (the kernel answers
 * within the call), and refusals come with the kernel's own words. Used from the control thread
 * only; the mirror has sockets of its own (control/net/ctl_mirror.h).
 */
#pragma once

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct ctl_netlink;

/** Room for any request that is built here. */
#define CTL_NETLINK_REQUEST_SIZE 512

/** @return NULL with errno. */
struct ctl_netlink *ctl_netlink_open(void);
void ctl_netlink_close(struct ctl_netlink *nl);

/**
 * Send a request and wait for its acknowledgement.
 * @param nlh  Flags REQUEST and ACK, and the sequence number, are set here.
 * @return 0, or the kernel's negative errno; ctl_netlink_error() then says why.
 */
int ctl_netlink_request(struct ctl_netlink *nl, struct nlmsghdr *nlh);

/** Send a request whose outcome does not matter. @return 0 or negative errno of the sending. */
int ctl_netlink_post(struct ctl_netlink *nl, struct nlmsghdr *nlh);

/** One message of a dump. @return 0 to go on, else what ctl_netlink_dump() shall return. */
typedef int (*ctl_netlink_each)(void *arg, const struct nlmsghdr *nlh);

/**
 * Send a dump request and hand its messages to `each`.
 * @return 0, -EAGAIN when the table changed under the dump (start again), or negative errno.
 */
int ctl_netlink_dump(struct ctl_netlink *nl, struct nlmsghdr *nlh, ctl_netlink_each each,
		     void *arg);

/** Why the last request failed, in the kernel's words or errno's. Borrowed until the next one. */
const char *ctl_netlink_error(const struct ctl_netlink *nl);
