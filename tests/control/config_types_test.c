/*
 * Scalars: what each type takes, what it makes of it, and what it says of the rest.
 */
#include "control/config/ctl_model.h"
#include "control/config/ctl_near.h"
#include "control/config/ctl_types.h"
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config_types, .fini = leaks_check);

#define BAD UINT64_MAX

static const struct ctl_word colours[] = { { "red", 7 }, { "dark-green", 9 }, { "blue", 11 } };

#define NUMBER                                                                                \
	{                                                                                     \
		.name = "k", .type = &ctl_type_number, .size = 8, .min = 3, .max = 4000000000 \
	}
#define ZERO                                                                          \
	{                                                                             \
		.name = "k", .type = &ctl_type_number, .size = 8, .min = 3, .max = 9, \
		.flags = CTL_ZERO                                                     \
	}
#define DURATION                                                                              \
	{                                                                                     \
		.name = "k", .type = &ctl_type_duration, .size = 8, .min = 100, .max = 300000 \
	}
#define PAUSE                                                                                    \
	{                                                                                        \
		.name = "k", .type = &ctl_type_duration, .size = 8, .min = 100, .max = 86400000, \
		.flags = CTL_ZERO                                                                \
	}
#define SECONDS                                                                                \
	{                                                                                      \
		.name = "k", .type = &ctl_type_seconds, .size = 8, .min = 1000, .max = 3600000 \
	}
#define MEMORY                                                                              \
	{                                                                                   \
		.name = "k", .type = &ctl_type_memory, .size = 8, .min = 64, .max = 1048576 \
	}
#define MEMORY_OR_NONE                                                                    \
	{                                                                                 \
		.name = "k", .type = &ctl_type_memory, .size = 8, .min = 1, .max = 65536, \
		.flags = CTL_ZERO                                                         \
	}
#define BOOL                                                   \
	{                                                      \
		.name = "k", .type = &ctl_type_bool, .size = 1 \
	}
#define COLOUR                                                                                 \
	{                                                                                      \
		.name = "k", .type = &ctl_type_word, .size = 8, .words = colours, .n_words = 3 \
	}

