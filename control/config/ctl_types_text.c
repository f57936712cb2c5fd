/*
 * Types of values that are kept as text: names, paths, devices, hosts. All of them own a copy.
 */
#include "control/config/ctl_types.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_model.h"

#define MAX_CPU 1023 /* CPU_SETSIZE of the C library, less one */

static int keep(const struct ctl_item *it, void *dst)
{
	char *copy = malloc(it->len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, it->text, it->len + 1);
	*(char **)dst = copy;
	return 0;
}

static void text_fini(void *dst)
{
	free(*(char **)dst);
}

/* Length in bytes against the row's range; says which way it is wrong. */
static int check_len(const struct ctl_key *key, const struct ctl_item *it, struct ctl_why *why)
{
	if (it->len > (uint64_t)key->max) {
		snprintf(why->text, sizeof(why->text),
			 "is too long: %zu bytes, at most %" PRId64 " are possible", it->len,
			 key->max);
		return -EINVAL;
	}
	if (it->len < (uint64_t)key->min) {
		snprintf(why->text, sizeof(why->text), "is empty");
		return -EINVAL;
	}
	return 0;
}

static int all_of(const struct ctl_item *it, const char *others)
{
	for (size_t i = 0; i < it->len; i++) {
		if (!isalnum((unsigned char)it->text[i]) && !strchr(others, it->text[i]))
			return -EINVAL;
	}
	return it->len ? 0 : -EINVAL;
}

/* ---- Text */

static int text_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	return check_len(key, it, why) < 0 ? -EINVAL : keep(it, dst);
}

static void text_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(text, size, "a text of at most %" PRId64 " bytes", key->max);
}

const struct ctl_type ctl_type_text = { "text", text_read, text_fini, text_expect };

/* ---- Names */

static int name_check(const struct ctl_key *key, const struct ctl_item *it, struct ctl_why *why)
{
	if (check_len(key, it, why) < 0)
		return -EINVAL;
	if (all_of(it, "._-") < 0 || !isalnum((unsigned char)it->text[0]))
		return -EINVAL;
	return 0;
}

static int name_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	return name_check(key, it, why) < 0 ? -EINVAL : keep(it, dst);
}

static void name_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(text, size,
		 "a name: a letter or digit, then letters, digits, \".\", \"_\" or \"-\", at most "
		 "%" PRId64 " in all",
		 key->max);
}

const struct ctl_type ctl_type_name = { "name", name_read, text_fini, name_expect };

static int word_at_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			struct ctl_why *why)
{
	struct ctl_word_at *w = dst;

	if (name_check(key, it, why) < 0)
		return -EINVAL;
	w->line = it->line;
	return keep(it, &w->text);
}

static void word_at_fini(void *dst)
{
	free(((struct ctl_word_at *)dst)->text);
}

const struct ctl_type ctl_type_word_at = { "name", word_at_read, word_at_fini, name_expect };

static int profile_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			struct ctl_why *why)
{
	struct ctl_key word = *key;
	uint32_t value;
	int ret;

	word.size = sizeof(value);
	ret = ctl_type_word.read(&word, it, &value, why);
	return ret < 0 ? ret : keep(it, dst);
}

static void profile_expect(const struct ctl_key *key, char *text, size_t size)
{
	ctl_type_word.expect(key, text, size);
}

const struct ctl_type ctl_type_profile = { "word", profile_read, text_fini, profile_expect };

/* ---- Network interfaces and devices */

/* What the kernel takes (dev_valid_name()): no blank, no '/', no ':', not "." or "..", at most 15
 * bytes; and not the names under which it keeps settings of all interfaces. */
static int netdev_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	static const char *const taken[] = { "lo", "all", "default" };

	if (it->len > (uint64_t)key->max) {
		snprintf(why->text, sizeof(why->text),
			 "is too long for a network interface: %zu bytes, at most %" PRId64
			 " are possible",
			 it->len, key->max);
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(it->text, taken[i]) == 0) {
			snprintf(why->text, sizeof(why->text),
				 "is a name that the kernel keeps for itself: take another, such "
				 "as net0");
			return -EINVAL;
		}
	}
	if (all_of(it, "._-") < 0 || !isalnum((unsigned char)it->text[0]))
		return -EINVAL;
	return keep(it, dst);
}

static void netdev_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(text, size,
		 "a network interface's name: a letter or digit, then letters, digits, \".\", "
		 "\"_\" or \"-\", at most %" PRId64 " in all",
		 key->max);
}

const struct ctl_type ctl_type_netdev = { "interface", netdev_read, text_fini, netdev_expect };

