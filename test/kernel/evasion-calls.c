/* Techniques to read and to change a file by its own name: one system call each. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

static char bytes[4096];
static const struct iovec vector = { bytes, 1 };

static void do_read(char **arg)
{
	read_path(arg[0]);
}

static void do_pread(char **arg)
{
	check(pread(open_file(arg[0], O_RDONLY), bytes, 1, 0), "pread");
}

static void do_readv(char **arg)
{
	check(readv(open_file(arg[0], O_RDONLY), &vector, 1), "readv");
}

static void do_preadv(char **arg)
{
	check(preadv(open_file(arg[0], O_RDONLY), &vector, 1, 0), "preadv");
}

static void do_preadv2(char **arg)
{
	check(preadv2(open_file(arg[0], O_RDONLY), &vector, 1, 0, RWF_HIPRI), "preadv2");
}

static void do_write(char **arg)
{
	write_path(arg[0]);
}

static void do_pwrite(char **arg)
{
	check(pwrite(open_file(arg[0], O_WRONLY), bytes, 1, 0), "pwrite");
}

static void do_writev(char **arg)
{
	check(writev(open_file(arg[0], O_WRONLY), &vector, 1), "writev");
}

static void do_pwritev2(char **arg)
{
	check(pwritev2(open_file(arg[0], O_WRONLY), &vector, 1, 0, 0), "pwritev2");
}

/* sendfile FROM TO, copy FROM TO */
static void do_sendfile(char **arg)
{
	int from = open_file(arg[0], O_RDONLY);
	check(sendfile(open_file(arg[1], O_WRONLY), from, NULL, 1), "sendfile");
}

static void do_copy(char **arg)
{
	int from = open_file(arg[0], O_RDONLY);
	check(copy_file_range(from, NULL, open_file(arg[1], O_WRONLY), NULL, 1, 0), "copy_file_range");
}

/* splice FILE: into a pipe */
static void do_splice(char **arg)
{
	int fds[2];
	check(pipe(fds), "pipe");
	check(splice(open_file(arg[0], O_RDONLY), NULL, fds[1], NULL, 1, 0), "splice");
}

/* spliceto FILE, vmsplice FILE: from a pipe, which has bytes or pages of this process */
static void do_spliceto(char **arg)
{
	int fds[2];
	check(pipe(fds), "pipe");
	check(write(fds[1], bytes, 1), "write");
	check(splice(fds[0], NULL, open_file(arg[0], O_WRONLY), NULL, 1, 0), "splice");
}

static void do_vmsplice(char **arg)
{
	int fds[2];
	check(pipe(fds), "pipe");
	check(vmsplice(fds[1], &vector, 1, 0), "vmsplice");
	check(splice(fds[0], NULL, open_file(arg[0], O_WRONLY), NULL, 1, 0), "splice");
}

