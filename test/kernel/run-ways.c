/* Ways of a package's program that need no system call of their own: io_uring, and calls of 32 bits by int 0x80. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Submits one operation and returns its result. */
static int run_ring(struct io_uring_sqe operation)
{
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	char *queue, *results;
	struct io_uring_sqe *entries;
	struct io_uring_cqe *done;

	if (ring < 0)
		return -errno;
	queue = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		     IORING_OFF_SQ_RING);
	results = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED,
		       ring, IORING_OFF_CQ_RING);
	entries = mmap(NULL, params.sq_entries * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		       IORING_OFF_SQES);
	if (queue == MAP_FAILED || results == MAP_FAILED || entries == MAP_FAILED)
		return -ENOMEM;
	entries[0] = operation;
	((uint32_t *)(queue + params.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	done = (struct io_uring_cqe *)(results + params.cq_off.cqes);
	close(ring);
	return done->res;
}

static int call_32(long number, long one, long two, long three)
{
	__asm__ volatile("int $0x80"
			 : "+a"(number)
			 : "b"(one), "c"(two), "d"(three)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return (int)number;
}

/* A copy at an address of 32 bits. */
static long copy_low(const void *bytes, size_t size)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	memcpy(low, bytes, size);
	return (long)low;
}

static struct sockaddr_in loopback(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* Prints the errno of each operation, 0 for success: FILE PORT. */
int main(int argc, char **argv)
{
	struct sockaddr_in address;
	int result, connection;
	char path[256];
	long low[3];

	if (argc != 3)
		return 2;
	address = loopback(argv[2]);
	snprintf(path, sizeof(path), "%s-ring", argv[1]);
	result = run_ring((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
						 .fd = AT_FDCWD,
						 .addr = (uintptr_t)path,
						 .open_flags = O_CREAT | O_WRONLY,
						 .len = 0600 });
	printf("ring-open %d\n", result < 0 ? -result : 0);
	/* a worker of io_uring opens it */
	snprintf(path, sizeof(path), "%s-worker", argv[1]);
	result = run_ring((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT,
						 .flags = IOSQE_ASYNC,
						 .fd = AT_FDCWD,
						 .addr = (uintptr_t)path,
						 .open_flags = O_CREAT | O_WRONLY,
						 .len = 0600 });
	printf("worker-open %d\n", result < 0 ? -result : 0);
	connection = socket(AF_INET, SOCK_STREAM, 0);
	result = run_ring((struct io_uring_sqe){
		.opcode = IORING_OP_CONNECT, .fd = connection, .addr = (uintptr_t)&address, .off = sizeof(address) });
	printf("ring-connect %d\n", result < 0 ? -result : 0);
	snprintf(path, sizeof(path), "%s-32", argv[1]);
	result = call_32(5, copy_low(path, sizeof(path)), O_CREAT | O_WRONLY, 0600);
	printf("open-32 %d\n", result < 0 ? -result : 0);
	connection = socket(AF_INET, SOCK_STREAM, 0);
	result = call_32(362, connection, copy_low(&address, sizeof(address)), sizeof(address));
	printf("connect-32 %d\n", result < 0 ? -result : 0);
	/* socketcall: connect */
	connection = socket(AF_INET, SOCK_STREAM, 0);
	((uint32_t *)low)[0] = (uint32_t)connection;
	((uint32_t *)low)[1] = (uint32_t)copy_low(&address, sizeof(address));
	((uint32_t *)low)[2] = sizeof(address);
	result = call_32(102, 3, copy_low(low, sizeof(low)), 0);
	printf("socketcall-32 %d\n", result < 0 ? -result : 0);
	return 0;
}
