#include "control/daemon/ctl_self_frame.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { ETHER = 14, IP4 = 20, IP6 = 40, UDP = 8 };

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1071. */
static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		s += (uint32_t)p[len - 1] << 8;
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static size_t write_sip(char *out, size_t size, const struct dp_endpoint *to, uint16_t from_port,
			const char *token)
{
	char ip[48], host[52];

	ip[dp_ip_format(&to->ip, ip)] = '\0';
	snprintf(host, sizeof(host), dp_ip_is_v4(&to->ip) ? "%s" : "[%s]", ip);
	return (size_t)snprintf(out, size,
				"OPTIONS sip:%s:%u SIP/2.0\r\n"
				"Via: SIP/2.0/UDP %s:%u;branch=z9hG4bK%s;rport\r\n"
				"Max-Forwards: 1\r\n"
				"From: <sip:self-probe@%s>;tag=%s\r\n"
				"To: <sip:%s:%u>\r\n"
				"Call-ID: %s\r\n"
				"CSeq: 1 OPTIONS\r\n"
				"Content-Length: 0\r\n\r\n",
				host, to->port, host, from_port, token, host, token, host, to->port,
				token);
}

/* IPv4 or IPv6 from an address to itself; returns the pseudo-header's sum. */
static uint32_t write_ip(uint8_t *ip, const struct sip_ip *a, size_t udp_len)
{
	uint32_t pseudo = (uint32_t)udp_len + IPPROTO_UDP;

	if (dp_ip_is_v4(a)) {
		ip[0] = 0x45;
		put16(ip + 2, IP4 + udp_len);
		ip[8] = 1; /* it goes no further */
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, a->b + 12, 4);
		memcpy(ip + 16, a->b + 12, 4);
		put16(ip + 10, fold(sum(0, ip, IP4)));
		return sum(pseudo, ip + 12, 8);
	}
	ip[0] = 0x60;
	put16(ip + 4, udp_len);
	ip[6] = IPPROTO_UDP;
	ip[7] = 1;
	memcpy(ip + 8, a->b, 16);
	memcpy(ip + 24, a->b, 16);
	return sum(pseudo, ip + 8, 32);
}

size_t ctl_self_frame(uint8_t *out, const uint8_t mac[6], const struct dp_endpoint *listener,
		      uint16_t from_port, const char *token)
{
	bool v4 = dp_ip_is_v4(&listener->ip);
	size_t l4 = ETHER + (v4 ? IP4 : IP6), len;
	uint32_t pseudo;

	memset(out, 0, l4 + UDP);
	memcpy(out, mac, 6);
	memcpy(out + 6, mac, 6);
	put16(out + 12, v4 ? 0x0800 : 0x86dd);
	len = UDP
	      + write_sip((char *)out + l4 + UDP, CTL_SELF_FRAME_SIZE - l4 - UDP, listener,
			  from_port, token);
	pseudo = write_ip(out + ETHER, &listener->ip, len);
	put16(out + l4, from_port);
	put16(out + l4 + 2, listener->port);
	put16(out + l4 + 4, len);
	put16(out + l4 + 6, fold(sum(pseudo, out + l4, len)));
	return l4 + len;
}
