/* Actions that policies report: programs, connections, memory and user ids. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "evasion.h"

void copy_file(const char *path, int to)
{
	struct stat size;
	int from = open_file(path, O_RDONLY);
	check(fstat(from, &size), "fstat");
	check(sendfile(to, from, NULL, size.st_size) == size.st_size ? 0 : -1, "sendfile");
}

void copy_program(int to)
{
	copy_file("/usr/bin/true", to);
}

void execute_descriptor(int fd, char **arg)
{
	check(syscall(SYS_execveat, fd, "", arg, environ, AT_EMPTY_PATH), "execveat");
}

/* program FILE ARGUMENT...: executes it */
static void do_program(char **arg)
{
	check(execv(arg[0], arg), arg[0]);
}

/* copyexec FILE: makes a program, and executes it */
static void do_copyexec(char **arg)
{
	int file = (int)check(open(arg[0], O_WRONLY | O_CREAT, 0700), arg[0]);
	copy_program(file);
	close(file);
	check(execl(arg[0], arg[0], NULL), arg[0]);
}

/* memfd: executes a program in memory */
static void do_memfd_program(char **arg)
{
	int fd = (int)check(memfd_create("evasion", MFD_CLOEXEC), "memfd_create");
	(void)arg;
	copy_program(fd);
	execute_descriptor(fd, (char *[]){ "evasion", NULL });
}

struct sockaddr_in listen_at(const char *address)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	socklen_t size = sizeof(own);
	int listener = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	check(inet_pton(AF_INET, address, &own.sin_addr) == 1 ? 0 : -1, address);
	check(bind(listener, (void *)&own, sizeof(own)), "bind");
	check(listen(listener, 1), "listen");
	check(getsockname(listener, (void *)&own, &size), "getsockname");
	return own;
}

int connect_to(const char *address)
{
	struct sockaddr_in own = listen_at(address);
	int connection = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	check(connect(connection, (void *)&own, sizeof(own)), "connect");
	return connection;
}

static void do_connect(char **arg)
{
	connect_to(arg[0]);
}

void write_memory(int memory)
{
	static char byte;
	check(pwrite(memory, "x", 1, (off_t)&byte), "write");
	check(byte == 'x' ? 0 : -1, "the memory");
}

/* memory: writes the own memory by /proc */
static void do_memory_file(char **arg)
{
	(void)arg;
	write_memory(open_file("/proc/thread-self/mem", O_RDWR));
}

/* regain: gets the user id 0 again, which is saved. The C library would call in each thread. */
static void do_regain(char **arg)
{
	(void)arg;
	check(syscall(SYS_setresuid, 1000, 1000, 0), "setresuid");
	check(syscall(SYS_setuid, 0), "setuid");
	check(geteuid() == 0 ? 0 : -1, "the user id");
}

static void do_setns(char **arg)
{
	(void)arg;
	check(setns(open_file("/proc/thread-self/ns/net", O_RDONLY), CLONE_NEWNET), "setns");
}

const struct technique action_techniques[] = {
	{ "program", ANY_ARGS, do_program },
	{ "copyexec", 1, do_copyexec },
	{ "memfdexec", 0, do_memfd_program },
	{ "connect", 1, do_connect },
	{ "memory", 0, do_memory_file },
	{ "regain", 0, do_regain },
	{ "setns", 0, do_setns },
	{ NULL, 0, NULL },
};
