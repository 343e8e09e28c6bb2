/*
 * Processes that fork and exec all the time. Each of them calls lseek with numbers that no other process uses.
 *
 *   storm drive IN OUT LEAF ROOTS: keeps ROOTS roots of IN and as many of OUT running, until its standard input ends
 *   storm root TAG LEAF: a root and nine descendants at once, for a few rounds. The parent of a process outlives it.
 *   storm hop TAG LEAF: executes LEAF in the same process
 *   storm leaf TAG: as LEAF
 *
 * TAG is the descriptor for lseek: 5001 below IN, 5002 below OUT.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BRANCHES = 3, ROUNDS = 2, PAUSE_MS = 2000 };

static void pause_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
	nanosleep(&time, 0);
}

static void act(const char *tag)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	syscall(SYS_lseek, atol(tag), now.tv_sec * 1000000000L + now.tv_nsec, 0);
}

static pid_t spawn(void)
{
	pid_t pid = fork();
	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void run(char *program, char *what, char *tag, char *leaf)
{
	char *arg[] = { program, what, tag, leaf, 0 };
	execv(program, arg);
	perror(program);
	_exit(1);
}

static void be_leaf(char *tag)
{
	for (int i = 0; i < 3; i++) {
		act(tag);
		pause_ms(PAUSE_MS);
	}
}

/* A process below a root, with a leaf as its child. It ends as a leaf itself. */
static void be_twig(char *tag, char *leaf)
{
	act(tag);
	if (spawn() == 0)
		run(leaf, "leaf", tag, 0);
	pause_ms(PAUSE_MS);
	act(tag);
	wait(0);
	run(leaf, "leaf", tag, 0);
}

static void be_branch(char *tag, char *leaf)
{
	act(tag);
	if (spawn() == 0)
		be_twig(tag, leaf);
	pause_ms(PAUSE_MS);
	act(tag);
	wait(0);
	act(tag);
}

static void be_root(char *tag, char *leaf)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BRANCHES; i++)
			if (spawn() == 0) {
				be_branch(tag, leaf);
				_exit(0);
			}
		act(tag);
		while (wait(0) > 0)
			act(tag);
	}
}

static void drive(char *in, char *out, char *leaf, int roots)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int started = 0, running = 0;

	puts("driving");
	fflush(stdout);
	while (poll(&input, 1, 5) == 0) {
		while (running < 2 * roots) {
			int odd = started % 2;

			/* Sometimes a process executes another program. */
			if (spawn() == 0)
				run(odd ? out : in, started % 5 ? "root" : "hop", odd ? "5002" : "5001", leaf);
			started++;
			running++;
		}
		while (waitpid(-1, 0, WNOHANG) > 0)
			running--;
	}
}

int main(int count, char **arg)
{
	if (count == 6 && !strcmp(arg[1], "drive"))
		drive(arg[2], arg[3], arg[4], atoi(arg[5]));
	else if (count == 4 && !strcmp(arg[1], "root"))
		be_root(arg[2], arg[3]);
	else if (count == 4 && !strcmp(arg[1], "hop")) {
		be_leaf(arg[2]);
		run(arg[3], "leaf", arg[2], 0);
	} else if (count == 3 && !strcmp(arg[1], "leaf"))
		be_leaf(arg[2]);
	else
		return 2;
	return 0;
}