static const struct {
	struct ctl_key key;
	const char *text;
	uint64_t value;   /* BAD: refused */
	const char *says; /* part of why; NULL: nothing beyond what the type expects */
} numbers[] = {
	{ NUMBER, "3", 3, NULL },
	{ NUMBER, "4000000000", 4000000000, NULL },
	{ NUMBER, "2", BAD, NULL },
	{ NUMBER, "4000000001", BAD, NULL },
	{ NUMBER, "0", BAD, NULL },
	{ NUMBER, "", BAD, NULL },
	{ NUMBER, "-5", BAD, NULL },
	{ NUMBER, "+5", BAD, NULL },
	{ NUMBER, "5.0", BAD, NULL },
	{ NUMBER, "5s", BAD, NULL },
	{ NUMBER, "0x10", BAD, NULL },
	{ NUMBER, "5 ", BAD, NULL },
	{ NUMBER, "1e3", BAD, NULL },
	{ NUMBER, "010", BAD, "leading zero: write 10" },
	{ NUMBER, "18446744073709551621", BAD, NULL }, /* 2^64 + 5 */
	{ NUMBER, "99999999999999999999999999", BAD, NULL },
	{ ZERO, "0", 0, NULL },
	{ ZERO, "2", BAD, NULL },
	{ DURATION, "100ms", 100, NULL },
	{ DURATION, "99ms", BAD, NULL },
	{ DURATION, "300s", 300000, NULL },
	{ DURATION, "5m", 300000, NULL },
	{ DURATION, "301s", BAD, NULL },
	{ DURATION, "0", BAD, "has no unit" },
	{ DURATION, "1.5s", 1500, NULL },
	{ DURATION, "0.125s", 125, NULL },
	{ DURATION, "0.1000s", 100, NULL },
	{ DURATION, "0.1001s", BAD, "finer than a millisecond" },
	{ DURATION, "100.5ms", BAD, "finer than a millisecond" },
	{ DURATION, "0.5m", 30000, NULL },
	{ DURATION, "5", BAD, "has no unit: write 5s or 5ms" },
	{ DURATION, "1.5", BAD, "has no unit: write 1.5s or 1.5ms" },
	{ DURATION, "5 s", BAD, "none of ms, s, m and h" },
	{ DURATION, "5S", BAD, "none of ms, s, m and h" },
	{ DURATION, "5sec", BAD, "none of ms, s, m and h" },
	{ DURATION, "5d", BAD, "none of ms, s, m and h" },
	{ DURATION, ".5s", BAD, NULL },
	{ DURATION, "5.s", BAD, NULL },
	{ DURATION, "s", BAD, NULL },
	{ DURATION, "-5s", BAD, NULL },
	{ DURATION, "999999999999h", BAD, NULL },
	{ DURATION, "9999999999999h", BAD, NULL },
	{ PAUSE, "0", 0, NULL },
	{ PAUSE, "0s", 0, NULL },
	{ PAUSE, "0ms", 0, NULL },
	{ PAUSE, "24h", 86400000, NULL },
	{ PAUSE, "25h", BAD, NULL },
	{ PAUSE, "50ms", BAD, NULL },
	{ SECONDS, "1s", 1000, NULL },
	{ SECONDS, "1500ms", BAD, "no whole number of seconds" },
	{ SECONDS, "2000ms", 2000, NULL },
	{ SECONDS, "1h", 3600000, NULL },
	{ MEMORY_OR_NONE, "0", 0, NULL },
	{ MEMORY_OR_NONE, "1M", 1, NULL },
	{ MEMORY_OR_NONE, "1", BAD, "has no unit: write 1M or 1G" },
	{ MEMORY, "0", BAD, "has no unit" },
	{ MEMORY, "64M", 64, NULL },
	{ MEMORY, "512MiB", 512, NULL },
	{ MEMORY, "2G", 2048, NULL },
	{ MEMORY, "2GiB", 2048, NULL },
	{ MEMORY, "63M", BAD, NULL },
	{ MEMORY, "1024G", 1048576, NULL },
	{ MEMORY, "1025G", BAD, NULL },
	{ MEMORY, "512", BAD, "has no unit: write 512M or 512G" },
	{ MEMORY, "512MB", BAD, "none of M, MiB, G and GiB" },
	{ MEMORY, "1.5G", BAD, NULL },
	{ BOOL, "yes", 1, NULL },
	{ BOOL, "true", 1, NULL },
	{ BOOL, "on", 1, NULL },
	{ BOOL, "no", 0, NULL },
	{ BOOL, "false", 0, NULL },
	{ BOOL, "off", 0, NULL },
	{ BOOL, "1", BAD, NULL },
	{ BOOL, "y", BAD, NULL },
	{ COLOUR, "red", 7, NULL },
	{ COLOUR, "blue", 11, NULL },
	{ COLOUR, "Blue", BAD, "did you mean \"blue\"?" },
	{ COLOUR, "dark_gren", BAD, "red, dark-green or blue; did you mean \"dark-green\"?" },
	{ COLOUR, "yellow", BAD, NULL },
	{ COLOUR, "", BAD, NULL },
};

Test(config_types, numbers)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct ctl_key *key = &numbers[i].key;
		struct ctl_item it = { numbers[i].text, strlen(numbers[i].text), 1 };
		struct ctl_why why = { "" };
		uint64_t value = 0;
		int ret;

		if (numbers[i].value == BAD)
			value = 0x5555;
		ret = key->type->read(key, &it, &value, &why);
		if (numbers[i].value == BAD) {
			cr_expect_eq(ret, -EINVAL, "%s \"%s\"", key->type->name, it.text);
			cr_expect_eq(value, 0x5555, "%s \"%s\": touched", key->type->name, it.text);
			cr_expect_eq(numbers[i].says != NULL, why.text[0] != '\0', "\"%s\": %s",
				     it.text, why.text);
		} else {
			cr_expect_eq(ret, 0, "%s \"%s\": %s", key->type->name, it.text, why.text);
			cr_expect_eq(value, numbers[i].value, "%s \"%s\"", key->type->name,
				     it.text);
		}
		if (numbers[i].says)
			cr_expect(strstr(why.text, numbers[i].says), "\"%s\": %s", it.text,
				  why.text);
	}
}

#define TEXT(t, least, most)                                                             \
	{                                                                                \
		.name = "k", .type = &ctl_type_##t, .size = 8, .min = least, .max = most \
	}

