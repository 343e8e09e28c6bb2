/* Techniques that use 32-bit system calls (arch/x86/entry/syscalls/syscall_32.tbl). Each one fails if its call does. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

enum {
	IA32_READ = 3,
	IA32_WRITE = 4,
	IA32_EXECVE = 11,
	IA32_CHMOD = 15,
	IA32_MOUNT = 21,
	IA32_PTRACE = 26,
	IA32_SOCKETCALL = 102,
	IA32_INIT_MODULE = 128,
	IA32_DELETE_MODULE = 129,
	IA32_UNSHARE = 310,
	IA32_SETNS = 346,
	IA32_PROCESS_VM_WRITEV = 348,
	IA32_FINIT_MODULE = 350,
	IA32_MEMFD_CREATE = 356,
	IA32_BPF = 357,
	SOCKETCALL_CONNECT = 3,
	LOW_BYTES = 1 << 20,
};

/* Calls with up to five arguments. The others are 0. */
#define CALL_IA32(number, ...) call_ia32(number, (long[5]){ __VA_ARGS__ })

static long call_ia32(long number, const long *arg)
{
	__asm__ volatile("push %%rbp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%rbp"
			 : "+a"(number)
			 : "b"(arg[0]), "c"(arg[1]), "d"(arg[2]), "S"(arg[3]), "D"(arg[4])
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	errno = (int)number < 0 ? -(int)number : 0;
	return (int)number;
}

/* Memory whose addresses have 32 bits. */
static char *low, *low_end;

static void *allocate_low(size_t size)
{
	void *at;
	if (low == NULL) {
		low = mmap(NULL, LOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		check(low == MAP_FAILED ? -1 : 0, "mmap");
		low_end = low;
	}
	at = low_end;
	low_end += (size + 15) & ~15UL;
	check(low_end - low <= LOW_BYTES ? 0 : -1, "memory below 4 GiB");
	return at;
}

static long copy_low(const char *text)
{
	return (long)strcpy(allocate_low(strlen(text) + 1), text);
}

static void do_ia32read(char **arg)
{
	check(CALL_IA32(IA32_READ, open_file(arg[0], O_RDONLY), (long)allocate_low(1), 1), "read");
}

static void do_ia32write(char **arg)
{
	check(CALL_IA32(IA32_WRITE, open_file(arg[0], O_WRONLY), copy_low("x"), 1), "write");
}

/* ia32chmod FILE, ia32setns, ia32unshare, ia32mount TARGET */
static void do_ia32chmod(char **arg)
{
	check(CALL_IA32(IA32_CHMOD, copy_low(arg[0]), S_ISUID | 0755), "chmod");
}

static void do_ia32setns(char **arg)
{
	(void)arg;
	check(CALL_IA32(IA32_SETNS, open_file("/proc/self/ns/net", O_RDONLY)), "setns");
}

static void do_ia32unshare(char **arg)
{
	(void)arg;
	check(CALL_IA32(IA32_UNSHARE, CLONE_NEWUSER), "unshare");
}

static void do_ia32mount(char **arg)
{
	check(CALL_IA32(IA32_MOUNT, copy_low("none"), copy_low(arg[0]), copy_low("tmpfs")), "mount");
}

/* ia32regain NUMBER FIRST SECOND THIRD: gets the user id 0 again, which is saved */
static void do_ia32regain(char **arg)
{
	check(setresuid(1000, 1000, 0), "setresuid");
	check(CALL_IA32(atol(arg[0]), atol(arg[1]), atol(arg[2]), atol(arg[3])), "the call");
	check(geteuid() == 0 ? 0 : -1, "the user id");
}

static void execute_ia32(char **program)
{
	uint32_t *pointers = allocate_low(16 * sizeof(*pointers));
	for (int i = 0; i < 15 && program[i] != NULL; i++)
		pointers[i] = (uint32_t)copy_low(program[i]);
	check(CALL_IA32(IA32_EXECVE, pointers[0], (long)pointers), "execve");
}

static void do_ia32program(char **arg)
{
	execute_ia32(arg);
}

/* ia32memfd: executes a program in memory */
static void do_ia32memfd(char **arg)
{
	char path[32], *program[] = { path, NULL };
	int fd = (int)check(CALL_IA32(IA32_MEMFD_CREATE, copy_low("evasion")), "memfd_create");
	(void)arg;
	copy_program(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	execute_ia32(program);
}

static void do_ia32connect(char **arg)
{
	struct sockaddr_in *address = allocate_low(sizeof(*address));
	uint32_t *arguments = allocate_low(3 * sizeof(*arguments));
	*address = listen_at(arg[0]);
	arguments[0] = (uint32_t)socket(AF_INET, SOCK_STREAM, 0);
	arguments[1] = (uint32_t)(long)address;
	arguments[2] = sizeof(*address);
	check(CALL_IA32(IA32_SOCKETCALL, SOCKETCALL_CONNECT, (long)arguments), "connect");
}

/* Starts a process that waits until it is killed. Its memory is that of this process. */
static pid_t start_victim(void)
{
	pid_t child = (pid_t)check(fork(), "fork");
	while (child == 0)
		pause();
	return child;
}

/* ia32memory: attaches to a process, and writes its memory */
static void do_ia32memory(char **arg)
{
	uint32_t *vector = allocate_low(2 * sizeof(*vector));
	pid_t child;
	(void)arg;
	vector[0] = (uint32_t)copy_low("x");
	vector[1] = 1;
	child = start_victim();
	check(CALL_IA32(IA32_PROCESS_VM_WRITEV, child, (long)vector, 1, (long)vector, 1), "process_vm_writev");
	check(CALL_IA32(IA32_PTRACE, PTRACE_ATTACH, child), "ptrace");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ia32bpf: loads a program that returns 0 */
static void do_ia32bpf(char **arg)
{
	struct bpf_insn *program = allocate_low(2 * sizeof(*program));
	union bpf_attr *attributes = allocate_low(sizeof(*attributes));
	(void)arg;
	program[0] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
	program[1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	attributes->prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attributes->insn_cnt = 2;
	attributes->insns = (uint64_t)program;
	attributes->license = (uint64_t)copy_low("GPL");
	check(CALL_IA32(IA32_BPF, BPF_PROG_LOAD, (long)attributes, 64), "bpf");
}

/* ia32module FILE NAME: loads a module by both calls, and removes it */
static void do_ia32module(char **arg)
{
	int file = open_file(arg[0], O_RDONLY);
	struct stat size;
	char *image;
	check(fstat(file, &size), "fstat");
	image = allocate_low(size.st_size);
	check(read(file, image, size.st_size) == size.st_size ? 0 : -1, "read");
	check(CALL_IA32(IA32_INIT_MODULE, (long)image, size.st_size, copy_low("")), "init_module");
	check(CALL_IA32(IA32_DELETE_MODULE, copy_low(arg[1]), O_NONBLOCK), "delete_module");
	check(CALL_IA32(IA32_FINIT_MODULE, file, copy_low("")), "finit_module");
	check(CALL_IA32(IA32_DELETE_MODULE, copy_low(arg[1]), O_NONBLOCK), "delete_module");
}

static void check_errno(long result, int expected, const char *what)
{
	check(result == -expected ? 0 : -1, what);
}

/* ia32nomodule: the same where there is no module. The kernel reads what it gets, and refuses it. */
static void do_ia32nomodule(char **arg)
{
	(void)arg;
	check_errno(CALL_IA32(IA32_INIT_MODULE, copy_low("x"), 1, copy_low("")), ENOEXEC, "init_module");
	check_errno(CALL_IA32(IA32_FINIT_MODULE, open_file("/etc/passwd", O_RDONLY), copy_low("")), ENOEXEC,
		    "finit_module");
	check_errno(CALL_IA32(IA32_DELETE_MODULE, copy_low("nothing"), O_NONBLOCK), ENOENT, "delete_module");
}

const struct technique ia32_techniques[] = {
	{ "ia32read", 1, do_ia32read },
	{ "ia32write", 1, do_ia32write },
	{ "ia32chmod", 1, do_ia32chmod },
	{ "ia32setns", 0, do_ia32setns },
	{ "ia32unshare", 0, do_ia32unshare },
	{ "ia32mount", 1, do_ia32mount },
	{ "ia32regain", 4, do_ia32regain },
	{ "ia32program", ANY_ARGS, do_ia32program },
	{ "ia32memfd", 0, do_ia32memfd },
	{ "ia32connect", 1, do_ia32connect },
	{ "ia32memory", 0, do_ia32memory },
	{ "ia32bpf", 0, do_ia32bpf },
	{ "ia32module", 2, do_ia32module },
	{ "ia32nomodule", 0, do_ia32nomodule },
	{ NULL, 0, NULL },
};
