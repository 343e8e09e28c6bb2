/*
 * The program of forged-identity.test.ts: a process that is not what it seems to be. In the end it makes a system call
 * that no other program makes, or reads a file by its handle.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAPPINGS_MAX = 64, STACK_BYTES = 1 << 20 };

static long check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
	return result;
}

/* Reports that it is ready, waits for a line, then makes the call. */
static void wait_and_call(void)
{
	char c;

	check(write(1, "ready\n", 6), "write");
	while (read(0, &c, 1) == 1 && c != '\n')
		;
	syscall(SYS_kcmp, 0, 0, 0, 0, 0);
}

/* ---- another file as the executable ----------------------------------------------------------------------------- */

struct mapping {
	unsigned long start, end;
	int prot;
};

/* Replaces the mappings of the executable by private memory with the same bytes. */
static void unmap_executable(void)
{
	static struct mapping found[MAPPINGS_MAX];
	static char line[4096], exe[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int count = 0;

	check(readlink("/proc/self/exe", exe, sizeof(exe) - 1), "readlink");
	while (maps && fgets(line, sizeof(line), maps)) {
		struct mapping *m = &found[count];
		char rights[8];

		if (!strstr(line, exe) || sscanf(line, "%lx-%lx %7s", &m->start, &m->end, rights) != 3)
			continue;
		m->prot = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) |
			  (rights[2] == 'x' ? PROT_EXEC : 0);
		count++;
	}
	if (maps)
		fclose(maps);
	for (int i = 0; i < count; i++) {
		size_t size = found[i].end - found[i].start;
		void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memcpy(copy, (void *)found[i].start, size);
		check(mprotect(copy, size, found[i].prot), "mprotect");
		if (mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, found[i].start) == MAP_FAILED)
			check(-1, "mremap");
	}
}

/* The number with this index in /proc/self/stat, as proc(5) counts them. */
static unsigned long stat_field(const char *stat, int index)
{
	const char *at = strrchr(stat, ')') + 2;

	for (int i = 3; i < index; i++)
		at = strchr(at, ' ') + 1;
	return strtoul(at, NULL, 10);
}

static void replace_executable(int file)
{
	static char stat[4096];
	struct prctl_mm_map map = { .exe_fd = file };
	int fd = open("/proc/self/stat", O_RDONLY);

	check(read(fd, stat, sizeof(stat) - 1), "stat");
	close(fd);
	unmap_executable();
	map.start_code = stat_field(stat, 26);
	map.end_code = stat_field(stat, 27);
	map.start_stack = stat_field(stat, 28);
	map.start_data = stat_field(stat, 45);
	map.end_data = stat_field(stat, 46);
	map.start_brk = stat_field(stat, 47);
	map.brk = (unsigned long)sbrk(0);
	map.arg_start = stat_field(stat, 48);
	map.arg_end = stat_field(stat, 49);
	map.env_start = stat_field(stat, 50);
	map.env_end = stat_field(stat, 51);
	check(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0), "PR_SET_MM_MAP");
}

static int replace_in_child(void *path)
{
	replace_executable(open(path, O_RDONLY));
	return 0;
}

/* replace FILE: in a user namespace of its own */
static void replace(const char *path)
{
	check(unshare(CLONE_NEWUSER), "unshare");
	replace_executable(open(path, O_RDONLY));
	wait_and_call();
}

/* The handler of binfmt_misc for another program, whose file it gets as a descriptor. */
static void handle_program(int file)
{
	replace_executable(file);
	wait_and_call();
}

/* share FILE: the helper in the user namespace shares the memory of this process, which stays outside */
static void share(char *path)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 1;
	pid_t pid = clone(replace_in_child, stack + STACK_BYTES, CLONE_VM | CLONE_NEWUSER | SIGCHLD, path);

	check(pid, "clone");
	check(waitpid(pid, &status, 0), "waitpid");
	if (status)
		_exit(1);
	wait_and_call();
}

/* ---- a leader that has ended ------------------------------------------------------------------------------------ */

static void *outlive(void *unused)
{
	char state = 0, stat[512] = "";

	/* until the leader is a zombie */
	while (state != 'Z') {
		int fd = open("/proc/self/stat", O_RDONLY);

		check(read(fd, stat, sizeof(stat) - 1), "stat");
		close(fd);
		state = strrchr(stat, ')')[2];
	}
	wait_and_call();
	_exit(0);
	return unused;
}

/* leaderless NAME: under this name */
static void leaderless(const char *name)
{
	pthread_t thread;

	prctl(PR_SET_NAME, name);
	if (pthread_create(&thread, NULL, outlive, NULL))
		_exit(1);
	syscall(SYS_exit, 0);
}

/* ---- a file that the kernel knows only by its inode ---------------------------------------------------------------
 */

struct handle {
	struct file_handle file;
	unsigned char bytes[MAX_HANDLE_SZ];
};

/* handle FOLDER NAME: stores the handle of the file in standard output */
static void store_handle(const char *folder, const char *name)
{
	struct handle handle = { .file.handle_bytes = MAX_HANDLE_SZ };
	int mount_id;

	check(chdir(folder), "chdir");
	check(name_to_handle_at(AT_FDCWD, name, &handle.file, &mount_id, 0), "name_to_handle_at");
	check(write(1, &handle, sizeof(handle)), "write");
}

/* open FOLDER: opens the file of the handle in standard input */
static void open_handle(const char *folder)
{
	struct handle handle;
	int mount = open(folder, O_RDONLY | O_DIRECTORY);
	char byte;

	if (read(0, &handle, sizeof(handle)) != sizeof(handle))
		_exit(1);
	check(read((int)check(open_by_handle_at(mount, &handle.file, O_RDONLY), "open_by_handle_at"), &byte, 1),
	      "read");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int handled = (int)getauxval(AT_EXECFD);

	if (handled)
		handle_program(handled);
	else if (!strcmp(what, "call"))
		syscall(SYS_kcmp, 0, 0, 0, 0, 0);
	else if (!strcmp(what, "wait"))
		wait_and_call();
	else if (!strcmp(what, "replace") && argc == 3)
		replace(argv[2]);
	else if (!strcmp(what, "share") && argc == 3)
		share(argv[2]);
	else if (!strcmp(what, "leaderless") && argc == 3)
		leaderless(argv[2]);
	else if (!strcmp(what, "handle") && argc == 4)
		store_handle(argv[2], argv[3]);
	else if (!strcmp(what, "open") && argc == 3)
		open_handle(argv[2]);
	else
		return 2;
	return 0;
}