static const struct {
	struct ctl_key key;
	const char *text;
	bool good;
	const char *says;
} texts[] = {
	{ TEXT(name, 1, 8), "east-1.a", true, NULL },
	{ TEXT(name, 1, 8), "east_1.ab", false, "too long: 9 bytes" },
	{ TEXT(name, 1, 8), "-east", false, NULL },
	{ TEXT(name, 1, 8), "a/b", false, NULL },
	{ TEXT(name, 1, 8), "a b", false, NULL },
	{ TEXT(name, 1, 8), "", false, "is empty" },
	{ TEXT(name, 1, 8), "\xc3\xb6st", false, NULL },
	{ TEXT(netdev, 1, 15), "net0", true, NULL },
	{ TEXT(netdev, 1, 15), "abcdefghijklmno", true, NULL },
	{ TEXT(netdev, 1, 15), "abcdefghijklmnop", false, "16 bytes, at most 15" },
	{ TEXT(netdev, 1, 15), "..", false, NULL },
	{ TEXT(netdev, 1, 15), "lo", false, "the kernel keeps" },
	{ TEXT(netdev, 1, 15), "all", false, "the kernel keeps" },
	{ TEXT(netdev, 1, 15), "net:0", false, NULL },
	{ TEXT(device, 1, 40), "0000:03:00.0", true, NULL },
	{ TEXT(device, 1, 40), "03:00.1,args=2", true, NULL },
	{ TEXT(device, 1, 40), "net_af_xdp0,iface=veth-lb", true, NULL },
	{ TEXT(device, 1, 40), "eth0", false, "net_af_xdp0,iface=eth0" },
	{ TEXT(device, 1, 40), "net_tap0, iface=a", false, "blank" },
	{ TEXT(device, 1, 4), "net_tap0", false, "too long" },
	{ TEXT(path, 1, 20), "/run/x.sock", true, NULL },
	{ TEXT(path, 1, 20), "run/x.sock", false, NULL },
	{ TEXT(path, 1, 20), "/run/x/", false, NULL },
	{ TEXT(path, 1, 20), "/", false, NULL },
	{ TEXT(path, 1, 10), "/run/x.sock", false, "too long" },
	{ TEXT(cpus, 0, 63), "", true, NULL },
	{ TEXT(cpus, 0, 63), "2-5,7", true, NULL },
	{ TEXT(cpus, 0, 63), "1023", true, NULL },
	{ TEXT(cpus, 0, 63), "1024", false, NULL },
	{ TEXT(cpus, 0, 63), "5-2", false, NULL },
	{ TEXT(cpus, 0, 63), "2-", false, NULL },
	{ TEXT(cpus, 0, 63), "2,", false, NULL },
	{ TEXT(cpus, 0, 63), ",2", false, NULL },
	{ TEXT(cpus, 0, 63), "2 3", false, NULL },
	{ TEXT(cpus, 0, 63), "-2", false, NULL },
	{ TEXT(cpus, 0, 63), "99999999999999999999", false, NULL },
	{ TEXT(host, 1, 253), "192.0.2.1", true, NULL },
	{ TEXT(host, 1, 253), "2001:db8::1", true, NULL },
	{ TEXT(host, 1, 253), "sip.example.com", true, NULL },
	{ TEXT(host, 1, 253), "[2001:db8::1]", false, NULL },
	{ TEXT(host, 1, 253), "fe80::1%eth0", false, NULL },
	{ TEXT(uri, 1, 255), "sip:a@example.com", true, NULL },
	{ TEXT(uri, 1, 255), "sips:192.0.2.1:5061", true, NULL },
	{ TEXT(uri, 1, 255), "tel:+4930", false, NULL },
	{ TEXT(uri, 1, 255), "sip:", false, NULL },
	{ TEXT(uri, 1, 255), "sip:a@", false, NULL },
	{ TEXT(uri, 1, 255), "sip:a@b>\r", false, NULL },
	{ TEXT(uri, 1, 255), "sip:a@b;lr", false, NULL },
	{ TEXT(uri, 1, 255), "sip:\xc3\xb6@b", false, NULL },
	{ TEXT(uri, 1, 10), "sip:a@example.com", false, "too long" },
	{ TEXT(number_of, 1, 32), "112", true, NULL },
	{ TEXT(number_of, 1, 32), "+49110", true, NULL },
	{ TEXT(number_of, 1, 32), "*110#", true, NULL },
	{ TEXT(number_of, 1, 32), "1 12", false, NULL },
	{ TEXT(number_of, 1, 32), "", false, "is empty" },
	{ TEXT(text, 1, 8), "a b \xc3\xa4", true, NULL },
	{ TEXT(text, 1, 8), "123456789", false, "too long: 9 bytes, at most 8" },
};

