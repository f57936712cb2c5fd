/*
 * Names in the daemon: where answers come from, and what a change of them sets off. Control thread.
 */
#include <stdio.h>

#include "control/daemon/ctl_daemon.h"
#include "control/daemon/ctl_reload.h"
#include "control/dns/ctl_dns_view.h"

static const struct ctl_dns_result *find(const void *arg, const struct ctl_dns_key *key)
{
	const struct ctl_daemon *d = arg;

	return ctl_dns_find(d->dns, key);
}

static void note(const void *arg, const struct ctl_dns_key *key, const char *pair,
		 const char *member, const char *text)
{
	const struct ctl_daemon *d = arg;

	ctl_dns_note(d->dns, key, pair, member, text);
}

struct ctl_model *ctl_daemon_view(struct ctl_daemon *d, struct ctl_model *of, uint64_t *again_ms)
{
	const struct ctl_dns_view v = {
		.find = find,
		.note = note,
		.arg = d,
		.now = d->model->of ? d->model : NULL,
		.numbers = d->numbers,
		.now_ms = ctl_now_ms(),
	};

	return ctl_dns_view_new(of, &v, again_ms);
}

/* Until the ladder has been climbed there is nothing to change: its last rung asks once. */
static void on_changed(void *arg)
{
	struct ctl_daemon *d = arg;

	if (d->serving)
		ctl_reload_dns(d->reload);
}

int ctl_daemon_start_dns(struct ctl_daemon *d, const char **why)
{
	char file[4096 + 8];
	struct ctl_dns_params p = { .base = d->base,
				    .history = d->history,
				    .file = file,
				    .changed = on_changed,
				    .arg = d };
	struct ctl_model *view;
	uint64_t again_ms;

	*why = "out of memory";
	snprintf(file, sizeof(file), "%s.dns", d->model->state_file);
	d->dns = ctl_dns_new(&p);
	if (!d->dns)
		return -1;
	if (ctl_dns_want(d->dns, d->model) < 0) {
		*why = "names cannot be looked up";
		return -1;
	}
	ctl_dns_keep(d->dns, d->model);
	view = ctl_daemon_view(d, d->model, &again_ms);
	if (!view)
		return -1;
	ctl_model_free(d->model); /* the view has it now */
	d->model = view;
	return 0;
}
