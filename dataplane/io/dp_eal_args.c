#include "dataplane/io/dp_eal_args.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/io/dp_device.h"

#define CPU_TEXT_SIZE 1024

bool dp_device_is_pci(const char *device)
{
	/* [domain:]bus:device.function */
	const char *s = device;
	unsigned int colons = 0;

	while (isxdigit((unsigned char)*s) || *s == ':')
		colons += *s++ == ':';
	return colons >= 1 && colons <= 2 && s[0] == '.' && s[1] >= '0' && s[1] <= '7'
	       && (s[2] == '\0' || s[2] == ',');
}

bool dp_device_any_pci(const char *device)
{
	char part[DP_DEVICE_SIZE];

	for (unsigned int i = 0; dp_device_part(device, i, part); i++) {
		if (dp_device_is_pci(part))
			return true;
	}
	return false;
}

uint32_t dp_free_huge_mb(const char *dir)
{
	DIR *d = opendir(dir);
	uint64_t kb = 0;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		unsigned long size, n;
		char path[512];
		FILE *fp;

		if (sscanf(e->d_name, "hugepages-%lukB", &size) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", dir, e->d_name);
		fp = fopen(path, "re");
		if (fp && fscanf(fp, "%lu", &n) == 1)
			kb += (uint64_t)size * n;
		if (fp)
			fclose(fp);
	}
	if (d)
		closedir(d);
	return (uint32_t)(kb / 1024);
}

int dp_cpu_list(const char *text, cpu_set_t *set)
{
	const char *s = text;

	CPU_ZERO(set);
	for (;;) {
		unsigned long lo, hi;
		char *end;

		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		lo = hi = strtoul(s, &end, 10);
		if (*end == '-') {
			if (!isdigit((unsigned char)end[1]))
				return -EINVAL;
			hi = strtoul(end + 1, &end, 10);
		}
		if (lo > hi || hi >= CPU_SETSIZE)
			return -EINVAL;
		for (; lo <= hi; lo++)
			CPU_SET(lo, set);
		if (*end == '\0')
			return 0;
		if (*end != ',')
			return -EINVAL;
		s = end + 1;
	}
}

/* "0-3,5" */
static void cpu_text(const cpu_set_t *set, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned int c = 0; c < CPU_SETSIZE && n < size; c++) {
		unsigned int first = c;

		if (!CPU_ISSET(c, set))
			continue;
		while (c + 1 < CPU_SETSIZE && CPU_ISSET(c + 1, set))
			c++;
		n += (size_t)snprintf(text + n, size - n, n ? ",%u" : "%u", first);
		if (c > first && n < size)
			n += (size_t)snprintf(text + n, size - n, "-%u", c);
	}
}