Test(config_types, texts)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct ctl_key *key = &texts[i].key;
		struct ctl_item it = { texts[i].text, strlen(texts[i].text), 1 };
		struct ctl_why why = { "" };
		char *copy = NULL;
		int ret = key->type->read(key, &it, &copy, &why);

		cr_expect_eq(ret, texts[i].good ? 0 : -EINVAL, "%s \"%s\": %s", key->type->name,
			     it.text, why.text);
		if (texts[i].good)
			cr_expect_str_eq(copy, it.text);
		else
			cr_expect_null(copy);
		if (texts[i].says)
			cr_expect(strstr(why.text, texts[i].says), "\"%s\": %s", it.text, why.text);
		key->type->fini(&copy);
	}
}

#define ADDRESS                                                                            \
	{                                                                                  \
		.name = "k", .type = &ctl_type_address, .size = sizeof(struct ctl_address) \
	}
#define PREFIX                                                                       \
	{                                                                            \
		.name = "k", .type = &ctl_type_prefix, .size = sizeof(struct sip_ip) \
	}
#define SOURCE                                                                           \
	{                                                                                \
		.name = "k", .type = &ctl_type_source, .size = sizeof(struct ctl_source) \
	}
#define IP                                                                       \
	{                                                                        \
		.name = "k", .type = &ctl_type_ip, .size = sizeof(struct sip_ip) \
	}
#define ENDPOINT                                                                           \
	{                                                                                  \
		.name = "k", .type = &ctl_type_endpoint, .size = sizeof(struct ctl_listen) \
	}

