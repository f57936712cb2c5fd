#include "dataplane/io/dp_own.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dataplane/io/dp_checksum.h"
#include "dataplane/io/dp_classify.h"

_Static_assert(sizeof(struct dp_net_port) % 8 == 0 && sizeof(struct dp_net_addr) % 8 == 0,
	       "hashed by words");

#define ETHER_ARP 0x0806
#define ARP_LEN   28u
#define NA_LEN    24u /* without options */
#define NA_TYPE   136
#define TLLA      2 /* option: target link-layer address, RFC 4861 4.6.1 */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static const struct dp_net_port *ports_of(const struct dp_net *net)
{
	return (const void *)((const uint8_t *)net + net->ports);
}

static const struct dp_net_addr *addrs_of(const struct dp_net *net)
{
	return (const void *)((const uint8_t *)net + net->addrs);
}

/* ---- Claims of others */

static bool read_arp(const uint8_t *f, size_t len, struct dp_claim *c)
{
	const uint8_t *arp = f + DP_ETHER_LEN;

	/* Hardware Ethernet, protocol IPv4, addresses of 6 and 4 bytes (RFC 826). */
	if (len < DP_ETHER_LEN + ARP_LEN || memcmp(arp, "\0\1\x08\0\6\4", 6) != 0)
		return false;
	memset(&c->ip, 0, sizeof(c->ip));
	c->ip.b[10] = c->ip.b[11] = 0xff;
	memcpy(c->mac, arp + 8, 6);
	memcpy(c->ip.b + 12, arp + 14, 4);
	return true;
}

/* A neighbour advertisement; RFC 4861 7.1.2: a hop limit of 255 shows that it is from this link. */
static bool read_na(const uint8_t *f, size_t len, struct dp_claim *c)
{
	const uint8_t *ip = f + DP_ETHER_LEN, *na = ip + DP_IPV6_LEN;

	if (len < DP_ETHER_LEN + DP_IPV6_LEN + NA_LEN || ip[6] != IPPROTO_ICMPV6 || ip[7] != 255
	    || na[0] != NA_TYPE || na[1] != 0)
		return false;
	memcpy(c->ip.b, na + 8, 16);
	memcpy(c->mac, f + 6, 6);
	if (len >= DP_ETHER_LEN + DP_IPV6_LEN + NA_LEN + 8 && na[24] == TLLA && na[25] == 1)
		memcpy(c->mac, na + 26, 6);
	return true;
}

static bool is_own_mac(const struct dp_net *net, const uint8_t *mac)
{
	for (uint32_t i = 0; i < net->n_ports; i++) {
		if (memcmp(ports_of(net)[i].mac, mac, 6) == 0)
			return true;
	}
	return false;
}

bool dp_own_claimed(const struct dp_net *net, const uint8_t *f, size_t len, struct dp_claim *c)
{
	const struct dp_net_addr *own;
	bool claims = false;

	if (len < DP_ETHER_LEN)
		return false;
	if (get16(f + 12) == ETHER_ARP)
		claims = read_arp(f, len, c);
	else if (get16(f + 12) == DP_ETHER_IPV6)
		claims = read_na(f, len, c);
	if (!claims || is_own_mac(net, c->mac))
		return false;
	own = dp_net_own(net, &c->ip);
	return own && !own->broadcast;
}

/* ---- Announcements */

/* RFC 5227 2.3: a request for the address that it comes from. */
static size_t put_arp(const struct sip_ip *ip, const uint8_t mac[6], uint8_t *out)
{
	uint8_t *arp = out + DP_ETHER_LEN;

	memset(out, 0xff, 6);
	put16(out + 12, ETHER_ARP);
	memcpy(arp, "\0\1\x08\0\6\4\0\1", 8);
	memcpy(arp + 8, mac, 6);
	memcpy(arp + 14, ip->b + 12, 4);
	memcpy(arp + 24, ip->b + 12, 4);
	return DP_ETHER_LEN + ARP_LEN;
}

/* RFC 4861 7.2.6: to all nodes, override set. */
static size_t put_na(const struct sip_ip *ip, const uint8_t mac[6], uint8_t *out)
{
	static const uint8_t all_nodes[16] = { 0xff, 2, [15] = 1 };
	uint8_t *h = out + DP_ETHER_LEN, *na = h + DP_IPV6_LEN;
	uint16_t len = NA_LEN + 8;

	memcpy(out, "\x33\x33\0\0\0\1", 6);
	put16(out + 12, DP_ETHER_IPV6);
	h[0] = 0x60;
	put16(h + 4, len);
	h[6] = IPPROTO_ICMPV6;
	h[7] = 255;
	memcpy(h + 8, ip->b, 16);
	memcpy(h + 24, all_nodes, 16);
	na[0] = NA_TYPE;
	na[4] = 0x20;
	memcpy(na + 8, ip->b, 16);
	na[24] = TLLA;
	na[25] = 1;
	memcpy(na + 26, mac, 6);
	memcpy(na + 2,
	       &(uint16_t){ dp_sum_finish(dp_sum(h + 8, 32) + htons(len) + htons(IPPROTO_ICMPV6)
					  + dp_sum(na, len)) },
	       2);
	return DP_ETHER_LEN + DP_IPV6_LEN + len;
}

size_t dp_own_announcement(const struct sip_ip *ip, const uint8_t mac[6], uint8_t *out)
{
	memset(out, 0, DP_OWN_FRAME_SIZE);
	memcpy(out + 6, mac, 6);
	return dp_ip_is_v4(ip) ? put_arp(ip, mac, out) : put_na(ip, mac, out);
}

static bool was_announced(const struct dp_own *o, const struct dp_own_known *k)
{
	for (unsigned int i = 0; i < o->n; i++) {
		if (o->known[i].up && memcmp(&o->known[i], k, sizeof(*k)) == 0)
			return true;
	}
	return false;
}

static uint64_t hash_words(uint64_t h, const void *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		uint64_t w;

		memcpy(&w, (const uint8_t *)p + i, sizeof(w));
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return h;
}

static uint64_t hash_of(const struct dp_net *net, uint32_t links)
{
	uint64_t h =
		hash_words(links + 1ull, ports_of(net), net->n_ports * sizeof(struct dp_net_port));

	return hash_words(h, addrs_of(net), net->n_addrs * sizeof(struct dp_net_addr));
}

void dp_own_update(struct dp_own *o, const struct dp_net *net, uint32_t links,
		   void (*send)(void *arg, unsigned int port, const uint8_t *frame, size_t len),
		   void *arg)
{
	const struct dp_net_addr *a = addrs_of(net);
	uint8_t frame[DP_OWN_FRAME_SIZE];
	struct dp_own now = { .seen = hash_of(net, links) };

	if (now.seen == o->seen)
		return;
	for (uint32_t i = 0; i < net->n_addrs && now.n < DP_OWN_KNOWN; i++) {
		struct dp_own_known *k = &now.known[now.n];

		if (a[i].broadcast || a[i].port >= net->n_ports)
			continue;
		k->ip = a[i].ip;
		k->port = a[i].port;
		k->up = links >> a[i].port & 1;
		memcpy(k->mac, ports_of(net)[a[i].port].mac, 6);
		now.n++;
		if (k->up && !was_announced(o, k))
			send(arg, k->port, frame, dp_own_announcement(&k->ip, k->mac, frame));
	}
	*o = now;
}
