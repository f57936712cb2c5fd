/*
 * Types of values that are addresses: of ports, of routes, of sources, endpoints.
 */
#include "control/config/ctl_types.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_ip.h"
#include "control/config/ctl_model.h"

#define TEXT_SIZE 64 /* the longest address with brackets, prefix length or port */

_Static_assert(offsetof(struct ctl_route, to) + sizeof(struct sip_ip)
		       == offsetof(struct ctl_route, prefix_len),
	       "a prefix is an address and then its length");
_Static_assert(offsetof(struct ctl_address, prefix_len) == sizeof(struct sip_ip)
		       && offsetof(struct ctl_source, prefix_len) == sizeof(struct sip_ip),
	       "likewise");

static int because(struct ctl_why *why, const char *text)
{
	snprintf(why->text, sizeof(why->text), "%s", text);
	return -EINVAL;
}

/* An address literal; one family has one notation only, so ::ffff:192.0.2.1 is not taken. */
static int parse_ip(const char *text, struct sip_ip *ip, struct ctl_why *why)
{
	if (dp_ip_parse(text, ip) < 0)
		return -EINVAL;
	if (strchr(text, ':') && dp_ip_is_v4(ip))
		return because(why, "is an IPv4 address written as IPv6: write it as IPv4");
	return 0;
}

/* ---- Addresses with a prefix length */

struct prefix {
	struct sip_ip ip;
	uint8_t len; /* of 32 or 128 */
	bool has_len;
};

static int parse_prefix(const char *text, struct prefix *p, struct ctl_why *why)
{
	char ip[TEXT_SIZE];
	const char *slash = strchr(text, '/');
	size_t ip_len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long len = 0;
	char *end;

	if (ip_len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, ip_len);
	ip[ip_len] = '\0';
	if (parse_ip(ip, &p->ip, why) < 0)
		return -EINVAL;
	p->has_len = slash != NULL;
	p->len = dp_ip_is_v4(&p->ip) ? 32 : 128;
	if (!slash)
		return 0;
	if (isdigit((unsigned char)slash[1]))
		len = strtoul(slash + 1, &end, 10);
	else
		end = (char *)(uintptr_t)slash;
	if (*end || len > p->len) {
		snprintf(why->text, sizeof(why->text), "has no prefix length from 0 to %u", p->len);
		return -EINVAL;
	}
	p->len = (uint8_t)len;
	return 0;
}

/* A prefix has no bit behind its length; if one is set, says the prefix that was meant. */
static int check_host_bits(const struct prefix *p, struct ctl_why *why)
{
	struct sip_ip net = ctl_ip_network(&p->ip, ctl_ip_bits(&p->ip, p->len));
	char text[46];

	if (dp_ip_equal(&net, &p->ip))
		return 0;
	dp_ip_format(&net, text);
	snprintf(why->text, sizeof(why->text), "has bits set behind its prefix: write %s/%u", text,
		 p->len);
	return -EINVAL;
}

static int own_address_check(const struct prefix *p, struct ctl_why *why)
{
	unsigned int host_bits = (dp_ip_is_v4(&p->ip) ? 32u : 128u) - p->len;
	const char *unfit = ctl_ip_unfit(&p->ip);
	struct sip_ip net = ctl_ip_network(&p->ip, ctl_ip_bits(&p->ip, p->len));

	if (!p->has_len || p->len == 0)
		return because(why, "needs its subnet's prefix length, as in 192.0.2.10/24");
	if (unfit) {
		snprintf(why->text, sizeof(why->text), "is %s: a port cannot have it", unfit);
		return -EINVAL;
	}
	if (ctl_ip_is_link_local(&p->ip))
		return because(why, "is link-local: the kernel gives these by itself");
	if (host_bits > 1 && dp_ip_equal(&net, &p->ip))
		return because(why, "is its subnet's own address: write a host's");
	if (host_bits > 1 && ctl_ip_is_broadcast(&p->ip, p->len))
		return because(why, "is its subnet's broadcast address: write a host's");
	return 0;
}

static int address_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			struct ctl_why *why)
{
	struct prefix p;

	(void)key;
	if (parse_prefix(it->text, &p, why) < 0 || own_address_check(&p, why) < 0)
		return -EINVAL;
	*(struct ctl_address *)dst =
		(struct ctl_address){ .ip = p.ip, .prefix_len = p.len, .line = it->line };
	return 0;
}

static void address_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size,
		 "an address with its prefix length, such as 192.0.2.10/24 or "
		 "2001:db8::10/64");
}

const struct ctl_type ctl_type_address = { "address/length", address_read, NULL, address_expect };

static int prefix_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	struct prefix p;

	(void)key;
	if (parse_prefix(it->text, &p, why) < 0)
		return -EINVAL;
	if (!p.has_len)
		return because(why, "needs a prefix length, as in 198.51.100.0/24");
	if (check_host_bits(&p, why) < 0)
		return -EINVAL;
	memcpy(dst, &p.ip, sizeof(p.ip));
	memcpy((uint8_t *)dst + sizeof(p.ip), &p.len, 1);
	return 0;
}

static void prefix_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "a prefix such as 0.0.0.0/0, 198.51.100.0/24 or 2001:db8:1::/48");
}

const struct ctl_type ctl_type_prefix = { "prefix", prefix_read, NULL, prefix_expect };

static int source_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	struct prefix p;

	(void)key;
	if (parse_prefix(it->text, &p, why) < 0 || check_host_bits(&p, why) < 0)
		return -EINVAL;
	if (p.len == 0)
		return because(why, "holds every address: it would make each client a member");
	if (ctl_ip_unfit(&p.ip)) {
		snprintf(why->text, sizeof(why->text), "is %s: no request comes from there",
			 ctl_ip_unfit(&p.ip));
		return -EINVAL;
	}
	*(struct ctl_source *)dst = (struct ctl_source){
		.ip = p.ip,
		.prefix_len = (uint8_t)ctl_ip_bits(&p.ip, p.len),
		.line = it->line,
	};
	return 0;
}

