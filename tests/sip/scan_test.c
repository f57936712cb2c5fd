/*
 * The scan's variants that this machine can run, against the scalar twin: every message of the
 * corpus and of the torture sets, at every alignment, cut at every length, flush against a guard
 * page; and the whole parse with each. AVX-512 is emulated if need be.
 */
#include "sip/sip_scan.h"
#include "tests/sip/parse_helper.h"
#include "tests/sip/torture_load.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_BYTES 70000

static struct guard guard;
static const struct sip_scan *twin;

static void set_up(void)
{
	const struct sip_scan *scan;

	guard_init(&guard, 128 * 1024);
	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++)
		twin = scan;
}

static void tear_down(void)
{
	guard_fini(&guard);
}

TestSuite(scan, .init = set_up, .fini = tear_down);

#ifdef EMULATED
extern const struct sip_scan sip_scan_emulated;
static const struct sip_scan *const emulated = &sip_scan_emulated;
#else
static const struct sip_scan *const emulated = NULL;
#endif

/* The next variant from *i on that is not the twin and that can be run; the emulated one last. */
static const struct sip_scan *next_variant(unsigned int *i)
{
	const struct sip_scan *scan;

	if (*i == UINT_MAX)
		return NULL;
	while ((scan = sip_scan_nth((*i)++)))
		if (scan != twin && sip_scan_runs(scan))
			return scan;
	*i = UINT_MAX;
	return emulated;
}

