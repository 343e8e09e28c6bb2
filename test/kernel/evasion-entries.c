/* Techniques that use other ways into the kernel: mounts by descriptors, mount(8), pid namespaces, and file handles. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

/* ---- mounts by descriptors ----------------------------------------------------------------------------------------
 */

static int open_context(const char *type)
{
	return (int)check(syscall(SYS_fsopen, type, 0), "fsopen");
}

static void set_option(int context, const char *key, const char *value)
{
	check(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0), key);
}

/* Creates the file system, and returns the descriptor of its mount, which is attached nowhere. */
static int create_mount(int context)
{
	check(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "fsconfig");
	return (int)check(syscall(SYS_fsmount, context, 0, 0), "fsmount");
}

int make_mount(void)
{
	return create_mount(open_context("tmpfs"));
}

static void attach(int mount, const char *target)
{
	check(syscall(SYS_move_mount, mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), "move_mount");
}

void write_below(int folder, const char *name)
{
	check(write((int)check(openat(folder, name, O_WRONLY | O_CREAT, 0600), name), "x", 1), "write");
}

/* fsmount TARGET FILE: attaches a file system, and writes FILE through it */
static void do_fsmount(char **arg)
{
	attach(make_mount(), arg[0]);
	write_below(AT_FDCWD, arg[1]);
}

/* filled TARGET NAME: writes a file NAME before the file system has a place, and then attaches it */
static void do_filled(char **arg)
{
	char path[256];
	int mount = make_mount();
	write_below(mount, arg[1]);
	attach(mount, arg[0]);
	snprintf(path, sizeof(path), "%s/%s", arg[0], arg[1]);
	check(access(path, R_OK), path);
}

/* detached NAME: writes a file of a mount that is attached nowhere */
static void do_detached(char **arg)
{
	write_below(make_mount(), arg[0]);
}

/* treewrite FOLDER NAME: writes a file through a copy of the mount that is attached nowhere */
static void do_treewrite(char **arg)
{
	write_below((int)check(syscall(SYS_open_tree, AT_FDCWD, arg[0], OPEN_TREE_CLONE), "open_tree"), arg[1]);
}

/* fsoverlay LOWER EMPTY NAME: reads a file of LOWER through an overlay that is attached nowhere */
static void do_fsoverlay(char **arg)
{
	char layers[512];
	int context = open_context("overlay");
	snprintf(layers, sizeof(layers), "%s:%s", arg[0], arg[1]);
	set_option(context, "lowerdir", layers);
	read_from((int)check(openat(create_mount(context), arg[2], O_RDONLY), arg[2]));
}

/* procwrite NAME: writes what a file of proc has into it, through a proc that is attached nowhere */
static void do_procwrite(char **arg)
{
	char text[256];
	int file = (int)check(openat(create_mount(open_context("proc")), arg[0], O_RDWR), arg[0]);
	ssize_t length = check(read(file, text, sizeof(text)), "read");
	check(pwrite(file, text, length, 0), "write");
}

/* detachedexec NAME: executes a program of a mount that is attached nowhere */
static void do_detachedexec(char **arg)
{
	int mount = make_mount(), file = (int)check(openat(mount, arg[0], O_WRONLY | O_CREAT, 0700), arg[0]);
	copy_program(file);
	close(file);
	execute_descriptor((int)check(openat(mount, arg[0], O_PATH), arg[0]), arg);
}

/* Executes a copy of this program, which runs the technique. */
static void run_again(const char *path, int fd, char **technique)
{
	char *program[16] = { (char *)path, "run", (char *)mark };
	for (int i = 0; i < 12 && technique[i] != NULL; i++)
		program[3 + i] = technique[i];
	execute_descriptor(fd, program);
}

/* again FILE TECHNIQUE...: executes FILE, which is this program */
static void do_again(char **arg)
{
	run_again(arg[0], open_file(arg[0], O_PATH), arg + 1);
}

/* detachedshell TECHNIQUE...: the same with a copy of this program, which continues */
static void do_detachedshell(char **arg)
{
	int mount = make_mount(), file = (int)check(openat(mount, "shell", O_WRONLY | O_CREAT, 0700), "shell");
	copy_file("/proc/self/exe", file);
	close(file);
	run_again("shell", (int)check(openat(mount, "shell", O_PATH), "shell"), arg);
}

/* ---- mount(8) -----------------------------------------------------------------------------------------------------
 */