/* Runs one operation by io_uring. IORING_FEAT_SINGLE_MMAP exists since Linux 5.4. */
static void run_io_uring(int operation, int fd)
{
	struct io_uring_params params = { 0 };
	int ring_fd = (int)check(syscall(SYS_io_uring_setup, 1, &params), "io_uring_setup");
	char *rings = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
	struct io_uring_sqe *entry = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQES);
	struct io_uring_cqe *done;

	check(rings == MAP_FAILED || entry == MAP_FAILED ? -1 : 0, "mmap of the rings");
	entry->opcode = operation;
	entry->fd = fd;
	entry->addr = (unsigned long)bytes;
	entry->len = 1;
	((unsigned *)(rings + params.sq_off.array))[0] = 0;
	__atomic_store_n((unsigned *)(rings + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	check(syscall(SYS_io_uring_enter, ring_fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
	done = (void *)(rings + params.cq_off.cqes);
	errno = -done->res;
	check(done->res, "the operation of io_uring");
}

static void do_uringread(char **arg)
{
	run_io_uring(IORING_OP_READ, open_file(arg[0], O_RDONLY));
}

static void do_uringwrite(char **arg)
{
	run_io_uring(IORING_OP_WRITE, open_file(arg[0], O_WRONLY));
}

/* truncate FILE, ftruncate FILE, otrunc FILE, fallocate FILE */
static void do_truncate(char **arg)
{
	check(truncate(arg[0], 1), "truncate");
}

static void do_ftruncate(char **arg)
{
	check(ftruncate(open_file(arg[0], O_WRONLY), 1), "ftruncate");
}

static void do_otrunc(char **arg)
{
	open_file(arg[0], O_WRONLY | O_TRUNC);
}

static void do_fallocate(char **arg)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	check(fallocate(open_file(arg[0], O_WRONLY), mode, 0, 4096), "fallocate");
}

/* map FILE PROT FLAGS THEN: maps the file with PROT, changes that to THEN by mprotect if they differ, and uses the
 * memory */
static void do_map(char **arg)
{
	int protection = atoi(arg[1]), flags = atoi(arg[2]), then = atoi(arg[3]);
	int writes = flags == MAP_SHARED && (protection | then) & PROT_WRITE;
	int fd = open_file(arg[0], writes ? O_RDWR : O_RDONLY);
	volatile char *at = mmap(0, 4096, protection, flags, fd, 0);

	check(at == MAP_FAILED ? -1 : 0, "mmap");
	if (then != protection)
		check(mprotect((void *)at, 4096, then), "mprotect");
	if (then & PROT_WRITE)
		at[0] = 'x';
	else
		bytes[0] = at[0];
}

/* handle FILE: by a file handle and the mount that contains the file */
static void do_handle(char **arg)
{
	struct {
		struct file_handle head;
		char bytes[MAX_HANDLE_SZ];
	} handle = { .head = { .handle_bytes = MAX_HANDLE_SZ } };
	int mount_id, root = open_file("/", O_RDONLY | O_DIRECTORY);
	check(name_to_handle_at(AT_FDCWD, arg[0], &handle.head, &mount_id, 0), "name_to_handle_at");
	read_from((int)check(open_by_handle_at(root, &handle.head, O_RDONLY), "open_by_handle_at"));
}

/* reopen FILE: a descriptor with O_PATH cannot be read; its entry in /proc can be opened */
static void do_reopen(char **arg)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", open_file(arg[0], O_PATH));
	read_path(path);
}

/* inherit FILE: another program reads it by an inherited descriptor */
static void do_inherit(char **arg)
{
	char *program[] = { "/proc/self/exe", "inherited", NULL };
	check(dup2(open_file(arg[0], O_RDONLY), INHERITED), "dup2");
	check(execv(program[0], program), "execv");
}

/* pass FILE: another process opens it, and sends the descriptor */
static void do_pass(char **arg)
{
	union {
		struct cmsghdr head;
		char buffer[CMSG_SPACE(sizeof(int))];
	} control = { .buffer = { 0 } };
	struct iovec one = { bytes, 1 };
	struct msghdr message = {
		.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int ends[2], fd;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	if (fork() == 0) {
		fd = open_file(arg[0], O_RDONLY);
		control.head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		check(sendmsg(ends[1], &message, 0), "sendmsg");
		_exit(0);
	}
	check(recvmsg(ends[0], &message, 0), "recvmsg");
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	read_from(fd);
}

/* take FILE: takes the descriptor of its parent, which has opened the file */
static void do_take(char **arg)
{
	int fd = open_file(arg[0], O_RDONLY), process = (int)check(syscall(SYS_pidfd_open, getpid(), 0), "pidfd_open");
	int status;
	if (fork() == 0) {
		announce();
		read_from((int)check(syscall(SYS_pidfd_getfd, process, fd, 0), "pidfd_getfd"));
		_exit(0);
	}
	wait(&status);
	check(status ? -1 : 0, "the child");
}

/* execute FILE, module FILE: the kernel reads the beginning, or the whole file, and refuses it */
static void do_execute(char **arg)
{
	char *program[] = { arg[0], NULL };
	execv(program[0], program);
	check(errno == ENOEXEC ? 0 : -1, "execv");
}

static void do_module(char **arg)
{
	int fd = open_file(arg[0], O_RDONLY);
	check(syscall(SYS_finit_module, fd, "", 0) < 0 && errno == ENOEXEC ? 0 : -1, "finit_module");
}

const struct technique call_techniques[] = {
	{ "read", 1, do_read },
	{ "pread", 1, do_pread },
	{ "readv", 1, do_readv },
	{ "preadv", 1, do_preadv },
	{ "preadv2", 1, do_preadv2 },
	{ "write", 1, do_write },
	{ "pwrite", 1, do_pwrite },
	{ "writev", 1, do_writev },
	{ "pwritev2", 1, do_pwritev2 },
	{ "sendfile", 2, do_sendfile },
	{ "copy", 2, do_copy },
	{ "splice", 1, do_splice },
	{ "spliceto", 1, do_spliceto },
	{ "vmsplice", 1, do_vmsplice },
	{ "uringread", 1, do_uringread },
	{ "uringwrite", 1, do_uringwrite },
	{ "truncate", 1, do_truncate },
	{ "ftruncate", 1, do_ftruncate },
	{ "otrunc", 1, do_otrunc },
	{ "fallocate", 1, do_fallocate },
	{ "map", 4, do_map },
	{ "handle", 1, do_handle },
	{ "reopen", 1, do_reopen },
	{ "inherit", 1, do_inherit },
	{ "pass", 1, do_pass },
	{ "take", 1, do_take },
	{ "execute", 1, do_execute },
	{ "module", 1, do_module },
	{ NULL, 0, NULL },
};
