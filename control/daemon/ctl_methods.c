/*
 * The methods. Each is a row of the table at the end and a function of a few lines; who calls is
 * taken from the socket, never from the request.
 */
#include "control/daemon/ctl_methods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/ctl_live.h"
#include "control/daemon/ctl_reload.h"

enum { ERR_SIZE = 256 };

/* The outcome of an operator's command. */
static void end(struct ctl_rpc_call *call, int ret, const char *err,
		json_t *(*result)(const struct ctl_pairs *, const char *),
		const struct ctl_pairs *ps, const char *name)
{
	json_t *j;

	if (ret == -ENOENT) {
		ctl_rpc_refuse(call, CTL_RPC_NOT_FOUND, NULL, "%s", err);
	} else if (ret < 0) {
		ctl_rpc_refuse(call, CTL_RPC_REFUSED, NULL, "%s", err);
	} else {
		j = result ? result(ps, name) : json_object();
		ctl_rpc_reply(call, j);
	}
}

/* ---- Pairs */

static void pair_list(void *context, struct ctl_rpc_call *call)
{
	const struct ctl_daemon *d = context;

	ctl_rpc_reply(call, ctl_pairs_json(d->pairs));
}

static void no_pair(struct ctl_rpc_call *call, const char *name)
{
	ctl_rpc_refuse(call, CTL_RPC_NOT_FOUND, NULL,
		       "there is no pair \"%s\"; 'pair list' shows them all", name);
}

/* What live requests say of each member stands beside what probes say. */
static void add_live(const struct ctl_daemon *d, json_t *pair)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(pair, "members"), i, m)
	{
		json_int_t number = json_integer_value(json_object_get(m, "number"));
		const struct dp_member_counters c =
			ctl_member_counters(d->region, (unsigned int)number);

		json_object_set_new(m, "live", ctl_member_live_json(&c));
	}
}

static void pair_show(void *context, struct ctl_rpc_call *call)
{
	const struct ctl_daemon *d = context;
	const char *name = ctl_rpc_string(call, "name");
	json_t *pair = ctl_pair_json(d->pairs, name);

	if (pair) {
		add_live(d, pair);
		ctl_rpc_reply(call, pair);
	} else {
		no_pair(call, name);
	}
}

static void pair_switch(void *context, struct ctl_rpc_call *call)
{
	struct ctl_daemon *d = context;
	const char *pair = ctl_rpc_string(call, "name");
	char err[ERR_SIZE] = "";
	int ret = ctl_pairs_switch(d->pairs, pair, ctl_rpc_string(call, "to"), ctl_rpc_who(call),
				   err);

	end(call, ret, err, ctl_pair_json, d->pairs, pair);
}

static void pin(void *context, struct ctl_rpc_call *call, bool on)
{
	struct ctl_daemon *d = context;
	const char *pair = ctl_rpc_string(call, "name");
	char err[ERR_SIZE] = "";
	int ret = ctl_pairs_pin(d->pairs, pair, on, ctl_rpc_who(call), err);

	end(call, ret, err, ctl_pair_json, d->pairs, pair);
}

static void pair_pin(void *context, struct ctl_rpc_call *call)
{
	pin(context, call, true);
}

static void pair_unpin(void *context, struct ctl_rpc_call *call)
{
	pin(context, call, false);
}

/* ---- Members */

/* The members of all pairs, or of one, in one list, each with its pair's name and whether it is
 * active. */
static json_t *list_members(const json_t *pairs, const char *only)
{
	json_t *list = json_array();
	size_t i, k;
	json_t *p, *m;

	json_array_foreach(pairs, i, p)
	{
		const char *pair = json_string_value(json_object_get(p, "name"));
		const char *active = json_string_value(json_object_get(p, "active"));

		if (only && strcmp(only, pair) != 0)
			continue;
		json_array_foreach(json_object_get(p, "members"), k, m)
		{
			const char *name = json_string_value(json_object_get(m, "name"));
			json_t *row = json_pack("{s:s, s:b}", "pair", pair, "active",
						(int)(active && strcmp(active, name) == 0));

			json_object_update_missing(row, m);
			json_array_append_new(list, row);
		}
	}
	return list;
}

static void member_list(void *context, struct ctl_rpc_call *call)
{
	const struct ctl_daemon *d = context;
	const char *only = ctl_rpc_string(call, "pair");
	json_t *pairs = ctl_pairs_json(d->pairs);

	if (only && ctl_numbers_pair(d->numbers, only) < 0)
		no_pair(call, only);
	else
		ctl_rpc_reply(call, list_members(pairs, only));
	json_decref(pairs);
}

