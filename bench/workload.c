/*
 * workload TRUE FILE2 FILE7 MATCH WRITE: prints "NAME NANOSECONDS" for one operation of each kind. In a virtual machine whose
 * clock counts instructions, nanoseconds are instructions. The median of several batches leaves out what timers do.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 15 };

static const char *path;
static int fd;
static char buffer[16];

static void do_pread(void)
{
	if (pread(fd, buffer, sizeof(buffer), 0) < 0)
		err(1, "pread %s", path);
}

static void do_pwrite(void)
{
	if (pwrite(fd, buffer, sizeof(buffer), 0) < 0)
		err(1, "pwrite %s", path);
}

static void do_open_close(void)
{
	int opened = open(path, O_RDONLY | O_CLOEXEC);

	if (opened < 0)
		err(1, "open %s", path);
	close(opened);
}

static void do_exec(void)
{
	int status;
	pid_t child = vfork(); /* a copied address space would only add noise */

	if (child < 0)
		err(1, "vfork");
	if (child == 0) {
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	if (waitpid(child, &status, 0) < 0 || status != 0)
		errx(1, "%s: status %x", path, status);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, void (*operation)(void), int count)
{
	double batches[BATCHES];

	for (int i = 0; i < count; i++)
		operation(); /* caches, page tables, translated code */
	for (int batch = 0; batch < BATCHES; batch++) {
		double start = now();

		for (int i = 0; i < count; i++)
			operation();
		batches[batch] = (now() - start) / count;
	}
	qsort(batches, BATCHES, sizeof(*batches), by_value);
	printf("%s %.0f\n", name, batches[BATCHES / 2]);
	fflush(stdout);
}

static void measure_file(const char *name, const char *file, int flags, void (*operation)(void))
{
	path = file;
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(1, "open %s", path);
	measure(name, operation, 300);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc == 3) { /* TRUE COUNT: only that many execs */
		path = argv[1];
		for (int i = atoi(argv[2]); i > 0; i--)
			do_exec();
		return 0;
	}
	if (argc != 6)
		errx(2, "usage: workload TRUE FILE2 FILE7 MATCH WRITE, or workload TRUE COUNT");
	measure_file("pread-2", argv[2], O_RDONLY, do_pread);
	measure_file("pread-7", argv[3], O_RDONLY, do_pread);
	measure_file("pread-match", argv[4], O_RDONLY, do_pread);
	measure_file("pwrite-2", argv[5], O_WRONLY, do_pwrite);
	measure_file("open-close", argv[2], O_RDONLY, do_open_close);
	path = argv[1];
	measure("exec", do_exec, 150);
	return 0;
}
