#include "dataplane/io/dp_flow.h"

#include <string.h>

#include "dataplane/steer/steer_mac.h"

uint32_t dp_flow_label(const struct dp_secret *key, const struct dp_endpoint *from,
		       const struct dp_endpoint *to)
{
	uint64_t words[5];
	uint32_t label;

	memcpy(words, to->ip.b, 16);
	memcpy(words + 2, from->ip.b, 16);
	words[4] = (uint64_t)from->port << 16 | to->port;
	label = (uint32_t)(steer_seal(key, STEER_DOMAIN_FLOW, words, 5) >> 44);
	return label ? label : 1;
}
