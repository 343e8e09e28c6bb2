/*
 * Tests the negative cache of paths. The policy watches FOLDER/watched and /watched.
 *
 *   negative-cache FOLDER [stable]: reads files of FOLDER before and after every operation that gives them another
 * path. With `stable`, it sets the clock forward before each read: a folder of ext4 is cached only if it has not
 * changed for some time. negative-cache race FOLDER SECONDS: one thread renames a folder back and forth, another one
 * reads a file in it. It prints "OFFSET IS_WATCHED" for each read during which no rename was in progress.
 */
#include "negative-cache.h"

static void rename_paths(void)
{
	int fd = open_file("plain/a/b/file");

	rename_and_back(fd, "plain/a/b/file", "watched/file");
	rename_and_back(fd, "plain/a/b/file", "plain/a/b/other");
	rename_and_back(fd, "plain/a/b", "watched/b");
	rename_and_back(fd, "plain/a", "watched/a");
	rename_and_back(fd, "plain", "watched/plain");
	close(fd);
}

static void exchange_paths(void)
{
	int fd = open_file("plain/a/b/file"), other = open_file("watched/x/b/file");

	for (int i = 0; i < 2; i++) {
		read_repeatedly(fd);
		read_repeatedly(other);
		DO(renameat2(AT_FDCWD, "plain/a", AT_FDCWD, "watched/x", RENAME_EXCHANGE), "plain/a");
		read_repeatedly(fd);
		read_repeatedly(other);
		DO(renameat2(AT_FDCWD, "plain/a/b/file", AT_FDCWD, "watched/x/b/file", RENAME_EXCHANGE), "file");
	}
	close(fd);
	close(other);
}

static void bind_mounts(void)
{
	int fd = open_file("plain/a/b/file");

	read_repeatedly(fd);
	DO(mount("plain/a", "watched/m", NULL, MS_BIND, NULL), "watched/m");
	read_path("watched/m/b/file");
	read_path("plain/a/b/file");
	read_repeatedly(fd);
  /* the same mount at another mount point */
	DO(syscall(SYS_move_mount, AT_FDCWD, "watched/m", AT_FDCWD, "m", 0), "m");
	read_path("m/b/file");
	fd = dup3(open_file("m/b/file"), fd, O_CLOEXEC);
	read_repeatedly(fd);
	DO(syscall(SYS_move_mount, AT_FDCWD, "m", AT_FDCWD, "watched/m", 0), "watched/m");
	read_repeatedly(fd);
	DO(umount2("watched/m", MNT_DETACH), "watched/m");
	read_repeatedly(fd);
	close(fd);
}

static void detach_mount(void)
{
	int fd;

	DO(mount("none", "m", "tmpfs", 0, NULL), "m");
	make_folder("m/watched");
	make_file("m/watched/file");
	fd = open_file("m/watched/file");
	read_repeatedly(fd);
	DO(umount2("m", MNT_DETACH), "m");
  /* now it is /watched/file, and unreachable */
	read_repeatedly(fd);
	close(fd);
}

