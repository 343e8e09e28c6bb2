// The actions of the native tests: helper NAME ARGS... (support.ts compiles it).
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int wait_for(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* loop COUNT PROGRAM: runs it COUNT times, one after the other */
static int loop(int count, char *program)
{
	char *argv[] = { program, 0 };
	for (int i = 0; i < count; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			execv(program, argv);
			_exit(127);
		}
		if (pid < 0 || wait_for(pid))
			return 1;
	}
	return 0;
}

static void *idle(void *arg)
{
	return arg;
}

/* threads: starts eight threads, which end again */
static int threads(void)
{
	pthread_t all[8];
	for (int i = 0; i < 8; i++)
		pthread_create(&all[i], 0, idle, 0);
	for (int i = 0; i < 8; i++)
		pthread_join(all[i], 0);
	return 0;
}

static char **exec_argv;
static void *exec_thread(void *arg)
{
	execv(exec_argv[0], exec_argv);
	return arg;
}

/* thread-exec PROGRAM ARGS...: a thread that is not the first one runs it */
static int thread_exec(char **argv)
{
	pthread_t thread;
	exec_argv = argv;
	pthread_create(&thread, 0, exec_thread, 0);
	pthread_join(thread, 0);
	return 1;
}

static pthread_t main_thread;
static void *outlive(void *arg)
{
	pthread_join(main_thread, 0);
	exit(7);
	return arg;
}

/* leader-first: the first thread ends, another one later ends the process with 7 */
static int leader_first(void)
{
	pthread_t thread;
	main_thread = pthread_self();
	pthread_create(&thread, 0, outlive, 0);
	pthread_exit(0);
}

/* double-fork PROGRAM ARGS...: runs it after its parent has ended */
static int double_fork(char **argv)
{
	int gone[2];
	pid_t child;
	if (pipe(gone))
		return 1;
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			char c;
			close(gone[1]);
			(void)!read(gone[0], &c, 1); /* until the parent has been waited for */
			execv(argv[0], argv);
			_exit(127);
		}
		_exit(0);
	}
	wait_for(child);
	close(gone[1]);
	return 0;
}

static int memfd(char **argv)
{
	static char bytes[1 << 20];
	int from = open(argv[0], O_RDONLY | O_CLOEXEC), to = memfd_create("kept", MFD_CLOEXEC);
	ssize_t got;
	while ((got = read(from, bytes, sizeof(bytes))) > 0)
		(void)!write(to, bytes, got);
	fexecve(to, argv, environ);
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct rlimit none = { 0, 0 };

	if (!strcmp(what, "loop"))
		return loop(atoi(argv[2]), argv[3]);
	if (!strcmp(what, "threads"))
		return threads();
	if (!strcmp(what, "thread-exec"))
		return thread_exec(argv + 2);
	if (!strcmp(what, "leader-first"))
		return leader_first();
	if (!strcmp(what, "double-fork"))
		return double_fork(argv + 2);
	if (!strcmp(what, "memfd"))
		return memfd(argv + 2);
	if (!strcmp(what, "fexecve"))
		return fexecve(open(argv[2], O_RDONLY | O_CLOEXEC), argv + 2, environ);
	if (!strcmp(what, "spawn")) {
		pid_t pid;
		return posix_spawn(&pid, argv[2], 0, 0, argv + 2, environ) || wait_for(pid);
	}
	if (!strcmp(what, "fork-exit")) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(5);
		return wait_for(pid);
	}
	if (!strcmp(what, "raw-exit"))
		syscall(SYS_exit, 3);
	if (!strcmp(what, "signal")) {
		setrlimit(RLIMIT_CORE, &none);
		raise(atoi(argv[2]));
	}
	if (!strcmp(what, "chroot"))
		return chroot(argv[2]) || chdir("/") || execv(argv[3], argv + 3);
	if (!strcmp(what, "setuid"))
		return setgid(65534) || setuid(65534) || execv(argv[2], argv + 2);
	/* This argv is made here, without a shell. */
	if (!strcmp(what, "no-argv")) {
		char *nothing[] = { 0 };
		return execv(argv[2], nothing);
	}
	return 0;
}
