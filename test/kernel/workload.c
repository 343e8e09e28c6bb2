/* The actions of the kernel tests: `workload COMMAND ARGUMENT...` makes as few system calls as possible. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "actions.h"

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0644);
	check(fd, path);
	return fd;
}

static void read_times(int fd, long times)
{
	char byte;
	for (long i = 0; i < times; i++)
		check(pread(fd, &byte, 1, 0), "pread");
}

/* read FILE TIMES */
static void do_read(char **arg)
{
	read_times(open_file(arg[0], O_RDONLY), atol(arg[1]));
}

/* write FILE */
static void do_write(char **arg)
{
	check(write(open_file(arg[0], O_WRONLY | O_CREAT), "x", 1), "write");
}

/* mmap FILE PROT FLAGS */
static void do_mmap(char **arg)
{
	void *at = mmap(0, 4096, atoi(arg[1]), atoi(arg[2]), open_file(arg[0], O_RDWR), 0);
	check(at == MAP_FAILED ? -1 : 0, "mmap");
}

/* truncate FILE, ftruncate FILE */
static void do_truncate(char **arg)
{
	check(truncate(arg[0], 1), "truncate");
}

static void do_ftruncate(char **arg)
{
	check(ftruncate(open_file(arg[0], O_WRONLY), 1), "ftruncate");
}

/* unlinked FILE: reads it after its name was removed */
static void do_unlinked(char **arg)
{
	int fd = open_file(arg[0], O_RDONLY);
	check(unlink(arg[0]), "unlink");
	read_times(fd, 1);
}

/* chroot ROOT FILE */
static void do_chroot(char **arg)
{
	check(chroot(arg[0]), "chroot");
	check(chdir("/"), "chdir");
	read_times(open_file(arg[1], O_RDONLY), 1);
}

/* outside ROOT FILE: opened before the chroot */
static void do_outside(char **arg)
{
	int fd = open_file(arg[1], O_RDONLY);
	check(chroot(arg[0]), "chroot");
	read_times(fd, 1);
}

/* namespace SOURCE TARGET FILE: binds in a new mount namespace */
static void do_namespace(char **arg)
{
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount("none", "/", 0, MS_REC | MS_PRIVATE, 0), "private");
	check(mount(arg[0], arg[1], 0, MS_BIND, 0), "bind");
	read_times(open_file(arg[2], O_RDONLY), 1);
}

/* detached FOLDER FILE: mounts a tmpfs on FOLDER, and unmounts it while the file is open */
static void do_detached(char **arg)
{
	int fd;
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount("none", "/", 0, MS_REC | MS_PRIVATE, 0), "private");
	check(mount("none", arg[0], "tmpfs", 0, 0), "tmpfs");
	fd = open_file(arg[1], O_RDWR | O_CREAT);
	check(write(fd, "x", 1), "write");
	check(umount2(arg[0], MNT_DETACH), "umount");
	read_times(fd, 1);
}

/* deep FOLDER NAME LEVELS FILE: makes folders of that depth and reads a file in the last one */
static void do_deep(char **arg)
{
	int at = open_file(arg[0], O_RDONLY | O_DIRECTORY), fd;
	for (long i = atol(arg[2]); i > 0; i--) {
		int next;
		if (mkdirat(at, arg[1], 0755) && errno != EEXIST)
			check(-1, "mkdirat");
		next = openat(at, arg[1], O_RDONLY | O_DIRECTORY);
		check(next, "openat");
		close(at);
		at = next;
	}
	fd = openat(at, arg[3], O_RDWR | O_CREAT, 0644);
	check(fd, "openat");
	check(pwrite(fd, "x", 1, 0), "pwrite");
	read_times(fd, 1);
}

/* pseudo pipe|memfd|socket */
static void do_pseudo(char **arg)
{
	int fds[2];
	char byte = 'x';
	if (!strcmp(arg[0], "memfd")) {
		fds[0] = fds[1] = memfd_create("secret", 0);
		check(write(fds[1], &byte, 1), "write");
		check(pread(fds[0], &byte, 1, 0), "pread");
		return;
	}
	check(!strcmp(arg[0], "pipe") ? pipe(fds) : socketpair(AF_UNIX, SOCK_STREAM, 0, fds), arg[0]);
	check(write(fds[1], &byte, 1), "write");
	check(read(fds[0], &byte, 1), "read");
}

/* execmemfd FILE: executes a copy of FILE that is only in memory */
static void do_execmemfd(char **arg)
{
	char bytes[4096], *own[] = { "memfd", 0 }, *none[] = { 0 };
	int from = open_file(arg[0], O_RDONLY), to = memfd_create("program", 0);
	long count;
	check(to, "memfd_create");
	while ((count = read(from, bytes, sizeof(bytes))) > 0)
		check(write(to, bytes, count), "write");
	check(count, "read");
	check(syscall(SYS_execveat, to, "", own, none, AT_EMPTY_PATH), "execveat");
}

