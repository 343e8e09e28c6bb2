/*
 * Calls that policies mark and count: memory COMMAND... runs the commands one after the other.
 *
 * NUMBER    calls every kind of hook with this number: the system call getpgid, touch(), the probe memory:touched,
 *           and an open of FOLDER/NUMBER; then getsid for 1, getpgrp for 2, and getppid for others
 * ( ... )   a child process runs the commands
 * thread    another thread runs the commands that follow
 * exec      executes this program again with the commands that follow
 * cgroup    moves the process to the cgroup of the environment variable CGROUP
 * sleep MS  sleeps
 * connect   tries to connect to port 9 of this machine
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../native/base/sdt.h"

#define FOLDER "/tmp/memory/calls"

__attribute__((noinline)) int64_t touch(int32_t number, const char *name)
{
	__asm__ volatile("" : : "r"(*name));
	PROBE("memory", "touched", "0", "-4@%[n]", [n] "r"(number));
	return number;
}

static void call_hooks(int number)
{
	char path[64];
	int file;

	syscall(SYS_getpgid, number);
	touch(number, number % 2 ? "odd" : "even");
	snprintf(path, sizeof(path), FOLDER "/%d", number);
	file = open(path, O_RDONLY);
	if (file >= 0)
		close(file);
	syscall(number == 1 ? SYS_getsid : number == 2 ? SYS_getpgrp : SYS_getppid, 0);
}

static void join_cgroup(void)
{
	const char *folder = getenv("CGROUP");
	char path[4096];
	int file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder ? folder : "");
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, "0", 1) != 1) {
		perror(path);
		exit(1);
	}
	close(file);
}

static void try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	connect(sock, (struct sockaddr *)&to, sizeof(to));
	close(sock);
}

static void sleep_ms(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* Returns the commands after the parenthesis that closes the one before them. */
static char **after_child(char **commands)
{
	int depth = 1;

	for (; *commands && depth; commands++)
		depth += !strcmp(*commands, "(") - !strcmp(*commands, ")");
	return commands;
}

static void run(char **commands);

static void *run_thread(void *commands)
{
	run(commands);
	return NULL;
}

/* Returns the status of the child. */
static int run_child(char **commands)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		run(commands);
		exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

static void run(char **commands)
{
	pthread_t thread;

	while (*commands && strcmp(*commands, ")")) {
		char *command = *commands++;

		if (!strcmp(command, "(")) {
			if (run_child(commands))
				exit(1);
			commands = after_child(commands);
		} else if (!strcmp(command, "thread")) {
			pthread_create(&thread, NULL, run_thread, commands);
			pthread_join(thread, NULL);
			return;
		} else if (!strcmp(command, "exec")) {
			execv("/proc/self/exe", commands - 1);
			exit(1);
		} else if (!strcmp(command, "cgroup")) {
			join_cgroup();
		} else if (!strcmp(command, "sleep")) {
			sleep_ms(atol(*commands++));
		} else if (!strcmp(command, "connect")) {
			try_connect();
		} else {
			call_hooks(atoi(command));
		}
	}
}

int main(int count, char **args)
{
	if (count > 0)
		run(args + 1);
	return 0;
}
