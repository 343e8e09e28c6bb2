/*
 * The actions of the matrix of types and operators. Each line of standard input is one action: a thread name, the name
 * of the action, and its arguments, separated by tabs. Each action runs in its own process. The process has the thread
 * name only during the action, so every event with this name belongs to the action.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_alg.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "actions.h"

static const char *mark;

/* Gives the thread its name: the action begins. */
static void begin_action(void)
{
	prctl(PR_SET_NAME, mark);
}

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
}

static long parse_number(const char *text)
{
	return *text == '-' ? strtol(text, 0, 0) : (long)strtoul(text, 0, 0);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0644);
	check(fd, path);
	return fd;
}

/* lseek FD OFFSET WHENCE: fails, which is expected */
static void do_lseek(char **arg)
{
	begin_action();
	syscall(SYS_lseek, parse_number(arg[0]), parse_number(arg[1]), parse_number(arg[2]));
}

/* EFFECTIVE INHERITABLE PERMITTED; the kernel may refuse it, which is expected */
static void set_capabilities(char **arg)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	unsigned long e = parse_number(arg[0]), i = parse_number(arg[1]), p = parse_number(arg[2]);
	for (int half = 0; half < 2; half++)
		data[half] = (struct __user_cap_data_struct){ e >> 32 * half, p >> 32 * half, i >> 32 * half };
	syscall(SYS_capset, &header, data);
}

/* The system call of actions that test the process. Its descriptor identifies it. */
static void call_lseek(void)
{
	begin_action();
	syscall(SYS_lseek, 4242, 0, 0);
}

/* nested NAME: by a child of a process with that name */
static void do_nested(char **arg)
{
	prctl(PR_SET_NAME, arg[0]);
	if (fork() == 0) {
		call_lseek();
		_exit(0);
	}
	wait(NULL);
}

/* rlimit BYTES (of core files: this limit accepts any number without an effect), seteuid UID */
static void do_rlimit(char **arg)
{
	struct rlimit limit = { parse_number(arg[0]), RLIM_INFINITY };
	check(setrlimit(RLIMIT_CORE, &limit), "setrlimit");
	call_lseek();
}

static void do_seteuid(char **arg)
{
	check(setresuid(-1, parse_number(arg[0]), -1), "setresuid");
	call_lseek();
}

/* seek FILE OFFSET WHENCE */
static void do_seek(char **arg)
{
	int fd = open_file(arg[0], O_RDWR | O_CREAT);
	begin_action();
	syscall(SYS_lseek, fd, parse_number(arg[1]), parse_number(arg[2]));
}

/* openat PATH: with exactly this string; fails if it does not exist, which is expected */
static void do_openat(char **arg)
{
	begin_action();
	syscall(SYS_openat, AT_FDCWD, arg[0], O_RDONLY);
}

/* create FILE FLAGS */
static void do_create(char **arg)
{
	begin_action();
	check(open(arg[0], O_CREAT | parse_number(arg[1]), 0644), arg[0]);
}

/* unlinkat PATH: fails if it does not exist, which is expected */
static void do_unlinkat(char **arg)
{
	begin_action();
	syscall(SYS_unlinkat, AT_FDCWD, arg[0], 0);
}

/* remove FILE: creates it first */
static void do_remove(char **arg)
{
	close(open_file(arg[0], O_RDWR | O_CREAT));
	begin_action();
	check(unlink(arg[0]), "unlink");
}

/* write TEXT, writelong COUNT TEXT: to /dev/null */
static void do_write(char **arg)
{
	int fd = open_file("/dev/null", O_WRONLY);
	begin_action();
	check(write(fd, arg[0], strlen(arg[0])), "write");
}

static void do_writelong(char **arg)
{
	size_t filler = parse_number(arg[0]), end = strlen(arg[1]);
	char *text = malloc(filler + end);
	int fd = open_file("/dev/null", O_WRONLY);
	memset(text, 'x', filler);
	memcpy(text + filler, arg[1], end);
	begin_action();
	check(write(fd, text, filler + end), "write");
}

/* read TEXT: from a pipe */
static void do_read(char **arg)
{
	char *text = calloc(1, 65536);
	int fds[2];
	check(pipe(fds), "pipe");
	check(write(fds[1], arg[0], strlen(arg[0])), "write");
	begin_action();
	check(read(fds[0], text, 65536), "read");
}

