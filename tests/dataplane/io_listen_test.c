/* The data plane's end of the link: taking over, handing over, being served by one control. */
#include "dataplane/io/dp_listen.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/dp_region.h"

static char dir[64], path[80];
static struct dp_listen l;
static struct dp_failure f;

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sipsteer-link-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/dataplane.sock", dir);
	memset(&f, 0, sizeof(f));
}

static void tear_down(void)
{
	dp_listen_close(&l);
	unlink(path);
	rmdir(dir);
}

TestSuite(listen, .init = set_up, .fini = tear_down);

static int connect_to(const char *where)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", where);
	cr_assert_eq(connect(s, (const struct sockaddr *)&sa, sizeof(sa)), 0, "%s",
		     strerror(errno));
	return s;
}

static void open_listen(void)
{
	cr_assert_eq(dp_listen_open(&l, path, &f), 0, "%s", f.text);
}

/* Whether the other end is closed. */
static bool ended(int s)
{
	char c;

	return recv(s, &c, 1, MSG_DONTWAIT) == 0;
}

static ino_t inode(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

Test(listen, control_brings_the_region)
{
	int memfd = memfd_create("region", MFD_CLOEXEC), s, got, none;
	struct dp_link_hello hello;

	open_listen();
	s = connect_to(path);
	cr_assert_eq(dp_link_send(s, memfd), 0);
	cr_assert_eq(dp_listen_accept(&l, -1, &got), 0);
	cr_expect_eq(inode(got), inode(memfd));
	cr_expect_geq(l.control, 0);
	cr_assert_eq(dp_link_recv(s, &hello, &none, 100), 0);
	cr_expect_eq(hello.has_region, 0);
	cr_expect_eq(hello.pid, (uint32_t)getpid());
	close(got);
	close(memfd);
	close(s);
}

Test(listen, a_new_control_gets_the_region_and_replaces_the_old_one)
{
	int memfd = memfd_create("region", MFD_CLOEXEC), old, new, got, has;
	struct dp_link_hello hello;

	open_listen();
	old = connect_to(path);
	cr_assert_eq(dp_link_send(old, -1), 0);
	cr_assert_eq(dp_listen_accept(&l, memfd, &got), 0);
	cr_expect_eq(got, -1);
	cr_assert_eq(dp_link_recv(old, &hello, &has, 100), 0);
	cr_expect_eq(inode(has), inode(memfd));
	cr_expect(!ended(old));
	close(has);

	new = connect_to(path);
	cr_assert_eq(dp_link_send(new, memfd), 0); /* it brings one too: ours counts */
	cr_assert_eq(dp_listen_accept(&l, memfd, &got), 0);
	cr_expect_eq(got, -1);
	cr_expect(ended(old));
	cr_expect(!ended(new));
	close(old);
	close(new);
	close(memfd);
}

Test(listen, control_that_is_no_use_is_sent_away)
{
	struct dp_link_hello wrong = { DP_LINK_MAGIC, DP_LAYOUT_VERSION + 1, 0, 1, "9" };
	int s, got;

	open_listen();
	s = connect_to(path);
	cr_assert_eq(dp_link_send(s, -1), 0);
	cr_expect_eq(dp_listen_accept(&l, -1, &got), -EPROTO, "it brings no region");
	close(s);

	s = connect_to(path);
	cr_assert_eq(send(s, &wrong, sizeof(wrong), 0), sizeof(wrong));
	cr_expect_eq(dp_listen_accept(&l, -1, &got), -EPROTO, "another layout");
	close(s);

	s = connect_to(path);
	shutdown(s, SHUT_WR);
	cr_expect_eq(dp_listen_accept(&l, -1, &got), -ECONNRESET, "it hangs up");
	close(s);

	s = connect_to(path);
	cr_expect_eq(dp_listen_accept(&l, -1, &got), -ETIMEDOUT, "it says nothing");
	close(s);
	cr_expect_eq(l.control, -1);
}

Test(listen, no_use_does_not_disturb_who_is_served)
{
	int memfd = memfd_create("region", MFD_CLOEXEC), s, mute, got;

	open_listen();
	s = connect_to(path);
	dp_link_send(s, -1);
	cr_assert_eq(dp_listen_accept(&l, memfd, &got), 0);
	mute = connect_to(path);
	shutdown(mute, SHUT_WR);
	cr_expect_eq(dp_listen_accept(&l, memfd, &got), -ECONNRESET);
	cr_expect_geq(l.control, 0);
	close(s);
	close(mute);
	close(memfd);
}

Test(listen, only_root_and_ourselves_may_connect)
{
	struct stat st;

	open_listen();
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600, "mode %o", st.st_mode & 0777);
}

Test(listen, what_a_killed_one_left_is_replaced)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct dp_listen other;

		_exit(dp_listen_open(&other, path, &f) == 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(access(path, F_OK), 0, "the dead one's socket is there");
	open_listen();
	close(connect_to(path));
}

Test(listen, who_serves_is_left_alone)
{
	struct dp_listen second;

	open_listen();
	cr_expect_eq(dp_listen_open(&second, path, &f), -1);
	cr_expect_not_null(strstr(f.text, "another data plane serves it"), "%s", f.text);
	cr_expect_not_null(strstr(f.text, path), "%s", f.text);
	close(connect_to(path));
}

Test(listen, failures_name_the_path_and_the_remedy)
{
	static const struct {
		const char *path, *says;
	} rows[] = {
		{ "/nonexistent/x.sock", "directory cannot be opened" },
		{ "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789"
		  "01234567890123456789012345678901234567890.sock",
		  "longer than" },
	};
	FILE *plain = fopen(path, "w");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&f, 0, sizeof(f));
		cr_expect_eq(dp_listen_open(&l, rows[i].path, &f), -1, "%s", rows[i].path);
		cr_expect_not_null(strstr(f.text, rows[i].says), "%s", f.text);
		cr_expect_not_null(strstr(f.text, rows[i].path), "%s", f.text);
	}
	fclose(plain);
	memset(&f, 0, sizeof(f));
	cr_expect_eq(dp_listen_open(&l, path, &f), -1);
	cr_expect_not_null(strstr(f.text, "no socket"), "%s", f.text);
	cr_expect_eq(access(path, F_OK), 0, "it is not ours to remove");
}

Test(listen, the_end_removes_the_socket)
{
	open_listen();
	dp_listen_close(&l);
	cr_expect_eq(access(path, F_OK), -1);
}
