/*
 * Which names there are, and who uses them: what a model asks for. A new model's names are added
 * before it is in force (ctl_dns_want()), the old one's taken away after (ctl_dns_keep()).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/base/ctl_log.h"
#include "control/config/ctl_check.h"
#include "control/dns/ctl_dns_int.h"

#define SPREAD_MS 500 /* names that the file knows are looked up within this time */

/* ---- Entries */

struct ctl_dns_key ctl_dns_key_of_servers(const struct ctl_servers *s)
{
	return (struct ctl_dns_key){ s->name, ctl_port_is_srv(s->port), s->transport };
}

struct ctl_dns_key ctl_dns_key_of_member(const struct ctl_member *m)
{
	return (struct ctl_dns_key){ m->host, ctl_port_is_srv(m->at.port), m->at.transport };
}

bool ctl_dns_is_name(const struct ctl_member *m)
{
	static const struct sip_ip none;

	return dp_ip_equal(&m->at.ip, &none);
}

static struct ctl_dns_entry *find(const struct ctl_dns *dns, const struct ctl_dns_key *key)
{
	char name[CTL_DNS_NAME_SIZE];
	struct ctl_dns_entry *e;

	ctl_dns_name_lower(key->name, name, sizeof(name));
	e = dns->buckets[dp_key(name, strlen(name)) % CTL_DNS_BUCKETS];
	while (e
	       && (strcmp(e->name, name) != 0 || e->spec.srv != key->srv
		   || e->spec.transport != key->transport))
		e = e->next;
	return e;
}

static void users_fini(struct ctl_dns_entry *e)
{
	for (size_t i = 0; i < e->n_users; i++) {
		free(e->users[i].pair);
		free(e->users[i].member);
	}
	free(e->users);
	e->users = NULL;
	e->n_users = e->user_room = 0;
}

static void entry_free(struct ctl_dns_entry *e)
{
	if (e->waiting)
		ctl_dns_leave_queue(e);
	if (e->lookup) {
		ctl_dns_lookup_free(e->lookup);
		e->lookup = NULL;
		e->dns->n_running--;
	}
	ctl_dns_tell_waiters(e);
	users_fini(e);
	ctl_dns_result_fini(&e->good);
	if (e->timer)
		event_free(e->timer);
	free(e->name);
	free(e);
}

static struct ctl_dns_entry *entry_new(struct ctl_dns *dns, const struct ctl_dns_key *key)
{
	struct ctl_dns_entry *e = calloc(1, sizeof(*e)), **bucket;
	char name[CTL_DNS_NAME_SIZE];

	if (!e)
		return NULL;
	ctl_dns_name_lower(key->name, name, sizeof(name));
	e->dns = dns;
	e->name = strdup(name);
	e->timer = evtimer_new(dns->p.base, ctl_dns_on_timer, e);
	if (!e->name || !e->timer) {
		entry_free(e);
		return NULL;
	}
	e->spec = (struct ctl_dns_spec){ .name = e->name,
					 .srv = key->srv,
					 .transport = key->transport };
	ctl_dns_file_take(dns->file_names, e);
	bucket = &dns->buckets[dp_key(name, strlen(name)) % CTL_DNS_BUCKETS];
	e->next = *bucket;
	*bucket = e;
	ctl_dns_later(e, e->looked ? ctl_dns_below(SPREAD_MS) : 0);
	return e;
}

void ctl_dns_drop_all(struct ctl_dns *dns)
{
	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		while (dns->buckets[i]) {
			struct ctl_dns_entry *e = dns->buckets[i];

			dns->buckets[i] = e->next;
			entry_free(e);
		}
	}
}

const struct ctl_dns_result *ctl_dns_find(const struct ctl_dns *dns, const struct ctl_dns_key *key)
{
	const struct ctl_dns_entry *e = find(dns, key);

	return e && e->good.n ? &e->good : NULL;
}

/* ---- All names of a model */

/* @param member  NULL: the pair's `servers`. @return false to stop. */
typedef bool (*name_fn)(struct ctl_dns *dns, void *arg, const struct ctl_dns_key *key,
			const char *pair, const char *member, unsigned int families);

