#include "tests/control/dns_bench.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Messages */

void dns_u16(struct dns_msg *m, unsigned int v)
{
	cr_assert_lt(m->len + 2, DNS_ROOM);
	m->b[m->len++] = (uint8_t)(v >> 8);
	m->b[m->len++] = (uint8_t)v;
}

void dns_u32(struct dns_msg *m, uint32_t v)
{
	dns_u16(m, v >> 16);
	dns_u16(m, v & 0xffff);
}

static void bytes(struct dns_msg *m, const void *p, size_t n)
{
	cr_assert_lt(m->len + n, DNS_ROOM);
	memcpy(m->b + m->len, p, n);
	m->len += n;
}

void dns_name(struct dns_msg *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		bytes(m, &(uint8_t){ (uint8_t)n }, 1);
		bytes(m, name, n);
		name += n + (name[n] == '.');
	}
	bytes(m, "", 1);
}

void dns_begin(struct dns_msg *m, const char *name, uint16_t type, uint16_t flags)
{
	m->len = 0;
	dns_u16(m, 0x1234);
	dns_u16(m, flags);
	dns_u16(m, 1);
	dns_u16(m, 0);
	dns_u16(m, 0);
	dns_u16(m, 0);
	dns_name(m, name);
	dns_u16(m, type);
	dns_u16(m, 1);
}

static void count(struct dns_msg *m, size_t at)
{
	unsigned int n = (unsigned int)(m->b[at] << 8 | m->b[at + 1]) + 1;

	m->b[at] = (uint8_t)(n >> 8);
	m->b[at + 1] = (uint8_t)n;
}

size_t dns_begin_rr(struct dns_msg *m, const char *owner, uint16_t type, uint32_t ttl)
{
	count(m, type == CTL_DNS_SOA ? 8 : 6);
	dns_name(m, owner);
	dns_u16(m, type);
	dns_u16(m, 1);
	dns_u32(m, ttl);
	dns_u16(m, 0);
	return m->len;
}

void dns_end_rr(struct dns_msg *m, size_t begin)
{
	size_t n = m->len - begin;

	m->b[begin - 2] = (uint8_t)(n >> 8);
	m->b[begin - 1] = (uint8_t)n;
}

void dns_a(struct dns_msg *m, const char *owner, uint32_t ttl, const char *ip)
{
	bool v6 = strchr(ip, ':') != NULL;
	size_t begin = dns_begin_rr(m, owner, v6 ? CTL_DNS_AAAA : CTL_DNS_A, ttl);
	uint8_t b[16];

	cr_assert_eq(inet_pton(v6 ? AF_INET6 : AF_INET, ip, b), 1, "%s", ip);
	bytes(m, b, v6 ? 16 : 4);
	dns_end_rr(m, begin);
}

void dns_cname(struct dns_msg *m, const char *owner, uint32_t ttl, const char *to)
{
	size_t begin = dns_begin_rr(m, owner, CTL_DNS_CNAME, ttl);

	dns_name(m, to);
	dns_end_rr(m, begin);
}

void dns_srv(struct dns_msg *m, const char *owner, uint32_t ttl, unsigned int priority,
	     unsigned int weight, unsigned int port, const char *target)
{
	size_t begin = dns_begin_rr(m, owner, CTL_DNS_SRV, ttl);

	dns_u16(m, priority);
	dns_u16(m, weight);
	dns_u16(m, port);
	dns_name(m, strcmp(target, ".") == 0 ? "" : target);
	dns_end_rr(m, begin);
}

static void string(struct dns_msg *m, const char *s)
{
	bytes(m, &(uint8_t){ (uint8_t)strlen(s) }, 1);
	bytes(m, s, strlen(s));
}

void dns_naptr(struct dns_msg *m, const char *owner, uint32_t ttl, unsigned int order,
	       unsigned int preference, const char *flags, const char *service, const char *regexp,
	       const char *replacement)
{
	size_t begin = dns_begin_rr(m, owner, CTL_DNS_NAPTR, ttl);

	dns_u16(m, order);
	dns_u16(m, preference);
	string(m, flags);
	string(m, service);
	string(m, regexp);
	dns_name(m, replacement);
	dns_end_rr(m, begin);
}

void dns_soa(struct dns_msg *m, const char *owner, uint32_t ttl, uint32_t minimum)
{
	size_t begin = dns_begin_rr(m, owner, CTL_DNS_SOA, ttl);

	dns_name(m, "ns.example.com");
	dns_name(m, "hostmaster.example.com");
	for (int i = 0; i < 4; i++)
		dns_u32(m, 99);
	dns_u32(m, minimum);
	dns_end_rr(m, begin);
}

/* ---- A world */

