/*
 * A process that is older than the policies. It prepares a technique, prints its pid, waits until standard input ends,
 * and then accesses a file or connects.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAPPINGS_MAX = 32 };

static long check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
	return result;
}

/* Reports that the technique is prepared, and waits. */
static void wait_for_policies(void)
{
	char line[32], byte;
	int length = snprintf(line, sizeof(line), "%d\n", getpid());
	check(write(1, line, length), "write");
	while (read(0, &byte, 1) > 0)
		;
}

static void read_byte(int fd)
{
	char byte;
	check(read(fd, &byte, 1), "read");
}

/* open FILE: reads a file that was open before */
static void do_open(char **arg)
{
	int fd = (int)check(open(arg[0], O_RDONLY), arg[0]);
	wait_for_policies();
	read_byte(fd);
}

struct mapping {
	unsigned long start, end;
	int protection;
};

/* Lists the mappings of this process's executable. */
static int list_own_mappings(struct mapping *mappings)
{
	char line[1024], path[512], own[512] = "";
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	check(readlink("/proc/self/exe", own, sizeof(own) - 1), "readlink");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL && count < MAPPINGS_MAX) {
		struct mapping *next = &mappings[count];
		char mode[5];
		int fields = sscanf(line, "%lx-%lx %4s %*s %*s %*s %511s", &next->start, &next->end, mode, path);
		if (fields < 4 || strcmp(path, own) != 0)
			continue;
		next->protection = (mode[0] == 'r' ? PROT_READ : 0) | (mode[1] == 'w' ? PROT_WRITE : 0) |
				   (mode[2] == 'x' ? PROT_EXEC : 0);
		count++;
	}
	return count;
}

/* Replaces the pages of the executable by copies, which do not belong to a file. */
static void copy_own_pages(void)
{
	struct mapping mappings[MAPPINGS_MAX];
	int count = list_own_mappings(mappings);
	for (int i = 0; i < count; i++) {
		size_t size = mappings[i].end - mappings[i].start;
		void *at = (void *)mappings[i].start;
		void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		check(copy == MAP_FAILED ? -1 : 0, "mmap");
		memcpy(copy, at, size);
		check(mprotect(copy, size, mappings[i].protection), "mprotect");
		check(mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED ? -1 : 0, "mremap");
	}
}

/* The fields 26 to 28 and 45 to 51 of /proc/self/stat are what PR_SET_MM_MAP changes. */
static struct prctl_mm_map read_own_map(void)
{
	struct prctl_mm_map map = { 0 };
	unsigned long field[52] = { 0 };
	char text[2048] = "", *at;
	int fd = (int)check(open("/proc/self/stat", O_RDONLY), "stat");
	check(read(fd, text, sizeof(text) - 1), "read");
	at = strrchr(text, ')') + 4;
	for (int i = 4; i < 52; i++)
		field[i] = strtoul(at, &at, 10);
	map.start_code = field[26], map.end_code = field[27], map.start_stack = field[28];
	map.start_data = field[45], map.end_data = field[46], map.start_brk = field[47];
	map.arg_start = field[48], map.arg_end = field[49], map.env_start = field[50], map.env_end = field[51];
	map.brk = (unsigned long)sbrk(0);
	return map;
}

/* forge PROGRAM FILE: an unprivileged user makes /proc/PID/exe lead to PROGRAM */
static void do_forge(char **arg)
{
	struct prctl_mm_map map = read_own_map();
	int fd = (int)check(open(arg[1], O_RDONLY), arg[1]);
	map.exe_fd = (unsigned)check(open(arg[0], O_RDONLY), arg[0]);
	check(setresuid(1000, 1000, 1000), "setresuid");
	check(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "PR_SET_DUMPABLE");
	check(unshare(CLONE_NEWUSER), "unshare");
	copy_own_pages();
	check(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0), "PR_SET_MM_MAP");
	wait_for_policies();
	read_byte(fd);
}

/* What the thread does that outlives the leader: it reads a descriptor, or connects if there is none. */
static void *run_thread(void *descriptor)
{
	int fd = *(int *)descriptor;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(9) };
	wait_for_policies();
	if (fd >= 0)
		read_byte(fd);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		(void)!connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof(address));
	_exit(0);
}

/* Ends the leader, whose name is `name` then. */
static void end_leader(const char *name, int fd)
{
	static int descriptor;
	pthread_t thread;
	descriptor = fd;
	check(prctl(PR_SET_NAME, name, 0, 0, 0), "PR_SET_NAME");
	check(-pthread_create(&thread, NULL, run_thread, &descriptor), "pthread_create");
	syscall(SYS_exit, 0);
}

/* leader NAME FILE, leader NAME: reads, or connects */
static void do_leader(char **arg)
{
	end_leader(arg[0], arg[1] == NULL ? -1 : (int)check(open(arg[1], O_RDONLY), arg[1]));
}

/* cold DEVICE FOLDER NAME: opens a file of the device by a handle, after a mount without any cached name */
static void do_cold(char **arg)
{
	struct {
		struct file_handle head;
		char bytes[MAX_HANDLE_SZ];
	} handle = { .head = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_id, folder;
	check(mount(arg[0], arg[1], "ext4", MS_RDONLY, NULL), "mount");
	folder = (int)check(open(arg[1], O_RDONLY | O_DIRECTORY), arg[1]);
	check(name_to_handle_at(folder, arg[2], &handle.head, &mount_id, 0), "name_to_handle_at");
	close(folder);
	check(umount(arg[1]), "umount");
	check(mount(arg[0], arg[1], "ext4", MS_RDONLY, NULL), "mount");
	folder = (int)check(open(arg[1], O_RDONLY | O_DIRECTORY), arg[1]);
	wait_for_policies();
	read_byte((int)check(open_by_handle_at(folder, &handle.head, O_RDONLY), "open_by_handle_at"));
	close(folder);
}

int main(int count, char **arg)
{
	if (count > 2 && !strcmp(arg[1], "open"))
		do_open(arg + 2);
	else if (count > 3 && !strcmp(arg[1], "forge"))
		do_forge(arg + 2);
	else if (count > 2 && !strcmp(arg[1], "leader"))
		do_leader(arg + 2);
	else if (count > 4 && !strcmp(arg[1], "cold"))
		do_cold(arg + 2);
	else
		return 2;
	return 0;
}