typedef int (*member_fn)(struct ctl_pairs *ps, const char *member, const char *who, char *err);

static void act_on_member(struct ctl_daemon *d, struct ctl_rpc_call *call, member_fn fn)
{
	char err[ERR_SIZE] = "";
	int ret = fn(d->pairs, ctl_rpc_string(call, "name"), ctl_rpc_who(call), err);

	end(call, ret, err, NULL, d->pairs, NULL);
}

static void member_drain(void *context, struct ctl_rpc_call *call)
{
	act_on_member(context, call, ctl_pairs_drain);
}

static void member_disable(void *context, struct ctl_rpc_call *call)
{
	act_on_member(context, call, ctl_pairs_disable);
}

static void member_enable(void *context, struct ctl_rpc_call *call)
{
	act_on_member(context, call, ctl_pairs_enable);
}

/* ---- Events */

/* The newest `limit` of an array, oldest first. */
static json_t *newest(json_t *events, long long limit)
{
	size_t n = json_array_size(events);

	if (limit >= 0 && (size_t)limit < n) {
		for (size_t i = n - (size_t)limit; i > 0; i--)
			json_array_remove(events, i - 1);
	}
	return events;
}

static void event_list(void *context, struct ctl_rpc_call *call)
{
	const struct ctl_daemon *d = context;
	long long limit = ctl_rpc_integer(call, "limit", -1);
	json_t *events = ctl_history_json(d->history, ctl_rpc_string(call, "pair"));

	ctl_rpc_reply(call, events ? newest(events, limit) : NULL);
}

static void event_follow(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	if (ctl_rpc_follow(call, "event", ctl_rpc_string(call, "pair")) < 0)
		ctl_rpc_reply(call, NULL);
	else
		ctl_rpc_reply(call, json_pack("{s:b}", "following", 1));
}

static void on_event(void *arg, const json_t *event)
{
	struct ctl_daemon *d = arg;

	ctl_rpc_publish(d->rpc, "event", json_string_value(json_object_get(event, "pair")), event);
}

/* ---- What is there */

static void service_list(void *context, struct ctl_rpc_call *call)
{
	ctl_rpc_reply(call, ctl_services_json(context));
}

static void stats_show(void *context, struct ctl_rpc_call *call)
{
	ctl_rpc_reply(call, ctl_stats_json(context));
}

static void net_show(void *context, struct ctl_rpc_call *call)
{
	ctl_rpc_reply(call, ctl_net_json(context));
}

static void version(void *context, struct ctl_rpc_call *call)
{
	ctl_rpc_reply(call, ctl_version_json(context));
}

static void help(void *context, struct ctl_rpc_call *call)
{
	(void)context;
	ctl_rpc_reply(call, ctl_rpc_describe(ctl_rpc_of(call)));
}

/* ---- Names */

static void no_name(struct ctl_rpc_call *call, const char *name)
{
	ctl_rpc_refuse(call, CTL_RPC_NOT_FOUND, NULL,
		       "no pair has the name \"%s\"; 'dns show' shows them all", name);
}

/* While the last answers are being sent, the parts that would serve are gone already. */
static bool has_ended(const void *part, struct ctl_rpc_call *call)
{
	if (!part)
		ctl_rpc_refuse(call, CTL_RPC_REFUSED, NULL, "sipsteerd ends");
	return !part;
}

static void dns_reply(const struct ctl_daemon *d, struct ctl_rpc_call *call)
{
	const char *name = ctl_rpc_string(call, "name");
	json_t *j = ctl_dns_json(d->dns, name);

	if (!j || !name || json_array_size(json_object_get(j, "names"))) {
		ctl_rpc_reply(call, j);
		return;
	}
	json_decref(j);
	no_name(call, name);
}

static void dns_show(void *context, struct ctl_rpc_call *call)
{
	const struct ctl_daemon *d = context;

	if (!has_ended(d->dns, call))
		dns_reply(d, call);
}

struct refresh {
	const struct ctl_daemon *d;
	struct ctl_rpc_call *call;
};

static void on_refreshed(void *arg)
{
	struct refresh *r = arg;

	dns_reply(r->d, r->call);
	free(r);
}

static void dns_refresh(void *context, struct ctl_rpc_call *call)
{
	struct ctl_daemon *d = context;
	const char *name = ctl_rpc_string(call, "name");
	struct refresh *r;
	int ret = -ENOMEM;

	if (has_ended(d->dns, call))
		return;
	r = malloc(sizeof(*r));
	if (r) {
		*r = (struct refresh){ d, call };
		ret = ctl_dns_refresh(d->dns, name, on_refreshed, r);
	}
	if (ret == 0)
		return;
	free(r);
	if (ret == -ENOENT)
		no_name(call, name);
	else
		ctl_rpc_reply(call, NULL);
}

