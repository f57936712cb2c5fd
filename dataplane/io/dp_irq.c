#include "dataplane/io/dp_irq.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_interrupts.h>

void dp_irq_init(struct dp_irq *q)
{
	*q = (struct dp_irq){ .fd = -1 };
}

void dp_irq_fini(struct dp_irq *q)
{
	for (unsigned int i = 0; i < q->n; i++)
		rte_eth_dev_rx_intr_ctl_q(q->of[i].dev, q->of[i].queue, q->fd, RTE_INTR_EVENT_DEL,
					  NULL);
	if (q->fd >= 0)
		close(q->fd);
	dp_irq_init(q);
}

int dp_irq_add(struct dp_irq *q, uint16_t dev, uint16_t queue)
{
	if (q->fd < 0)
		q->fd = epoll_create1(EPOLL_CLOEXEC);
	if (q->fd < 0 || q->n == DP_IRQ_QUEUES
	    || rte_eth_dev_rx_intr_ctl_q(dev, queue, q->fd, RTE_INTR_EVENT_ADD, NULL) != 0)
		return -1;
	q->of[q->n].dev = dev;
	q->of[q->n].queue = queue;
	q->n++;
	return 0;
}

bool dp_irq_arm(struct dp_irq *q)
{
	if (q->armed || q->n == 0)
		return true;
	for (unsigned int i = 0; i < q->n; i++)
		rte_eth_dev_rx_intr_enable(q->of[i].dev, q->of[i].queue);
	q->armed = true;
	return false;
}

void dp_irq_clear(struct dp_irq *q)
{
	struct rte_epoll_event events[DP_IRQ_QUEUES];

	/* Reads what has to be read of their descriptors. */
	if (q->n)
		rte_epoll_wait(q->fd, events, DP_IRQ_QUEUES, 0);
}

void dp_irq_disarm_all(struct dp_irq *q)
{
	for (unsigned int i = 0; i < q->n; i++)
		rte_eth_dev_rx_intr_disable(q->of[i].dev, q->of[i].queue);
	q->armed = false;
}
