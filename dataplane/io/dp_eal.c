#include "dataplane/io/dp_eal.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "dataplane/io/dp_eal_args.h"

#define HUGE_DIR "/sys/kernel/mm/hugepages"

/*
 * What DPDK says. While the data plane starts, it is kept: drivers complain about much that does no
 * harm. If the start fails it is all printed; afterwards it is printed as it comes. DPDK has one
 * log stream per process, and so have we.
 */
static struct {
	pthread_mutex_t lock;
	bool keep;
	size_t kept_len;
	char kept[8192]; /* the latest */
	char error[200]; /* the first one: later ones only say that something did not work */
} eal_log = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep(const char *text, size_t len)
{
	size_t over;

	if (len > sizeof(eal_log.kept))
		return;
	over = eal_log.kept_len + len > sizeof(eal_log.kept)
		       ? eal_log.kept_len + len - sizeof(eal_log.kept)
		       : 0;
	memmove(eal_log.kept, eal_log.kept + over, eal_log.kept_len - over);
	memcpy(eal_log.kept + eal_log.kept_len - over, text, len);
	eal_log.kept_len += len - over;
}

static ssize_t log_write(void *cookie, const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);

	(void)cookie;
	pthread_mutex_lock(&eal_log.lock);
	if (eal_log.keep)
		keep(text, len);
	else
		fwrite(text, 1, len, stderr);
	if (eal_log.error[0] == '\0' && rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
		snprintf(eal_log.error, sizeof(eal_log.error), "%.*s",
			 (int)(end ? end - text : (ptrdiff_t)len), text);
	pthread_mutex_unlock(&eal_log.lock);
	return (ssize_t)len;
}

const char *dp_eal_error(char *out, unsigned int size)
{
	pthread_mutex_lock(&eal_log.lock);
	snprintf(out, size, eal_log.error[0] ? " (%s)" : "%s", eal_log.error);
	pthread_mutex_unlock(&eal_log.lock);
	return out;
}

void dp_eal_log_forget(void)
{
	pthread_mutex_lock(&eal_log.lock);
	eal_log.error[0] = '\0';
	eal_log.kept_len = 0;
	pthread_mutex_unlock(&eal_log.lock);
}

void dp_eal_log_settle(bool failed)
{
	pthread_mutex_lock(&eal_log.lock);
	if (failed)
		fwrite(eal_log.kept, 1, eal_log.kept_len, stderr);
	eal_log.kept_len = 0;
	eal_log.keep = false;
	pthread_mutex_unlock(&eal_log.lock);
}

static int log_open(struct dp_failure *f)
{
	cookie_io_functions_t io = { .write = log_write };
	FILE *stream = fopencookie(NULL, "w", io);

	if (!stream || rte_openlog_stream(stream) != 0)
		return dp_fail(f, "DPDK's log cannot be opened: %s", strerror(errno));
	setvbuf(stream, NULL, _IOLBF, 0);
	return 0;
}

/*
 * DPDK makes a runtime directory even when it shares nothing with other processes and puts nothing
 * there. It is made below a temporary one that goes at once.
 */
static int init_without_traces(struct dp_eal_args *a, const char *prefix)
{
	char dir[64], path[PATH_MAX];
	const char *was = getenv("RUNTIME_DIRECTORY");
	char *kept = was ? strdup(was) : NULL;
	int ret;

	snprintf(dir, sizeof(dir), "/tmp/sipsteer-%d-XXXXXX", (int)getpid());
	if (!mkdtemp(dir))
		dir[0] = '\0';
	else
		setenv("RUNTIME_DIRECTORY", dir, 1);
	ret = rte_eal_init(a->argc, a->argv);
	if (dir[0]) {
		snprintf(path, sizeof(path), "%s/dpdk/%s", dir, prefix);
		rmdir(path);
		snprintf(path, sizeof(path), "%s/dpdk", dir);
		rmdir(path);
		rmdir(dir);
		if (kept)
			setenv("RUNTIME_DIRECTORY", kept, 1);
		else
			unsetenv("RUNTIME_DIRECTORY");
	}
	free(kept);
	return ret;
}

int dp_eal_start(const struct dp_boot *boot, const char *prefix, uint32_t memory_mb, bool verbose,
		 struct dp_failure *f)
{
	static struct dp_eal_args args; /* DPDK keeps pointers into it */
	cpu_set_t cpus;
	struct dp_eal_needs needs = {
		.cpus = &cpus,
		.prefix = prefix,
		.memory_mb = memory_mb,
		.free_huge_mb = dp_free_huge_mb(HUGE_DIR),
		.verbose = verbose,
	};
	char why[256];

	eal_log.keep = !verbose;
	/* A dispatcher would be pinned in /sys/fs/bpf and stay there when we are killed. */
	setenv("LIBXDP_SKIP_DISPATCHER", "1", 1);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return dp_fail(f, "CPUs of this process cannot be read: %s", strerror(errno));
	if (dp_eal_args_build(&args, boot, &needs, f) != 0 || log_open(f) != 0)
		return -1;
	if (init_without_traces(&args, prefix) < 0) {
		int err = rte_errno;

		if (geteuid() != 0)
			return dp_fail(f, "DPDK cannot start as user %u: %s%s; run as root",
				       (unsigned int)geteuid(), strerror(err),
				       dp_eal_error(why, sizeof(why)));
		return dp_fail(f,
			       "DPDK cannot start: %s%s; check memory, devices and their drivers",
			       strerror(err), dp_eal_error(why, sizeof(why)));
	}
	return 0;
}

void dp_eal_stop(void)
{
	rte_eal_cleanup();
}
