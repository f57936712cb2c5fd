/*
 * Addresses as 128-bit numbers, IPv4 behind its mapped prefix. Pure; any thread.
 */
#include "control/config/ctl_ip.h"

#include <string.h>

unsigned int ctl_ip_bits(const struct sip_ip *ip, unsigned int len)
{
	return dp_ip_is_v4(ip) ? 96 + len : len;
}

struct sip_ip ctl_ip_network(const struct sip_ip *ip, unsigned int bits)
{
	struct sip_ip net = { 0 };

	memcpy(net.b, ip->b, bits / 8);
	if (bits % 8)
		net.b[bits / 8] = (uint8_t)(ip->b[bits / 8] & (0xff00u >> (bits % 8)));
	return net;
}

bool ctl_ip_in(const struct sip_ip *ip, const struct sip_ip *net, unsigned int bits)
{
	struct sip_ip a = ctl_ip_network(ip, bits), b = ctl_ip_network(net, bits);

	return dp_ip_equal(&a, &b);
}

bool ctl_ip_is_broadcast(const struct sip_ip *ip, unsigned int len)
{
	unsigned int bits = ctl_ip_bits(ip, len);

	if (!dp_ip_is_v4(ip) || len > 30)
		return false;
	for (unsigned int i = bits; i < 128; i++) {
		if (!(ip->b[i / 8] & (0x80 >> (i % 8))))
			return false;
	}
	return true;
}

bool ctl_ip_is_link_local(const struct sip_ip *ip)
{
	if (dp_ip_is_v4(ip))
		return ip->b[12] == 169 && ip->b[13] == 254;
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

const char *ctl_ip_unfit(const struct sip_ip *ip)
{
	static const struct sip_ip loopback6 = { { [15] = 1 } }, any6;

	if (dp_ip_is_v4(ip)) {
		if (ip->b[12] == 0)
			return "in 0.0.0.0/8, which stands for no host";
		if (ip->b[12] == 127)
			return "a loopback address";
		if (ip->b[12] >= 240)
			return "in 240.0.0.0/4, which is reserved";
		return ip->b[12] >= 224 ? "a multicast address" : NULL;
	}
	if (dp_ip_equal(ip, &any6))
		return "the unspecified address";
	if (dp_ip_equal(ip, &loopback6))
		return "the loopback address";
	return ip->b[0] == 0xff ? "a multicast address" : NULL;
}
