/* Techniques of processes that are older than the policies, and of leaders that have ended. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

/* Reports that the technique is prepared, and waits until the policies are loaded. */
static void wait_for_policies(void)
{
	char byte;
	check(write(1, "ready\n", 6), "write");
	while (read(0, &byte, 1) > 0)
		;
}

/* wait TECHNIQUE... */
static void do_wait(char **arg)
{
	wait_for_policies();
	run_technique(arg);
}

/* ---- what a process has before the policies ------------------------------------------------------------------------
 */

/* hold FILE read|write: a descriptor */
static void do_hold(char **arg)
{
	int writes = !strcmp(arg[1], "write"), fd = open_file(arg[0], writes ? O_WRONLY : O_RDONLY);
	wait_for_policies();
	if (writes)
		check(write(fd, "x", 1), "write");
	else
		read_from(fd);
}

/* holdmap FILE read|write: a shared mapping */
static void do_holdmap(char **arg)
{
	int writes = !strcmp(arg[1], "write"), fd = open_file(arg[0], writes ? O_RDWR : O_RDONLY);
	volatile char *at = mmap(NULL, 1, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	check((void *)at == MAP_FAILED ? -1 : 0, "mmap");
	wait_for_policies();
	if (writes)
		at[0] = 'y';
	check(at[0] == (writes ? 'y' : 'x') ? 0 : -1, "the content");
}

/* holdmount NAME: a mount that is attached nowhere */
static void do_holdmount(char **arg)
{
	int mount = make_mount();
	wait_for_policies();
	write_below(mount, arg[0]);
}

/* holdmemfd: a program in memory, which is executed */
static void do_holdmemfd(char **arg)
{
	int fd = (int)check(memfd_create("evasion", MFD_CLOEXEC), "memfd_create");
	(void)arg;
	copy_program(fd);
	wait_for_policies();
	execute_descriptor(fd, (char *[]){ "evasion", NULL });
}

/* holdmemory: the memory of this process, by /proc */
static void do_holdmemory(char **arg)
{
	int fd = open_file("/proc/self/mem", O_RDWR);
	(void)arg;
	wait_for_policies();
	write_memory(fd);
}

/* holdtrace: a process that is traced. Its memory is written. */
static void do_holdtrace(char **arg)
{
	static long word;
	pid_t child = (pid_t)check(fork(), "fork");
	(void)arg;
	while (child == 0)
		pause();
	check(ptrace(PTRACE_ATTACH, child, NULL, NULL), "PTRACE_ATTACH");
	check(waitpid(child, NULL, 0), "waitpid");
	wait_for_policies();
	check(ptrace(PTRACE_POKEDATA, child, &word, 1L), "PTRACE_POKEDATA");
	check(ptrace(PTRACE_KILL, child, NULL, NULL), "PTRACE_KILL");
}

/* holdconnection ADDRESS */
static void do_holdconnection(char **arg)
{
	int connection = connect_to(arg[0]);
	wait_for_policies();
	check(write(connection, "x", 1), "write");
}

/* holduser: a user namespace, which this process enters */
static void do_holduser(char **arg)
{
	int ready[2], fd;
	char path[64];
	pid_t child;
	(void)arg;
	check(pipe(ready), "pipe");
	child = (pid_t)check(fork(), "fork");
	if (child == 0) {
		check(unshare(CLONE_NEWUSER), "unshare");
		check(write(ready[1], "x", 1), "write");
		pause();
	}
	read_from(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
	fd = open_file(path, O_RDONLY);
	check(kill(child, SIGKILL), "kill");
	wait_for_policies();
	check(setns(fd, CLONE_NEWUSER), "setns");
}

/* ---- a leader that has ended ---------------------------------------------------------------------------------------
 */

static void wait_for_leader_end(void)
{
	char stat[512], state = 0;
	while (state != 'Z') {
		int fd = open_file("/proc/self/stat", O_RDONLY);
		ssize_t length = check(read(fd, stat, sizeof(stat) - 1), "read");
		stat[length] = 0;
		state = strrchr(stat, ')')[2];
		close(fd);
		sched_yield();
	}
}

static void *run_without_leader(void *technique)
{
	wait_for_leader_end();
	run_technique(technique);
	_exit(0);
}

/* leaderless NAME TECHNIQUE...: in a thread that outlives the leader, whose name is then NAME */
static void do_leaderless(char **arg)
{
	pthread_t thread;
	check(prctl(PR_SET_NAME, arg[0], 0, 0, 0), "PR_SET_NAME");
	check(-pthread_create(&thread, NULL, run_without_leader, arg + 1), "pthread_create");
	syscall(SYS_exit, 0);
}

const struct technique identity_techniques[] = {
	{ "wait", ANY_ARGS, do_wait },
	{ "hold", 2, do_hold },
	{ "holdmap", 2, do_holdmap },
	{ "holdmount", 1, do_holdmount },
	{ "holdmemfd", 0, do_holdmemfd },
	{ "holdmemory", 0, do_holdmemory },
	{ "holdtrace", 0, do_holdtrace },
	{ "holdconnection", 1, do_holdconnection },
	{ "holduser", 0, do_holduser },
	{ "leaderless", ANY_ARGS, do_leaderless },
	{ NULL, 0, NULL },
};
