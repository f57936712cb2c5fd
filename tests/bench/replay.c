#include "tests/bench/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHER_LEN    14
#define IP_SUM       (ETHER_LEN + 10)
#define IP_SRC       (ETHER_LEN + 12)
#define IP_DST       (ETHER_LEN + 16)
#define UDP_SUM      (ETHER_LEN + 20 + 6)
#define SLOTS        4
#define CAPTURE_SIZE 256
#define PATCHES      8
#define SERIAL_LEN   16

enum { PATCH_SERIAL, PATCH_CAPTURE, PATCH_SOURCE };

struct patch {
	uint8_t what, slot;
	uint16_t at, len, off;
};

struct step {
	uint32_t call;
	uint8_t is_request, starts, slot, n_patches;
	uint16_t capture_off, capture_len;
	struct patch patch[PATCHES];
};

struct call {
	uint64_t serial;
	char digits[SERIAL_LEN];
	uint8_t member[SLOTS][4];
	bool has[SLOTS];
	uint8_t capture[SLOTS][CAPTURE_SIZE];
};

struct replay {
	uint32_t n, n_calls;
	uint64_t serial;
	struct step *step;
	struct call *call;
};

static bool read_plan(struct replay *r, FILE *f)
{
	char magic[8];
	uint32_t n[2];

	if (fread(magic, sizeof(magic), 1, f) != 1 || memcmp(magic, "sipplan1", sizeof(magic)) != 0
	    || fread(n, sizeof(n), 1, f) != 1)
		return false;
	r->n = n[0];
	r->n_calls = n[1];
	r->step = calloc(r->n, sizeof(*r->step));
	r->call = calloc(r->n_calls, sizeof(*r->call));
	if (!r->step || !r->call || fread(r->step, sizeof(*r->step), r->n, f) != r->n)
		return false;
	for (uint32_t i = 0; i < r->n; i++) {
		const struct step *s = &r->step[i];

		if (s->call >= r->n_calls || s->slot >= SLOTS || s->n_patches > PATCHES
		    || s->capture_len > CAPTURE_SIZE)
			return false;
	}
	return true;
}

struct replay *replay_open(const char *plan)
{
	_Static_assert(sizeof(struct step) == 12 + PATCHES * 8, "as the file has it");
	struct replay *r = calloc(1, sizeof(*r));
	FILE *f = fopen(plan, "rbe");
	bool good = r && f && read_plan(r, f);

	if (f)
		fclose(f);
	if (good)
		return r;
	fprintf(stderr, "replay: %s: no plan that can be used\n", plan);
	replay_close(r);
	return NULL;
}

void replay_close(struct replay *r)
{
	if (!r)
		return;
	free(r->step);
	free(r->call);
	free(r);
}

uint32_t replay_n(const struct replay *r)
{
	return r->n;
}

/* Sixteen hexadecimal digits. */
static void put_digits(char *out, uint64_t v)
{
	for (int half = 0; half < 2; half++) {
		uint64_t x = __builtin_bswap32((uint32_t)(v >> (half ? 0 : 32)));

		x = (x | x << 16) & 0x0000ffff0000ffffull;
		x = (x | x << 8) & 0x00ff00ff00ff00ffull;
		x = (x >> 4 | x << 8) & 0x0f0f0f0f0f0f0f0full;
		x += 0x3030303030303030ull
		     + ((x + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull) * 39;
		memcpy(out + 8 * half, &x, 8);
	}
}

/* Ones' complement sum, in the machine's byte order, of bytes at an even or odd place. */
static uint64_t sum(const uint8_t *p, size_t len, bool odd)
{
	uint64_t s = 0;
	uint32_t w;
	uint16_t h;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&w, p, 4);
		s += w;
	}
	for (; len >= 2; p += 2, len -= 2) {
		memcpy(&h, p, 2);
		s += h;
	}
	if (len)
		s += *p;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return odd ? __builtin_bswap16((uint16_t)s) : s;
}

static void correct(uint8_t *field, uint64_t removed, uint64_t added)
{
	uint16_t old;
	uint64_t s;

	memcpy(&old, field, 2);
	while (removed >> 16)
		removed = (removed & 0xffff) + (removed >> 16);
	s = (uint16_t)~old + (uint16_t)~removed + added;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	s = (uint16_t)~s;
	memcpy(field, &(uint16_t){ (uint16_t)(s ? s : 0xffff) }, 2);
}

static bool is_ready(const struct call *c, const struct step *s)
{
	if (!c->serial)
		return false;
	for (unsigned int i = 0; i < s->n_patches; i++)
		if (s->patch[i].what != PATCH_SERIAL && !c->has[s->patch[i].slot])
			return false;
	return true;
}

bool replay_in(struct replay *r, uint32_t number, uint8_t *f)
{
	const struct step *s = &r->step[number];
	struct call *c = &r->call[s->call];
	uint64_t removed = 0, added = 0;

	if (s->n_patches == 0)
		return true;
	if (s->starts) {
		c->serial = ++r->serial;
		memset(c->has, 0, sizeof(c->has));
		put_digits(c->digits, c->serial * 0x9e3779b97f4a7c15ull);
	}
	if (!is_ready(c, s))
		return false;
	for (unsigned int i = 0; i < s->n_patches; i++) {
		const struct patch *p = &s->patch[i];
		uint8_t *at = f + p->off;
		const void *from = c->digits;

		if (p->what == PATCH_CAPTURE)
			from = c->capture[p->slot] + p->at;
		if (p->what == PATCH_SOURCE) {
			from = c->member[p->slot];
			at = f + IP_SRC;
			correct(f + IP_SUM, sum(at, 4, false), sum(from, 4, false));
		}
		removed += sum(at, p->len, (at - f) & 1);
		memcpy(at, from, p->len);
		added += sum(at, p->len, (at - f) & 1);
	}
	correct(f + UDP_SUM, removed, added);
	return true;
}

void replay_out(struct replay *r, uint32_t number, const uint8_t *f, size_t len)
{
	const struct step *s = &r->step[number];
	struct call *c = &r->call[s->call];

	if (!s->is_request || s->n_patches == 0 || (size_t)s->capture_off + s->capture_len > len)
		return;
	memcpy(c->capture[s->slot], f + s->capture_off, s->capture_len);
	memcpy(c->member[s->slot], f + IP_DST, 4);
	c->has[s->slot] = true;
}
