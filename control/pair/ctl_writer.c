/*
 * The thread that writes the state file. The control thread hands it texts; only the newest one
 * matters. `lock` guards `text` and `end`.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/base/ctl_log.h"
#include "control/pair/ctl_state_file.h"

struct ctl_writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ready;
	char *text; /* what waits; NULL: nothing */
	bool end;
	int last_error; /* the thread's own: what was said already */
	char path[PATH_MAX];
};

static void make_directory(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	mkdir(dirname(copy), 0755);
}

static void write_one(struct ctl_writer *w, const char *text)
{
	int err = ctl_write_atomically(w->path, text, strlen(text));

	if (err == -ENOENT) {
		make_directory(w->path);
		err = ctl_write_atomically(w->path, text, strlen(text));
	}
	if (err != 0 && err != w->last_error)
		ctl_log(LOG_ERR,
			"state file %s cannot be written: %s; what it keeps will not survive a "
			"restart of this host",
			w->path, strerrordesc_np(-err));
	if (err == 0 && w->last_error != 0)
		ctl_log(LOG_NOTICE, "state file %s can be written again", w->path);
	w->last_error = err;
}

static void *run(void *arg)
{
	struct ctl_writer *w = arg;
	bool end = false;

	while (!end) {
		char *text;

		pthread_mutex_lock(&w->lock);
		while (w->text == NULL && !w->end)
			pthread_cond_wait(&w->ready, &w->lock);
		text = w->text;
		w->text = NULL;
		end = w->end;
		pthread_mutex_unlock(&w->lock);
		if (text != NULL)
			write_one(w, text);
		free(text);
	}
	return NULL;
}

/* Signals are the control thread's business. */
static int start(struct ctl_writer *w)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

struct ctl_writer *ctl_writer_new(const char *path)
{
	struct ctl_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	snprintf(w->path, sizeof(w->path), "%s", path);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->ready, NULL);
	if (start(w) != 0) {
		pthread_cond_destroy(&w->ready);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return NULL;
	}
	return w;
}

void ctl_writer_put(struct ctl_writer *w, char *text)
{
	char *old;

	pthread_mutex_lock(&w->lock);
	old = w->text;
	w->text = text;
	pthread_cond_signal(&w->ready);
	pthread_mutex_unlock(&w->lock);
	free(old);
}

void ctl_writer_free(struct ctl_writer *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->end = true;
	pthread_cond_signal(&w->ready);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->ready);
	pthread_mutex_destroy(&w->lock);
	free(w->text);
	free(w);
}