static uint16_t type_of(const char *text)
{
	static const struct {
		const char *name;
		uint16_t type;
	} types[] = { { "AAAA ", CTL_DNS_AAAA },
		      { "A ", CTL_DNS_A },
		      { "SRV ", CTL_DNS_SRV },
		      { "NAPTR ", CTL_DNS_NAPTR },
		      { "CNAME ", CTL_DNS_CNAME } };

	for (size_t i = 0; i < 5; i++) {
		if (strncmp(text, types[i].name, strlen(types[i].name)) == 0)
			return types[i].type;
	}
	cr_assert_fail("no type: %s", text);
	return 0;
}

static void add_fact(struct dns_msg *m, const char *owner, const struct dns_fact *f)
{
	uint32_t ttl = f->ttl ? f->ttl : 100;
	char a[200], b[200], c[200];
	unsigned int x, y, z;

	switch (type_of(f->text)) {
	case CTL_DNS_A: dns_a(m, owner, ttl, f->text + 2); break;
	case CTL_DNS_AAAA: dns_a(m, owner, ttl, f->text + 5); break;
	case CTL_DNS_CNAME: dns_cname(m, owner, ttl, f->text + 6); break;
	case CTL_DNS_SRV:
		cr_assert_eq(sscanf(f->text, "SRV %u %u %u %199s", &x, &y, &z, a), 4);
		dns_srv(m, owner, ttl, x, y, z, a);
		break;
	default:
		cr_assert_eq(sscanf(f->text, "NAPTR %u %u %199s %199s %199s", &x, &y, a, b, c), 5);
		dns_naptr(m, owner, ttl, x, y, a, b, "", c);
		break;
	}
}

static size_t n_facts(const struct dns_world *w)
{
	size_t n = 0;

	while (w->facts[n].name)
		n++;
	return n;
}

/* "FAIL SRV why" of a name, or NULL. */
static const char *failure(const struct dns_world *w, const char *name, uint16_t type)
{
	for (size_t i = 0; i < n_facts(w); i++) {
		const char *text = w->facts[i].text;

		if (strncmp(text, "FAIL ", 5) == 0 && strcmp(w->facts[i].name, name) == 0
		    && type_of(text + 5) == type)
			return strchr(text + 5, ' ') + 1;
	}
	return NULL;
}

static void answer(struct dns_world *w, struct dns_question *q)
{
	static struct dns_msg m;
	struct ctl_dns_reply r = { .error = failure(w, q->name, q->type) };
	ctl_dns_reply_cb cb = q->cb;
	size_t n = n_facts(w);

	if (!cb)
		return;
	q->cb = NULL;
	w->n_open--;
	dns_begin(&m, q->name, q->type, 0x8180);
	for (size_t i = 0; i < n; i++) {
		const struct dns_fact *f = &w->facts[w->backwards ? n - 1 - i : i];

		if (strncmp(f->text, "FAIL", 4) == 0 || strcmp(f->name, q->name) != 0)
			continue;
		if (type_of(f->text) == q->type || type_of(f->text) == CTL_DNS_CNAME)
			add_fact(&m, q->name, f);
	}
	if (!r.error) {
		r.msg = m.b;
		r.len = m.len;
	}
	cb(q->cb_arg, &r);
}

static void *ask(void *arg, const char *name, uint16_t type, ctl_dns_reply_cb cb, void *cb_arg)
{
	struct dns_world *w = arg;
	struct dns_question *q = &w->asked[w->n_asked];

	cr_assert_lt(w->n_asked, DNS_QUESTIONS);
	w->n_asked++;
	w->n_open++;
	*q = (struct dns_question){ .type = type, .cb = cb, .cb_arg = cb_arg };
	snprintf(q->name, sizeof(q->name), "%s", name);
	if (w->later)
		return q;
	answer(w, q);
	return NULL;
}

static void forget(void *arg, void *question)
{
	struct dns_world *w = arg;
	struct dns_question *q = question;

	cr_assert_not_null(q->cb, "%s was answered or forgotten before", q->name);
	q->cb = NULL;
	w->n_open--;
}

void dns_world_init(struct dns_world *w, const struct dns_fact *facts)
{
	memset(w, 0, sizeof(*w));
	w->facts = facts;
	w->io = (struct ctl_dns_io){ .ask = ask, .forget = forget, .arg = w };
}

void dns_world_go(struct dns_world *w)
{
	for (size_t i = 0; i < w->n_asked; i++)
		answer(w, &w->asked[i]);
}

const char *dns_order_text(const struct ctl_dns_result *r, const char *seed, char *text,
			   size_t size)
{
	struct ctl_dns_server v[CTL_DNS_SERVERS];
	size_t n = r->n, len = 0;

	if (n)
		memcpy(v, r->servers, n * sizeof(v[0]));
	n = ctl_dns_order(v, n, seed);
	text[0] = '\0';
	for (size_t i = 0; i < n && len < size; i++) {
		char ip[46];

		dp_ip_format(&v[i].at.ip, ip);
		len += (size_t)snprintf(text + len, size - len, "%s%s:%u", i ? " " : "", ip,
					v[i].at.port);
	}
	return text;
}