/* @return whether all were visited; false too when out of memory. */
static bool each_name(struct ctl_dns *dns, const struct ctl_model *m, name_fn fn, void *arg)
{
	static const uint8_t wanted[] = {
		[CTL_FAMILY_ANY] = 3, [CTL_FAMILY_IPV4] = 1, [CTL_FAMILY_IPV6] = 2
	};
	uint8_t *families = malloc(m->n_pairs + 1);
	bool go_on = families != NULL;

	if (families)
		ctl_pair_families(m, families);
	for (size_t i = 0; i < m->n_pairs && go_on; i++) {
		const struct ctl_pair *p = &m->pairs[i];

		if (p->servers.name) {
			struct ctl_dns_key key = ctl_dns_key_of_servers(&p->servers);

			go_on = fn(dns, arg, &key, p->name, NULL,
				   families[i] & wanted[p->servers.family]);
			continue;
		}
		for (size_t k = 0; k < p->n_members && go_on; k++) {
			struct ctl_dns_key key = ctl_dns_key_of_member(&p->members[k]);

			if (ctl_dns_is_name(&p->members[k]))
				go_on = fn(dns, arg, &key, p->name, p->members[k].name,
					   families[i]);
		}
	}
	free(families);
	return go_on;
}

/* The model as it is written: a view has looked its names up. */
static const struct ctl_model *written(const struct ctl_model *m)
{
	return m->of ? m->of : m;
}

static bool want_one(struct ctl_dns *dns, void *arg, const struct ctl_dns_key *key,
		     const char *pair, const char *member, unsigned int families)
{
	struct ctl_dns_entry *e = find(dns, key);

	(void)arg;
	(void)pair;
	(void)member;
	if (!e)
		e = entry_new(dns, key);
	else if (families & ~e->spec.families)
		ctl_dns_later(e, 0);
	if (e)
		e->spec.families |= families;
	return e != NULL;
}

static bool is_settled(struct ctl_dns *dns, void *arg, const struct ctl_dns_key *key,
		       const char *pair, const char *member, unsigned int families)
{
	const struct ctl_dns_entry *e = find(dns, key);

	(void)arg;
	(void)pair;
	(void)member;
	(void)families;
	return e && e->looked;
}

bool ctl_dns_is_settled(const struct ctl_dns *dns, const struct ctl_model *m)
{
	return each_name((struct ctl_dns *)(uintptr_t)dns, written(m), is_settled, NULL);
}

/* ---- Users */

static bool is_user(const struct ctl_dns_user *u, const char *pair, const char *member)
{
	return strcmp(u->pair, pair) == 0 && !u->member == !member
	       && (!member || strcmp(u->member, member) == 0);
}

static bool add_user(struct ctl_dns_entry *e, const char *pair, const char *member)
{
	struct ctl_dns_user u = { 0 }, *room;

	if (e->n_users == e->user_room) {
		room = reallocarray(e->users, e->user_room * 2 + 1, sizeof(u));
		if (!room)
			return false;
		e->users = room;
		e->user_room = e->user_room * 2 + 1;
	}
	u.pair = strdup(pair);
	u.member = member ? strdup(member) : NULL;
	if (!u.pair || (member && !u.member)) {
		free(u.pair);
		free(u.member);
		return false;
	}
	e->users[e->n_users++] = u;
	return true;
}

static bool keep_one(struct ctl_dns *dns, void *arg, const struct ctl_dns_key *key,
		     const char *pair, const char *member, unsigned int families)
{
	struct ctl_dns_entry *e = find(dns, key);

	(void)arg;
	if (!e)
		return true;
	if (!e->kept) {
		users_fini(e);
		e->spec.families = 0;
	}
	e->kept = true;
	e->spec.families |= families;
	return add_user(e, pair, member);
}

void ctl_dns_keep(struct ctl_dns *dns, const struct ctl_model *m)
{
	bool all = each_name(dns, written(m), keep_one, NULL), dropped = false;

	if (!all)
		ctl_log(LOG_ERR, "out of memory: names that are no longer used stay for now");
	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		struct ctl_dns_entry **at = &dns->buckets[i];

		while (*at) {
			struct ctl_dns_entry *e = *at;

			if (e->kept || !all) {
				e->kept = false;
				at = &e->next;
				continue;
			}
			*at = e->next;
			entry_free(e);
			dropped = true;
		}
	}
	if (dropped)
		ctl_dns_save_soon(dns);
}

