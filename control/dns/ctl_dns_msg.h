/*
 * DNS messages (RFC 1035 4), as far as a SIP server's address needs them: the answer to one
 * question as a bounded list of records. Everything in a message is the network's word: nothing is
 * believed before its length, and what makes no sense is left out and counted. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp_cfg.h"

/** Types of records (RFC 1035 3.2.2, RFC 3596, RFC 2782, RFC 3403). */
enum ctl_dns_type {
	CTL_DNS_A = 1,
	CTL_DNS_CNAME = 5,
	CTL_DNS_SOA = 6,
	CTL_DNS_AAAA = 28,
	CTL_DNS_SRV = 33,
	CTL_DNS_NAPTR = 35,
};

#define CTL_DNS_NAME_SIZE 256  /* a name as text, without the last dot, and a NUL */
#define CTL_DNS_RECORDS   1000 /* of one answer; the rest is left out and counted */
#define CTL_DNS_ALIASES   8    /* CNAMEs on the way to one answer */
#define CTL_DNS_NO_TTL    UINT32_MAX

struct ctl_dns_srv {
	uint16_t priority, weight, port;
	char target[CTL_DNS_NAME_SIZE]; /* "": the root, "decidedly not available" (RFC 2782) */
};

struct ctl_dns_naptr {
	uint16_t order, preference;
	char flags[4];
	char service[32];
	bool has_regexp;
	char replacement[CTL_DNS_NAME_SIZE];
};

/** A record of the type that was asked for. */
struct ctl_dns_record {
	uint32_t ttl; /* seconds */
	union {
		struct sip_ip ip;
		struct ctl_dns_srv srv;
		struct ctl_dns_naptr naptr;
	};
};

enum ctl_dns_answer_kind {
	CTL_DNS_ANSWER,    /* n records */
	CTL_DNS_NOTHING,   /* the name has none of this type, or does not exist */
	CTL_DNS_ALIAS,     /* it goes on at `alias`, about which the message says nothing */
	CTL_DNS_MALFORMED, /* no DNS message, or none that answers the question */
};

struct ctl_dns_answer {
	enum ctl_dns_answer_kind kind;
	size_t n;
	struct ctl_dns_record *records;
	uint32_t ttl;        /* smallest of all records on the way; of NOTHING: how long that holds
				(RFC 2308 5), CTL_DNS_NO_TTL: not said */
	unsigned int bad;    /* records that make no sense, left out */
	unsigned int excess; /* records above CTL_DNS_RECORDS, left out */
	char alias[CTL_DNS_NAME_SIZE];
};

/**
 * Take the answer to a question out of a message, aliases followed within it.
 * @param name  What was asked for, without the last dot; any case.
 * @param type  Likewise; A, AAAA, SRV or NAPTR.
 * @param a     Out; ctl_dns_answer_fini() in any case.
 * @return 0, or -ENOMEM (a is empty).
 */
int ctl_dns_answer_parse(const uint8_t *msg, size_t len, const char *name, uint16_t type,
			 struct ctl_dns_answer *a);
void ctl_dns_answer_fini(struct ctl_dns_answer *a);

/** Whether a text is a host's name that can be asked for: labels of letters, digits, '-' and '_',
 * at most 63 bytes each and 253 in all (RFC 1035 2.3.4), and no dotted number. */
bool ctl_dns_name_fits(const char *name);

/** A name in small letters, without a last dot, cut at size. @return out. */
char *ctl_dns_name_lower(const char *name, char *out, size_t size);