static const struct {
	struct ctl_key key;
	const char *text;
	const char *ip;     /* NULL: refused */
	unsigned int extra; /* prefix length or port */
	const char *says;
} addresses[] = {
	{ ADDRESS, "192.0.2.10/24", "192.0.2.10", 24, NULL },
	{ ADDRESS, "2001:db8::10/64", "2001:db8::10", 64, NULL },
	{ ADDRESS, "192.0.2.1/32", "192.0.2.1", 32, NULL },
	{ ADDRESS, "192.0.2.0/31", "192.0.2.0", 31, NULL }, /* RFC 3021: both are hosts */
	{ ADDRESS, "192.0.2.1/31", "192.0.2.1", 31, NULL },
	{ ADDRESS, "192.0.2.10", NULL, 0, "needs its subnet's prefix length" },
	{ ADDRESS, "192.0.2.10/0", NULL, 0, "needs its subnet's prefix length" },
	{ ADDRESS, "192.0.2.10/33", NULL, 0, "no prefix length from 0 to 32" },
	{ ADDRESS, "192.0.2.10/", NULL, 0, "no prefix length from 0 to 32" },
	{ ADDRESS, "192.0.2.10/2 4", NULL, 0, "no prefix length from 0 to 32" },
	{ ADDRESS, "192.0.2.10/-1", NULL, 0, "no prefix length from 0 to 32" },
	{ ADDRESS, "2001:db8::10/129", NULL, 0, "no prefix length from 0 to 128" },
	{ ADDRESS, "192.0.2.0/24", NULL, 0, "subnet's own address" },
	{ ADDRESS, "192.0.2.255/24", NULL, 0, "broadcast" },
	{ ADDRESS, "2001:db8::/64", NULL, 0, "subnet's own address" },
	{ ADDRESS, "224.0.0.5/24", NULL, 0, "multicast" },
	{ ADDRESS, "ff02::1/64", NULL, 0, "multicast" },
	{ ADDRESS, "127.0.0.1/8", NULL, 0, "loopback" },
	{ ADDRESS, "::1/128", NULL, 0, "loopback" },
	{ ADDRESS, "::/128", NULL, 0, "unspecified" },
	{ ADDRESS, "0.1.2.3/8", NULL, 0, "0.0.0.0/8" },
	{ ADDRESS, "255.255.255.255/32", NULL, 0, "240.0.0.0/4" },
	{ ADDRESS, "fe80::1/64", NULL, 0, "link-local" },
	{ ADDRESS, "169.254.1.1/16", NULL, 0, "link-local" },
	{ ADDRESS, "::ffff:192.0.2.10/120", NULL, 0, "write it as IPv4" },
	{ ADDRESS, "192.0.2/24", NULL, 0, NULL },
	{ ADDRESS, "192.0.2.010/24", NULL, 0, NULL },
	{ ADDRESS, "host/24", NULL, 0, NULL },
	{ ADDRESS, "/24", NULL, 0, NULL },
	{ ADDRESS, "0000000000000000000000000000000000000000000000000000000000000000000000/24",
	  NULL, 0, NULL },
	{ PREFIX, "0.0.0.0/0", "0.0.0.0", 0, NULL },
	{ PREFIX, "::/0", "::", 0, NULL },
	{ PREFIX, "198.51.100.128/25", "198.51.100.128", 25, NULL },
	{ PREFIX, "198.51.100.128/24", NULL, 0, "write 198.51.100.0/24" },
	{ PREFIX, "2001:db8:1:2::/47", NULL, 0, "write 2001:db8::/47" },
	{ PREFIX, "198.51.100.0", NULL, 0, "needs a prefix length" },
	{ SOURCE, "198.51.100.7", "198.51.100.7", 128, NULL },
	{ SOURCE, "198.51.100.0/28", "198.51.100.0", 124, NULL },
	{ SOURCE, "2001:db8::/32", "2001:db8::", 32, NULL },
	{ SOURCE, "198.51.100.7/28", NULL, 0, "write 198.51.100.0/28" },
	{ SOURCE, "0.0.0.0/0", NULL, 0, "every address" },
	{ SOURCE, "::/0", NULL, 0, "every address" },
	{ SOURCE, "239.0.0.0/8", NULL, 0, "multicast" },
	{ IP, "192.0.2.1", "192.0.2.1", 0, NULL },
	{ IP, "fe80::1", "fe80::1", 0, NULL },
	{ IP, "192.0.2.1/24", NULL, 0, NULL },
	{ IP, "::ffff:192.0.2.1", NULL, 0, "write it as IPv4" },
	{ IP, "224.1.1.1", NULL, 0, "multicast" },
	{ ENDPOINT, "udp:192.0.2.10:5060", "192.0.2.10", 5060, NULL },
	{ ENDPOINT, "udp:[2001:db8::10]:5070", "2001:db8::10", 5070, NULL },
	{ ENDPOINT, "udp:192.0.2.10", "192.0.2.10", 5060, NULL },
	{ ENDPOINT, "udp:[2001:db8::10]", "2001:db8::10", 5060, NULL },
	{ ENDPOINT, "udp:192.0.2.10:65535", "192.0.2.10", 65535, NULL },
	{ ENDPOINT, "udp:192.0.2.10:0", NULL, 0, "no port from 1 to 65535" },
	{ ENDPOINT, "udp:192.0.2.10:65536", NULL, 0, "no port from 1 to 65535" },
	{ ENDPOINT, "udp:192.0.2.10:", NULL, 0, "no port from 1 to 65535" },
	{ ENDPOINT, "udp:192.0.2.10:50 60", NULL, 0, "no port from 1 to 65535" },
	{ ENDPOINT, "udp:2001:db8::10:5060", NULL, 0, "in brackets" },
	{ ENDPOINT, "udp:2001:db8::10", NULL, 0, "in brackets" },
	{ ENDPOINT, "udp:[192.0.2.10]:5060", NULL, 0, NULL },
	{ ENDPOINT, "udp:[2001:db8::10:5060", NULL, 0, NULL },
	{ ENDPOINT, "udp:[2001:db8::10]5060", NULL, 0, NULL },
	{ ENDPOINT, "udp:[::ffff:192.0.2.1]:5060", NULL, 0, "write it as IPv4" },
	{ ENDPOINT, "192.0.2.10:5060", NULL, 0, NULL },
	{ ENDPOINT, "UDP:192.0.2.10:5060", NULL, 0, NULL },
	{ ENDPOINT, "sctp:192.0.2.10:5060", NULL, 0, NULL },
	{ ENDPOINT, "udp:sip.example.com:5060", NULL, 0, NULL },
	{ ENDPOINT, "udp:", NULL, 0, NULL },
	{ ENDPOINT, "tcp:192.0.2.10:5060", NULL, 0, "streams cannot be forwarded yet" },
	{ ENDPOINT, "tls:[2001:db8::10]", NULL, 0, "streams cannot be forwarded yet" },
};

