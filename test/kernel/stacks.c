/* stacks FILE COPY: reads a file in many ways, from call chains of different depths. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROUNDS = 6 };

static char byte;
static const struct iovec vector = { .iov_base = &byte, .iov_len = 1 };

static void check(ssize_t result, const char *what)
{
	if (result < 0)
		err(1, "%s", what);
}

static void read_all_ways(int in, int out)
{
	loff_t offset = 0;
	int ends[2];

	check(pread(in, &byte, 1, 0), "pread");
	check(lseek(in, 0, SEEK_SET), "lseek");
	check(read(in, &byte, 1), "read");
	check(readv(in, &vector, 1), "readv");
	check(preadv(in, &vector, 1, 0), "preadv");
	check(preadv2(in, &vector, 1, 0, RWF_HIPRI), "preadv2");
	check(pwrite(out, &byte, 1, 0), "pwrite");
	check(pwritev(out, &vector, 1, 0), "pwritev");
	check(sendfile(out, in, &(off_t){ 0 }, 1), "sendfile");
	check(copy_file_range(in, &(loff_t){ 0 }, out, &(loff_t){ 0 }, 1, 0), "copy_file_range");
	check(pipe(ends), "pipe");
	check(splice(in, &offset, ends[1], 0, 1, 0), "splice");
	check(close(ends[0]) | close(ends[1]), "close");
}

/* Not a tail call, and not inlined: each level is a frame. */
__attribute__((noinline, noclone)) static int read_at_depth(int depth, int in, int out)
{
	if (depth > 0)
		return read_at_depth(depth - 1, in, out) + 1;
	read_all_ways(in, out);
	return 0;
}

int main(int argc, char **argv)
{
	static const int depths[] = { 0, 5, 6, 7, 8, 40, 1, 200, 2 };
	int in, out;

	if (argc != 3)
		errx(2, "usage: stacks FILE COPY");
	in = open(argv[1], O_RDONLY);
	out = open(argv[2], O_RDWR | O_CREAT, 0600);
	if (in < 0 || out < 0)
		err(1, "open");
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < sizeof(depths) / sizeof(*depths); i++)
			read_at_depth(depths[i], in, out);
	}
	return 0;
}
