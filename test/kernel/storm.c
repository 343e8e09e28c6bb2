/*
 * Processes that fork and exec continuously. Each of them calls lseek with numbers that no other process uses.
 *
 *   storm drive IN OUT LEAF ROOTS: keeps ROOTS roots of IN and as many of OUT running, until its standard input ends
 *   storm root TAG LEAF: a root with nine descendants, for a few rounds. The parent of a process outlives it.
 *   storm hop TAG LEAF: executes LEAF in the same process
 *   storm leaf TAG: runs as LEAF
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

static void call_lseek(const char *tag)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	syscall(SYS_lseek, atol(tag), now.tv_sec * 1000000000L + now.tv_nsec, 0);
}

static pid_t fork_child(void)
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

static void exec_program(char *program, char *what, char *tag, char *leaf)
{
	char *arg[] = { program, what, tag, leaf, 0 };
	execv(program, arg);
	perror(program);
	_exit(1);
}

static void run_leaf(char *tag)
{
	for (int i = 0; i < 3; i++) {
		call_lseek(tag);
		pause_ms(PAUSE_MS);
	}
}

/* A process below a root, with a leaf as its child. At the end, it executes LEAF itself. */
static void run_twig(char *tag, char *leaf)
{
	call_lseek(tag);
	if (fork_child() == 0)
		exec_program(leaf, "leaf", tag, 0);
	pause_ms(PAUSE_MS);
	call_lseek(tag);
	wait(0);
	exec_program(leaf, "leaf", tag, 0);
}

static void run_branch(char *tag, char *leaf)
{
	call_lseek(tag);
	if (fork_child() == 0)
		run_twig(tag, leaf);
	pause_ms(PAUSE_MS);
	call_lseek(tag);
	wait(0);
	call_lseek(tag);
}

static void run_root(char *tag, char *leaf)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BRANCHES; i++)
			if (fork_child() == 0) {
				run_branch(tag, leaf);
				_exit(0);
			}
		call_lseek(tag);
		while (wait(0) > 0)
			call_lseek(tag);
	}
}

static void drive_storm(char *in, char *out, char *leaf, int roots)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	int started = 0, running = 0;

	puts("driving");
	fflush(stdout);
	while (poll(&input, 1, 5) == 0) {
		while (running < 2 * roots) {
			int odd = started % 2;

			/* every fifth process executes another program */
			if (fork_child() == 0)
				exec_program(odd ? out : in, started % 5 ? "root" : "hop", odd ? "5002" : "5001", leaf);
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
		drive_storm(arg[2], arg[3], arg[4], atoi(arg[5]));
	else if (count == 4 && !strcmp(arg[1], "root"))
		run_root(arg[2], arg[3]);
	else if (count == 4 && !strcmp(arg[1], "hop")) {
		run_leaf(arg[2]);
		exec_program(arg[3], "leaf", arg[2], 0);
	} else if (count == 3 && !strcmp(arg[1], "leaf"))
		run_leaf(arg[2]);
	else
		return 2;
	return 0;
}
