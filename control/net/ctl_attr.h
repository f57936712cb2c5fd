/*
 * Walking the attributes of a netlink message, within its bounds:
 *
 *	for (a = ctl_attr_first(nlh, sizeof(*m)); a; a = ctl_attr_next(a, ctl_attr_end(nlh)))
 */
#pragma once

#include <libmnl/libmnl.h>
#include <stddef.h>

static inline const void *ctl_attr_end(const struct nlmsghdr *nlh)
{
	return mnl_nlmsg_get_payload_tail(nlh);
}

/** @return a when it lies within [.., end), else NULL. */
static inline const struct nlattr *ctl_attr_check(const void *a, const void *end)
{
	ptrdiff_t left = (const char *)end - (const char *)a;

	return mnl_attr_ok(a, left > INT32_MAX ? INT32_MAX : (int)left) ? a : NULL;
}

/** The first attribute behind a family header of `size` bytes, or NULL. */
static inline const struct nlattr *ctl_attr_first(const struct nlmsghdr *nlh, size_t size)
{
	return ctl_attr_check(mnl_nlmsg_get_payload_offset(nlh, size), ctl_attr_end(nlh));
}

static inline const struct nlattr *ctl_attr_next(const struct nlattr *a, const void *end)
{
	return ctl_attr_check(mnl_attr_next(a), end);
}
