/* Services, network and versions as JSON. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/daemon/ctl_methods.h"

static json_t *ip_json(const struct sip_ip *ip)
{
	char text[46];

	dp_ip_format(ip, text);
	return json_string(text);
}

/* "192.0.2.0/24"; lengths count from the mapped address's first bit. */
static json_t *prefix_json(const struct sip_ip *ip, unsigned int len)
{
	char text[46];

	dp_ip_format(ip, text);
	return json_sprintf("%s/%u", text, dp_ip_is_v4(ip) ? len - 96 : len);
}

static json_t *mac_json(const uint8_t mac[6])
{
	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			    mac[5]);
}

/* ---- Services */

static json_t *listen_json(const struct dp_endpoint *e)
{
	static const char *const transports[] = { "udp", "tcp", "tls" };
	char text[46];

	dp_ip_format(&e->ip, text);
	return json_sprintf(dp_ip_is_v4(&e->ip) ? "%s:%s:%u" : "%s:[%s]:%u",
			    transports[e->transport], text, e->port);
}

static json_t *service_json(const struct ctl_model *m, const struct ctl_service *s)
{
	static const char *const selects[] = { "aor", "call-id", "request-uri-user",
					       "source-address" };
	json_t *listens = json_array(), *pairs = json_array();

	for (size_t i = 0; i < s->n_listens; i++)
		json_array_append_new(listens, listen_json(&s->listens[i].at));
	for (size_t i = 0; i < s->n_pairs; i++)
		json_array_append_new(pairs, json_string(m->pairs[s->pairs[i]].name));
	return json_pack("{s:s, s:o, s:s, s:o, s:s, s:b}", "name", s->name, "listen", listens,
			 "select", selects[s->select], "pairs", pairs, "in_dialog",
			 s->in_dialog_active ? "active" : "member", "path", (int)s->path);
}

json_t *ctl_services_json(const struct ctl_daemon *d)
{
	json_t *a = json_array();

	for (size_t i = 0; i < d->model->n_services; i++)
		json_array_append_new(a, service_json(d->model, &d->model->services[i]));
	return a;
}

/* ---- Network */

static const char *port_name(const struct ctl_daemon *d, unsigned int port)
{
	return port < d->region->boot.n_ports ? d->region->boot.ports[port].name : "?";
}

static json_t *net_ports_json(const struct ctl_daemon *d, const struct dp_net *n)
{
	const struct dp_net_port *p = (const void *)((const uint8_t *)n + n->ports);
	json_t *a = json_array();

	for (uint32_t i = 0; i < n->n_ports; i++)
		json_array_append_new(a, json_pack("{s:s, s:o, s:i, s:b, s:b}", "port",
						   port_name(d, i), "mac", mac_json(p[i].mac),
						   "mtu", (int)p[i].mtu, "up", (int)p[i].up, "link",
						   (int)d->region->port[i].link_up));
	return a;
}

static json_t *net_addrs_json(const struct ctl_daemon *d, const struct dp_net *n)
{
	const struct dp_net_addr *x = (const void *)((const uint8_t *)n + n->addrs);
	json_t *a = json_array();

	for (uint32_t i = 0; i < n->n_addrs; i++)
		json_array_append_new(a,
				      json_pack("{s:s, s:o, s:b}", "port", port_name(d, x[i].port),
						"address", prefix_json(&x[i].ip, x[i].prefix_len),
						"broadcast", (int)x[i].broadcast));
	return a;
}

static json_t *route_json(const struct ctl_daemon *d, const struct dp_net_route *r)
{
	static const struct sip_ip none;

	return json_pack("{s:o, s:o, s:o, s:b, s:I}", "to", prefix_json(&r->prefix, r->prefix_len),
			 "via",
			 dp_ip_equal(&r->gateway, &none) ? json_null() : ip_json(&r->gateway),
			 "port", r->unreachable ? json_null() : json_string(port_name(d, r->port)),
			 "unreachable", (int)r->unreachable, "metric", (json_int_t)r->metric);
}

static json_t *net_routes_json(const struct ctl_daemon *d, const struct dp_net *n)
{
	const struct dp_net_route *r = (const void *)((const uint8_t *)n + n->routes);
	json_t *a = json_array();

	for (uint32_t i = 0; i < n->n_routes; i++)
		json_array_append_new(a, route_json(d, &r[i]));
	return a;
}

static json_t *net_neighs_json(const struct ctl_daemon *d, const struct dp_net *n)
{
	const struct dp_net_neigh *x = (const void *)((const uint8_t *)n + n->neighs);
	json_t *a = json_array();

	for (uint32_t i = 0; i < n->neigh_hash_size; i++) {
		if (x[i].valid)
			json_array_append_new(a, json_pack("{s:s, s:o, s:o}", "port",
							   port_name(d, x[i].port), "address",
							   ip_json(&x[i].ip), "mac",
							   mac_json(x[i].mac)));
	}
	return a;
}

json_t *ctl_net_json(const struct ctl_daemon *d)
{
	const struct dp_net *n = ctl_publisher_net(d->publisher);

	if (!n)
		return json_pack("{s:[], s:[], s:[], s:[]}", "ports", "addresses", "routes",
				 "neighbours");
	return json_pack("{s:o, s:o, s:o, s:o}", "ports", net_ports_json(d, n), "addresses",
			 net_addrs_json(d, n), "routes", net_routes_json(d, n), "neighbours",
			 net_neighs_json(d, n));
}

/* ---- Version */

json_t *ctl_version_json(const struct ctl_daemon *d)
{
	static const char *const links[] = {
		[CTL_LINK_WAITING] = "down",      [CTL_LINK_CONNECTING] = "starting",
		[CTL_LINK_GREETING] = "starting", [CTL_LINK_STARTING] = "starting",
		[CTL_LINK_UP] = "running",        [CTL_LINK_STOPPING] = "stopping",
		[CTL_LINK_STOPPED] = "stopped",
	};
	const struct dp_region *r = d->region;

	return json_pack("{s:s, s:i, s:i, s:I, s:s, s:{s:s, s:I, s:I, s:i}}", "version",
			 SIPSTEER_VERSION, "layout", DP_LAYOUT_VERSION, "pid", (int)getpid(),
			 "uptime_s", (json_int_t)((ctl_now_ms() - d->started_ms) / 1000), "config",
			 d->opt.config, "dataplane", "state", links[ctl_link_state(d->link)], "pid",
			 (json_int_t)atomic_load(&r->pid), "starts",
			 (json_int_t)atomic_load(&r->incarnation), "workers",
			 (int)r->boot.n_workers);
}
