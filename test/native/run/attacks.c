// Attacks of a package that needs no interpreter: raw system calls of a static program.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Prints the errno of a call, 0 for success. */
static void report(const char *name, long result)
{
	printf("%s %d\n", name, result < 0 ? errno : 0);
}

int main(int argc, char **argv)
{
	char bytes[16], path[64];
	int parent = getppid();

	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "raw")) {
		/* no function of a C library between the program and the kernel */
		report("raw-open", syscall(SYS_openat, AT_FDCWD, argv[2], O_RDONLY));
		report("raw-rename", syscall(SYS_renameat2, AT_FDCWD, argv[3], AT_FDCWD, argv[4], 0));
	} else if (!strcmp(argv[1], "ptrace")) {
		report("ptrace", ptrace(PTRACE_ATTACH, atoi(argv[2]), 0, 0));
		ptrace(PTRACE_DETACH, atoi(argv[2]), 0, 0);
	} else if (!strcmp(argv[1], "memory")) {
		struct iovec own = { bytes, sizeof(bytes) }, other = { argv, sizeof(bytes) };

		snprintf(path, sizeof(path), "/proc/%d/environ", parent);
		report("environ", open(path, O_RDONLY));
		snprintf(path, sizeof(path), "/proc/%d/mem", parent);
		report("mem", open(path, O_RDONLY));
		report("readv", process_vm_readv(parent, &own, 1, &other, 1, 0));
	}
	return 0;
}
