/*
 * workload [NAME OPERATION ARGUMENT]...: measures operations. Prints "NAME NANOSECONDS" for one operation of each. In a
 * virtual machine whose clock counts instructions, nanoseconds are instructions. The median of several batches excludes
 * timer interrupts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES = 15, COUNT = 300, FILES = (1 + BATCHES) * COUNT, DESCRIPTOR = 42 };

/* A hook does not replace an entry of its negative cache at once, and two files may share an entry. */
enum { CACHE_HOLD_US = 200000 };

static const char *path;
static int fd;
static char buffer[16];

static void do_pread(void)
{
	if (pread(fd, buffer, sizeof(buffer), 0) < 0)
		err(1, "pread %s", path);
}

static void do_pwrite(void)
{
	if (pwrite(fd, buffer, sizeof(buffer), 0) < 0)
		err(1, "pwrite %s", path);
}

/* Reads the next file of a folder. */
static void do_pread_first(void)
{
	static int next;
	char name[16];
	int opened;

	snprintf(name, sizeof(name), "%d", next++ % FILES);
	opened = openat(fd, name, O_RDONLY | O_CLOEXEC);
	if (opened < 0 || pread(opened, buffer, sizeof(buffer), 0) < 0)
		err(1, "pread %s/%s", path, name);
	close(opened);
}

/* A rename invalidates every cached path. It costs as much as twenty reads, and varies by more than a tracer adds to a
 * read. */
static void pread_among_renames(int reads_for_a_rename)
{
	static int renamed, reads;
	static const char *const names[] = { "/srv/one", "/srv/other" };

	if (reads++ % reads_for_a_rename == 0) {
		if (rename(names[renamed], names[!renamed]) < 0)
			err(1, "rename %s", names[renamed]);
		renamed = !renamed;
	}
	do_pread();
}

static void do_pread_renames(void)
{
	pread_among_renames(15);
}

/* A rename among very many reads, as other programs on a busy machine do it. */
static void do_pread_busy(void)
{
	pread_among_renames(100);
}

/* ---- files in turn ------------------------------------------------------------------------------------------ */

enum { TURN_MAX = 10000 };

static int turn_files[TURN_MAX], turn_count;

/* Opens as many files as the last part of the folder's name says. */
static void open_turn(void)
{
	struct rlimit limit = { .rlim_cur = 2 * TURN_MAX, .rlim_max = 2 * TURN_MAX };
	char name[128];

	turn_count = atoi(strrchr(path, '-') + 1);
	if (turn_count < 1 || turn_count > TURN_MAX || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "setrlimit for %s", path);
	mkdir(path, 0755);
	for (int i = 0; i < turn_count; i++) {
		snprintf(name, sizeof(name), "%s/%d", path, i);
		turn_files[i] = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (turn_files[i] < 0)
			err(1, "open %s", name);
	}
}

static void close_turn(void)
{
	char name[128];

	for (int i = 0; i < turn_count; i++) {
		snprintf(name, sizeof(name), "%s/%d", path, i);
		close(turn_files[i]);
		unlink(name);
	}
	rmdir(path);
}

static void do_pread_turn(void)
{
	static int next;

	if (pread(turn_files[next++ % turn_count], buffer, sizeof(buffer), 0) < 0)
		err(1, "pread in %s", path);
}

/* ---- files without a place in a tree ------------------------------------------------------------------------ */

static int ends[2];

static void open_pipe(void)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		err(1, "pipe");
}

static void open_sockets(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		err(1, "socketpair");
}

static void close_ends(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void do_write_read(void)
{
	if (write(ends[1], buffer, 1) < 0 || read(ends[0], buffer, 1) < 0)
		err(1, "write and read");
}

static void open_memfd(void)
{
	fd = memfd_create("a memory file with a name that is longer than a dentry", MFD_CLOEXEC);
	if (fd < 0)
		err(1, "memfd_create");
}

static void close_memfd(void)
{
	close(fd);
}

static void do_lseek(void)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		err(1, "lseek %s", path);
}

/* From the same port each time, to a port without a listener: each connection takes the same code path and leaves no
 * state. */
static void do_connect(void)
{
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_port = htons(40000) };
	struct sockaddr_in closed = { .sin_family = AF_INET, .sin_port = htons(9) };
	int opened = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!inet_aton(path, &local.sin_addr) || !inet_aton(path, &closed.sin_addr))
		errx(2, "%s is no address", path);
	if (opened < 0 || bind(opened, (void *)&local, sizeof(local)) < 0)
		err(1, "socket on %s", path);
	if (connect(opened, (void *)&closed, sizeof(closed)) == 0 || errno != ECONNREFUSED)
		err(1, "connect to %s", path);
	close(opened);
}

