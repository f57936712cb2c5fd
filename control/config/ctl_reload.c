/*
 * What a reload cannot change: whatever the boot block of the region was made of, and what control
 * opened when it started. Pure.
 */
#include "control/config/ctl_config.h"

#include <errno.h>
#include <string.h>

#include "control/config/ctl_schema.h"

static bool same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* A key of the file's top that is laid down when the data plane or control starts. */
static void differs(const struct ctl_model *new, const char *key, const char *old_text,
		    struct ctl_diag *d)
{
	ctl_diag_add(d, true, ctl_map_line(&ctl_map_global, new, key),
		     "%s: cannot change while running; restart, or put the old value back%s%s", key,
		     old_text ? ": " : "", old_text ? old_text : "");
}

static void check_texts(const struct ctl_model *old, const struct ctl_model *new,
			struct ctl_diag *d)
{
	const struct {
		const char *key, *old, *new;
	} rows[] = {
		{ "control-socket", old->control_socket, new->control_socket },
		{ "control-group", old->control_group ? old->control_group : "",
		  new->control_group ? new->control_group : "" },
		{ "state-file", old->state_file, new->state_file },
		{ "instance", old->instance, new->instance },
		{ "worker-cpus", old->worker_cpus, new->worker_cpus },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!same_text(rows[i].old, rows[i].new))
			differs(new, rows[i].key, *rows[i].old ? rows[i].old : NULL, d);
	}
}

static void check_numbers(const struct ctl_model *old, const struct ctl_model *new,
			  struct ctl_diag *d)
{
	const struct {
		const char *key;
		bool same;
	} rows[] = {
		{ "workers", old->workers == new->workers },
		{ "idle", old->idle == new->idle },
		{ "spread", old->spread == new->spread },
		{ "hand-over-ring", old->handover_ring == new->handover_ring },
		{ "verify-checksums", old->verify_checksums == new->verify_checksums },
		{ "hugepages", old->huge == new->huge },
		{ "memory", old->memory_mb == new->memory_mb },
		{ "packet-buffers", old->n_mbufs == new->n_mbufs },
		{ "receive-ring", old->rx_ring == new->rx_ring },
		{ "transmit-ring", old->tx_ring == new->tx_ring },
		{ "transaction-records", old->n_records == new->n_records },
		{ "pending-store", old->store_mb == new->store_mb },
		{ "challenge-records", old->n_challenges == new->n_challenges },
		{ "record-hold", old->record_hold_ms == new->record_hold_ms },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].same)
			differs(new, rows[i].key, NULL, d);
	}
}

static void port_differs(const struct ctl_port *new, const char *key, struct ctl_diag *d)
{
	ctl_diag_add(d, true, ctl_map_line(&ctl_map_port, new, key),
		     "%s: a port's cannot change while running; restart, or put the old value back",
		     key);
}

static void check_port(const struct ctl_port *old, const struct ctl_port *new, struct ctl_diag *d)
{
	if (!same_text(old->name, new->name))
		port_differs(new, "name", d);
	if (!same_text(old->device, new->device))
		port_differs(new, "device", d);
	if (old->mtu != new->mtu)
		port_differs(new, "mtu", d);
	if (old->vlan != new->vlan)
		port_differs(new, "vlan", d);
}

int ctl_model_check_reload(const struct ctl_model *old, const struct ctl_model *new,
			   struct ctl_diag *d)
{
	size_t before = d->n_errors;

	check_texts(old, new, d);
	check_numbers(old, new, d);
	if (old->n_ports != new->n_ports)
		ctl_diag_add(d, true, ctl_map_line(&ctl_map_global, new, "ports"),
			     "ports: %zu instead of %zu; ports cannot come or go while running, "
			     "restart for that",
			     new->n_ports, old->n_ports);
	for (size_t i = 0; i < old->n_ports && i < new->n_ports; i++)
		check_port(&old->ports[i], &new->ports[i], d);
	return d->n_errors > before ? -EBUSY : 0;
}
