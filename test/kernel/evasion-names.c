/* Techniques that give a file another name, another mount or another root, and copies of a file that have no name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

/* link FILE LINK read|write: by the link */
static void do_link(char **arg)
{
	check(link(arg[0], arg[1]), "link");
	if (!strcmp(arg[2], "write"))
		write_path(arg[1]);
	else
		read_path(arg[1]);
}

/* rename OLD NEW FILE: reads FILE after it */
static void do_rename(char **arg)
{
	check(rename(arg[0], arg[1]), "rename");
	read_path(arg[2]);
}

/* exchange ONE OTHER: reads the file that was ONE */
static void do_exchange(char **arg)
{
	check(renameat2(AT_FDCWD, arg[0], AT_FDCWD, arg[1], RENAME_EXCHANGE), "renameat2");
	read_path(arg[1]);
}

/* race ONE OTHER: reads both while another process exchanges them continuously, and again when it has stopped */
static void do_race(char **arg)
{
	int status;
	if (fork() == 0) {
		announce();
		for (int i = 0; i < 100; i++) {
			check(renameat2(AT_FDCWD, arg[0], AT_FDCWD, arg[1], RENAME_EXCHANGE), "renameat2");
			sched_yield();
		}
		_exit(0);
	}
	while (waitpid(-1, &status, WNOHANG) == 0) {
		read_path(arg[0]);
		read_path(arg[1]);
	}
	check(status ? -1 : 0, "the child");
	read_path(arg[0]);
	read_path(arg[1]);
}

/* unlinked FILE: reads it after its name was removed */
static void do_unlinked(char **arg)
{
	int fd = open_file(arg[0], O_RDONLY);
	check(unlink(arg[0]), "unlink");
	read_from(fd);
}

/* unnamed FOLDER FILE: a file without a name in FOLDER gets the name FILE */
static void do_unnamed(char **arg)
{
	char path[64];
	int fd = open_file(arg[0], O_TMPFILE | O_WRONLY);
	check(write(fd, "x", 1), "write");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	check(linkat(AT_FDCWD, path, AT_FDCWD, arg[1], AT_SYMLINK_FOLLOW), "linkat");
}

/* deep FOLDER NAME LEVELS FILE: writes and reads a file at the end of folders of that depth */
static void do_deep(char **arg)
{
	int at = open_file(arg[0], O_RDONLY | O_DIRECTORY), fd;
	for (long i = atol(arg[2]); i > 0; i--) {
		int next;
		check(mkdirat(at, arg[1], 0755), "mkdirat");
		next = (int)check(openat(at, arg[1], O_RDONLY | O_DIRECTORY), "openat");
		close(at);
		at = next;
	}
	fd = (int)check(openat(at, arg[3], O_RDWR | O_CREAT, 0600), "openat");
	check(write(fd, "x", 1), "write");
	read_from(fd);
}

void unshare_mounts(void)
{
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
}

/* bind SOURCE TARGET FILE: reads FILE through the mount. The source is a relative path, so that its string reveals
 * little. */
static void do_bind(char **arg)
{
	unshare_mounts();
	check(chdir("/"), "chdir");
	check(mount(arg[0] + 1, arg[1], NULL, MS_BIND, NULL), "bind");
	read_path(arg[2]);
}

/* tree FOLDER NAME: in a copy of the mount that is not attached */
static void do_tree(char **arg)
{
	int tree = (int)check(syscall(SYS_open_tree, AT_FDCWD, arg[0], OPEN_TREE_CLONE), "open_tree");
	read_from((int)check(openat(tree, arg[1], O_RDONLY), "openat"));
}

