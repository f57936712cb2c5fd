#include "dataplane/io/dp_caps.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane/io/dp_device.h"

#define BIT(cap) (1ull << (cap))

static const struct {
	unsigned int cap;
	const char *name;
} names[] = {
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	{ CAP_NET_RAW, "CAP_NET_RAW" },
	{ CAP_IPC_LOCK, "CAP_IPC_LOCK" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
};

uint64_t dp_caps_effective(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

uint64_t dp_caps_for(const char *device)
{
	uint64_t need = BIT(CAP_NET_ADMIN); /* the exception netdev */

	if (dp_device_has(device, "net_af_packet"))
		need |= BIT(CAP_NET_RAW);
	/* A pinned UMEM, and the XDP program found again by its number. */
	if (dp_device_has(device, "net_af_xdp"))
		need |= BIT(CAP_NET_RAW) | BIT(CAP_IPC_LOCK) | BIT(CAP_SYS_ADMIN);
	return need;
}

size_t dp_caps_missing(uint64_t have, uint64_t need, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && n < size; i++) {
		if (need & ~have & BIT(names[i].cap))
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
					      names[i].name);
	}
	return n;
}
