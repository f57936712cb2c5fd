/*
 * Receive interrupts of the queues that a worker looks at: what ends a wait of a worker whose
 * devices have no descriptor of their own (PCI devices by vfio-pci, virtio_user). DPDK has them as
 * events of an epoll instance, whose descriptor is readable when one came.
 *
 * They are armed before a wait and disarmed with the first packet, so that a busy worker's device
 * raises none. Made by the main thread before its worker starts, and that worker's from then on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp_region.h"

#define DP_IRQ_QUEUES (2 * DP_MAX_PORTS) /* a port's and its exception netdev's */

struct dp_irq {
	int fd; /* readable when there was an interrupt; -1 before the first queue */
	unsigned int n;
	bool armed;
	struct {
		uint16_t dev, queue; /* of DPDK */
	} of[DP_IRQ_QUEUES];
};

/** No queues yet. */
void dp_irq_init(struct dp_irq *q);
void dp_irq_fini(struct dp_irq *q);

/** One more queue. @return 0, or -1: it has no interrupt that could be waited for. */
int dp_irq_add(struct dp_irq *q, uint16_t dev, uint16_t queue);

/**
 * About to wait.
 * @return false: they are armed only now. What came before raises none, so look at the queues
 * once more, and ask again.
 */
bool dp_irq_arm(struct dp_irq *q);

/** Forget what has been raised. After a wait. */
void dp_irq_clear(struct dp_irq *q);

void dp_irq_disarm_all(struct dp_irq *q);

/** Busy again. */
static inline void dp_irq_disarm(struct dp_irq *q)
{
	if (q->armed)
		dp_irq_disarm_all(q);
}
