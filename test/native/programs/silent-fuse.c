/*
 * silent-fuse FOLDER FILE: mounts a file system of its own on FOLDER, with FILE as `program`, and reports "ready".
 * Lines on its standard input change what it answers:
 *   hold   no reads behind the first page: an exec of `program` waits in a page fault
 *   stop   nothing: requests are taken, and a process that waits for one cannot even be killed
 *   deaf   nothing: requests are not taken, and a process that waits for one can be killed; reports "deaf"
 *   go     everything, also the requests that have waited
 * It reports "held" for the first request that waits. It unmounts when its input ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROGRAM_INODE = 2, BUFFER = 1 << 17, PAGE = 4096, HELD_MAX = 64 };
enum mode { ANSWER, HOLD, STOP, DEAF };

static int device;
static char *content;
static size_t size;
static enum mode mode = ANSWER;
static struct {
	char *request;
} held[HELD_MAX];
static int held_count;

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t length)
{
	static char out[BUFFER + sizeof(struct fuse_out_header)];
	struct fuse_out_header header = { .len = sizeof(header) + length, .error = error, .unique = in->unique };

	memcpy(out, &header, sizeof(header));
	if (length > 0)
		memcpy(out + sizeof(header), data, length);
	/* a request that was interrupted is not known any more */
	if (write(device, out, header.len) < 0 && errno != ENOENT)
		perror("answer");
}

static struct fuse_attr attributes(unsigned long inode)
{
	struct fuse_attr attr = { .ino = inode, .nlink = 1, .mode = S_IFDIR | 0755, .blksize = PAGE };

	if (inode == PROGRAM_INODE) {
		attr.mode = S_IFREG | 0755;
		attr.size = size;
	}
	return attr;
}

static void answer(const char *request)
{
	const struct fuse_in_header *in = (const void *)request;
	const void *body = request + sizeof(*in);

	switch (in->opcode) {
	case FUSE_INIT: {
		const struct fuse_init_in *asked = body;
		struct fuse_init_out out = { .major = 7,
					     .minor = asked->minor < 31 ? asked->minor : 31,
					     .max_write = PAGE };

		return reply(in, 0, &out, sizeof(out));
	}
	case FUSE_LOOKUP: {
		/* nothing stays valid: each access asks again */
		struct fuse_entry_out out = { .nodeid = PROGRAM_INODE, .attr = attributes(PROGRAM_INODE) };

		if (strcmp(body, "program") != 0)
			return reply(in, -ENOENT, NULL, 0);
		return reply(in, 0, &out, sizeof(out));
	}
	case FUSE_GETATTR: {
		struct fuse_attr_out out = { .attr = attributes(in->nodeid) };

		return reply(in, 0, &out, sizeof(out));
	}
	case FUSE_OPEN:
	case FUSE_OPENDIR: {
		struct fuse_open_out out = { .fh = 1 };

		return reply(in, 0, &out, sizeof(out));
	}
	case FUSE_READ: {
		const struct fuse_read_in *asked = body;
		size_t left = asked->offset < size ? size - asked->offset : 0;

		return reply(in, 0, content + asked->offset, asked->size < left ? asked->size : left);
	}
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_ACCESS:
		return reply(in, 0, NULL, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return; /* they have no answer */
	default:
		return reply(in, -ENOSYS, NULL, 0);
	}
}

static int must_wait(const char *request)
{
	const struct fuse_in_header *in = (const void *)request;
	const struct fuse_read_in *asked = (const void *)(request + sizeof(*in));

	if (mode == HOLD)
		return in->opcode == FUSE_READ && asked->offset >= PAGE;
	return mode == STOP;
}

static void handle_request(void)
{
	static char request[BUFFER];
	ssize_t got = read(device, request, sizeof(request));

	if (got <= 0)
		return;
	if (!must_wait(request))
		return answer(request);
	if (held_count < HELD_MAX) {
		held[held_count].request = malloc(got);
		memcpy(held[held_count++].request, request, got);
	}
	if (held_count == 1)
		puts("held");
}

static int handle_line(void)
{
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		return 0;
	mode = line[0] == 'h' ? HOLD : line[0] == 's' ? STOP : line[0] == 'd' ? DEAF : ANSWER;
	if (mode == DEAF)
		puts("deaf");
	while (mode == ANSWER && held_count > 0) {
		answer(held[--held_count].request);
		free(held[held_count].request);
	}
	return 1;
}

static void read_program(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		exit(1);
	size = status.st_size;
	content = malloc(size + BUFFER);
	if (read(fd, content, size) != (ssize_t)size)
		exit(1);
	close(fd);
}

int main(int argc, char **argv)
{
	char options[128];

	if (argc != 3)
		return 2;
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_program(argv[2]);
	device = open("/dev/fuse", O_RDWR);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
	if (device < 0 || mount("silent", argv[1], "fuse.silent", 0, options) < 0) {
		perror("mount");
		return 1;
	}
	puts("ready");
	for (;;) {
		struct pollfd fds[] = { { mode == DEAF ? -1 : device, POLLIN, 0 }, { 0, POLLIN, 0 } };

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents && !handle_line())
			break;
		if (fds[0].revents)
			handle_request();
	}
	umount2(argv[1], MNT_DETACH);
	return 0; /* the kernel ends all requests when the device is closed */
}