static void do_open_close(void)
{
	int opened = open(path, O_RDONLY | O_CLOEXEC);

	if (opened < 0)
		err(1, "open %s", path);
	close(opened);
}

static void do_exec(void)
{
	int status;
	pid_t child = vfork(); /* a copied address space would only add noise */

	if (child < 0)
		err(1, "vfork");
	if (child == 0) {
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	if (waitpid(child, &status, 0) < 0 || status != 0)
		errx(1, "%s: status %x", path, status);
}

/* New files for each run. */
static void make_files(void)
{
	char name[64];

	if (mkdir(path, 0755) < 0)
		err(1, "mkdir %s", path);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%s/%d", path, i);
		close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
}

/* Renames a file, and at the next call back. */
static void do_rename(void)
{
	static int renamed;
	char other[64];

	snprintf(other, sizeof(other), "%s.other", path);
	if (renamed ? rename(other, path) : rename(path, other))
		err(1, "rename %s", path);
	renamed = !renamed;
}

static void remove_files(void)
{
	char name[64];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%s/%d", path, i);
		unlink(name);
	}
	rmdir(path);
}

static void create_renamed_file(void)
{
	close(open("/srv/one", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

static void remove_renamed_file(void)
{
	unlink("/srv/one");
	unlink("/srv/other");
}

static double read_clock(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, void (*operation)(void), int count)
{
	double batches[BATCHES];

	for (int i = 0; i < count; i++)
		operation(); /* caches, page tables, translated code */
	for (int batch = 0; batch < BATCHES; batch++) {
		double start = read_clock();

		for (int i = 0; i < count; i++)
			operation();
		batches[batch] = (read_clock() - start) / count;
	}
	qsort(batches, BATCHES, sizeof(*batches), compare_doubles);
	printf("%s %.0f\n", name, batches[BATCHES / 2]);
	fflush(stdout);
}

static const struct operation {
	const char *name;
	void (*call)(void);
	int flags; /* for opening the file before; -1: no file */
	int count;
	void (*before)(void), (*after)(void);
} operations[] = {
	{ .name = "pread", .call = do_pread, .flags = O_RDONLY, .count = COUNT },
	{ "pread-first", do_pread_first, O_RDONLY | O_DIRECTORY, COUNT, make_files, remove_files },
	{ "pread-renames", do_pread_renames, O_RDONLY, COUNT, create_renamed_file, remove_renamed_file },
	{ "pread-busy", do_pread_busy, O_RDONLY, COUNT, create_renamed_file, remove_renamed_file },
	{ "pread-turn", do_pread_turn, -1, COUNT, open_turn, close_turn },
	{ "pread-turns", do_pread_turn, -1, TURN_MAX, open_turn, close_turn },
	{ "pread-memfd", do_pread, -1, COUNT, open_memfd, close_memfd },
	{ "pipe", do_write_read, -1, COUNT, open_pipe, close_ends },
	{ "sockets", do_write_read, -1, COUNT, open_sockets, close_ends },
	{ .name = "pwrite", .call = do_pwrite, .flags = O_WRONLY, .count = COUNT },
	{ .name = "rename", .call = do_rename, .flags = -1, .count = COUNT },
	{ .name = "lseek", .call = do_lseek, .flags = O_RDONLY, .count = COUNT },
	{ .name = "open-close", .call = do_open_close, .flags = -1, .count = COUNT },
	{ .name = "connect", .call = do_connect, .flags = -1, .count = COUNT },
	{ .name = "exec", .call = do_exec, .flags = -1, .count = 150 },
};

static void run_operation(const char *name, const struct operation *operation)
{
	if (operation->before)
		operation->before();
	if (operation->flags >= 0) {
		int opened = open(path, operation->flags | O_CLOEXEC);

		fd = opened < 0 ? -1 : dup3(opened, DESCRIPTOR, O_CLOEXEC);
		if (fd < 0)
			err(1, "open %s", path);
		close(opened);
	}
	usleep(CACHE_HOLD_US);
	measure(name, operation->call, operation->count);
	if (operation->flags >= 0)
		close(fd);
	if (operation->after)
		operation->after();
}

static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	errx(2, "no operation %s", name);
}

int main(int argc, char **argv)
{
	if (argc == 3) { /* TRUE COUNT: only COUNT execs of TRUE */
		path = argv[1];
		for (int i = atoi(argv[2]); i > 0; i--)
			do_exec();
		return 0;
	}
	if (argc % 3 != 1)
		errx(2, "usage: workload [NAME OPERATION ARGUMENT]..., or workload TRUE COUNT");
	for (int i = 1; i < argc; i += 3) {
		path = argv[i + 2];
		run_operation(argv[i], find_operation(argv[i + 1]));
	}
	return 0;
}
