/*
 * The kernel's neighbours on the ports, by port and address, as dumps and notifications tell of
 * them. Control thread.
 *
 * A dump is merged while notifications come in: what a notification has said since the dump began
 * wins over the dump, and what neither has named by its end is gone.
 */
#pragma once

#include "dataplane/dp_net.h"

struct ctl_neighs;

/** One neighbour. */
struct ctl_neigh {
	struct dp_net_neigh at; /* `valid`: may be sent to; MAC of all zeros: never known */
	uint16_t state;         /* the kernel's NUD_* */
};

struct ctl_neighs *ctl_neighs_new(void);
void ctl_neighs_free(struct ctl_neighs *t);

/** Forget all. */
void ctl_neighs_clear(struct ctl_neighs *t);

void ctl_neighs_dump_begin(struct ctl_neighs *t);

/** @return whether neighbours went that were valid. */
bool ctl_neighs_dump_end(struct ctl_neighs *t);

/**
 * Take what a dump or a notification says.
 * @param gone  The kernel has forgotten it.
 * @return 1 when what may be sent where has changed, 0 when it has not, -ENOMEM.
 */
int ctl_neighs_put(struct ctl_neighs *t, const struct ctl_neigh *n, bool gone, bool from_dump);

/** @return the neighbour, or NULL. Borrowed until the next change. */
const struct ctl_neigh *ctl_neighs_find(const struct ctl_neighs *t, unsigned int port,
					const struct sip_ip *ip);

/**
 * All that are valid, in no order.
 * @param out  Room for ctl_neighs_count() of them.
 * @return their number.
 */
size_t ctl_neighs_list(const struct ctl_neighs *t, struct dp_net_neigh *out);

/** How many there are, valid or not. */
size_t ctl_neighs_count(const struct ctl_neighs *t);