/* writev TEXT: in three pieces, the second of one byte */
static void do_writev(char **arg)
{
	size_t length = strlen(arg[0]), half = length / 2;
	struct iovec pieces[] = { { arg[0], half }, { arg[0] + half, 1 }, { arg[0] + half + 1, length - half - 1 } };
	int fd = open_file("/dev/null", O_WRONLY);
	begin_action();
	check(writev(fd, pieces, 3), "writev");
}

/* pipe TEXT: writes to one; pipev TEXT: in three pieces */
static void do_pipe(char **arg)
{
	int fds[2];
	check(pipe(fds), "pipe");
	begin_action();
	check(write(fds[1], arg[0], strlen(arg[0])), "write");
}

static void do_pipev(char **arg)
{
	size_t length = strlen(arg[0]), half = length / 2;
	struct iovec pieces[] = { { arg[0], half }, { arg[0] + half, 1 }, { arg[0] + half + 1, length - half - 1 } };
	int fds[2];
	check(pipe(fds), "pipe");
	begin_action();
	check(writev(fds[1], pieces, 3), "writev");
}

/* xattr FILE TEXT */
static void do_xattr(char **arg)
{
	close(open_file(arg[0], O_RDWR | O_CREAT));
	begin_action();
	check(setxattr(arg[0], "trusted.matrix", arg[1], strlen(arg[1]), 0), "setxattr");
}

/* readfile FILE, writefile FILE, readdir FOLDER */
static void do_readfile(char **arg)
{
	int fd = open_file(arg[0], O_RDWR | O_CREAT);
	char byte;
	begin_action();
	check(read(fd, &byte, 1), "read");
}

static void do_writefile(char **arg)
{
	int fd = open_file(arg[0], O_RDWR | O_CREAT);
	begin_action();
	check(write(fd, "x", 1), "write");
}

/* append FILE: a byte */
static void do_append(char **arg)
{
	/* on the stack: a constant would be on a page that is not in memory yet, and a hook could not read it */
	char byte = '\n';
	int fd = open_file(arg[0], O_WRONLY | O_APPEND | O_NOCTTY);
	begin_action();
	check(write(fd, &byte, 1), "write");
}

static void do_readdir(char **arg)
{
	int fd = open_file(arg[0], O_RDONLY | O_DIRECTORY);
	char entries[1024];
	begin_action();
	check(syscall(SYS_getdents64, fd, entries, sizeof(entries)), "getdents64");
}

/* chmod PATH MODE: creates the file if it does not exist */
static void do_chmod(char **arg)
{
	if (access(arg[0], F_OK))
		close(open_file(arg[0], O_RDWR | O_CREAT));
	begin_action();
	check(chmod(arg[0], parse_number(arg[1])), "chmod");
}

/* mkdir PATH MODE: fails if it exists, which is expected */
static void do_mkdir(char **arg)
{
	rmdir(arg[0]);
	umask(0);
	begin_action();
	mkdir(arg[0], parse_number(arg[1]));
}

/* exec FILE, program FILE: runs a link to this program under the name FILE; `program` then performs the action in it */
static void execute_link(char **argv)
{
	if (linkat(AT_FDCWD, "/proc/self/exe", AT_FDCWD, argv[0], AT_SYMLINK_FOLLOW) && errno != EEXIST)
		check(-1, argv[0]);
	check(execv(argv[0], argv), "execv");
}

static void do_exec(char **arg)
{
	char *argv[] = { arg[0], NULL };
	begin_action();
	execute_link(argv);
}

static void do_program(char **arg)
{
	char *argv[] = { arg[0], "marked", (char *)mark, NULL };
	execute_link(argv);
}

void run_marked(const char *name)
{
	mark = name;
	call_lseek();
}

/* chain LEADER FOLLOWER: the second program is a child of the first */
static void do_chain(char **arg)
{
	char *argv[] = { arg[0], "lead", (char *)mark, arg[1], NULL };
	execute_link(argv);
}

void run_leader(char *name, char *follower)
{
	char *argv[] = { follower, "marked", name, NULL };
	if (fork() == 0)
		execute_link(argv);
	wait(NULL);
}

