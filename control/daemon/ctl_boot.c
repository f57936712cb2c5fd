/* Model to boot block. Pure functions. */
#include "control/daemon/ctl_boot.h"

#include <stdio.h>
#include <string.h>

void ctl_boot_fill(struct dp_boot *boot, const struct ctl_model *m)
{
	memset(boot, 0, sizeof(*boot));
	boot->n_ports = (uint16_t)m->n_ports;
	boot->n_workers = (uint16_t)m->workers;
	boot->idle = (uint8_t)m->idle;
	boot->spread = (uint8_t)m->spread;
	boot->handover_ring = m->handover_ring;
	boot->verify_checksums = (uint8_t)m->verify_checksums;
	boot->huge = m->huge;
	boot->memory_mb = m->memory_mb;
	boot->n_mbufs = m->n_mbufs;
	boot->rx_descriptors = m->rx_ring;
	boot->tx_descriptors = m->tx_ring;
	boot->n_records = m->n_records;
	boot->n_challenges = m->n_challenges;
	boot->record_hold_ms = m->record_hold_ms;
	boot->store_mb = m->store_mb;
	snprintf(boot->worker_cpus, sizeof(boot->worker_cpus), "%s", m->worker_cpus);
	for (size_t i = 0; i < m->n_ports; i++) {
		struct dp_boot_port *p = &boot->ports[i];

		snprintf(p->name, sizeof(p->name), "%s", m->ports[i].name);
		snprintf(p->device, sizeof(p->device), "%s", m->ports[i].device);
		p->mtu = m->ports[i].mtu;
		p->vlan = m->ports[i].vlan;
	}
}

static void compare_number(const char *key, uint64_t want, uint64_t have, struct ctl_diag *d)
{
	if (want != have)
		ctl_diag_add(d, false, 0,
			     "%s: the running data plane has %llu, not %llu; 'sipsteerd "
			     "--replace-dataplane' brings the new value into force",
			     key, (unsigned long long)have, (unsigned long long)want);
}

static void compare_text(const char *key, const char *want, const char *have, struct ctl_diag *d)
{
	if (strcmp(want, have) != 0)
		ctl_diag_add(d, false, 0,
			     "%s: the running data plane has \"%s\", not \"%s\"; 'sipsteerd "
			     "--replace-dataplane' brings the new value into force",
			     key, have, want);
}

static bool same_ports(const struct dp_boot *a, const struct dp_boot *b)
{
	for (unsigned int i = 0; i < a->n_ports && a->n_ports == b->n_ports; i++) {
		if (strcmp(a->ports[i].name, b->ports[i].name) != 0)
			return false;
	}
	return a->n_ports == b->n_ports;
}

/* "net0, net1" */
static void list_ports(const struct dp_boot *b, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned int i = 0; i < b->n_ports && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", b->ports[i].name);
}

static void compare_ports(const struct dp_boot *want, const struct dp_boot *have,
			  struct ctl_diag *d)
{
	char a[DP_MAX_PORTS * DP_NAME_SIZE], b[DP_MAX_PORTS * DP_NAME_SIZE], key[64];

	if (!same_ports(want, have)) {
		list_ports(want, a, sizeof(a));
		list_ports(have, b, sizeof(b));
		ctl_diag_add(d, true, 0,
			     "ports: the running data plane has %s, not %s; restart it (sipsteerd "
			     "--replace-dataplane), or put the old ports back",
			     b, a);
		return;
	}
	for (unsigned int i = 0; i < want->n_ports; i++) {
		const struct dp_boot_port *w = &want->ports[i], *h = &have->ports[i];

		snprintf(key, sizeof(key), "ports: %s: device", w->name);
		compare_text(key, w->device, h->device, d);
		snprintf(key, sizeof(key), "ports: %s: mtu", w->name);
		compare_number(key, w->mtu, h->mtu, d);
		snprintf(key, sizeof(key), "ports: %s: vlan", w->name);
		compare_number(key, w->vlan, h->vlan, d);
	}
}

void ctl_boot_compare(const struct dp_boot *want, const struct dp_boot *have, struct ctl_diag *d)
{
	const struct {
		const char *key;
		uint64_t want, have;
	} rows[] = {
		{ "workers", want->n_workers, have->n_workers },
		{ "idle", want->idle, have->idle },
		{ "spread", want->spread, have->spread },
		{ "hand-over-ring", want->handover_ring, have->handover_ring },
		{ "verify-checksums", want->verify_checksums, have->verify_checksums },
		{ "hugepages", want->huge, have->huge },
		{ "memory", want->memory_mb, have->memory_mb },
		{ "packet-buffers", want->n_mbufs, have->n_mbufs },
		{ "receive-ring", want->rx_descriptors, have->rx_descriptors },
		{ "transmit-ring", want->tx_descriptors, have->tx_descriptors },
		{ "transaction-records", want->n_records, have->n_records },
		{ "pending-store", want->store_mb, have->store_mb },
		{ "challenge-records", want->n_challenges, have->n_challenges },
		{ "record-hold", want->record_hold_ms, have->record_hold_ms },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		compare_number(rows[i].key, rows[i].want, rows[i].have, d);
	compare_text("worker-cpus", want->worker_cpus, have->worker_cpus, d);
	compare_ports(want, have, d);
}