static void remount_all(void)
{
	static const char *const targets[] = { "m", "watched/m", "m", "watched/m" };

	for (int i = 0; i < 4; i++) {
		char path[64];

		DO(mount("none", targets[i], "tmpfs", 0, NULL), targets[i]);
		snprintf(path, sizeof(path), "%s/file", targets[i]);
		make_file(path);
		read_path(path);
		DO(mount("none", targets[i], "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), targets[i]);
		read_path(path);
		DO(umount(targets[i]), targets[i]);
	}
}

static void link_files(void)
{
	read_path("plain/a/b/file");
	DO(link("plain/a/b/file", "watched/link"), "link");
	read_path("watched/link");
	read_path("plain/a/b/file");
	DO(unlink("watched/link"), "link");
	DO(link("plain/a/b/file", "plain/a/b/link"), "link");
	read_path("plain/a/b/link");
	DO(unlink("plain/a/b/link"), "link");
}

static void recreate_files(void)
{
	for (int i = 0; i < 8; i++) {
		const char *path = i % 2 ? "watched/again" : "plain/again";
		int fd;

		make_file(path);
		fd = open_file(path);
		read_repeatedly(fd);
		DO(unlink(path), path);
		read_repeatedly(fd);
		close(fd);
	}
}

/* Runs `act` in a child, because it cannot be undone. */
static void run_in_child(void (*act)(void))
{
	pid_t child = fork();
	int status;

	check(child, "fork", "");
	if (child == 0) {
		act();
		_exit(0);
	}
	check(waitpid(child, &status, 0), "waitpid", "");
	if (status != 0)
		errx(1, "a child ended with status %x", status);
}

static void read_in_chroot(void)
{
	int fd = open_file("outer/watched/file"), plain = open_file("watched/x/b/file");

	read_repeatedly(fd);
	read_repeatedly(plain);
	DO(chroot("outer"), "outer");
	read_repeatedly(fd);
	read_repeatedly(plain);
  /* another root inside of that one */
	DO(chroot("watched"), "watched");
	read_repeatedly(fd);
	close(fd);
}

static void read_after_pivot(void)
{
	int fd;

	DO(unshare(CLONE_NEWNS), "");
	DO(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
	DO(mount("outer", "outer", NULL, MS_BIND, NULL), "outer");
	fd = open_file("outer/watched/file");
	read_repeatedly(fd);
	DO(chdir("outer"), "outer");
	DO(syscall(SYS_pivot_root, ".", "old"), "pivot_root");
	read_repeatedly(fd);
	read_path("/watched/file");
	read_path("/plain");
	DO(umount2("/old", MNT_DETACH), "/old");
	read_repeatedly(fd);
	close(fd);
}

/* The working folder, which is the root of a mount: its files are in entries for the mount. */
static const char *mounted_folder;

static void make_or_remove(const char *folder, bool makes)
{
	char path[64];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%sr%d", folder, i);
		if (makes)
			make_file(path);
		read_path(path);
		if (!makes)
			DO(unlink(path), path);
	}
}

/*
 * The memory of the dentry of a file in the root of the mount becomes that of a file with the same name, in the same
 * mount, in a folder that is watched. Only the folder tells them apart.
 */
static void reuse_dentry_of_root(void)
{
	char path[64];

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "watched/%d", i);
		make_folder(path);
	}
	for (int round = 0; round < REUSE_ROUNDS; round++) {
		make_file("f");
		read_path("f");
		DO(unlink("f"), "f");
		/* the kernel frees the dentry some time later; without this, the test would find less */
		usleep(20000);
		for (int i = 0; i < FILES; i++) {
			snprintf(path, sizeof(path), "watched/%d/f", i);
			make_file(path);
			read_path(path);
		}
		for (int i = 0; i < FILES; i++) {
			snprintf(path, sizeof(path), "watched/%d/f", i);
			DO(unlink(path), path);
		}
	}
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "watched/%d", i);
		DO(rmdir(path), path);
	}
}

