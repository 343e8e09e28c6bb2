/*
 * paced exec|open RATE SECONDS: runs a program, or opens a file, RATE times a second. Prints "ready", and begins when
 * it can read a byte. Prints the number of operations.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *self;

static void do_exec(void)
{
	int status;
	pid_t child = vfork();

	if (child < 0)
		err(1, "vfork");
	if (child == 0) {
		execl(self, self, (char *)NULL);
		_exit(127);
	}
	if (waitpid(child, &status, 0) < 0 || status != 0)
		errx(1, "%s: status %x", self, status);
}

static void do_open(void)
{
	int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (opened < 0)
		err(1, "open");
	close(opened);
}

int main(int argc, char **argv)
{
	enum { NS = 1000000000 };
	struct timespec next;
	void (*operation)(void);
	long total, period;
	char go;

	if (argc == 1)
		return 0; /* the program that do_exec() runs */
	if (argc != 4)
		errx(2, "usage: paced exec|open RATE SECONDS");
	self = argv[0];
	operation = strcmp(argv[1], "exec") == 0 ? do_exec : do_open;
	total = atol(argv[2]) * atol(argv[3]);
	period = NS / atol(argv[2]);
	puts("ready");
	fflush(stdout);
	if (read(0, &go, 1) != 1)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long i = 0; i < total; i++) {
		operation();
		next.tv_nsec += period;
		next.tv_sec += next.tv_nsec / NS;
		next.tv_nsec %= NS;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	printf("%ld\n", total);
	return 0;
}
