/*
 * Runs its arguments as commands, one after the other. Policies hook set(), unset() and check().
 *   set=N unset=N check=N   calls the function with a number
 *   fork                    a child runs the rest, and the parent waits for it
 *   orphan                  a child runs the rest after its parent has ended
 *   exec                    executes this program again with the rest
 *   thread                  another thread runs the rest, and the main thread waits for it
 *   threadset=N             another thread calls set(), and ends
 *   wait                    prints a line, and waits for one
 *   spin=MS                 calls check() with 1, 2, … for so many milliseconds
 *   turns=N                 two threads on two processors take turns: set(), check(2i); unset(), check(2i + 1)
 *   bomb=N                  set() in one thread, while the other starts N children that call check()
 *   as=PID                  a child with this pid runs the rest; the pid must be free
 *   pid                     prints the pid
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((noinline)) void set(long number)
{
	__asm__ volatile("" ::"r"(number));
}

__attribute__((noinline)) void unset(long number)
{
	__asm__ volatile("" ::"r"(number));
}

__attribute__((noinline)) void check(long number)
{
	__asm__ volatile("" ::"r"(number));
}

static atomic_long turn;
static long turns;

static void pin_to(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void await_turn(long number)
{
	while (atomic_load(&turn) != number)
		sched_yield();
}

/* Even turns change the mark, odd ones check it: after a change, turn is 2i + 1. */
static void *change_in_turn(void *unused)
{
	(void)unused;
	pin_to(1);
	for (long i = 0; i < turns; i++) {
		await_turn(2 * i);
		if (i % 2 == 0)
			set(i);
		else
			unset(i);
		atomic_store(&turn, 2 * i + 1);
	}
	return NULL;
}

static void *set_in_thread(void *number)
{
	set((long)number);
	return NULL;
}

static void *run_in_thread(void *commands);

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	perror(what);
	exit(3);
}

static void run_child(pid_t child)
{
	if (child < 0)
		fail("fork");
	if (child == 0)
		return;
	waitpid(child, NULL, 0);
	exit(0);
}

static void run(char **commands)
{
	for (char **at = commands; *at; at++) {
		char *value = strchr(*at, '=');
		long number = value ? atol(value + 1) : 0;
		size_t length = value ? (size_t)(value - *at) : strlen(*at);
		pthread_t thread;

#define IS(name) (length == strlen(name) && !memcmp(*at, name, length))
		if (IS("set")) {
			set(number);
		} else if (IS("unset")) {
			unset(number);
		} else if (IS("check")) {
			check(number);
		} else if (IS("fork")) {
			run_child(fork());
		} else if (IS("orphan")) {
			int pipes[2];
			char byte;

			if (pipe(pipes))
				fail("pipe");
			run_child(fork());
			if (fork())
				exit(0);
			/* the pipe ends when the parent has ended */
			close(pipes[1]);
			while (read(pipes[0], &byte, 1) > 0)
				;
		} else if (IS("exec")) {
			*at = (char *)"marked";
			execv("/proc/self/exe", at);
			fail("execv");
		} else if (IS("thread")) {
			pthread_create(&thread, NULL, run_in_thread, at + 1);
			pthread_join(thread, NULL);
			exit(0);
		} else if (IS("threadset")) {
			pthread_create(&thread, NULL, set_in_thread, (void *)number);
			pthread_join(thread, NULL);
		} else if (IS("wait")) {
			char line[16];

			puts("waiting");
			fflush(stdout);
			if (!fgets(line, sizeof(line), stdin))
				exit(4);
		} else if (IS("spin")) {
			double end = seconds() + number / 1e3;

			for (long i = 1; seconds() < end; i++) {
				const struct timespec pause = { .tv_nsec = 1000000 };

				check(i);
				nanosleep(&pause, NULL);
			}
		} else if (IS("turns")) {
			turns = number;
			pin_to(0);
			pthread_create(&thread, NULL, change_in_turn, NULL);
			for (long i = 0; i < turns; i++) {
				await_turn(2 * i + 1);
				check(i);
				atomic_store(&turn, 2 * i + 2);
			}
			pthread_join(thread, NULL);
		} else if (IS("bomb")) {
			/* `set` happens before the first fork or after it, and before the last one */
			pthread_create(&thread, NULL, set_in_thread, (void *)1L);
			for (long i = 0; i < number; i++) {
				if (i == number / 2)
					pthread_join(thread, NULL);
				if (fork() == 0) {
					check(i);
					_exit(0);
				}
			}
			while (wait(NULL) > 0)
				;
		} else if (IS("as")) {
			pid_t wanted = number;
			struct clone_args args = {
				.exit_signal = SIGCHLD,
				.set_tid = (uint64_t)(uintptr_t)&wanted,
				.set_tid_size = 1,
			};

			run_child(syscall(SYS_clone3, &args, sizeof(args)));
		} else if (IS("pid")) {
			printf("%d\n", getpid());
			fflush(stdout);
		} else {
			fprintf(stderr, "what is %s?\n", *at);
			exit(2);
		}
	}
}

static void *run_in_thread(void *commands)
{
	run(commands);
	return NULL;
}

int main(int argc, char **argv)
{
	(void)argc;
	run(argv + 1);
	return 0;
}
