/*
 * Starting the data plane's process. Control thread.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/**
 * Find sipsteer-dataplane: beside this executable, else in the installation's libexec directory.
 * @param out  The path, or the first place looked at when there is none.
 * @return 0 or -ENOENT.
 */
int ctl_spawn_find(char *out, size_t size);

/**
 * Start it in a session of its own, so that it survives this process and its terminal; stdin is
 * /dev/null, stdout and stderr are ours.
 * @param socket  Where it shall listen.
 * @return its process id (a child: the caller waits for it), or negative errno.
 */
pid_t ctl_spawn_dataplane(const char *program, const char *socket);
