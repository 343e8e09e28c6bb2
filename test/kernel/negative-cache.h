/*
 * Shared by the programs that test the negative cache of paths: they read files again and again, in folders `plain` and
 * `watched` of the working folder.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(long result, const char *what, const char *path)
{
	if (result < 0)
		err(1, "%s %s", what, path);
}

#define DO(call, path) check(call, #call, path)

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check(fd, "open", path);
	return fd;
}

static bool advances_clock;

static void advance_clock(time_t seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += seconds;
	DO(clock_settime(CLOCK_REALTIME, &now), "");
}

static time_t seconds_since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* The first read marks an entry of the cache, the second one stores the path, and the third one finds it. */
static void read_repeatedly(int fd)
{
	char byte;

	if (advances_clock)
		advance_clock(200);
	for (int i = 0; i < 3; i++)
		check(pread(fd, &byte, 1, 0), "pread", "");
}

static void read_path(const char *path)
{
	int fd = open_file(path);

	read_repeatedly(fd);
	close(fd);
}

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	check(fd, "create", path);
	check(write(fd, "x", 1), "write", path);
	close(fd);
}

static void make_folder(const char *path)
{
	DO(mkdir(path, 0755), path);
}

/* Renames the file or folder, reads the open file, and renames back. */
static void rename_and_back(int fd, const char *from, const char *to)
{
	read_repeatedly(fd);
	DO(rename(from, to), from);
	read_repeatedly(fd);
	DO(rename(to, from), to);
	read_repeatedly(fd);
}

enum { FILES = 64, ROUNDS = 6, REUSE_ROUNDS = 4 };

static void make_files(const char *folder)
{
	char path[128];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%d", folder, i);
		make_folder(path);
		snprintf(path, sizeof(path), "%s/%d/f", folder, i);
		make_file(path);
	}
}

static void remove_files(const char *folder)
{
	char path[128];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%d/f", folder, i);
		DO(unlink(path), path);
		snprintf(path, sizeof(path), "%s/%d", folder, i);
		DO(rmdir(path), path);
	}
}

static void read_files(const char *folder)
{
	char path[128];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%d/f", folder, i);
		read_path(path);
	}
}

/* Frees the memory of unused dentries and inodes, and waits until the kernel can reuse it. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	check(fd, "open", "drop_caches");
	check(write(fd, "2", 1), "write", "drop_caches");
	close(fd);
	for (int i = 0; i < 3; i++)
		check(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), "membarrier", "");
}

/* The same names, and the same memory of dentries and inodes, in both folders: after a removal, and after a drop of the
 * caches. */
static void reuse_dentries(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		const char *folder = i % 2 ? "watched" : "plain";

		make_files(folder);
		read_files(folder);
		remove_files(folder);
		drop_caches();
	}
	make_files("plain");
	make_files("watched");
	for (int i = 0; i < ROUNDS; i++) {
		drop_caches();
		read_files(i % 2 ? "watched" : "plain");
	}
	remove_files("plain");
	remove_files("watched");
}
