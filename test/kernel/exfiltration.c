/*
 * Ways to send out a secret: exfiltration WAY SECRET ADDRESS. Each way reads one byte of the secret and then connects
 * or sends to the address. Prints `sent`, or the name of the error.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *secret, *address;

static void finish(long result)
{
	puts(result >= 0 ? "sent" : strerrorname_np(errno));
	exit(0);
}

static struct sockaddr_in outside(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };

	inet_pton(AF_INET, address, &to.sin_addr);
	return to;
}

static void read_secret(void)
{
	int file = open(secret, O_RDONLY);
	char byte;

	if (file < 0 || read(file, &byte, 1) != 1) {
		perror(secret);
		exit(1);
	}
	close(file);
}

static void connect_out(void)
{
	struct sockaddr_in to = outside();

	finish(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof(to)));
}

/* Runs one operation by io_uring. With `flags` IORING_SETUP_SQPOLL, a thread of the kernel takes it. */
static long run_io_uring(const struct io_uring_sqe *operation, unsigned int flags)
{
	struct io_uring_params params = { .flags = flags, .sq_thread_idle = 1000 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	struct io_uring_sqe *entry = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	char *memory = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	struct io_uring_cqe *done = (struct io_uring_cqe *)(memory + params.cq_off.cqes);

	if (ring < 0 || entry == MAP_FAILED || memory == MAP_FAILED) {
		perror("io_uring");
		exit(1);
	}
	*entry = *operation;
	*(unsigned int *)(memory + params.sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(memory + params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0) {
		perror("io_uring_enter");
		exit(1);
	}
	errno = done->res < 0 ? -done->res : 0;
	return done->res;
}

static void connect_by_io_uring(unsigned int flags)
{
	struct sockaddr_in to = outside();
	struct io_uring_sqe operation = { .opcode = IORING_OP_CONNECT, .addr = (unsigned long)&to, .off = sizeof(to) };

	operation.fd = socket(AF_INET, SOCK_STREAM, 0);
	finish(run_io_uring(&operation, flags));
}

static void read_by_io_uring(void)
{
	static char byte;
	struct io_uring_sqe operation = { .opcode = IORING_OP_READ, .addr = (unsigned long)&byte, .len = 1 };

	operation.fd = open(secret, O_RDONLY);
	if (run_io_uring(&operation, 0) != 1)
		exit(1);
}

static void map_secret(void)
{
	volatile char *memory = mmap(0, 1, PROT_READ, MAP_PRIVATE, open(secret, O_RDONLY), 0);

	if (memory == MAP_FAILED)
		exit(1);
	(void)*memory;
}

static void *connect_in_thread(void *unused)
{
	connect_out();
	return unused;
}

static int udp_socket(int connects)
{
	struct sockaddr_in to = outside();
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (connects && connect(sock, (struct sockaddr *)&to, sizeof(to)))
		finish(-1);
	return sock;
}

static void send_by_io_uring(void)
{
	struct sockaddr_in to = outside();
	struct iovec part = { "x", 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1 };
	struct io_uring_sqe operation = { .opcode = IORING_OP_SENDMSG, .addr = (unsigned long)&message, .len = 1 };

	operation.fd = udp_socket(0);
	finish(run_io_uring(&operation, 0));
}

/* The process that ends first reads the secret and passes it on; the other one, which is older or not its child,
 * connects. */
static void pass_on(int reader_is_child)
{
	int pair[2];
	char byte = 0;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		exit(1);
	child = fork();
	if ((child == 0) == (reader_is_child != 0)) {
		read_secret();
		if (write(pair[0], &byte, 1) != 1)
			exit(1);
		if (child)
			waitpid(child, NULL, 0);
		exit(0);
	}
	if (read(pair[1], &byte, 1) != 1)
		exit(1);
	connect_out();
}

int main(int count, char **args)
{
	const char *way = count > 3 ? args[1] : "";
	struct sockaddr_in to;
	pthread_t thread;
	pid_t child;
	int sock;

	secret = args[2];
	address = args[3];
	to = outside();
	if (!strcmp(way, "nothing")) {
		connect_out();
	} else if (!strcmp(way, "helper") || !strcmp(way, "parent")) {
		pass_on(!strcmp(way, "parent"));
	} else if (!strcmp(way, "earlier")) {
		sock = udp_socket(1);
		read_secret();
		finish(send(sock, "x", 1, 0));
	} else if (!strcmp(way, "uring-read")) {
		read_by_io_uring();
		connect_out();
	} else if (!strcmp(way, "map")) {
		map_secret();
		connect_out();
	}
	read_secret();
	if (!strcmp(way, "child")) {
		child = fork();
		if (!child)
			connect_out();
		waitpid(child, NULL, 0);
		return 0;
	}
	if (!strcmp(way, "exec")) {
		execl("/proc/self/exe", args[0], "nothing", secret, address, NULL);
		return 1;
	}
	if (!strcmp(way, "thread")) {
		pthread_create(&thread, NULL, connect_in_thread, NULL);
		pthread_join(thread, NULL);
	}
	if (!strcmp(way, "uring"))
		connect_by_io_uring(0);
	if (!strcmp(way, "sqpoll"))
		connect_by_io_uring(IORING_SETUP_SQPOLL);
	if (!strcmp(way, "uring-send"))
		send_by_io_uring();
	if (!strcmp(way, "sendto"))
		finish(sendto(udp_socket(0), "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	if (!strcmp(way, "udp"))
		finish(send(udp_socket(1), "x", 1, 0));
	if (!strcmp(way, "fastopen"))
		finish(sendto(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to,
			      sizeof(to)));
	connect_out();
	return 0;
}
