#include "dataplane/io/dp_idle.h"

#include <time.h>

#include <rte_pause.h>

#include "dataplane/io/dp_worker.h"

#define WEIGH_US 200000 /* between two looks at what sleeping costs */

/* What ends a wait: what the main thread found for all, this worker's interrupts, and mail. A
 * worker without queues gets nothing but mail. */
static void find_wakes(struct dp_idling *id, const struct dp_shared *shared, unsigned int worker,
		       int mail_fd)
{
	bool all = true, any = false;

	id->wake = shared->wake;
	dp_irq_init(&id->irq);
	for (unsigned int i = 0; i < shared->n_ports; i++) {
		const struct dp_port *p = &shared->ports[i];

		if (worker >= p->dev.n_queues)
			continue;
		any = true;
		if (!id->wake.usable)
			break;
		/* Ports that share a device have its first one's queue. */
		if (p->dev.interrupts && p->device == i)
			all = all && dp_irq_add(&id->irq, p->dev.id, (uint16_t)worker) == 0;
		if (p->exception.interrupts)
			all = all && dp_irq_add(&id->irq, p->exception.id, (uint16_t)worker) == 0;
	}
	if (!any)
		id->wake = (struct dp_wake){ .usable = true };
	if (id->irq.n)
		dp_wake_add(&id->wake, id->irq.fd);
	id->wake.usable = id->wake.usable && all && (id->wake.n || !any);
	if (mail_fd >= 0)
		dp_wake_add(&id->wake, mail_fd);
}

static void find_rest(struct dp_idling *id, const struct dp_shared *shared)
{
	uint32_t ring = UINT32_MAX, mbps = 0;

	for (unsigned int i = 0; i < shared->n_ports; i++) {
		const struct dp_port *p = &shared->ports[i];
		uint32_t speed = dp_port_speed(p);

		ring = p->dev.rx_ring < ring ? p->dev.rx_ring : ring;
		mbps = speed > mbps ? speed : mbps;
	}
	dp_rest_init(&id->rest, shared->region->boot.idle == DP_IDLE_POLL, ring, mbps);
}

void dp_idle_init(struct dp_idling *id, const struct dp_shared *shared, unsigned int worker,
		  int mail_fd)
{
	find_wakes(id, shared, worker, mail_fd);
	find_rest(id, shared);
	id->weighed_us = id->cpu_us = 0;
}

void dp_idle_fini(struct dp_idling *id)
{
	dp_irq_fini(&id->irq);
}

/* Idle for long: until something comes, or it is time for a tick. */
static void wait_for_packets(struct dp_idling *id, struct dp_mail *mail,
			     struct dp_worker_counters *count)
{
	bool came = true;

	if (dp_mail_sleep(mail)) {
		/* With requests in flight their timers have their pace. */
		came = dp_wake_wait(&id->wake,
				    count->records_in_use ? DP_IDLE_FLIGHT_US : DP_REST_WAIT_US);
		dp_mail_wake(mail);
		dp_irq_clear(&id->irq);
		count->sleeps++;
		count->woken += came;
	}
	if (came)
		dp_rest_busy(&id->rest);
}

/* Where nothing but sleeping can be done, and it costs more than it shall, it takes longer. */
static void weigh_rest(struct dp_idling *id, uint64_t now_us)
{
	struct timespec ts;
	uint64_t cpu_us;

	if (!dp_rest_is_slow(&id->rest)) {
		id->weighed_us = 0;
		return;
	}
	if (now_us - id->weighed_us < WEIGH_US)
		return;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	cpu_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	if (id->weighed_us)
		dp_rest_weigh(&id->rest, cpu_us - id->cpu_us, now_us - id->weighed_us);
	id->weighed_us = now_us;
	id->cpu_us = cpu_us;
}

void dp_idle_rest(struct dp_idling *id, struct dp_mail *mail, struct dp_worker_counters *count,
		  uint64_t now_us, bool held)
{
	uint32_t us = dp_rest_next(&id->rest);

	if (us == 0) {
		rte_pause();
		return;
	}
	/* Not while packets wait for a snapshot. After one that nothing came of, sleeps again: it
	 * was for another worker, or comes a little later than its descriptor says. */
	if (dp_rest_is_long(&id->rest) && id->wake.usable && !held) {
		if (dp_irq_arm(&id->irq))
			wait_for_packets(id, mail, count);
		return;
	}
	count->sleeps++;
	weigh_rest(id, now_us);
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}