/* unshared FLAGS FORK: in new namespaces; some of them apply only to a child */
static void do_unshared(char **arg)
{
	check(unshare(parse_number(arg[0])), "unshare");
	if (parse_number(arg[1]) && fork() > 0) {
		wait(NULL);
		return;
	}
	call_lseek();
}

/* with EFFECTIVE INHERITABLE PERMITTED: with these capabilities */
static void do_with(char **arg)
{
	set_capabilities(arg);
	call_lseek();
}

/* changed FLAGS EFFECTIVE INHERITABLE PERMITTED: in new namespaces and with these capabilities, three calls */
static void do_changed(char **arg)
{
	check(unshare(parse_number(arg[0])), "unshare");
	set_capabilities(arg + 1);
	for (int i = 0; i < 3; i++)
		call_lseek();
}

/* call NUMBER ARGUMENT...: any system call, with any result; =STRING is the address of a string */
static void do_call(char **arg)
{
	long words[7] = { 0 };
	for (int i = 0; i < 7 && arg[i] != NULL; i++)
		words[i] = arg[i][0] == '=' ? (long)(arg[i] + 1) : parse_number(arg[i]);
	begin_action();
	syscall(words[0], words[1], words[2], words[3], words[4], words[5], words[6]);
}

/* socket FAMILY */
static void do_socket(char **arg)
{
	begin_action();
	check(socket(parse_number(arg[0]), SOCK_DGRAM, 0), "socket");
}

static socklen_t parse_address(struct sockaddr_storage *to, const char *host, const char *port)
{
	struct sockaddr_in *four = (void *)to;
	struct sockaddr_in6 *six = (void *)to;
	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(parse_number(port));
		return sizeof(*four);
	}
	check(inet_pton(AF_INET6, host, &six->sin6_addr) == 1 ? 0 : -1, host);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(parse_number(port));
	return sizeof(*six);
}

static int bind_socket(int type, const char *host, const char *port)
{
	struct sockaddr_storage at;
	socklen_t length = parse_address(&at, host, port);
	int fd = socket(at.ss_family, type, 0), one = 1;
	check(fd, "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "SO_REUSEADDR");
	check(bind(fd, (void *)&at, length), "bind");
	return fd;
}

/* tcp SOURCE PORT DESTINATION PORT: connects to a port without a listener */
static void do_tcp(char **arg)
{
	struct sockaddr_storage to;
	socklen_t length = parse_address(&to, arg[2], arg[3]);
	int fd = bind_socket(SOCK_STREAM, arg[0], arg[1]);
	begin_action();
	connect(fd, (void *)&to, length);
}

/* listen ADDRESS PORT: listens, and closes the socket */
static void do_listen(char **arg)
{
	int fd = bind_socket(SOCK_STREAM, arg[0], arg[1]);
	check(listen(fd, 1), "listen");
	begin_action();
	close(fd);
}

/* udp SOURCE PORT DESTINATION PORT: connects, and asks for the other end */
static void do_udp(char **arg)
{
	struct sockaddr_storage to;
	socklen_t length = parse_address(&to, arg[2], arg[3]);
	int fd = bind_socket(SOCK_DGRAM, arg[0], arg[1]);
	begin_action();
	check(connect(fd, (void *)&to, length), "connect");
	length = sizeof(to);
	check(getpeername(fd, (void *)&to, &length), "getpeername");
}

/* peer stream|datagram ADDRESS PORT: asks for the other end, which does not exist */
static void do_peer(char **arg)
{
	struct sockaddr_storage to;
	socklen_t length = sizeof(to);
	int fd = bind_socket(strcmp(arg[0], "stream") ? SOCK_DGRAM : SOCK_STREAM, arg[1], arg[2]);
	begin_action();
	getpeername(fd, (void *)&to, &length);
}

/* send SOURCE PORT DESTINATION PORT: sends a packet that is received */
static void do_send(char **arg)
{
	struct sockaddr_storage to;
	socklen_t length = parse_address(&to, arg[2], arg[3]);
	int fd = bind_socket(SOCK_DGRAM, arg[0], arg[1]);
	bind_socket(SOCK_DGRAM, arg[2], arg[3]);
	begin_action();
	check(sendto(fd, "matrix", 6, 0, (void *)&to, length), "sendto");
}

/* unix PATH: connects; fails if no socket listens, which is expected */
static void do_unix(char **arg)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t length = strlen(arg[0]);
	check(fd, "socket");
	memcpy(to.sun_path, arg[0], length);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	begin_action();
	connect(fd, (void *)&to, offsetof(struct sockaddr_un, sun_path) + length + (arg[0][0] != '@'));
}

