/* Results of lookups: servers with the names of their targets. */
#include "control/dns/ctl_dns_lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ctl_dns_result_fini(struct ctl_dns_result *r)
{
	free(r->servers);
	free(r->names);
	*r = (struct ctl_dns_result){ 0 };
}

void ctl_dns_result_move(struct ctl_dns_result *to, struct ctl_dns_result *from)
{
	ctl_dns_result_fini(to);
	*to = *from;
	*from = (struct ctl_dns_result){ 0 };
}

int ctl_dns_result_copy(struct ctl_dns_result *to, const struct ctl_dns_result *from)
{
	size_t size = 1;
	char *at;

	for (size_t i = 0; i < from->n; i++)
		size += strlen(from->servers[i].target) + 1;
	*to = *from;
	to->servers = calloc(from->n + 1, sizeof(*to->servers));
	to->names = at = malloc(size);
	if (!to->servers || !to->names) {
		ctl_dns_result_fini(to);
		return -ENOMEM;
	}
	for (size_t i = 0; i < from->n; i++) {
		to->servers[i] = from->servers[i];
		to->servers[i].target = at;
		at = stpcpy(at, from->servers[i].target) + 1;
	}
	return 0;
}
