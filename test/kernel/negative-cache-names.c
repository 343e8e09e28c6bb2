/*
 * Tests the negative cache with files that have only a name, and with whole folders. The policy watches FOLDER/watched,
 * files of FOLDER/values, and names that end with `.secret` or `/x`.
 *
 *   negative-cache-names FOLDER: reads pipes, sockets, memory files, removed files, and files whose names or places are
 * next to those of values.
 */
#include "negative-cache.h"
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

static void exchange_bytes(int from, int to)
{
	char byte = 0;

	for (int i = 0; i < 3; i++) {
		check(write(from, &byte, 1), "write", "");
		check(read(to, &byte, 1), "read", "");
	}
}

static void use_pipes_and_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "watched/socket" };
	int ends[2], listener, client, server;
	uint64_t count = 1;

	DO(pipe2(ends, O_CLOEXEC), "");
	exchange_bytes(ends[1], ends[0]);
	DO(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "");
	exchange_bytes(ends[0], ends[1]);
	/* a socket that has a name in a folder: the open socket has none */
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	DO(bind(listener, (void *)&address, sizeof(address)), address.sun_path);
	DO(listen(listener, 1), "");
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	DO(connect(client, (void *)&address, sizeof(address)), address.sun_path);
	server = accept(listener, NULL, NULL);
	exchange_bytes(client, server);
	close(client);
	close(server);
	close(listener);
	/* the name in the folder is a path */
	for (int i = 0; i < 3; i++)
		DO(chmod("watched/socket", 0600), "watched/socket");
	DO(mkfifo("watched/fifo", 0600), "watched/fifo");
	client = open("watched/fifo", O_RDWR | O_CLOEXEC);
	check(client, "open", "watched/fifo");
	exchange_bytes(client, client);
	close(client);
	client = eventfd(0, 0);
	for (int i = 0; i < 3; i++) {
		check(write(client, &count, sizeof(count)), "write", "eventfd");
		check(read(client, &count, sizeof(count)), "read", "eventfd");
	}
	close(client);
}

static void use_memory_files(void)
{
	static const char *const names[] = {
		"",
		"x",
		"/x",
		"/watched/file",
		"known",
		"known2",
		"a.secret",
		"cret",
		"0123456789012345678901234567890123456789",
		"0123456789012345678901234567890123456789.secret",
		"01234567890123456789012345678901234567890123456789012345678901234567890123456789/watched/x",
	};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			int fd = memfd_create(names[i], MFD_CLOEXEC);
			char path[32];

			check(fd, "memfd_create", names[i]);
			check(write(fd, "x", 1), "write", names[i]);
			read_repeatedly(fd);
			snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			read_path(path);
			close(fd);
		}
	}
}

static void use_removed_files(void)
{
	static const char *const folders[] = { "plain", "watched", "values" };

	for (int i = 0; i < 6; i++) {
		const char *folder = folders[i % 3];
		char path[64];
		int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

		check(fd, "O_TMPFILE", folder);
		check(write(fd, "x", 1), "write", folder);
		read_repeatedly(fd);
		close(fd);
		snprintf(path, sizeof(path), "%s/removed", folder);
		make_file(path);
		read_path(path);
		fd = open_file(path);
		DO(unlink(path), path);
		read_repeatedly(fd);
		close(fd);
		/* a file in a removed folder */
		snprintf(path, sizeof(path), "%s/gone", folder);
		make_folder(path);
		snprintf(path, sizeof(path), "%s/gone/file", folder);
		make_file(path);
		fd = open_file(path);
		DO(unlink(path), path);
		read_repeatedly(fd);
		snprintf(path, sizeof(path), "%s/gone", folder);
		DO(rmdir(path), path);
		read_repeatedly(fd);
		close(fd);
	}
}