static void read_at_root_of_mount(void)
{
	int fd;

	DO(unshare(CLONE_NEWNS), "");
	DO(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
	DO(mount(mounted_folder, mounted_folder, NULL, MS_BIND, NULL), mounted_folder);
	DO(chdir(mounted_folder), mounted_folder);
	make_file("at-root");
	fd = open_file("at-root");
	rename_and_back(fd, "at-root", "watched/at-root");
	rename_and_back(fd, "at-root", "plain/at-root");
	rename_and_back(fd, "at-root", "watched-too");
	close(fd);
	/* the same names and the same memory of dentries, at the root and below it */
	for (int i = 0; i < ROUNDS; i++) {
		const char *at = i % 2 ? "watched/" : "";

		make_or_remove(at, true);
		make_or_remove(at, false);
		drop_caches();
	}
	reuse_dentry_of_root();
	/* the root of a mount is mounted at other places */
	for (int i = 0; i < ROUNDS; i++) {
		const char *target = i % 2 ? "watched/m" : "m", *next = i % 2 ? "m" : "watched/m";
		char path[64];

		DO(mount("plain/a/b", target, NULL, MS_BIND, NULL), target);
		snprintf(path, sizeof(path), "%s/file", target);
		read_path(path);
		read_path("plain/a/b/file");
		fd = open_file(path);
		read_repeatedly(fd);
		DO(syscall(SYS_move_mount, AT_FDCWD, target, AT_FDCWD, next, 0), next);
		read_repeatedly(fd);
		DO(umount2(next, MNT_DETACH), next);
		read_repeatedly(fd);
		close(fd);
	}
}

static void change_everything(const char *folder)
{
	DO(chdir(folder), folder);
	make_folder("plain");
	make_folder("plain/a");
	make_folder("plain/a/b");
	make_file("plain/a/b/file");
	make_folder("watched");
	make_folder("watched/x");
	make_folder("watched/x/b");
	make_file("watched/x/b/file");
	make_folder("watched/m");
	make_folder("m");
	make_folder("outer");
	make_folder("outer/old");
	make_folder("outer/watched");
	make_file("outer/watched/file");
	make_file("outer/plain");
	rename_paths();
	exchange_paths();
	bind_mounts();
	detach_mount();
	remount_all();
	link_files();
	recreate_files();
	run_in_child(read_in_chroot);
	run_in_child(read_after_pivot);
	mounted_folder = folder;
	run_in_child(read_at_root_of_mount);
	reuse_dentries();
}

/* ---- two processors ----------------------------------------------------------------------------------------- */

enum { READS_EACH = 5 };

static atomic_uint changes; /* odd while a rename is in progress */
static atomic_uint reads;   /* since the last rename */
static atomic_bool ended;

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
	check(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity", "");
}

static int descriptor; /* of the file that is read */

/* An even number leads to a file that is watched. */
static void rename_folder(unsigned int i)
{
	if (i % 2)
		DO(rename("watched/r", "plain/r"), "watched/r");
	else
		DO(rename("plain/r", "watched/r"), "plain/r");
}

/*
 * Makes the descriptor number refer to another file: one in the root of a mount. `plain/m` and `watched/m` are the same
 * folder, mounted twice, and `plain/n` is another one.
 */
static void swap_file(unsigned int i)
{
	const char *place = i % 2 == 0 ? "watched/m" : i % 4 == 1 ? "plain/m" : "plain/n";
	char path[64];

	snprintf(path, sizeof(path), "%s/f", place);
	if (i % 3 == 0) {
		/* the kernel can use the memory of the closed file for the next one */
		close(descriptor);
		if (open_file(path) != descriptor)
			errx(1, "%s has another descriptor", path);
	} else {
		int other = open_file(path);

		DO(dup2(other, descriptor), path);
		close(other);
	}
}

static void mount_folder(const char *place)
{
	const char *folder = strcmp(place, "plain/n") == 0 ? "other" : "shared";

	DO(mount(folder, place, NULL, MS_BIND, NULL), place);
}

/* Mounts the place of the next file anew, while the current file is read two more times. */
static void remount_next(unsigned int i)
{
	const char *place = i % 2 == 0 ? "watched/m" : i % 4 == 1 ? "plain/m" : "plain/n";

	if (i % 16 > 4)
		return;
	reads -= 2;
	DO(umount2(place, MNT_DETACH), place);
	mount_folder(place);
}

static void remount_nothing(unsigned int i)
{
	(void)i;
}

struct change {
	void (*prepare)(unsigned int i);
	void (*run)(unsigned int i);
};

static const struct change rename_change = { remount_nothing, rename_folder };
static const struct change swap_change = { remount_next, swap_file };

static void *run_changer(void *argument)
{
	const struct change *change = argument;

	pin_to(1);
	for (unsigned int i = 0; !ended; i++) {
    /* each path is read some times; the following reads run during the rename */
		while (reads < READS_EACH && !ended)
			sched_yield();
    /* limits the rate of events, so that the tracer loses none */
		usleep(500);
		change->prepare(i);
		changes++;
		for (volatile unsigned int late = i % 61 * 16; late > 0; late--)
			;
		change->run(i);
		reads = 0;
		changes++;
	}
	return NULL;
}

static void prepare_renames(void)
{
	make_folder("plain/r");
	make_file("plain/r/file");
	descriptor = open_file("plain/r/file");
}

static void prepare_swaps(void)
{
	static const char *const places[] = { "plain/m", "plain/n", "watched/m" };

	DO(unshare(CLONE_NEWNS), "");
	DO(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
	make_folder("shared");
	make_file("shared/f");
	make_folder("other");
	make_file("other/f");
	for (int i = 0; i < 3; i++) {
		make_folder(places[i]);
		mount_folder(places[i]);
	}
	descriptor = open_file("plain/m/f");
}

static void race(const char *folder, int seconds, bool swaps)
{
	struct timespec start, now;
	pthread_t changer;

	DO(chdir(folder), folder);
	if (swaps)
		prepare_swaps();
	else
		prepare_renames();
	pin_to(0);
	if (pthread_create(&changer, NULL, run_changer, (void *)(swaps ? &swap_change : &rename_change)))
		errx(1, "no thread");
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long offset = 1;; offset++) {
		unsigned int before;
		char byte;

		while ((before = changes) % 2 == 0 && reads >= READS_EACH)
			sched_yield();
		if (pread(descriptor, &byte, 1, offset) < 0 && errno != EBADF)
			err(1, "pread");
		if (before % 2 == 0 && before == changes) {
			printf("%ld %d\n", offset, before / 2 % 2);
			reads++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec >= seconds)
			break;
	}
	ended = true;
	pthread_join(changer, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 4 && (strcmp(argv[1], "race") == 0 || strcmp(argv[1], "swap") == 0))
		race(argv[2], atoi(argv[3]), strcmp(argv[1], "swap") == 0);
	else if (argc == 2 || argc == 3) {
		time_t booted = time(NULL) - seconds_since_boot();

		advances_clock = argc == 3;
		change_everything(argv[1]);
		if (advances_clock)
			advance_clock(booted + seconds_since_boot() - time(NULL));
	} else
		errx(2, "usage: negative-cache FOLDER [stable] | negative-cache race|swap FOLDER SECONDS");
	return 0;
}
