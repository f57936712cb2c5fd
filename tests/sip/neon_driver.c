/*
 * Compares the scan's variants of a machine that has no Criterion, a cross-compiled one: of every
 * message given, cut at every length, each variant says what the scalar twin says, and the parse
 * gives the same. Prints the first difference.
 *
 * Usage: neon_driver MESSAGE...    exit status 1 at a difference
 */
#include "sip/sip_scan.h"

#include "sip/sip_msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct sip_scan *twin;
static unsigned long compared;

static void differ(const struct sip_scan *scan, const char *what, const char *path, size_t cut)
{
	printf("%s: %s of %s cut at %zu\n", scan->name, what, path, cut);
	exit(1);
}

static void compare(const struct sip_scan *scan, const char *path, const uint8_t *p, size_t cut)
{
	static const struct sip_set set = { { 0x3a, 0x9e, 0x55, 0xf0, 0x81, 0x7c, 0x14, 0xee }, 1 };
	static struct sip_msg a, b;
	uint32_t limit = (uint32_t)cut;
	enum sip_result r;

	for (uint32_t i = 0; i < limit; i += 1 + limit / 16) {
		if (scan->feeds(p, i, limit) != twin->feeds(p, i, limit))
			differ(scan, "feeds", path, cut);
		if (scan->stops(p, i, limit) != twin->stops(p, i, limit))
			differ(scan, "stops", path, cut);
		if (scan->skip(p, i, limit, &set) != twin->skip(p, i, limit, &set))
			differ(scan, "skip", path, cut);
	}
	sip_scan_use(twin);
	r = sip_msg_parse(&a, p, cut);
	sip_scan_use(scan);
	if (sip_msg_parse(&b, p, cut) != r || memcmp(&a, &b, offsetof(struct sip_msg, first)) != 0
	    || memcmp(a.hdr, b.hdr, a.n_hdrs * sizeof(a.hdr[0])) != 0)
		differ(scan, "the view", path, cut);
	compared++;
}

static void compare_file(const char *path)
{
	static uint8_t bytes[SIP_MSG_MAX];
	FILE *f = fopen(path, "rb");
	const struct sip_scan *scan;
	size_t len;

	if (!f) {
		perror(path);
		exit(1);
	}
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	for (size_t cut = 1; cut <= len; cut++) {
		uint8_t *p = malloc(cut);

		memcpy(p, bytes, cut);
		for (unsigned int i = 0; (scan = sip_scan_nth(i)) != twin; i++)
			compare(scan, path, p, cut);
		free(p);
	}
}

int main(int argc, char **argv)
{
	const struct sip_scan *scan;

	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++)
		twin = scan;
	for (int i = 1; i < argc; i++)
		compare_file(argv[i]);
	printf("%s and the twin are alike in %lu cuts\n", sip_scan_nth(0)->name, compared);
	return compared == 0;
}