/* Values end at a slash, within a name, or at the end of a path. Names of more than 31 bytes are not in the dentry. */
static const char *const neighbours[] = {
	"file",
	"files",
	"fil",
	"prefix",
	"pre",
	"pr",
	"x",
	"ax",
	".secret",
	"a.secret",
	"b.secret2",
	"long-0123456789-0123456789-0123456789",
	"long-0123456789-0123456789-0123456789.secret",
	"long-0123456789-0123456789-01234567890123456789-0123456789-01234567890123456789-0123456789-0123456789",
	"long-0123456789-0123456789-01234567890123456789-0123456789-01234567890123456789-0123456789-012345.secret",
};
static const char *const places[] = { "plain",   "values",     "values/prefolder", "values/sub",
				      "watched", "watchedtoo", "plain/y/.secret" };

static void use_neighbours(const char *const *at, int count, bool makes)
{
	char path[256];

	for (int i = 0; i < count; i++) {
		for (size_t name = 0; name < sizeof(neighbours) / sizeof(*neighbours); name++) {
			snprintf(path, sizeof(path), "%s/%s", at[i], neighbours[name]);
			if (makes && mkdir(at[i], 0755) < 0 && errno != EEXIST)
				err(1, "mkdir %s", at[i]);
			if (makes && access(path, F_OK) < 0)
				make_file(path);
			if (access(path, F_OK) == 0)
				read_path(path);
		}
	}
}

/* A file that is mounted has the path of its mount point, and not that of its folder. */
static void mount_files(void)
{
	make_file("plain/point");
	make_file("watched/point");
	for (int i = 0; i < 4; i++) {
		const char *from = i % 2 ? "plain/fil" : "watched/fil", *to = i % 2 ? "watched/point" : "plain/point";

		read_path(from);
		read_path("plain/files");
		DO(mount(from, to, NULL, MS_BIND, NULL), to);
		read_path(to);
		read_path(from);
		read_path("plain/files");
		DO(umount(to), to);
		read_path(to);
	}
	/* the folder that is the root of a mount is opened itself, and so is its neighbour */
	for (int i = 0; i < 2; i++) {
		int fd;

		DO(mount("plain/y", "watched/point.d", NULL, MS_BIND, NULL), "watched/point.d");
		read_path("watched/point.d/.secret/files");
		read_path("plain/y/.secret/files");
		fd = open_file("watched/point.d");
		for (int call = 0; call < 3; call++)
			syscall(SYS_getdents64, fd, (char[512]){}, 512);
		close(fd);
		DO(umount("watched/point.d"), "watched/point.d");
	}
}

static void use_roots(void)
{
	static const char *const there[] = { "/", "/values", "/watched", "/y/.secret" };
	pid_t child = fork();
	int status, proc = open_file("/proc/version");

	read_repeatedly(proc);
	check(child, "fork", "");
	if (child == 0) {
		DO(chroot("plain"), "plain");
		DO(chdir("/"), "/");
		use_neighbours(there, 4, false);
		use_neighbours(there, 4, false);
		read_repeatedly(proc);
		_exit(0);
	}
	check(waitpid(child, &status, 0), "waitpid", "");
	if (status != 0)
		errx(1, "a child ended with status %x", status);
	close(proc);
	for (int i = 0; i < 2; i++) {
		read_path("/proc/version");
		read_path("/proc/self/status");
		read_path("/sys/kernel/fscaps");
	}
}

int main(int argc, char **argv)
{
	const int count = sizeof(places) / sizeof(*places);

	if (argc != 2)
		errx(2, "usage: negative-cache-names FOLDER");
	DO(chdir(argv[1]), argv[1]);
	make_folder("plain");
	make_folder("plain/y");
	make_folder("values");
	make_folder("watched");
	make_folder("watched/point.d");
	use_neighbours(places, count, true);
	use_neighbours(places, count, false);
	use_pipes_and_sockets();
	use_memory_files();
	use_removed_files();
	mount_files();
	use_roots();
	use_neighbours(places, count, false);
	return 0;
}
