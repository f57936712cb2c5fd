/*
 * Runs the parser, and the iterators over what steering reads, on one input after the other, for
 * callgrind to count. tests/sip/complexity_run.py starts it and judges.
 *
 * Usage: complexity_driver VARIANT MESSAGE SIZE [INPUT...]
 *
 * First the message in the file, then those inputs (or all) made SIZE bytes long. The count of each
 * is dumped under "INPUT LENGTH NAME"; the message's under "ordinary LENGTH FILE".
 */
#include "sip/sip_scan.h"
#include "sip/sip_uri.h"
#include "tests/sip/complexity_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

static struct sip_msg msg;

static void read_uri(struct sip_span s, const char *param)
{
	struct sip_uri uri;
	struct sip_ip ip;

	if (sip_uri_parse(msg.buf, s, &uri) < 0)
		return;
	(void)sip_host_ip(msg.buf, uri.host, &ip);
	(void)sip_param_find(msg.buf, uri.params, param, NULL);
}

/* The loop check and a response's next hop walk the Vias, Route handling walks the Routes. */
static void read_lists(void)
{
	struct sip_addr_iter addrs;
	struct sip_via_iter vias;
	struct sip_addr addr;
	struct sip_via via;
	struct sip_ip ip;

	sip_via_iter_init(&vias, &msg);
	while (sip_via_iter_next(&vias, &via) > 0)
		(void)sip_host_ip(msg.buf, via.host, &ip);
	sip_addr_iter_init(&addrs, &msg, SIP_HDR_ROUTE);
	while (sip_addr_iter_next(&addrs, &addr) > 0)
		read_uri(addr.uri, "lr");
}

/* What is counted: noinline, so that it stays one piece. */
static __attribute__((noinline)) void measured(const uint8_t *bytes, size_t len)
{
	const struct sip_hdr *h;
	uint32_t value;

	if (sip_msg_parse(&msg, bytes, len) != SIP_OK)
		return;
	if (msg.is_request)
		read_uri(msg.uri, "maddr");
	read_uri(msg.from_uri, "user");
	read_uri(msg.to_uri, "user");
	read_lists();
	(void)sip_msg_list_has(&msg, SIP_HDR_PROXY_REQUIRE, "path");
	(void)sip_msg_list_has(&msg, SIP_HDR_SUPPORTED, "outbound");
	h = sip_msg_hdr(&msg, SIP_HDR_EXPIRES);
	if (h)
		(void)sip_hdr_u32(&msg, h, &value);
}

static void count(const char *input, const char *what, const uint8_t *bytes, size_t len)
{
	char name[512];
	/* Exactly as long as it is, so that a read beyond the end does not go unnoticed. */
	uint8_t *copy = malloc(len);

	memcpy(copy, bytes, len);
	snprintf(name, sizeof(name), "%s %zu %s", input, len, what);
	CALLGRIND_ZERO_STATS;
	measured(copy, len);
	CALLGRIND_DUMP_STATS_AT(name);
	free(copy);
}

static void count_file(const char *path)
{
	static uint8_t bytes[SIP_MSG_MAX];
	FILE *f = fopen(path, "rb");
	size_t len;

	if (!f) {
		perror(path);
		exit(1);
	}
	len = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	count("ordinary", path, bytes, len);
}

static void count_input(unsigned int i, size_t size)
{
	static uint8_t bytes[SIP_MSG_MAX];
	const char *name;
	char number[16];
	size_t len = complexity_input(i, bytes, size, &name);

	snprintf(number, sizeof(number), "%u", i);
	count(number, name, bytes, len);
}

/* Use a variant of the scan; false when this machine (or valgrind's) cannot. */
static bool use(const char *name)
{
	const struct sip_scan *scan;

	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++) {
		if (strcmp(scan->name, name) == 0 && sip_scan_runs(scan)) {
			sip_scan_use(scan);
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	size_t size;

	if (argc < 4)
		return 1;
	size = strtoul(argv[3], NULL, 10);
	if (size < 1024 || size > SIP_MSG_MAX)
		return 1;
	if (!use(argv[1]))
		return 77;
	count_file(argv[2]);
	for (int a = 4; a < argc; a++)
		count_input((unsigned int)strtoul(argv[a], NULL, 10), size);
	for (unsigned int i = 0; argc == 4 && i < complexity_inputs(); i++)
		count_input(i, size);
	return 0;
}
