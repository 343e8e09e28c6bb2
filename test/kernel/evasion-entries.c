/* Techniques that use other ways into the kernel: mounts by descriptors, mount(8), pid namespaces and 32-bit calls. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

/* Makes a tmpfs by fsopen, and returns the descriptor of its mount, which is attached nowhere. */
static int make_mount(void)
{
	int context = (int)check(syscall(SYS_fsopen, "tmpfs", 0), "fsopen");
	check(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "fsconfig");
	return (int)check(syscall(SYS_fsmount, context, 0, 0), "fsmount");
}

/* fsmount TARGET FILE: attaches the mount, and writes FILE through it */
static void do_fsmount(char **arg)
{
	check(syscall(SYS_move_mount, make_mount(), "", AT_FDCWD, arg[0], MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	check(write(open_file(arg[1], O_WRONLY | O_CREAT), "x", 1), "write");
}

/* detached NAME: writes a file of a mount that is attached nowhere */
static void do_detached(char **arg)
{
	int fd = (int)check(openat(make_mount(), arg[0], O_WRONLY | O_CREAT, 0600), "openat");
	check(write(fd, "x", 1), "write");
}

/* program FILE ARGUMENT...: executes it */
static void do_program(char **arg)
{
	check(execv(arg[0], arg), arg[0]);
}

/* mounts TECHNIQUE ARGUMENT...: with mounts of its own */
static void do_mounts(char **arg)
{
	unshare_mounts();
	run_technique(arg);
}

/* pidns TECHNIQUE ARGUMENT...: as process 1 of a new pid namespace */
static void do_pidns(char **arg)
{
	int status;
	pid_t child;
	check(unshare(CLONE_NEWPID), "unshare");
	child = (pid_t)check(fork(), "fork");
	if (child == 0) {
		run_technique(arg);
		_exit(0);
	}
	announce_pid(child);
	check(waitpid(child, &status, 0), "waitpid");
	_exit(status == 0 ? 0 : 1);
}

/* ia32 NUMBER FIRST SECOND: a 32-bit system call, whatever its result is */
static void do_ia32(char **arg)
{
	long number = atol(arg[0]), first = atol(arg[1]), second = atol(arg[2]);
	__asm__ volatile("int $0x80"
			 : "+a"(number)
			 : "b"(first), "c"(second), "d"(0L), "S"(0L), "D"(0L)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
}

const struct technique entry_techniques[] = {
	{ "fsmount", 2, do_fsmount },      { "detached", 1, do_detached },  { "program", ANY_ARGS, do_program },
	{ "mounts", ANY_ARGS, do_mounts }, { "pidns", ANY_ARGS, do_pidns }, { "ia32", 3, do_ia32 },
	{ NULL, 0, NULL },
};
