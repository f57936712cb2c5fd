#include "dataplane/io/dp_device.h"

#include <stdio.h>
#include <string.h>

bool dp_device_part(const char *device, unsigned int i, char out[DP_DEVICE_SIZE])
{
	while (i-- > 0) {
		device = strchr(device, ';');
		if (!device)
			return false;
		device++;
	}
	snprintf(out, DP_DEVICE_SIZE, "%.*s", (int)strcspn(device, ";"), device);
	return true;
}

void dp_device_name(const char *part, char out[DP_DEVICE_SIZE])
{
	snprintf(out, DP_DEVICE_SIZE, "%.*s", (int)strcspn(part, ","), part);
}

bool dp_device_iface(const char *part, char *iface, size_t size)
{
	/* A net_tap makes its own; a PCI address has no such argument. */
	if (strncmp(part, "net_tap", strlen("net_tap")) == 0)
		return false;
	for (const char *s = strchr(part, ','); s; s = strchr(s + 1, ',')) {
		const char *value = s + 1 + strlen("iface=");

		if (strncmp(s + 1, "iface=", strlen("iface=")) != 0)
			continue;
		snprintf(iface, size, "%.*s", (int)strcspn(value, ","), value);
		return true;
	}
	return false;
}

bool dp_device_has(const char *device, const char *begin)
{
	char part[DP_DEVICE_SIZE];

	for (unsigned int i = 0; dp_device_part(device, i, part); i++) {
		if (strncmp(part, begin, strlen(begin)) == 0)
			return true;
	}
	return false;
}