/* ---- The whole */

static void reload(void *context, struct ctl_rpc_call *call)
{
	struct ctl_daemon *d = context;

	if (!has_ended(d->reload, call))
		ctl_reload_ask(d->reload, call);
}

static void stop(void *context, struct ctl_rpc_call *call)
{
	ctl_daemon_shutdown(context, call);
}

#define PAIR                                                   \
	{                                                      \
		"name", CTL_RPC_STRING, true, "name of a pair" \
	}
#define OF_PAIR                                                 \
	{                                                       \
		"pair", CTL_RPC_STRING, false, "only this pair" \
	}
#define MEMBER                                                                 \
	{                                                                      \
		"name", CTL_RPC_STRING, true,                                  \
			"name of a member; \"pair/member\" where names repeat" \
	}

static const struct ctl_rpc_method methods[] = {
	{ .name = "pair.list", .help = "all pairs with their members", .fn = pair_list },
	{ .name = "pair.show", .help = "one pair", .fn = pair_show, .params = { PAIR } },
	{ .name = "pair.switch",
	  .help = "make another member active",
	  .fn = pair_switch,
	  .params = { PAIR,
		      { "to", CTL_RPC_STRING, false,
			"which member; else the next by priority" } } },
	{ .name = "pair.pin",
	  .help = "keep the active member whatever happens",
	  .fn = pair_pin,
	  .params = { PAIR } },
	{ .name = "pair.unpin",
	  .help = "let the machine decide again",
	  .fn = pair_unpin,
	  .params = { PAIR } },
	{ .name = "member.list",
	  .help = "the members of all pairs",
	  .fn = member_list,
	  .params = { OF_PAIR } },
	{ .name = "member.drain",
	  .help = "dialogs stay, new ones go elsewhere",
	  .fn = member_drain,
	  .params = { MEMBER } },
	{ .name = "member.disable",
	  .help = "send nothing there",
	  .fn = member_disable,
	  .params = { MEMBER } },
	{ .name = "member.enable",
	  .help = "end a drain or a disable",
	  .fn = member_enable,
	  .params = { MEMBER } },
	{ .name = "service.list", .help = "all services", .fn = service_list },
	{ .name = "stats.show", .help = "counters since the start", .fn = stats_show },
	{ .name = "event.list",
	  .help = "what happened, oldest first",
	  .fn = event_list,
	  .params = { OF_PAIR, { "limit", CTL_RPC_INTEGER, false, "the newest so many" } } },
	{ .name = "event.follow",
	  .help = "notifications \"event\" from now on",
	  .fn = event_follow,
	  .params = { OF_PAIR } },
	{ .name = "net.show",
	  .help = "addresses, routes and neighbours as the fast path sees them",
	  .fn = net_show },
	{ .name = "dns.show",
	  .help = "the names of servers, and what DNS says of them",
	  .fn = dns_show,
	  .params = { { "name", CTL_RPC_STRING, false, "only this name" } } },
	{ .name = "dns.refresh",
	  .help = "look a name up now, whatever its TTL",
	  .fn = dns_refresh,
	  .params = { { "name", CTL_RPC_STRING, true, "the name" } } },
	{ .name = "reload", .help = "read the configuration again, all or nothing", .fn = reload },
	{ .name = "shutdown", .help = "end sipsteerd and the data plane", .fn = stop },
	{ .name = "version", .help = "versions and processes", .fn = version },
	{ .name = "help", .help = "this table", .fn = help },
};

struct ctl_rpc *ctl_methods_serve(struct ctl_daemon *d)
{
	struct ctl_rpc_params p = { .base = d->base,
				    .listener = d->listener,
				    .methods = methods,
				    .n_methods = sizeof(methods) / sizeof(methods[0]),
				    .context = d };

	d->rpc = ctl_rpc_new(&p);
	if (d->rpc && ctl_history_follow(d->history, on_event, d) < 0) {
		ctl_rpc_free(d->rpc);
		d->rpc = NULL;
	}
	return d->rpc;
}

void ctl_methods_end(struct ctl_daemon *d)
{
	if (!d->rpc)
		return;
	ctl_history_unfollow(d->history, on_event, d);
	ctl_rpc_free(d->rpc);
	d->rpc = NULL;
}
