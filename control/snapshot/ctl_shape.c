/*
 * Words are taken in one after the other; every list and text is preceded by its length, so that
 * no two models give the same words.
 */
#include "control/snapshot/ctl_shape.h"

#include <string.h>

static void word(uint64_t *h, uint64_t w)
{
	*h = (*h ^ w) * 0x9e3779b97f4a7c15ull;
	*h ^= *h >> 32;
}

static void bytes(uint64_t *h, const void *p, size_t n)
{
	const uint8_t *at = p;
	uint64_t w;

	word(h, n);
	for (; n >= sizeof(w); n -= sizeof(w), at += sizeof(w)) {
		memcpy(&w, at, sizeof(w));
		word(h, w);
	}
	w = 0;
	memcpy(&w, at, n);
	word(h, w);
}

static void text(uint64_t *h, const char *s)
{
	bytes(h, s, strlen(s));
}

static void prefixes(uint64_t *h, const struct ctl_source *s, size_t n)
{
	word(h, n);
	for (size_t i = 0; i < n; i++) {
		bytes(h, &s[i].ip, sizeof(s[i].ip));
		word(h, s[i].prefix_len);
	}
}

static void service(uint64_t *h, const struct ctl_service *s, const struct ctl_seats *seats)
{
	text(h, s->name);
	word(h, s->n_listens);
	for (size_t i = 0; i < s->n_listens; i++) {
		bytes(h, &s->listens[i].at, sizeof(s->listens[i].at));
		word(h, s->listens[i].port);
	}
	word(h, s->select);
	word(h, (uint64_t)s->path << 2 | (uint64_t)s->trust_maddr << 1 | s->in_dialog_active);
	word(h, (uint64_t)(unsigned int)s->map_503 << 32 | s->retry_after_ms);
	word(h, (uint64_t)s->answers_per_s << 32 | s->requests_per_s);
	word(h, s->max_message);
	prefixes(h, s->allow, s->n_allow);
	prefixes(h, s->deny, s->n_deny);
	word(h, s->n_emergency);
	for (size_t i = 0; i < s->n_emergency; i++)
		text(h, s->emergency[i]);
	word(h, s->n_pairs);
	for (size_t i = 0; i < s->n_pairs; i++)
		word(h, seats->number[s->pairs[i]]);
}

static void pair(uint64_t *h, const struct ctl_pair *p, uint16_t number)
{
	text(h, p->name);
	word(h, (uint64_t)p->weight << 16 | number);
	for (int f = 0; f < 2; f++) {
		word(h, p->egress[f].port);
		if (p->egress[f].port) {
			bytes(h, &p->egress[f], sizeof(p->egress[f]));
			word(h, p->egress_port[f]);
		}
	}
	prefixes(h, p->sources, p->n_sources);
}

uint64_t ctl_shape(const struct ctl_model *m, const struct ctl_seats *seats,
		   const struct ctl_secrets *secrets)
{
	uint64_t h = 0;

	text(&h, m->instance);
	bytes(&h, m->punt_per_s, sizeof(m->punt_per_s));
	word(&h, secrets->n);
	for (size_t i = 0; i < DP_MAX_KEYS; i++)
		bytes(&h, secrets->key[i].b, sizeof(secrets->key[i].b));
	word(&h, m->n_services);
	for (size_t i = 0; i < m->n_services; i++)
		service(&h, &m->services[i], seats);
	word(&h, m->n_pairs);
	for (size_t i = 0; i < m->n_pairs; i++)
		pair(&h, &m->pairs[i], seats->number[i]);
	return h;
}
