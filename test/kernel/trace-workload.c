/* The operations that the tests, the captures and the comparison of `polytrace trace` trace: trace-workload NAME
 * [COUNT] [FILE]. `shell` executes the line FILE. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *file;

static int check(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int listener(int type, int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = check(socket(AF_INET, type, 0), "socket"), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	check(bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
	if (type == SOCK_STREAM)
		check(listen(fd, 64), "listen");
	return fd;
}

static void do_open(void)
{
	close(check(open("/etc/hostname", O_RDONLY), "open"));
	open("/no/such/file", O_RDONLY);
}

static void do_files(void)
{
	static char data[4096];
	int fd = check(open("/tmp/trace-file", O_RDWR | O_CREAT, 0600), "open");

	check(write(fd, data, sizeof(data)), "write");
	lseek(fd, 0, SEEK_SET);
	check(read(fd, data, 1000), "read");
	close(fd);
}

static void do_exec(void)
{
	pid_t child = check(vfork(), "vfork");

	if (child == 0) {
		execl("/bin/true", "true", "trace-exec", NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

/* a connection with 1000 bytes to the server and 5000 bytes back, and one that nobody accepts */
static void do_tcp(void)
{
	static char data[5000];
	static int server = -1;
	struct sockaddr_in address = loopback(18990), closed = loopback(9);
	int client = check(socket(AF_INET, SOCK_STREAM, 0), "socket"), peer, left;

	if (server < 0)
		server = listener(SOCK_STREAM, 18990);
	check(connect(client, (struct sockaddr *)&address, sizeof(address)), "connect");
	peer = check(accept(server, NULL, NULL), "accept");
	check(send(client, data, 1000, 0), "send");
	check(recv(peer, data, 1000, MSG_WAITALL), "recv");
	check(send(peer, data, sizeof(data), 0), "send");
	left = check(recv(client, data, sizeof(data), MSG_WAITALL), "recv");
	close(client);
	close(peer);
	if (left != sizeof(data))
		exit(2);
	client = check(socket(AF_INET, SOCK_STREAM, 0), "socket");
	if (connect(client, (struct sockaddr *)&closed, sizeof(closed)) == 0)
		exit(3);
	close(client);
}

static const char question[] = "\0\7\1\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\1\0\1";
static const char record[] = "\xc0\x0c\0\1\0\1\0\0\0\74\0\4\xc0\0\2\7";

/* a question to a name server of this process; each second answer is NXDOMAIN */
static void do_dns(void)
{
	static int server = -1, asked;
	char message[512];
	struct sockaddr_in address = loopback(53);
	socklen_t size = sizeof(address);
	int client = check(socket(AF_INET, SOCK_DGRAM, 0), "socket"), length;

	if (server < 0)
		server = listener(SOCK_DGRAM, 53);
	check(connect(client, (struct sockaddr *)&address, sizeof(address)), "connect");
	check(send(client, question, sizeof(question) - 1, 0), "send");
	length = check(recvfrom(server, message, sizeof(message), 0, (struct sockaddr *)&address, &size), "recvfrom");
	message[2] = (char)0x81;
	message[3] = asked++ % 2 ? (char)0x83 : (char)0x80;
	if (message[3] == (char)0x80) {
		message[7] = 1;
		memcpy(message + length, record, sizeof(record) - 1);
		length += (int)sizeof(record) - 1;
	}
	check(sendto(server, message, length, 0, (struct sockaddr *)&address, size), "sendto");
	check(recv(client, message, sizeof(message), 0), "recv");
	close(client);
}

static void do_bind(void)
{
	close(listener(SOCK_STREAM, 18991));
}

static void do_mount(void)
{
	check(mount("none", "/mnt", "tmpfs", 0, ""), "mount");
	check(umount2("/mnt", 0), "umount");
}

static void do_kill(void)
{
	signal(SIGUSR1, SIG_IGN);
	check(kill(getpid(), SIGUSR1), "kill");
	kill(999999, SIGTERM);
}

static void do_capable(void)
{
	setpriority(PRIO_PROCESS, 0, 0);
	check(setpriority(PRIO_PROCESS, 0, -1), "setpriority");
	check(seteuid(65534), "seteuid");
	setpriority(PRIO_PROCESS, 0, -5);
	check(seteuid(0), "seteuid");
}

static void do_block(void)
{
	static void *data;
	static int fd = -1;

	if (fd < 0) {
		fd = check(open(file, O_RDWR | O_DIRECT), "open");
		check(-posix_memalign(&data, 4096, 4096), "memory");
	}
	check(pwrite(fd, data, 4096, 0), "pwrite");
	check(pread(fd, data, 4096, 0), "pread");
}

static void do_slow(void)
{
	size_t size = 64 << 20;
	char *data = calloc(1, size);
	int fd = check(open("/tmp/trace-slow", O_RDWR | O_CREAT, 0600), "open");

	check(write(fd, data, size) == (ssize_t)size ? 0 : -1, "write");
	close(fd);
	unlink("/tmp/trace-slow");
	free(data);
}

static void do_shell(void)
{
	system(file);
}

static const struct {
	const char *name;
	void (*run)(void);
} workloads[] = {
	{ "open", do_open },       { "files", do_files }, { "exec", do_exec },   { "tcp", do_tcp },
	{ "dns", do_dns },         { "bind", do_bind },   { "mount", do_mount }, { "kill", do_kill },
	{ "capable", do_capable }, { "block", do_block }, { "slow", do_slow },   { "shell", do_shell },
};

/* processor time of this process and its children, in nanoseconds */
static long long cpu_time(void)
{
	long long sum = 0;

	for (int who = RUSAGE_CHILDREN; who <= RUSAGE_SELF; who++) {
		struct rusage usage;

		getrusage(who, &usage);
		sum += (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL;
		sum += usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	}
	return sum * 1000;
}

/* prints the processor time of an operation */
int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 1;
	long long start;

	file = argc > 3 ? argv[3] : "";
	for (size_t i = 0; argc > 1 && i < sizeof(workloads) / sizeof(workloads[0]); i++) {
		if (strcmp(argv[1], workloads[i].name) != 0)
			continue;
		start = cpu_time();
		for (long done = 0; done < count; done++)
			workloads[i].run();
		printf("%lld\n", (cpu_time() - start) / (count > 0 ? count : 1));
		return 0;
	}
	fprintf(stderr, "usage: trace-workload NAME [COUNT] [FILE]\n");
	return 2;
}
