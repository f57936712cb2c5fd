/*
 * The file of answers: what a control that starts while DNS is dead goes on with. It was written by
 * ourselves, and is read as if it had not been.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/ctl_log.h"
#include "control/config/ctl_ip.h"
#include "control/dns/ctl_dns_int.h"

#define VERSION 1

void ctl_dns_file_key(const struct ctl_dns_entry *e, char *text, size_t size)
{
	static const char *const transports[] = { "udp", "tcp", "tls" };

	snprintf(text, size, "%s %s %s", e->spec.srv ? "srv" : "address",
		 transports[e->spec.transport], e->name);
}

/* ---- Reading */

json_t *ctl_dns_file_read(const char *path)
{
	char aside[4096 + 16];
	json_error_t e;
	json_t *root, *names = NULL;

	errno = 0;
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	if (!root && errno == ENOENT)
		return NULL;
	if (json_integer_value(json_object_get(root, "version")) == VERSION)
		names = json_object_get(root, "names");
	if (json_is_object(names)) {
		json_incref(names);
		json_decref(root);
		return names;
	}
	json_decref(root);
	snprintf(aside, sizeof(aside), "%s.broken", path);
	ctl_log(LOG_ERR, "the file of DNS answers %s is broken%s: names have to be looked up first",
		path, rename(path, aside) == 0 ? " (kept as .broken)" : "");
	return NULL;
}

static bool take_number(const json_t *o, const char *key, uint16_t *to)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);

	*to = (uint16_t)n;
	return json_is_integer(v) && n >= 0 && n <= UINT16_MAX;
}

static bool take_server(const struct ctl_dns_entry *e, const json_t *o, struct ctl_dns_server *s)
{
	const char *address = json_string_value(json_object_get(o, "address"));

	memset(s, 0, sizeof(*s));
	s->at.transport = e->spec.transport;
	s->target = json_string_value(json_object_get(o, "target"));
	return address && dp_ip_parse(address, &s->at.ip) == 0 && !ctl_ip_unfit(&s->at.ip)
	       && s->target && ctl_dns_name_fits(s->target) && take_number(o, "port", &s->at.port)
	       && take_number(o, "priority", &s->priority) && take_number(o, "weight", &s->weight)
	       && (s->at.port || !e->spec.srv);
}

void ctl_dns_file_take(const json_t *names, struct ctl_dns_entry *e)
{
	struct ctl_dns_server servers[CTL_DNS_SERVERS];
	struct ctl_dns_result r = { .servers = servers };
	char key[CTL_DNS_NAME_SIZE + 16];
	const json_t *o, *list;

	ctl_dns_file_key(e, key, sizeof(key));
	o = json_object_get(names, key);
	list = json_object_get(o, "servers");
	for (size_t i = 0; i < json_array_size(list) && r.n < CTL_DNS_SERVERS; i++)
		r.n += take_server(e, json_array_get(list, i), &servers[r.n]);
	if (!r.n)
		return;
	r.by_naptr = json_is_true(json_object_get(o, "by_naptr"));
	r.by_srv = json_is_true(json_object_get(o, "by_srv"));
	r.n = ctl_dns_order(servers, r.n, "");
	if (ctl_dns_result_copy(&e->good, &r) < 0)
		return;
	e->good_wall_us = (uint64_t)json_integer_value(json_object_get(o, "resolved"));
	e->looked = true;
}

/* ---- Writing */

static json_t *entry_json(const struct ctl_dns_entry *e)
{
	json_t *servers = json_array();

	for (size_t i = 0; i < e->good.n; i++) {
		const struct ctl_dns_server *s = &e->good.servers[i];
		char ip[46];

		dp_ip_format(&s->at.ip, ip);
		json_array_append_new(servers,
				      json_pack("{s:s, s:i, s:i, s:i, s:s}", "address", ip, "port",
						(int)s->at.port, "priority", (int)s->priority,
						"weight", (int)s->weight, "target", s->target));
	}
	return json_pack("{s:I, s:b, s:b, s:o}", "resolved", (json_int_t)e->good_wall_us,
			 "by_naptr", (int)e->good.by_naptr, "by_srv", (int)e->good.by_srv,
			 "servers", servers);
}

char *ctl_dns_file_text(const struct ctl_dns *dns)
{
	json_t *names = json_object(), *root;
	char key[CTL_DNS_NAME_SIZE + 16], *text = NULL;
	bool failed = !names;

	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		for (const struct ctl_dns_entry *e = dns->buckets[i]; e; e = e->next) {
			if (!e->good.n)
				continue;
			ctl_dns_file_key(e, key, sizeof(key));
			failed |= json_object_set_new(names, key, entry_json(e)) != 0;
		}
	}
	root = json_pack("{s:i, s:o}", "version", VERSION, "names", names);
	if (root && !failed)
		text = json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(root);
	return text;
}
