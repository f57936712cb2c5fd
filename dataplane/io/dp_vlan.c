#include "dataplane/io/dp_vlan.h"

#include <string.h>

#define MACS_LEN 12u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

unsigned int dp_vlan_device(const struct dp_boot *boot, unsigned int index)
{
	unsigned int i = 0;

	while (strcmp(boot->ports[i].device, boot->ports[index].device) != 0)
		i++;
	return i;
}

void dp_vlans_of(const struct dp_boot *boot, unsigned int index, struct dp_vlans *v)
{
	v->n = 0;
	for (unsigned int i = 0; i < boot->n_ports; i++) {
		if (strcmp(boot->ports[i].device, boot->ports[index].device) != 0)
			continue;
		v->row[v->n].vlan = boot->ports[i].vlan;
		v->row[v->n].port = (uint8_t)i;
		v->n++;
	}
}

int dp_vlan_port(const struct dp_vlans *v, const uint8_t *frame, size_t len, bool *tagged)
{
	uint16_t vlan = 0;

	*tagged = len >= DP_ETHER_LEN + DP_VLAN_LEN && get16(frame + MACS_LEN) == DP_ETHER_VLAN;
	if (*tagged)
		vlan = get16(frame + MACS_LEN + 2) & 0xfff;
	for (unsigned int i = 0; i < v->n; i++) {
		if (v->row[i].vlan == vlan)
			return v->row[i].port;
	}
	return -1;
}

void dp_vlan_strip(uint8_t *frame)
{
	memmove(frame + DP_VLAN_LEN, frame, MACS_LEN);
}

void dp_vlan_put(uint8_t *frame, uint16_t vlan)
{
	memmove(frame, frame + DP_VLAN_LEN, MACS_LEN);
	frame[MACS_LEN] = DP_ETHER_VLAN >> 8;
	frame[MACS_LEN + 1] = DP_ETHER_VLAN & 0xff;
	frame[MACS_LEN + 2] = (uint8_t)(vlan >> 8);
	frame[MACS_LEN + 3] = (uint8_t)vlan;
}