static void source_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "an address or a prefix, such as 198.51.100.7 or 198.51.100.0/28");
}

const struct ctl_type ctl_type_source = { "prefix", source_read, NULL, source_expect };

/* Whose packets are taken or refused: any prefix at all. */
static int access_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	struct prefix p;

	(void)key;
	if (parse_prefix(it->text, &p, why) < 0 || check_host_bits(&p, why) < 0)
		return -EINVAL;
	*(struct ctl_source *)dst = (struct ctl_source){
		.ip = p.ip,
		.prefix_len = (uint8_t)ctl_ip_bits(&p.ip, p.len),
		.line = it->line,
	};
	return 0;
}

const struct ctl_type ctl_type_access = { "prefix", access_read, NULL, source_expect };

/* ---- Addresses alone */

static int ip_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		   struct ctl_why *why)
{
	struct sip_ip ip;

	(void)key;
	if (parse_ip(it->text, &ip, why) < 0)
		return -EINVAL;
	if (ctl_ip_unfit(&ip)) {
		snprintf(why->text, sizeof(why->text), "is %s: nothing can be sent there",
			 ctl_ip_unfit(&ip));
		return -EINVAL;
	}
	memcpy(dst, &ip, sizeof(ip));
	return 0;
}

static void ip_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "an IPv4 or IPv6 address");
}

const struct ctl_type ctl_type_ip = { "address", ip_read, NULL, ip_expect };

/* ---- Endpoints */

static const struct {
	const char *name;
	enum ctl_transport transport;
	uint16_t port; /* RFC 3261 19.1.2 */
} transports[] = { { "udp:", CTL_UDP, 5060 },
		   { "tcp:", CTL_TCP, 5060 },
		   { "tls:", CTL_TLS, 5061 } };

/* Cuts the port off an address: "192.0.2.10:5060", "[2001:db8::10]:5060", or either without port.
 * @return 0 with the address in text and *port at the port's digits or NULL. */
static int split_port(char *text, char **host, char **port, struct ctl_why *why)
{
	*host = text;
	*port = NULL;
	if (*text == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		*host = text + 1;
		*port = end[1] ? end + 2 : NULL;
		*end = '\0';
		return strchr(*host, ':') ? 0 : -EINVAL;
	}
	*port = strchr(text, ':');
	if (!*port)
		return 0;
	if (strchr(*port + 1, ':'))
		return because(why, "needs its IPv6 address in brackets, as in "
				    "[2001:db8::10]:5060");
	*(*port)++ = '\0';
	return 0;
}

static int parse_port(const char *digits, uint16_t *port)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)*digits))
		return -EINVAL;
	value = strtoul(digits, &end, 10);
	if (*end || value < 1 || value > 65535)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static int parse_endpoint(const char *text, struct dp_endpoint *at, struct ctl_why *why)
{
	char copy[TEXT_SIZE], *host, *port;
	size_t i = 0;

	while (i < 3 && strncmp(text, transports[i].name, 4) != 0)
		i++;
	if (i == 3 || strlen(text + 4) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text + 4);
	if (split_port(copy, &host, &port, why) < 0 || parse_ip(host, &at->ip, why) < 0)
		return -EINVAL;
	at->transport = (uint8_t)transports[i].transport;
	at->port = transports[i].port;
	if (port && parse_port(port, &at->port) < 0)
		return because(why, "has no port from 1 to 65535");
	return 0;
}

static int endpoint_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			 struct ctl_why *why)
{
	struct ctl_listen l = { .line = it->line };

	(void)key;
	if (parse_endpoint(it->text, &l.at, why) < 0)
		return -EINVAL;
	if (l.at.transport != CTL_UDP)
		return because(why, "is a stream (TCP or TLS), and streams cannot be forwarded "
				    "yet: write udp");
	*(struct ctl_listen *)dst = l;
	return 0;
}

static void endpoint_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size,
		 "a transport, address and port, such as \"udp:192.0.2.10:5060\" or "
		 "\"udp:[2001:db8::10]:5060\"");
}

const struct ctl_type ctl_type_endpoint = { "endpoint", endpoint_read, NULL, endpoint_expect };

/* ---- Resolvers */

#define DNS_PORT 53 /* RFC 1035 4.2 */

static int resolver_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			 struct ctl_why *why)
{
	struct ctl_resolver r = { .port = DNS_PORT, .line = it->line };
	char copy[TEXT_SIZE], *host = copy, *port = NULL;
	const char *unfit;

	(void)key;
	if (it->len >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, it->text);
	/* An IPv6 address without a port needs no brackets. */
	if (dp_ip_parse(copy, &r.ip) < 0 && split_port(copy, &host, &port, why) < 0)
		return -EINVAL;
	if (parse_ip(host, &r.ip, why) < 0)
		return -EINVAL;
	if (port && parse_port(port, &r.port) < 0)
		return because(why, "has no port from 1 to 65535");
	unfit = ctl_ip_unfit(&r.ip);
	if (unfit && !strstr(unfit, "loopback")) {
		snprintf(why->text, sizeof(why->text), "is %s: no DNS server can be there", unfit);
		return -EINVAL;
	}
	*(struct ctl_resolver *)dst = r;
	return 0;
}

static void resolver_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size,
		 "an address, with a port if it is not 53, such as 192.0.2.53 or "
		 "\"[2001:db8::53]:5353\"");
}

const struct ctl_type ctl_type_resolver = { "resolver", resolver_read, NULL, resolver_expect };
