/*
 * verdicts FOLDER [settled]: reads files of FOLDER before and after everything that gives them another path. FOLDER/watched and /watched
 * are what the policy watches. With `settled`, the clock is set forward before each read: folders of ext4 are remembered only when they
 * have not changed for some time. verdicts race FOLDER SECONDS: one thread renames a folder there and back, another one reads a file in it. It prints
 * "OFFSET IS_WATCHED" for each read during which no rename was under way.
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

static bool is_settled;

static void set_clock_by(time_t seconds)
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

/* The first read marks the file, the second one is written down, and the third one finds what was written. */
static void read_often(int fd)
{
	char byte;

	if (is_settled)
		set_clock_by(200);
	for (int i = 0; i < 3; i++)
		check(pread(fd, &byte, 1, 0), "pread", "");
}

static void read_at(const char *path)
{
	int fd = open_file(path);

	read_often(fd);
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

/* Moves it there, reads, and moves it back. */
static void there_and_back(int fd, const char *from, const char *to)
{
	read_often(fd);
	DO(rename(from, to), from);
	read_often(fd);
	DO(rename(to, from), to);
	read_often(fd);
}

static void renames(void)
{
	int fd = open_file("plain/a/b/file");

	there_and_back(fd, "plain/a/b/file", "watched/file");
	there_and_back(fd, "plain/a/b/file", "plain/a/b/other");
	there_and_back(fd, "plain/a/b", "watched/b");
	there_and_back(fd, "plain/a", "watched/a");
	there_and_back(fd, "plain", "watched/plain");
	close(fd);
}

static void exchanges(void)
{
	int fd = open_file("plain/a/b/file"), other = open_file("watched/x/b/file");

	for (int i = 0; i < 2; i++) {
		read_often(fd);
		read_often(other);
		DO(renameat2(AT_FDCWD, "plain/a", AT_FDCWD, "watched/x", RENAME_EXCHANGE), "plain/a");
		read_often(fd);
		read_often(other);
		DO(renameat2(AT_FDCWD, "plain/a/b/file", AT_FDCWD, "watched/x/b/file", RENAME_EXCHANGE), "file");
	}
	close(fd);
	close(other);
}

static void binds(void)
{
	int fd = open_file("plain/a/b/file");

	read_often(fd);
	DO(mount("plain/a", "watched/m", NULL, MS_BIND, NULL), "watched/m");
	read_at("watched/m/b/file");
	read_at("plain/a/b/file");
	read_often(fd);
	/* the same mount at another place */
	DO(syscall(SYS_move_mount, AT_FDCWD, "watched/m", AT_FDCWD, "m", 0), "m");
	read_at("m/b/file");
	fd = dup3(open_file("m/b/file"), fd, O_CLOEXEC);
	read_often(fd);
	DO(syscall(SYS_move_mount, AT_FDCWD, "m", AT_FDCWD, "watched/m", 0), "watched/m");
	read_often(fd);
	DO(umount2("watched/m", MNT_DETACH), "watched/m");
	read_often(fd);
	close(fd);
}

static void detaches(void)
{
	int fd;

	DO(mount("none", "m", "tmpfs", 0, NULL), "m");
	make_folder("m/watched");
	make_file("m/watched/file");
	fd = open_file("m/watched/file");
	read_often(fd);
	DO(umount2("m", MNT_DETACH), "m");
	/* now it is /watched/file, and unreachable */
	read_often(fd);
	close(fd);
}

static void remounts(void)
{
	static const char *const places[] = { "m", "watched/m", "m", "watched/m" };

	for (int i = 0; i < 4; i++) {
		char path[64];

		DO(mount("none", places[i], "tmpfs", 0, NULL), places[i]);
		snprintf(path, sizeof(path), "%s/file", places[i]);
		make_file(path);
		read_at(path);
		DO(mount("none", places[i], "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), places[i]);
		read_at(path);
		DO(umount(places[i]), places[i]);
	}
}

static void links(void)
{
	read_at("plain/a/b/file");
	DO(link("plain/a/b/file", "watched/link"), "link");
	read_at("watched/link");
	read_at("plain/a/b/file");
	DO(unlink("watched/link"), "link");
	DO(link("plain/a/b/file", "plain/a/b/link"), "link");
	read_at("plain/a/b/link");
	DO(unlink("plain/a/b/link"), "link");
}

static void recreates(void)
{
	for (int i = 0; i < 8; i++) {
		const char *path = i % 2 ? "watched/again" : "plain/again";
		int fd;

		make_file(path);
		fd = open_file(path);
		read_often(fd);
		DO(unlink(path), path);
		read_often(fd);
		close(fd);
	}
}

/* In a child, because there is no way back. */
static void in_child(void (*act)(void))
{
	pid_t child = fork();
	int status;

	check(child, "fork", "");
	if (child == 0) {
		act();
		_exit(0);
	}
	check(waitpid(child, &status, 0), "waitpid", "");
	if (status != 0)
		errx(1, "a child ended with status %x", status);
}

static void in_a_root(void)
{
	int fd = open_file("outer/watched/file"), plain = open_file("watched/x/b/file");

	read_often(fd);
	read_often(plain);
	DO(chroot("outer"), "outer");
	read_often(fd);
	read_often(plain);
	/* a root inside of that one */
	DO(chroot("watched"), "watched");
	read_often(fd);
	close(fd);
}

static void in_a_new_root(void)
{
	int fd;

	DO(unshare(CLONE_NEWNS), "");
	DO(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
	DO(mount("outer", "outer", NULL, MS_BIND, NULL), "outer");
	fd = open_file("outer/watched/file");
	read_often(fd);
	DO(chdir("outer"), "outer");
	DO(syscall(SYS_pivot_root, ".", "old"), "pivot_root");
	read_often(fd);
	read_at("/watched/file");
	read_at("/plain");
	DO(umount2("/old", MNT_DETACH), "/old");
	read_often(fd);
	close(fd);
}

enum { FILES = 64, ROUNDS = 6 };

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
		read_at(path);
	}
}

/* Frees the memory of names and files that nobody uses, and waits until it can be used again. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	check(fd, "open", "drop_caches");
	check(write(fd, "2", 1), "write", "drop_caches");
	close(fd);
	for (int i = 0; i < 3; i++)
		check(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), "membarrier", "");
}

/* The same names, and the same memory of names and files, at places of both kinds: removed, and only forgotten by the kernel. */
static void reuses(void)
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

static void change_everything(const char *folder)
{
	DO(chdir(folder), folder);
	make_folder("plain");
	make_folder("plain/a");
	make_folder("plain/a/b");
	make_file("plain/a/b/file");
	make_folder("watched");
	make_folder("watched/x");
	make_folder("watched/x/b");
	make_file("watched/x/b/file");
	make_folder("watched/m");
	make_folder("m");
	make_folder("outer");
	make_folder("outer/old");
	make_folder("outer/watched");
	make_file("outer/watched/file");
	make_file("outer/plain");
	renames();
	exchanges();
	binds();
	detaches();
	remounts();
	links();
	recreates();
	in_child(in_a_root);
	in_child(in_a_new_root);
	reuses();
}

/* ---- two processors ----------------------------------------------------------------------------------------- */

enum { READS_EACH = 5 };

static atomic_uint changes; /* odd while a rename is under way */
static atomic_uint reads; /* of the present place */
static atomic_bool ended;

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	check(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity", "");
}

static void *rename_on(void *unused)
{
	pin_to(1);
	for (unsigned int i = 0; !ended; i++) {
		/* each place is read some times, and the rename is under way during the reads that follow */
		while (reads < READS_EACH && !ended)
			sched_yield();
		/* so many events that the tracer follows */
		usleep(500);
		changes++;
		for (volatile unsigned int late = i % 61 * 16; late > 0; late--)
			;
		if (i % 2)
			DO(rename("watched/r", "plain/r"), "watched/r");
		else
			DO(rename("plain/r", "watched/r"), "plain/r");
		reads = 0;
		changes++;
	}
	return unused;
}

static void race(const char *folder, int seconds)
{
	struct timespec start, now;
	pthread_t renamer;
	int fd;

	DO(chdir(folder), folder);
	make_folder("plain/r");
	make_file("plain/r/file");
	fd = open_file("plain/r/file");
	pin_to(0);
	if (pthread_create(&renamer, NULL, rename_on, NULL))
		errx(1, "no thread");
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long offset = 1;; offset++) {
		unsigned int before;
		char byte;

		while ((before = changes) % 2 == 0 && reads >= READS_EACH)
			sched_yield();
		check(pread(fd, &byte, 1, offset), "pread", "");
		if (before % 2 == 0 && before == changes) {
			printf("%ld %d\n", offset, before / 2 % 2);
			reads++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec >= seconds)
			break;
	}
	ended = true;
	pthread_join(renamer, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "race") == 0)
		race(argv[2], atoi(argv[3]));
	else if (argc == 2 || argc == 3) {
		time_t booted = time(NULL) - seconds_since_boot();

		is_settled = argc == 3;
		change_everything(argv[1]);
		if (is_settled)
			set_clock_by(booted + seconds_since_boot() - time(NULL));
	} else
		errx(2, "usage: verdicts FOLDER [settled] | verdicts race FOLDER SECONDS");
	return 0;
}