/*
 * unixend PATH: the same, but no NUL ends the path: the bytes behind the length of the address are others, which the
 * kernel does not look at. Neither does it look at the upper half of the register with the length.
 */
static void do_unixend(char **arg)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t length = strlen(arg[0]);
	check(fd, "socket");
	memset(to.sun_path, 'X', sizeof(to.sun_path));
	memcpy(to.sun_path, arg[0], length);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	begin_action();
	syscall(SYS_connect, fd, &to, (0x41414141UL << 32) + offsetof(struct sockaddr_un, sun_path) + length);
}

/*
 * alg TYPE/NAME: connects to the address of an algorithm, which fails. No NUL ends the name: the last byte of the
 * address is another one, which the kernel would overwrite.
 */
static void do_alg(char **arg)
{
	struct sockaddr_alg to = { .salg_family = AF_ALG, .salg_feat = 8, .salg_mask = 12 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	const char *name = strchr(arg[0], '/') + 1;
	size_t length = strlen(name);
	check(fd, "socket");
	memcpy(to.salg_type, arg[0], name - 1 - arg[0]);
	memcpy(to.salg_name, name, length);
	to.salg_name[length] = 'X';
	begin_action();
	/* the kernel takes the lower half of the size only */
	syscall(SYS_connect, fd, &to, 1L << 32 | (offsetof(struct sockaddr_alg, salg_name) + length + 1));
}

/* device NAME: renames the loopback device of a new network namespace, and sets it up */
static void do_device(char **arg)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd;
	check(unshare(CLONE_NEWNET), "unshare");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	check(fd, "socket");
	strncpy(request.ifr_newname, arg[0], IFNAMSIZ - 1);
	check(ioctl(fd, SIOCSIFNAME, &request), "SIOCSIFNAME");
	memset(&request, 0, sizeof(request));
	strncpy(request.ifr_name, arg[0], IFNAMSIZ - 1);
	request.ifr_flags = IFF_UP;
	begin_action();
	check(ioctl(fd, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
}

/* capable NUMBER: an operation that needs that capability */
static void do_capable(char **arg)
{
	long wanted = parse_number(arg[0]);
	begin_action();
	switch (wanted) {
	case CAP_SYS_CHROOT:
		check(chroot("/"), "chroot");
		return;
	case CAP_SYS_PACCT:
		check(syscall(SYS_acct, 0L), "acct");
		return;
	case CAP_SYS_BOOT:
		syscall(SYS_reboot, 0, 0, 0, 0);
		return;
	}
	_exit(1);
}

/* capset EFFECTIVE INHERITABLE PERMITTED */
static void do_capset(char **arg)
{
	begin_action();
	set_capabilities(arg);
}

/* setuid UID */
static void do_setuid(char **arg)
{
	begin_action();
	check(setresuid(-1, parse_number(arg[0]), -1), "setresuid");
}

/* bpf COMMAND: with empty attributes; fails, which is expected */
static void do_bpf(char **arg)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	begin_action();
	syscall(SYS_bpf, parse_number(arg[0]), &attr, sizeof(attr));
}

/* bpfprog NAME, bpfmap NAME */
static void do_bpfprog(char **arg)
{
	struct bpf_insn code[] = { { BPF_ALU64 | 0xb0, 0, 0, 0, 0 }, { BPF_JMP | 0x90, 0, 0, 0, 0 } };
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (unsigned long)code;
	attr.insn_cnt = 2;
	attr.license = (unsigned long)"GPL";
	strncpy(attr.prog_name, arg[0], sizeof(attr.prog_name) - 1);
	begin_action();
	check(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)), "BPF_PROG_LOAD");
}

static void do_bpfmap(char **arg)
{
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 3;
	strncpy(attr.map_name, arg[0], sizeof(attr.map_name) - 1);
	begin_action();
	check(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)), "BPF_MAP_CREATE");
}

/* perf CONFIG: opens a software counter of the kernel */
static void do_perf(char **arg)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = parse_number(arg[0]) };
	begin_action();
	check(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), "perf_event_open");
}

