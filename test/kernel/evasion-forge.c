/* A technique that forges the executable of a process. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "evasion.h"

enum { MAPPINGS_MAX = 32 };

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
	int fd = open_file("/proc/self/stat", O_RDONLY);
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

/* forge PROGRAM TECHNIQUE...: an unprivileged user makes /proc/PID/exe lead to PROGRAM */
static void do_forge(char **arg)
{
	struct prctl_mm_map map = read_own_map();
	char path[256] = "";
	map.exe_fd = (unsigned)open_file(arg[0], O_RDONLY);
	check(setresuid(1000, 1000, 1000), "setresuid");
	check(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "PR_SET_DUMPABLE");
	check(unshare(CLONE_NEWUSER), "unshare");
	copy_own_pages();
	check(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0), "PR_SET_MM_MAP");
	check(readlink("/proc/self/exe", path, sizeof(path) - 1), "readlink");
	check(strcmp(path, arg[0]) == 0 ? 0 : -1, "the executable is not forged");
	run_technique(arg + 1);
}

const struct technique forge_techniques[] = {
	{ "forge", ANY_ARGS, do_forge },
	{ NULL, 0, NULL },
};