/* lseek FD OFFSET WHENCE: fails, which is expected */
static void do_lseek(char **arg)
{
	syscall(SYS_lseek, strtol(arg[0], 0, 0), strtol(arg[1], 0, 0), strtol(arg[2], 0, 0));
}

/* seekfile FILE: lseek of a real descriptor */
static void do_seekfile(char **arg)
{
	syscall(SYS_lseek, open_file(arg[0], O_RDONLY), 0, SEEK_CUR);
}

/* openat PATH: with exactly this string; fails if it does not exist, which is expected */
static void do_openat(char **arg)
{
	syscall(SYS_openat, AT_FDCWD, arg[0], O_RDONLY);
}

/* openlong LENGTH: opens a path of LENGTH bytes, which the kernel refuses if it is too long */
static void do_openlong(char **arg)
{
	long length = atol(arg[0]);
	char *path = malloc(length + 1);
	memset(path, 'a', length);
	path[0] = '/';
	path[length] = 0;
	syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}

/* unlink PATH */
static void do_unlink(char **arg)
{
	unlink(arg[0]);
}

/* two FILE TIMES: two processes at the same time */
static void do_two(char **arg)
{
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			do_read(arg);
			_exit(0);
		}
	while (wait(0) > 0)
		;
}

static char read_state(pid_t pid)
{
	char path[32], text[256], *end;
	int fd;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open_file(path, O_RDONLY);
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

/* waiting COUNT TIMES: COUNT processes block in a read of one byte; then, one after the other, each makes TIMES more
 * reads */
static void do_waiting(char **arg)
{
	int count = atoi(arg[0]), times = atoi(arg[1]), fds[2];
	int zero = open_file("/dev/zero", O_RDONLY);
	char bytes[256] = {};
	pid_t children[256];

	if (count > 256)
		exit(1);
	check(pipe(fds), "pipe");
	for (int i = 0; i < count; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		check(read(fds[0], bytes, 1), "read");
		for (int j = 0; j < times; j++)
			check(read(zero, bytes, 1), "read");
		_exit(0);
	}
	for (int i = 0; i < count; i++)
		while (read_state(children[i]) != 'S')
			sched_yield();
	for (int i = 0; i < count; i++) {
		check(write(fds[1], bytes, 1), "write");
		check(wait(0), "wait");
	}
}

/* wait FILE: waits for a line on standard input, then reads the file in the same process */
static void do_wait(char **arg)
{
	char line[16];
	puts("waiting");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
	read_times(open_file(arg[0], O_RDONLY), 1);
}

/* forkread FILE: a child that does not exec reads */
static void do_forkread(char **arg)
{
	if (fork() == 0) {
		read_times(open_file(arg[0], O_RDONLY), 1);
		_exit(0);
	}
	wait(0);
}

/* dup: the exit status is the error number; the output shows that the call returned */
static void do_dup(char **arg)
{
	int fd = dup(0), status = fd < 0 ? errno : 0;

	(void)arg;
	puts("returned");
	exit(status);
}

static const struct {
	const char *name;
	int args;
	void (*run)(char **);
} commands[] = {
	{ "read", 2, do_read },
	{ "write", 1, do_write },
	{ "mmap", 3, do_mmap },
	{ "truncate", 1, do_truncate },
	{ "ftruncate", 1, do_ftruncate },
	{ "unlinked", 1, do_unlinked },
	{ "chroot", 2, do_chroot },
	{ "outside", 2, do_outside },
	{ "namespace", 3, do_namespace },
	{ "detached", 2, do_detached },
	{ "deep", 4, do_deep },
	{ "pseudo", 1, do_pseudo },
	{ "execmemfd", 1, do_execmemfd },
	{ "lseek", 3, do_lseek },
	{ "seekfile", 1, do_seekfile },
	{ "openat", 1, do_openat },
	{ "openlong", 1, do_openlong },
	{ "unlink", 1, do_unlink },
	{ "two", 2, do_two },
	{ "wait", 1, do_wait },
	{ "forkread", 1, do_forkread },
	{ "dup", 0, do_dup },
	{ "waiting", 2, do_waiting },
};

int main(int count, char **arg)
{
	if (count == 1)
		return 0;
	if (!strcmp(arg[1], "batch"))
		return run_batch();
	if (!strcmp(arg[1], "marked") && count == 3) {
		run_marked(arg[2]);
		return 0;
	}
	if (!strcmp(arg[1], "lead") && count == 4) {
		run_leader(arg[2], arg[3]);
		return 0;
	}
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(arg[1], commands[i].name) && count == 2 + commands[i].args) {
			commands[i].run(arg + 2);
			return 0;
		}
	fprintf(stderr, "workload: no such command, or another number of arguments\n");
	return 2;
}