static void each_message(void (*run)(const char *name, const uint8_t *bytes, size_t len))
{
	static const char *const folders[] = { CORPUS_DIR, TORTURE_DIR "/rfc4475",
					       TORTURE_DIR "/rfc5118" };
	static uint8_t bytes[MAX_BYTES];
	unsigned int n = 0;

	for (size_t i = 0; i < n_rows(folders); i++) {
		DIR *dir = opendir(folders[i]);
		struct dirent *d;

		cr_assert(dir, "%s", folders[i]);
		while ((d = readdir(dir))) {
			char path[4096];
			size_t len;
			FILE *f;

			if (d->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", folders[i], d->d_name);
			f = fopen(path, "rb");
			cr_assert(f, "%s", path);
			len = fread(bytes, 1, sizeof(bytes), f);
			fclose(f);
			run(path, bytes, len);
			n++;
		}
		closedir(dir);
	}
	cr_assert_gt(n, 200);
}

/* A set that has about half of all bytes, others with every `salt`. */
static struct sip_set some_set(unsigned int salt)
{
	struct sip_set set = { .upper = salt & 1 };

	for (unsigned int i = 0; i < sizeof(set.low); i++)
		set.low[i] = (uint8_t)((i + 1) * 0x9d * (salt + 3) >> 2);
	return set;
}

static void expect_alike(const struct sip_scan *scan, const char *name, const uint8_t *p,
			 uint32_t i, uint32_t limit)
{
	struct sip_set set = some_set(i);

	cr_assert_eq(scan->feeds(p, i, limit), twin->feeds(p, i, limit), "%s %s: feeds, %u of %u",
		     scan->name, name, i, limit);
	cr_assert_eq(scan->stops(p, i, limit), twin->stops(p, i, limit), "%s %s: stops, %u of %u",
		     scan->name, name, i, limit);
	cr_assert_eq(scan->skip(p, i, limit, &set), twin->skip(p, i, limit, &set),
		     "%s %s: skip, %u of %u", scan->name, name, i, limit);
}

/* Cut at every length, which puts the start at every alignment, for the end is the page's. */
static void scan_cut(const char *name, const uint8_t *bytes, size_t len)
{
	const struct sip_scan *scan;

	for (size_t cut = 1; cut <= len; cut++) {
		const uint8_t *p = guard_copy(&guard, bytes, cut);
		uint32_t limit = (uint32_t)cut;

		for (unsigned int v = 0; (scan = next_variant(&v));) {
			expect_alike(scan, name, p, limit - 1 - limit % 67 * (limit > 67), limit);
			expect_alike(scan, name, p, limit > 64 ? limit - 64 : 0, limit);
			expect_alike(scan, name, p, limit / 2, limit);
		}
	}
}

/* Every place of the whole message, at every alignment. */
static void scan_whole(const char *name, const uint8_t *bytes, size_t len)
{
	static uint8_t room[MAX_BYTES + 64];
	const struct sip_scan *scan;

	for (unsigned int shift = 0; shift < 64; shift++) {
		memcpy(room + shift, bytes, len);
		for (unsigned int v = 0; (scan = next_variant(&v));)
			for (uint32_t i = shift % 7; i < len; i += 7)
				expect_alike(scan, name, room + shift, i, (uint32_t)len);
	}
}

static void expect_same_view(const struct sip_scan *scan, const char *name, const struct sip_msg *a,
			     const struct sip_msg *b)
{
	cr_assert_eq(memcmp(a, b, offsetof(struct sip_msg, first)), 0, "%s %s", scan->name, name);
	cr_assert_eq(memcmp(a->hdr, b->hdr, a->n_hdrs * sizeof(a->hdr[0])), 0, "%s %s: headers",
		     scan->name, name);
	for (unsigned int id = 0; id < SIP_HDR_N; id++)
		cr_assert(!sip_msg_has(a, id) || a->first[id] == b->first[id], "%s %s: header %u",
			  scan->name, name, id);
}

static void parse_whole(const char *name, const uint8_t *bytes, size_t len)
{
	const struct sip_scan *used = sip_scan_used(), *scan;
	const uint8_t *p = guard_copy(&guard, bytes, len);
	static struct sip_msg a, b;
	enum sip_result r;

	sip_scan_use(twin);
	r = sip_msg_parse(&a, p, len);
	for (unsigned int v = 0; (scan = next_variant(&v));) {
		sip_scan_use(scan);
		cr_assert_eq(sip_msg_parse(&b, p, len), r, "%s %s: %zu bytes", scan->name, name,
			     len);
		expect_same_view(scan, name, &a, &b);
	}
	sip_scan_use(used);
}

static void parse_cut(const char *name, const uint8_t *bytes, size_t len)
{
	for (size_t cut = 1; cut <= len; cut++)
		parse_whole(name, bytes, cut);
}

Test(scan, every_cut_flush_against_a_guard_page)
{
	each_message(scan_cut);
}

Test(scan, every_alignment)
{
	each_message(scan_whole);
}

Test(scan, views_are_alike_at_every_cut)
{
	each_message(parse_cut);
}

/* A line that begins with any byte, and goes on with zeros, as a header, or as a known name. */
#define ROW(text)                      \
	{                              \
		text, sizeof(text) - 1 \
	}

Test(scan, views_are_alike_with_odd_names)
{
	static const struct {
		const char *text;
		size_t len;
	} behind[] = { ROW("\0\0\0\0: y"), ROW(": y"), ROW(":  y"), ROW("o: y"), ROW("ia: y") },
	  head = ROW("OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST),
	  tail = ROW("\r\nSubject: z\r\n\r\n");

	for (int c = 0; c < 256; c++) {
		for (size_t i = 0; i < n_rows(behind); i++) {
			uint8_t text[512], *p = text;

			p = mempcpy(p, head.text, head.len);
			*p++ = (uint8_t)c;
			p = mempcpy(p, behind[i].text, behind[i].len);
			p = mempcpy(p, tail.text, tail.len);
			parse_whole("odd", text, (size_t)(p - text));
		}
	}
}

/* All bytes, by each variant and the twin: what a word is made of. */
Test(scan, words_are_letters_digits_hyphen_and_dot)
{
	static const char word[] =
		"-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const struct sip_scan *scan;
	uint8_t bytes[256];

	for (unsigned int c = 0; c < sizeof(bytes); c++)
		bytes[c] = (uint8_t)c;
	for (unsigned int v = 0; (scan = sip_scan_nth(v)); v++) {
		if (!sip_scan_runs(scan))
			continue;
		for (uint32_t c = 0; c < sizeof(bytes); c++) {
			bool stops = scan->stops(bytes, c, sizeof(bytes)) & 1;

			cr_expect_eq(stops, c == 0 || !strchr(word, (int)c), "%s: %u", scan->name,
				     c);
		}
	}
}

/* The fastest that the machine can run is in use. */
Test(scan, the_best_is_chosen)
{
	unsigned int i = 0;

	while (!sip_scan_runs(sip_scan_nth(i)))
		i++;
	cr_expect_eq(sip_scan_used(), sip_scan_nth(i));
}