/* move SOURCE TARGET FILE: as bind, by the newer system calls */
static void do_move(char **arg)
{
	int tree;
	unshare_mounts();
	tree = (int)check(syscall(SYS_open_tree, AT_FDCWD, arg[0], OPEN_TREE_CLONE), "open_tree");
	check(syscall(SYS_move_mount, tree, "", AT_FDCWD, arg[1], MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
	read_path(arg[2]);
}

/* overlay LOWER EMPTY TARGET FILE */
static void do_overlay(char **arg)
{
	char layers[512];
	unshare_mounts();
	snprintf(layers, sizeof(layers), "lowerdir=%s:%s", arg[0], arg[1]);
	check(mount("overlay", arg[2], "overlay", MS_RDONLY, layers), "overlay");
	read_path(arg[3]);
}

/* chroot ROOT FILE, outside ROOT FILE: opened before the chroot */
static void do_chroot(char **arg)
{
	check(chroot(arg[0]), "chroot");
	check(chdir("/"), "chdir");
	read_path(arg[1]);
}

static void do_outside(char **arg)
{
	int fd = open_file(arg[1], O_RDONLY);
	check(chroot(arg[0]), "chroot");
	read_from(fd);
}

/* pivot ROOT TARGET FILE: ROOT, bound to TARGET, becomes the root of a mount namespace */
static void do_pivot(char **arg)
{
	unshare_mounts();
	check(mount(arg[0], arg[1], NULL, MS_BIND, NULL), "bind");
	check(chdir(arg[1]), "chdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	read_path(arg[2]);
}

/* user TECHNIQUE ARGUMENT...: by an unprivileged user in a new user namespace */
static void do_user(char **arg)
{
	check(setresgid(1000, 1000, 1000), "setresgid");
	check(setresuid(1000, 1000, 1000), "setresuid");
	check(unshare(CLONE_NEWUSER), "unshare");
	run_technique(arg);
}

/* Another process opens FILE and stores its bytes in the memfd `copy` and in memory. */
static char copied[16];

static void copy_in_child(const char *file, int copy)
{
	int status;
	if (fork() == 0) {
		check(read(open_file(file, O_RDONLY), copied, sizeof(copied)), "read");
		check(pwrite(copy, copied, sizeof(copied), 0), "pwrite");
		_exit(0);
	}
	wait(&status);
	check(status ? -1 : 0, "the child");
}

/* memfd FILE: reads the copy that another process has made */
static void do_memfd(char **arg)
{
	int copy = (int)check(memfd_create("copy", 0), "memfd_create");
	copy_in_child(arg[0], copy);
	check(pread(copy, copied, sizeof(copied), 0), "pread");
}

/* memory FILE: reads the memory of another process, which has read the file and waits */
static void do_memory(char **arg)
{
	struct iovec here = { copied, sizeof(copied) }, there = { copied, sizeof(copied) };
	int ready[2];
	pid_t child;
	check(pipe(ready), "pipe");
	child = fork();
	if (child == 0) {
		check(read(open_file(arg[0], O_RDONLY), copied, sizeof(copied)), "read");
		check(write(ready[1], "x", 1), "write");
		for (;;)
			pause();
	}
	read_from(ready[0]);
	check(process_vm_readv(child, &here, 1, &there, 1, 0), "process_vm_readv");
	kill(child, 9);
	wait(NULL);
}

/* loop FILE: reads a loop device that is backed by the file */
static void do_loop(char **arg)
{
	char path[32];
	int control = open_file("/dev/loop-control", O_RDWR), device;
	snprintf(path, sizeof(path), "/dev/loop%ld", check(ioctl(control, LOOP_CTL_GET_FREE), "LOOP_CTL_GET_FREE"));
	device = open_file(path, O_RDONLY);
	check(ioctl(device, LOOP_SET_FD, open_file(arg[0], O_RDONLY)), "LOOP_SET_FD");
	read_from(device);
	check(ioctl(device, LOOP_CLR_FD), "LOOP_CLR_FD");
}

const struct technique name_techniques[] = {
	{ "link", 3, do_link },
	{ "rename", 3, do_rename },
	{ "exchange", 2, do_exchange },
	{ "race", 2, do_race },
	{ "unlinked", 1, do_unlinked },
	{ "unnamed", 2, do_unnamed },
	{ "deep", 4, do_deep },
	{ "bind", 3, do_bind },
	{ "tree", 2, do_tree },
	{ "move", 3, do_move },
	{ "overlay", 4, do_overlay },
	{ "chroot", 2, do_chroot },
	{ "outside", 2, do_outside },
	{ "pivot", 3, do_pivot },
	{ "user", ANY_ARGS, do_user },
	{ "memfd", 1, do_memfd },
	{ "memory", 1, do_memory },
	{ "loop", 1, do_loop },
	{ NULL, 0, NULL },
};
