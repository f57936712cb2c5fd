/*
 * Arithmetic on addresses and prefixes for the configuration's checks. Prefix lengths called `bits`
 * count of 128, IPv4 behind its mapped prefix. Pure; any thread.
 */
#pragma once

#include "dataplane/dp_cfg.h"

/** Prefix length of 128 for a length as written (of 32 for IPv4). */
unsigned int ctl_ip_bits(const struct sip_ip *ip, unsigned int len);

/** The address with everything behind the prefix cleared. */
struct sip_ip ctl_ip_network(const struct sip_ip *ip, unsigned int bits);

bool ctl_ip_in(const struct sip_ip *ip, const struct sip_ip *net, unsigned int bits);

/** Last address of an IPv4 subnet; false for IPv6. */
bool ctl_ip_is_broadcast(const struct sip_ip *ip, unsigned int len);

bool ctl_ip_is_link_local(const struct sip_ip *ip);

/** Why no host outside may have this address ("a multicast address", ...), or NULL. */
const char *ctl_ip_unfit(const struct sip_ip *ip);
