/*
 * Our addresses on the link: who else claims one (RFC 5227 2.4, RFC 4862 5.4.4), and what tells all
 * neighbours that it is here (RFC 5227 2.3, RFC 4861 7.2.6). The kernel answers and defends; it
 * does neither of these for addresses that are put on a netdev that is up. Pure functions over
 * bytes and one small table; one thread.
 */
#pragma once

#include "dataplane/dp_net.h"

/** Another's claim to an address of ours. */
struct dp_claim {
	struct sip_ip ip;
	uint8_t mac[6]; /* who claims it */
};

/**
 * Whether an untagged frame claims an address of ours for a MAC that is none of our ports'.
 * @param net  Of the snapshot in use. @param c  Out, when it does.
 */
bool dp_own_claimed(const struct dp_net *net, const uint8_t *frame, size_t len, struct dp_claim *c);

#define DP_OWN_FRAME_SIZE 86

/**
 * Write the frame that announces an address: an ARP announcement, or an unsolicited neighbour
 * advertisement that overrides.
 * @param out  DP_OWN_FRAME_SIZE bytes. @return its length.
 */
size_t dp_own_announcement(const struct sip_ip *ip, const uint8_t mac[6], uint8_t *out);

#define DP_OWN_KNOWN 1024

/** What has been announced. All zero at first. */
struct dp_own {
	uint64_t seen; /* hash of what the last call saw: neighbours change more often than this */
	unsigned int n;
	struct dp_own_known {
		struct sip_ip ip;
		uint8_t mac[6];
		uint8_t port;
		uint8_t up; /* announced since its port's link came up */
	} known[DP_OWN_KNOWN];
};

/**
 * Announce what has not been announced: an address that is new, or whose port has another MAC, or
 * whose link came up. Call when the snapshot or a link has changed.
 * @param links  A bit per port: its link is up.
 * @param send   Puts a frame on a port's wire.
 */
void dp_own_update(struct dp_own *o, const struct dp_net *net, uint32_t links,
		   void (*send)(void *arg, unsigned int port, const uint8_t *frame, size_t len),
		   void *arg);
