/*
 * URIs, name-addrs, parameters and hosts, decoded on demand from a message's bytes. RFC
 * 3261 19.1, 20.10, 25.1; RFC 3966 (tel). Pure functions over borrowed bytes; any thread.
 */
#pragma once

#include "sip/sip_msg.h"

enum sip_scheme {
	SIP_SCHEME_OTHER, /* a syntactically good scheme that steering cannot route: 416 */
	SIP_SCHEME_SIP,
	SIP_SCHEME_SIPS,
	SIP_SCHEME_TEL,
	SIP_SCHEME_URN, /* urn:service:sos, RFC 5031 */
};

struct sip_uri {
	enum sip_scheme scheme;
	struct sip_span whole;
	struct sip_span user; /* without password; for tel: the number, for urn: all after "urn:" */
	struct sip_span password;
	struct sip_span host;    /* an IPv6 reference keeps its brackets */
	struct sip_span params;  /* from the first ';' to the headers or the end */
	struct sip_span headers; /* after '?' */
	uint16_t port;           /* 0 when absent */
	bool has_user;           /* an '@' is there, even after an empty user */
};

/** @return 0, or -EINVAL (malformed; *uri unspecified). */
int sip_uri_parse(const uint8_t *buf, struct sip_span s, struct sip_uri *uri);

/** As sip_uri_parse(), for a span of m (m->uri, m->from_uri, an iterator's uri): cheaper, since the
 * bytes behind it may be read too. */
int sip_msg_uri(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri);

/**
 * Find a parameter (";name" or ";name=value") by name, ASCII case ignored, in a span that starts at
 * its first ';'.
 *
 * @param value  Out, may be NULL: the value (a quoted one keeps its quotes), len 0 for a flag.
 * @return       Whether it is there.
 */
bool sip_param_find(const uint8_t *buf, struct sip_span params, const char *name,
		    struct sip_span *value);

/** A name-addr or addr-spec with its header parameters: From, To, Contact, Route, Record-Route,
 * Path, Refer-To. */
struct sip_addr {
	struct sip_span whole;   /* display name to last parameter */
	struct sip_span display; /* quotes included */
	struct sip_span
		uri; /* inside < >, or the bare addr-spec, which ends at ';' (RFC 3261 20.10) */
	struct sip_span params; /* header parameters, from their first ';' */
};

/** @return 0, or -EINVAL. */
int sip_addr_parse(const uint8_t *buf, struct sip_span s, struct sip_addr *addr);

/** Walks the name-addrs of all headers with one id, through comma lists. `*` in Contact gives uri
 * "*". */
struct sip_addr_iter {
	const struct sip_msg *msg;
	const struct sip_hdr *hdr;
	uint16_t off;
	uint16_t left; /* of SIP_WALK_MAX */
	uint8_t id;
};

void sip_addr_iter_init(struct sip_addr_iter *it, const struct sip_msg *m, enum sip_hdr_id id);

/** @return 1 with *addr filled (addr->whole lies in it->hdr's value), 0 at the end, -EINVAL at a
 * malformed one. */
int sip_addr_iter_next(struct sip_addr_iter *it, struct sip_addr *addr);

/** An IP literal: IPv4 as the IPv4-mapped ::ffff:a.b.c.d, so that one comparison serves both
 * families. */
struct sip_ip {
	uint8_t b[16];
};

/**
 * Decode a host span ("192.0.2.1", "[2001:db8::1]", and "2001:db8::1" as received/maddr write it)
 * to an address.
 * @return 0, or -EINVAL when it is a host name or malformed; *ip is then untouched.
 */
int sip_host_ip(const uint8_t *buf, struct sip_span host, struct sip_ip *ip);

/**
 * Whether two SIP/SIPS user parts mean the same: compared byte for byte with %-escapes decoded (RFC
 * 3261 19.1.4).
 */
bool sip_user_equal(const uint8_t *a, struct sip_span as, const uint8_t *b, struct sip_span bs);
