/*
 * Inside the prober: targets. Only for control/probe/.
 */
#pragma once

#include "control/probe/ctl_probe.h"
#include "control/probe/ctl_probe_msg.h"
#include "control/probe/ctl_probe_udp.h"

struct ctl_target {
	struct ctl_prober *prober;
	struct dp_endpoint at;
	struct sip_ip from;
	char *host, *from_uri, *user_agent, *user, *password; /* owned; NULL as in the params */
	uint32_t max_forwards;
	size_t n_probes;
	struct ctl_udp_sock *sock;
	struct sip_ip source;          /* that the templates name */
	uint64_t source_at_us;         /* when it was looked up; 0: never */
	struct ctl_probe_text text[2]; /* OPTIONS, REGISTER */
};

/** Have a socket and an up-to-date template. @return 0 or negative errno. */
int ctl_target_ready(struct ctl_target *t, bool is_register, uint64_t now_us);

/** A REGISTER that answers a challenge. @return 0 or negative errno. */
int ctl_target_credentials(const struct ctl_target *t, const struct ctl_probe_response *r,
			   struct ctl_probe_text *text);

struct ctl_udp *ctl_prober_udp(struct ctl_prober *p);
void ctl_prober_count_target(struct ctl_prober *p, int by);