static int device_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		       struct ctl_why *why)
{
	if (check_len(key, it, why) < 0)
		return -EINVAL;
	if (strchr(it->text, ' ')) {
		snprintf(why->text, sizeof(why->text),
			 "has a blank in it: a DPDK device string has none");
		return -EINVAL;
	}
	if (!strpbrk(it->text, ":_,.")) {
		snprintf(why->text, sizeof(why->text),
			 "is no DPDK device string: write a PCI address (0000:03:00.0) or a "
			 "virtual device (net_af_xdp0,iface=%.16s)",
			 it->text);
		return -EINVAL;
	}
	return keep(it, dst);
}

static void device_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size,
		 "a DPDK device string: a PCI address or a virtual device with its "
		 "arguments");
}

const struct ctl_type ctl_type_device = { "device", device_read, text_fini, device_expect };

/* ---- Paths */

static int path_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	if (check_len(key, it, why) < 0)
		return -EINVAL;
	if (it->text[0] != '/' || it->text[it->len - 1] == '/')
		return -EINVAL;
	return keep(it, dst);
}

static void path_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(text, size, "a file's path from the root, at most %" PRId64 " bytes", key->max);
}

const struct ctl_type ctl_type_path = { "path", path_read, text_fini, path_expect };

/* ---- CPUs */

static bool cpu_number(const char **s, unsigned long *cpu)
{
	char *end;

	if (!isdigit((unsigned char)**s))
		return false;
	*cpu = strtoul(*s, &end, 10);
	*s = end;
	return *cpu <= MAX_CPU;
}

/* Counts the CPUs of a list, or returns 0 for a malformed one. */
static unsigned int cpus_parse(const char *s)
{
	unsigned int n = 0;

	for (;; s++) {
		unsigned long first, last;

		if (!cpu_number(&s, &first))
			return 0;
		last = first;
		if (*s == '-') {
			s++;
			if (!cpu_number(&s, &last) || last < first)
				return 0;
		}
		n += (unsigned int)(last - first + 1);
		if (*s != ',')
			return *s ? 0 : n;
	}
}

unsigned int ctl_cpus_count(const char *list)
{
	return cpus_parse(list);
}

static int cpus_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	if (check_len(key, it, why) < 0)
		return -EINVAL;
	if (it->len && !cpus_parse(it->text))
		return -EINVAL;
	return keep(it, dst);
}

static void cpus_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "a list of CPUs from 0 to %d, such as \"2-5,7\"", MAX_CPU);
}

const struct ctl_type ctl_type_cpus = { "CPU list", cpus_read, text_fini, cpus_expect };

/* ---- Hosts and URIs */

static int host_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		     struct ctl_why *why)
{
	if (check_len(key, it, why) < 0)
		return -EINVAL;
	if (all_of(it, ".-:_") < 0)
		return -EINVAL;
	return keep(it, dst);
}

static void host_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "an IPv4 or IPv6 address without brackets, or a DNS name");
}

const struct ctl_type ctl_type_host = { "address", host_read, text_fini, host_expect };

static void domain_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "a domain name, such as sip.example.com, or an address");
}

const struct ctl_type ctl_type_domain = { "domain", host_read, text_fini, domain_expect };

static void dns_name_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "a DNS name, such as sip.example.com");
}

const struct ctl_type ctl_type_dns_name = { "name", host_read, text_fini, dns_name_expect };

static int uri_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
		    struct ctl_why *why)
{
	const char *rest = NULL;

	if (check_len(key, it, why) < 0)
		return -EINVAL;
	if (strncmp(it->text, "sip:", 4) == 0)
		rest = it->text + 4;
	else if (strncmp(it->text, "sips:", 5) == 0)
		rest = it->text + 5;
	/* What would end the URI in a From header, or start its headers (RFC 3261 25.1). */
	if (!rest || !*rest || strpbrk(it->text, " <>\"?;,\\") || it->text[it->len - 1] == '@')
		return -EINVAL;
	for (size_t i = 0; i < it->len; i++) {
		if ((unsigned char)it->text[i] >= 0x80)
			return -EINVAL;
	}
	return keep(it, dst);
}

static void uri_expect(const struct ctl_key *key, char *text, size_t size)
{
	(void)key;
	snprintf(text, size, "a SIP URI without parameters, such as sip:probe@example.com");
}

const struct ctl_type ctl_type_uri = { "SIP URI", uri_read, text_fini, uri_expect };

static int number_of_read(const struct ctl_key *key, const struct ctl_item *it, void *dst,
			  struct ctl_why *why)
{
	if (check_len(key, it, why) < 0 || all_of(it, "+*#.-") < 0)
		return -EINVAL;
	return keep(it, dst);
}

static void number_of_expect(const struct ctl_key *key, char *text, size_t size)
{
	snprintf(
		text, size,
		"a number as it is dialled: digits, letters, \"+\", \"*\", \"#\", at most %" PRId64,
		key->max);
}

const struct ctl_type ctl_type_number_of = { "number as dialled", number_of_read, text_fini,
					     number_of_expect };
