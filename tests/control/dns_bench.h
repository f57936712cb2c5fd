/*
 * DNS messages for tests: an answer built record by record, and a world of names that answers a
 * lookup's questions from a table, at once or when told.
 */
#pragma once

#include <stdbool.h>

#include "control/dns/ctl_dns_lookup.h"

#define DNS_ROOM 65536

/** A message under construction; records go into the answer section unless said otherwise. */
struct dns_msg {
	uint8_t b[DNS_ROOM];
	size_t len;
};

/** Begin: the question, and flags (0x8180: an answer without error). */
void dns_begin(struct dns_msg *m, const char *name, uint16_t type, uint16_t flags);
void dns_name(struct dns_msg *m, const char *name); /* uncompressed */
void dns_u16(struct dns_msg *m, unsigned int v);
void dns_u32(struct dns_msg *m, uint32_t v);

/** A record with the data that follows: its length is filled in by dns_end_rr(). @return for that.
 */
size_t dns_begin_rr(struct dns_msg *m, const char *owner, uint16_t type, uint32_t ttl);
void dns_end_rr(struct dns_msg *m, size_t begin);

void dns_a(struct dns_msg *m, const char *owner, uint32_t ttl, const char *ip); /* or AAAA */
void dns_cname(struct dns_msg *m, const char *owner, uint32_t ttl, const char *to);
void dns_srv(struct dns_msg *m, const char *owner, uint32_t ttl, unsigned int priority,
	     unsigned int weight, unsigned int port, const char *target);
void dns_naptr(struct dns_msg *m, const char *owner, uint32_t ttl, unsigned int order,
	       unsigned int preference, const char *flags, const char *service, const char *regexp,
	       const char *replacement);
void dns_soa(struct dns_msg *m, const char *owner, uint32_t ttl, uint32_t minimum); /* authority */

/* ---- A world */

/** One record, as text: "SRV 10 0 5060 a.example.com", "A 192.0.2.1", "NAPTR 1 1 s SIP+D2U x",
 * "CNAME b", or "FAIL why", which is the answer to every question of that name and type ("FAIL" and
 * the type: "FAIL SRV why"). */
struct dns_fact {
	const char *name, *text;
	uint32_t ttl; /* 0: 100 */
};

#define DNS_QUESTIONS 128

struct dns_world {
	const struct dns_fact *facts; /* up to the first without a name */
	bool later;                   /* questions wait until dns_world_go() */
	bool backwards;               /* records of an answer in reverse */
	struct ctl_dns_io io;
	size_t n_asked, n_open;
	struct dns_question {
		char name[CTL_DNS_NAME_SIZE];
		uint16_t type;
		ctl_dns_reply_cb cb; /* NULL: answered or forgotten */
		void *cb_arg;
	} asked[DNS_QUESTIONS];
};

void dns_world_init(struct dns_world *w, const struct dns_fact *facts);

/** Answer what waits, and what comes of it, oldest first. */
void dns_world_go(struct dns_world *w);

/** "a.example.com:5060 b..." of a result in the order for a seed. @return text. */
const char *dns_order_text(const struct ctl_dns_result *r, const char *seed, char *text,
			   size_t size);