/* module FILE NAME: loads and removes it */
static void do_module(char **arg)
{
	int fd = open_file(arg[0], O_RDONLY);
	begin_action();
	check(syscall(SYS_finit_module, fd, "", 0), "finit_module");
	check(syscall(SYS_delete_module, arg[1], 0), "delete_module");
}

enum { ANY = -1, TOKENS_MAX = 9 };

/* nscall FLAGS NUMBER ARGUMENT...: by a child in new namespaces */
static void do_nscall(char **arg)
{
	check(unshare(parse_number(arg[0])), "unshare");
	if (fork() == 0) {
		do_call(arg + 1);
		_exit(0);
	}
	wait(NULL);
}

static const struct action {
	const char *name;
	int args;
	void (*run)(char **);
} actions[] = {
	{ "lseek", 3, do_lseek },       { "seek", 3, do_seek },         { "openat", 1, do_openat },
	{ "create", 2, do_create },     { "unlinkat", 1, do_unlinkat }, { "remove", 1, do_remove },
	{ "write", 1, do_write },       { "read", 1, do_read },         { "writelong", 2, do_writelong },
	{ "writev", 1, do_writev },     { "pipe", 1, do_pipe },         { "pipev", 1, do_pipev },
	{ "xattr", 2, do_xattr },       { "readfile", 1, do_readfile }, { "writefile", 1, do_writefile },
	{ "readdir", 1, do_readdir },   { "chmod", 2, do_chmod },       { "mkdir", 2, do_mkdir },
	{ "exec", 1, do_exec },         { "tcp", 4, do_tcp },           { "listen", 2, do_listen },
	{ "udp", 4, do_udp },           { "peer", 3, do_peer },         { "send", 4, do_send },
	{ "unix", 1, do_unix },         { "unixend", 1, do_unixend },   { "alg", 1, do_alg },
	{ "device", 1, do_device },     { "capable", 1, do_capable },   { "capset", 3, do_capset },
	{ "setuid", 1, do_setuid },     { "bpf", 1, do_bpf },           { "bpfprog", 1, do_bpfprog },
	{ "bpfmap", 1, do_bpfmap },     { "perf", 1, do_perf },         { "module", 2, do_module },
	{ "nested", 1, do_nested },     { "rlimit", 1, do_rlimit },     { "seteuid", 1, do_seteuid },
	{ "program", 1, do_program },   { "socket", 1, do_socket },     { "chain", 2, do_chain },
	{ "unshared", 2, do_unshared }, { "with", 3, do_with },         { "changed", 4, do_changed },
	{ "call", ANY, do_call },       { "nscall", ANY, do_nscall },   { "append", 1, do_append },
};

static const struct action *find_action(const char *name, int args)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(name, actions[i].name) && (args == actions[i].args || actions[i].args == ANY))
			return &actions[i];
	return NULL;
}

/* here: runs the action in the process that reads the actions */
static int run_here(const char *name)
{
	mark = name;
	call_lseek();
	prctl(PR_SET_NAME, "done");
	return 0;
}

/* Returns 0 on success. */
static int run_action(char *line)
{
	char *token[TOKENS_MAX + 1] = { NULL };
	const struct action *action;
	int count = 0, status;
	while (line != NULL && count < TOKENS_MAX)
		token[count++] = strsep(&line, "\t");
	if (count > 1 && !strcmp(token[1], "here"))
		return run_here(token[0]);
	action = count < 2 ? NULL : find_action(token[1], count - 2);
	if (action == NULL) {
		fprintf(stderr, "no such action: %s\n", count < 2 ? "" : token[1]);
		return 1;
	}
	mark = token[0];
	if (fork() == 0) {
		action->run(token + 2);
		prctl(PR_SET_NAME, "done");
		_exit(0);
	}
	check(wait(&status), "wait");
	if (status != 0)
		fprintf(stderr, "%s %s %s: status %d\n", token[0], token[1], token[2], status);
	return status != 0;
}

int run_batch(void)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;
	int failed = 0;
	while ((length = getline(&line, &capacity, stdin)) > 0) {
		line[length - 1] = 0;
		failed += run_action(line);
	}
	return failed == 0 ? 0 : 1;
}