static int add(struct dp_eal_args *a, struct dp_failure *f, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int add(struct dp_eal_args *a, struct dp_failure *f, const char *format, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(a->text + a->used, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || a->argc == DP_EAL_ARGS)
		return dp_fail(f,
			       "too many or too long device strings for DPDK: shorten `device:`");
	a->argv[a->argc++] = a->text + a->used;
	a->argv[a->argc] = NULL;
	a->used += (size_t)n + 1;
	return 0;
}

/* Which CPUs the main thread and the workers may use. */
static int split_cpus(const struct dp_boot *boot, const cpu_set_t *allowed, cpu_set_t *workers,
		      cpu_set_t *main_cpus, struct dp_failure *f)
{
	cpu_set_t both;

	*workers = *main_cpus = *allowed;
	if (boot->worker_cpus[0] == '\0')
		return 0;
	if (dp_cpu_list(boot->worker_cpus, workers) != 0)
		return dp_fail(f, "worker-cpus \"%s\": no CPU list; write it like 2-5,7",
			       boot->worker_cpus);
	CPU_AND(&both, workers, allowed);
	if (!CPU_EQUAL(&both, workers)) {
		char text[CPU_TEXT_SIZE];

		cpu_text(allowed, text, sizeof(text));
		return dp_fail(f,
			       "worker-cpus \"%s\": this process may only run on CPUs %.200s; "
			       "name some of these",
			       boot->worker_cpus, text);
	}
	CPU_XOR(main_cpus, allowed, workers);
	if (CPU_COUNT(main_cpus) == 0)
		*main_cpus = *allowed;
	return 0;
}

/* A worker each on a CPU of its own where they suffice, else all on all of them. */
static int add_lcores(struct dp_eal_args *a, const struct dp_boot *boot, const cpu_set_t *allowed,
		      struct dp_failure *f)
{
	cpu_set_t workers, main_cpus;
	char set[CPU_TEXT_SIZE], text[4 * CPU_TEXT_SIZE];
	size_t n;
	bool pinned;
	unsigned int cpu = 0;

	if (split_cpus(boot, allowed, &workers, &main_cpus, f) != 0)
		return -1;
	pinned = boot->worker_cpus[0] != '\0' && CPU_COUNT(&workers) >= boot->n_workers;
	cpu_text(&main_cpus, set, sizeof(set));
	n = (size_t)snprintf(text, sizeof(text), "0@(%s)", set);
	cpu_text(&workers, set, sizeof(set));
	if (!pinned)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",(1-%u)@(%s)",
				      (unsigned int)boot->n_workers, set);
	for (unsigned int w = 1; pinned && w <= boot->n_workers; w++, cpu++) {
		while (!CPU_ISSET(cpu, &workers))
			cpu++;
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",%u@%u", w, cpu);
	}
	return add(a, f, "--lcores") || add(a, f, "%s", text) ? -1 : 0;
}

static int add_memory(struct dp_eal_args *a, const struct dp_boot *boot,
		      const struct dp_eal_needs *needs, bool pci, struct dp_failure *f)
{
	if (boot->huge == 2 && pci)
		return dp_fail(f, "hugepages: a PCI device needs them, and `hugepages: never` "
				  "rules them out; "
				  "allow them, or use another device");
	if (boot->huge != 2 && needs->free_huge_mb >= needs->memory_mb)
		return add(a, f, "--in-memory");
	if (boot->huge == 1 || pci)
		return dp_fail(
			f,
			"hugepages: %u MB are needed%s and %u MB are free; reserve them, for "
			"example with sysctl vm.nr_hugepages=%u",
			needs->memory_mb, pci ? " for a PCI device" : "", needs->free_huge_mb,
			needs->memory_mb / 2 + 1);
	return add(a, f, "--no-huge") || add(a, f, "--no-shconf") || add(a, f, "-m")
			       || add(a, f, "%u", needs->memory_mb)
		       ? -1
		       : 0;
}

/* PCI devices by name, so that no other one is touched; vdevs are probed later. */
static int add_devices(struct dp_eal_args *a, const struct dp_boot *boot, bool pci,
		       struct dp_failure *f)
{
	if (!pci)
		return add(a, f, "--no-pci") || add(a, f, "--iova-mode=va") ? -1 : 0;
	for (unsigned int i = 0; i < boot->n_ports; i++) {
		char part[DP_DEVICE_SIZE];

		for (unsigned int k = 0; dp_device_part(boot->ports[i].device, k, part); k++) {
			if (dp_device_is_pci(part) && (add(a, f, "-a") || add(a, f, "%s", part)))
				return -1;
		}
	}
	return 0;
}

int dp_eal_args_build(struct dp_eal_args *a, const struct dp_boot *boot,
		      const struct dp_eal_needs *needs, struct dp_failure *f)
{
	bool pci = false;

	for (unsigned int i = 0; i < boot->n_ports; i++)
		pci |= dp_device_any_pci(boot->ports[i].device);
	a->argc = 0;
	a->used = 0;
	if (add(a, f, "sipsteer-dataplane") || add(a, f, "--no-telemetry")
	    || add(a, f, "--file-prefix") || add(a, f, "%s", needs->prefix)
	    || add(a, f, "--log-level=%s", needs->verbose ? "*:info" : "*:warning"))
		return -1;
	if (add_lcores(a, boot, needs->cpus, f) || add_memory(a, boot, needs, pci, f)
	    || add_devices(a, boot, pci, f))
		return -1;
	return 0;
}