void ctl_dns_note(struct ctl_dns *dns, const struct ctl_dns_key *key, const char *pair,
		  const char *member, const char *text)
{
	struct ctl_dns_entry *e = find(dns, key);
	char said[256];

	for (size_t i = 0; e && i < e->n_users; i++) {
		struct ctl_dns_user *u = &e->users[i];

		if (!is_user(u, pair, member))
			continue;
		if (strncmp(u->note, text, sizeof(u->note) - 1) == 0)
			return;
		snprintf(u->note, sizeof(u->note), "%s", text);
		snprintf(said, sizeof(said), "pair %s: %s", pair, u->note);
		if (text[0])
			ctl_dns_say_refused(e, said);
		return;
	}
}

/* ---- Settings */

static bool same_servers(const struct ctl_dns_settings *a, const struct ctl_dns_settings *b)
{
	for (size_t i = 0; i < a->n_servers && a->n_servers == b->n_servers; i++) {
		if (!dp_ip_equal(&a->servers[i].ip, &b->servers[i].ip)
		    || a->servers[i].port != b->servers[i].port)
			return false;
	}
	return a->n_servers == b->n_servers;
}

/* Where resolv.conf names the servers, it may have been written anew. */
static bool file_has_changed(struct ctl_dns *dns, const struct ctl_dns_settings *set)
{
	struct stat st = { 0 };
	bool changed;

	if (set->n_servers)
		return false;
	stat(set->resolv_conf, &st);
	changed = st.st_ino != dns->conf_ino || st.st_size != dns->conf_size
		  || st.st_mtim.tv_sec != dns->conf_mtime.tv_sec
		  || st.st_mtim.tv_nsec != dns->conf_mtime.tv_nsec;
	dns->conf_ino = st.st_ino;
	dns->conf_size = st.st_size;
	dns->conf_mtime = st.st_mtim;
	return changed;
}

static int copy_settings(struct ctl_dns_settings *to, const struct ctl_dns_settings *from)
{
	*to = *from;
	to->servers = calloc(from->n_servers + 1, sizeof(*to->servers));
	to->resolv_conf = strdup(from->resolv_conf);
	if (!to->servers || !to->resolv_conf) {
		free(to->servers);
		free(to->resolv_conf);
		return -ENOMEM;
	}
	for (size_t i = 0; i < from->n_servers; i++)
		to->servers[i] = from->servers[i];
	return 0;
}

/* Another channel to the servers; what is being looked up begins again there. */
static void change_channel(struct ctl_dns *dns, struct ctl_dns_ares *ares)
{
	for (size_t i = 0; i < CTL_DNS_BUCKETS; i++) {
		for (struct ctl_dns_entry *e = dns->buckets[i]; e; e = e->next) {
			bool running = e->lookup != NULL;

			if (running)
				dns->n_running--;
			ctl_dns_lookup_free(e->lookup);
			e->lookup = NULL;
			if (running || e->failing)
				ctl_dns_later(e, 0);
		}
	}
	ctl_dns_ares_free(dns->ares);
	dns->ares = ares;
}

static int use_settings(struct ctl_dns *dns, const struct ctl_dns_settings *set)
{
	bool changed = file_has_changed(dns, set), first = !dns->ares;
	struct ctl_dns_settings copy;
	struct ctl_dns_ares *ares;
	char why[128], servers[256];

	if (!changed && !first && same_servers(&dns->set, set)
	    && dns->set.timeout_ms == set->timeout_ms && dns->set.attempts == set->attempts
	    && strcmp(dns->set.resolv_conf, set->resolv_conf) == 0) {
		dns->set.min_ttl_ms = set->min_ttl_ms;
		dns->set.max_ttl_ms = set->max_ttl_ms;
		return 0;
	}
	if (copy_settings(&copy, set) < 0)
		return -ENOMEM;
	ares = ctl_dns_ares_new(dns->p.base, &copy, why);
	if (!ares) {
		ctl_log(LOG_ERR, "dns: the DNS servers cannot be used: %s", why);
		free(copy.servers);
		free(copy.resolv_conf);
		return -EINVAL;
	}
	change_channel(dns, ares);
	free(dns->set.servers);
	free(dns->set.resolv_conf);
	dns->set = copy;
	ctl_dns_ares_servers(ares, servers, sizeof(servers));
	ctl_log(LOG_INFO, "dns: names are looked up at %s", servers);
	return 0;
}

int ctl_dns_want(struct ctl_dns *dns, const struct ctl_model *m)
{
	int ret = use_settings(dns, &m->dns);

	if (ret < 0 && !dns->ares)
		return ret;
	if (!each_name(dns, written(m), want_one, NULL))
		return -ENOMEM;
	return ret;
}
