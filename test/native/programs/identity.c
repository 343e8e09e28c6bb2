// A program that tests of process identity copy to other paths. It is static, so it runs in an empty root. See
// forgery.test.ts, long-paths.test.ts and process-table.test.ts.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* makes the system call that the policies of the tests trace; no other code makes it */
static int call(void)
{
	syscall(SYS_kcmp, 0, 0, 0, 0, 0);
	return 0;
}

static int wait_for(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* wait ARGS...: reports that it is ready, waits for a line, then continues with ARGS */
static int wait_line(void)
{
	char c;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) == 1 && c != '\n')
		;
	return 0;
}

/* run PROGRAM ARGS...: in a child */
static int run(char **argv)
{
	pid_t pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return wait_for(pid);
}

/* deep FOLDER NAME LEVELS PROGRAM ARGS...: executes a link to PROGRAM, called "leaf", at the end of a tree of that
 * depth */
static int deep(char **argv)
{
	int at = open(argv[0], O_RDONLY | O_DIRECTORY);
	for (long i = atol(argv[2]); i > 0; i--) {
		int next;
		if (mkdirat(at, argv[1], 0755) && errno != EEXIST)
			return 1;
		next = openat(at, argv[1], O_RDONLY | O_DIRECTORY);
		if (next < 0)
			return 1;
		close(at);
		at = next;
	}
	if (fchdir(at) || (link(argv[3], "leaf") && errno != EEXIST))
		return 1;
	execv("./leaf", argv + 3);
	return 127;
}

/* memfd NAME FILE ARGS...: executes a copy of FILE that is in memory only */
static int memfd(char **argv)
{
	static char bytes[1 << 20];
	int from = open(argv[1], O_RDONLY | O_CLOEXEC), to = memfd_create(argv[0], MFD_CLOEXEC);
	ssize_t got;
	while ((got = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, got) != got)
			return 1;
	fexecve(to, argv + 1, environ);
	return 127;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "wait")) {
		wait_line();
		return main(argc - 1, argv + 1);
	}
	if (!strcmp(what, "uts")) { /* uts ARGS...: makes a uts namespace, then continues with ARGS */
		if (unshare(CLONE_NEWUTS))
			return 1;
		return main(argc - 1, argv + 1);
	}
	if (!strcmp(what, "fork"))
		return fork() == 0 ? call() : wait_for(-1);
	if (!strcmp(what, "run"))
		return run(argv + 2);
	if (!strcmp(what, "deep"))
		return deep(argv + 2);
	if (!strcmp(what, "memfd"))
		return memfd(argv + 2);
	return strcmp(what, "call") ? 2 : call();
}