/* What was read, whatever struct the type fills. */
static unsigned int extra_of(const struct ctl_key *key, const uint8_t *out)
{
	if (key->type == &ctl_type_address)
		return ((const struct ctl_address *)(const void *)out)->prefix_len;
	if (key->type == &ctl_type_source)
		return ((const struct ctl_source *)(const void *)out)->prefix_len;
	if (key->type == &ctl_type_endpoint)
		return ((const struct ctl_listen *)(const void *)out)->at.port;
	return key->type == &ctl_type_prefix ? out[sizeof(struct sip_ip)] : 0;
}

Test(config_types, addresses)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const struct ctl_key *key = &addresses[i].key;
		struct ctl_item it = { addresses[i].text, strlen(addresses[i].text), 42 };
		struct ctl_why why = { "" };
		_Alignas(8) uint8_t out[64] = { 0 };
		struct sip_ip want;
		int ret = key->type->read(key, &it, out, &why);

		if (addresses[i].ip) {
			cr_assert_eq(dp_ip_parse(addresses[i].ip, &want), 0);
			cr_expect_eq(ret, 0, "%s \"%s\": %s", key->type->name, it.text, why.text);
			cr_expect_arr_eq(out, want.b, 16, "%s", it.text);
			cr_expect_eq(extra_of(key, out), addresses[i].extra, "%s", it.text);
		} else {
			cr_expect_eq(ret, -EINVAL, "%s \"%s\"", key->type->name, it.text);
		}
		cr_expect_eq(addresses[i].says != NULL, why.text[0] != '\0', "\"%s\": %s", it.text,
			     why.text);
		if (addresses[i].says)
			cr_expect(strstr(why.text, addresses[i].says), "\"%s\": %s", it.text,
				  why.text);
	}
}

static const struct {
	uint64_t ms;
	const char *text;
} durations[] = {
	{ 0, "0" },         { 1, "1ms" },         { 500, "500ms" },       { 1000, "1s" },
	{ 1500, "1500ms" }, { 1800000, "1800s" }, { 86400000, "86400s" },
};

Test(config_types, durations_are_told_as_they_are_written)
{
	char text[CTL_DURATION_SIZE];

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		cr_expect_str_eq(ctl_duration_format(durations[i].ms, text), durations[i].text);
}

static const struct {
	const char *list;
	unsigned int n;
} cpu_lists[] = { { "0", 1 }, { "2-5,7", 5 }, { "0-1023", 1024 }, { "", 0 } };

Test(config_types, cpus_are_counted)
{
	for (size_t i = 0; i < sizeof(cpu_lists) / sizeof(cpu_lists[0]); i++)
		cr_expect_eq(ctl_cpus_count(cpu_lists[i].list), cpu_lists[i].n, "%s",
			     cpu_lists[i].list);
}

static const char *const known[] = { "oos-check", "oos-force", "probe-timeout", "fall", "rise" };

static const char *known_at(const void *arg, size_t i)
{
	return ((const char *const *)arg)[i];
}

static const struct {
	const char *word;
	int nearest;
} words[] = {
	{ "oos-check", 0 },
	{ "oos_check", 0 },
	{ "oos-chekc", 0 },
	{ "oos-forse", 1 },
	{ "PROBE-TIMEOUT", 2 },
	{ "probetimout", 2 },
	{ "fal", 3 },
	{ "raise", 4 },
	{ "failover", -1 },
	{ "x", -1 },
	{ "", -1 },
	{ "oos", -1 },
	{ "proobbe-tymeoutt", -1 },
	{ "probe-timeout-probe-timeout-probe-timeout-probe-timeout", -1 },
};

Test(config_types, nearest_name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_eq(ctl_nearest(words[i].word, strlen(words[i].word), 5, known_at, known),
			     words[i].nearest, "%s", words[i].word);
}