/* mount8 ARGUMENT... , TECHNIQUE...: executes mount(8) with the arguments, and then the technique */
static void do_mount8(char **arg)
{
	char *program[12] = { "/usr/bin/mount" };
	int status, count = 0;
	pid_t child;
	for (; strcmp(arg[count], ",") != 0; count++)
		program[1 + count] = arg[count];
	child = (pid_t)check(fork(), "fork");
	if (child == 0) {
		announce();
		check(execv(program[0], program), "mount(8)");
	}
	check(waitpid(child, &status, 0), "waitpid");
	check(status == 0 ? 0 : -1, "mount(8)");
	if (arg[count + 1] != NULL)
		run_technique(arg + count + 1);
}

/* mounts TECHNIQUE ARGUMENT...: with mounts of its own */
static void do_mounts(char **arg)
{
	unshare_mounts();
	run_technique(arg);
}

/* ---- pid namespaces and handles -----------------------------------------------------------------------------------
 */

/* pidns TECHNIQUE ARGUMENT...: as process 1 of a new pid namespace */
static void do_pidns(char **arg)
{
	int status;
	pid_t child;
	check(unshare(CLONE_NEWPID), "unshare");
	child = (pid_t)check(fork(), "fork");
	if (child == 0) {
		announce();
		run_technique(arg);
		_exit(0);
	}
	check(waitpid(child, &status, 0), "waitpid");
	_exit(status == 0 ? 0 : 1);
}

struct handle {
	struct file_handle head;
	union {
		char bytes[MAX_HANDLE_SZ];
		uint64_t id;
	};
};

/* Opens a file by its handle. Its path must not be known: the kernel then shows it as "/". */
static int open_cold(int folder, struct handle *handle, int flags)
{
	char link[32], path[256] = "";
	int file = (int)check(open_by_handle_at(folder, &handle->head, flags), "open_by_handle_at");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	check(readlink(link, path, sizeof(path) - 1), "readlink");
	check(strcmp(path, "/") == 0 ? 0 : -1, "the name is in memory");
	return file;
}

/* The number of a file in a folder. Unlike stat(2), this brings no name into the kernel's memory. */
static uint64_t find_number(const char *folder, const char *name)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	check(entries == NULL ? -1 : 0, folder);
	while ((entry = readdir(entries)) != NULL)
		if (strcmp(entry->d_name, name) == 0)
			return entry->d_ino;
	return (uint64_t)check(-1, name);
}

/* cold FOLDER NAME read|write|chmod: a file of the cgroup file system, whose handles contain the number of the file */
static void do_cold(char **arg)
{
	enum { FILEID_KERNFS = 0xfe };
	struct handle handle = { .head = { .handle_bytes = sizeof(handle.id), .handle_type = FILEID_KERNFS } };
	int folder = open_file(arg[0], O_RDONLY | O_DIRECTORY);
	handle.id = find_number(arg[0], arg[1]);
	if (!strcmp(arg[2], "read"))
		read_from(open_cold(folder, &handle, O_RDONLY));
	else if (!strcmp(arg[2], "write"))
		check(write(open_cold(folder, &handle, O_WRONLY), "max", 3), "write");
	else
		check(fchmod(open_cold(folder, &handle, O_RDONLY), S_ISUID | 0755), "fchmod");
}

static int mount_disk(char **arg)
{
	check(mount(arg[0], arg[1], "ext4", MS_RDONLY, NULL), "mount");
	return open_file(arg[1], O_RDONLY | O_DIRECTORY);
}

/* coldexec DEVICE FOLDER NAME TECHNIQUE...: executes a copy of this program on a disk that has been mounted again */
static void do_coldexec(char **arg)
{
	struct handle handle = { .head = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_id, folder;
	unshare_mounts();
	folder = mount_disk(arg);
	check(name_to_handle_at(folder, arg[2], &handle.head, &mount_id, 0), "name_to_handle_at");
	close(folder);
	check(umount(arg[1]), "umount");
	run_again(arg[2], open_cold(mount_disk(arg), &handle, O_PATH), arg + 3);
}

const struct technique entry_techniques[] = {
	{ "fsmount", 2, do_fsmount },
	{ "filled", 2, do_filled },
	{ "detached", 1, do_detached },
	{ "treewrite", 2, do_treewrite },
	{ "fsoverlay", 3, do_fsoverlay },
	{ "procwrite", 1, do_procwrite },
	{ "detachedexec", 1, do_detachedexec },
	{ "detachedshell", ANY_ARGS, do_detachedshell },
	{ "mount8", ANY_ARGS, do_mount8 },
	{ "mounts", ANY_ARGS, do_mounts },
	{ "pidns", ANY_ARGS, do_pidns },
	{ "cold", 3, do_cold },
	{ "coldexec", ANY_ARGS, do_coldexec },
	{ "again", ANY_ARGS, do_again },
	{ NULL, 0, NULL },
};
