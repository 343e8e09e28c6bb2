/*
 * Tests the negative cache with whole mounts of file systems of the kernel. The policy watches FOLDER/watched,
 * /watched, /sys/kernel/host, FOLDER/values/sys/kernel/hostname, and names that end with `/osrelease`.
 *
 *   negative-cache-mounts FOLDER: reads files in procfs, sysfs and cgroup2 before and after every change that gives
 * them another path.
 */
#include "negative-cache.h"

struct filesystem {
	const char *type;
	const char *files[12]; /* in different folders, each with others that nobody has read before */
};

static const struct filesystem filesystems[] = {
	{ "proc",
	  { "self/stat", "self/task/1/../../status", "self/net/dev", "sys/kernel/ostype", "1/stat", "2/status",
	    "self/limits", "sys/net/core/somaxconn", "1/limits", "2/stat", "sys/fs/file-nr", "self/attr/current" } },
	{ "sysfs",
	  { "kernel/uevent_seqnum", "kernel/mm/transparent_hugepage/enabled", "module/printk/parameters/time",
	    "devices/system/cpu/online", "class/net/lo/mtu", "kernel/profiling", "devices/system/cpu/possible",
	    "class/net/lo/flags", "module/printk/uevent", "fs/cgroup", "devices/system/cpu/present",
	    "kernel/fscaps" } },
	{ "cgroup2",
	  { "cgroup.procs", "a/cgroup.procs", "a/b/cgroup.events", "a/b/c/cgroup.stat", "cgroup.stat",
	    "a/b/cgroup.type", "a/b/c/cgroup.type", "a/cgroup.events", "a/b/cgroup.procs", "cgroup.threads",
	    "a/b/c/cgroup.procs", "a/cgroup.stat" } },
};

/* Reads files of a mount. Those that do not exist on this kernel are left out. `count`: how many of them. */
static void read_mount(const struct filesystem *fs, const char *place, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		char path[256], byte[64];
		int fd;

		snprintf(path, sizeof(path), "%s%s%s", place, *place ? "/" : "", fs->files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		for (int j = 0; j < 3; j++)
			if (pread(fd, byte, sizeof(byte), 0) < 0)
				break;
		close(fd);
	}
}

static void ensure_folder(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		check(-1, "mkdir", path);
}

static void mount_at(const struct filesystem *fs, const char *place)
{
	ensure_folder(place);
	DO(mount(fs->type, place, fs->type, 0, NULL), place);
	if (strcmp(fs->type, "cgroup2"))
		return;
	for (const char *const *each = (const char *const[]){ "a", "a/b", "a/b/c", NULL }; *each; each++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", place, *each);
		ensure_folder(path);
	}
}

/* In a child, because nothing leads out of the root. */
static void read_in_root(const struct filesystem *fs, const char *root, const char *place, int first, int count)
{
	pid_t child = fork();
	int status = 0;

	check(child, "fork", "");
	if (!child) {
		DO(chroot(root), root);
		DO(chdir("/"), "/");
		read_mount(fs, place, first, count);
		exit(0);
	}
	check(waitpid(child, &status, 0), "waitpid", "");
	if (status)
		errx(1, "the child in %s ended with %d", root, status);
}

static void use_moved_mounts(const struct filesystem *fs)
{
	ensure_folder("plain");
	mount_at(fs, "plain/m");
	/* half of the files are read first after the change, so that only the entry of the mount can be wrong */
	read_mount(fs, "plain/m", 0, 6);
	read_mount(fs, "plain/m", 0, 6);
	DO(rename("plain", "watched"), "plain");
	read_mount(fs, "watched/m", 0, 12);
	DO(rename("watched", "plain"), "watched");
	read_mount(fs, "plain/m", 0, 12);
	/* another mount of the same file system */
	make_folder("watched");
	DO(mount("plain/m", "watched", NULL, MS_BIND, NULL), "watched");
	read_mount(fs, "watched", 0, 12);
	read_mount(fs, "plain/m", 0, 12);
	DO(umount("watched"), "watched");
	DO(mount("plain/m", "watched", NULL, MS_MOVE, NULL), "watched");
	read_mount(fs, "watched", 0, 12);
	DO(mount("watched", "plain/m", NULL, MS_MOVE, NULL), "plain/m");
	read_mount(fs, "plain/m", 0, 12);
	DO(umount("plain/m"), "plain/m");
	/* new mounts, perhaps at the same address */
	for (int i = 0; i < 8; i++) {
		const char *place = i % 2 ? "watched" : "plain";

		mount_at(fs, place);
		read_mount(fs, place, 0, 12);
		DO(umount(place), place);
	}
	DO(rmdir("watched"), "watched");
}

static void use_roots(const struct filesystem *fs)
{
	ensure_folder("root");
	mount_at(fs, "root/watched");
	for (int i = 0; i < 2; i++) {
		read_mount(fs, "root/watched", 0, 6);
		read_in_root(fs, "root", "watched", 6, 6);
		read_mount(fs, "root/watched", 0, 12);
		/* the root of the mount is that of the process */
		read_in_root(fs, "root/watched", "", 0, 12);
		read_in_root(fs, "root", "watched", 0, 12);
	}
	DO(umount("root/watched"), "root/watched");
}

static void read_often(const char *path)
{
	for (int i = 0; i < 3; i++)
		read_path(path);
}

/* The values name files in a mount, or the ends of their names. */
static void use_values(void)
{
	const struct filesystem *proc = &filesystems[0];

	mount_at(proc, "values");
	mount_at(proc, "ends");
	for (int i = 0; i < 3; i++) {
		read_mount(proc, "values", 0, 12);
		read_often("values/sys/kernel/hostname");
		read_mount(proc, "ends", 0, 12);
		read_often("ends/sys/kernel/osrelease");
		read_often("ends/sys/kernel/hostname");
		read_in_root(&(struct filesystem){ "proc", { "sys/kernel/hostname" } }, "ends", "", 0, 1);
	}
	/* a file of another file system on top, and a folder of this one elsewhere */
	make_file("file");
	DO(mount("file", "ends/sys/kernel/version", NULL, MS_BIND, NULL), "ends/sys/kernel/version");
	read_often("ends/sys/kernel/version");
	make_folder("watched");
	DO(mount("ends/sys", "watched", NULL, MS_BIND, NULL), "watched");
	read_often("ends/sys/kernel/ostype");
	read_often("watched/kernel/ostype");
	read_often("watched/kernel/panic");
	DO(umount2("watched", MNT_DETACH), "watched");
	DO(umount2("values", MNT_DETACH), "values");
	DO(umount2("ends", MNT_DETACH), "ends");
}

/* A file that is only known by its inode has no path, which may be any. */
static void use_handles(void)
{
	const struct filesystem *groups = &filesystems[2];
	struct {
		struct file_handle handle;
		unsigned char bytes[MAX_HANDLE_SZ];
	} file = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, place, fd;

	mount_at(groups, "handles");
	DO(name_to_handle_at(AT_FDCWD, "handles/a/b/cgroup.controllers", &file.handle, &mount_id, 0), "handles");
	for (int i = 0; i < 3; i++) {
		read_mount(groups, "handles", 0, 12);
		drop_caches();
		read_mount(groups, "handles", 0, 3);
		place = open("handles", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = (int)syscall(SYS_open_by_handle_at, place, &file, O_RDONLY | O_CLOEXEC);
		check(fd, "open_by_handle_at", "");
		read_repeatedly(fd);
		close(fd);
		close(place);
	}
	DO(umount2("handles", MNT_DETACH), "handles");
}

/* Those that mount_at() has made. */
static void remove_groups(void)
{
	ensure_folder("plain");
	DO(mount("cgroup2", "plain", "cgroup2", 0, NULL), "plain");
	for (const char *const *each = (const char *const[]){ "plain/a/b/c", "plain/a/b", "plain/a", NULL }; *each;
	     each++)
		DO(rmdir(*each), *each);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	DO(unshare(CLONE_NEWNS), "");
	DO(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), "/");
	DO(mount("tmpfs", argv[1], "tmpfs", 0, NULL), argv[1]);
	DO(chdir(argv[1]), argv[1]);
	for (size_t i = 0; i < sizeof(filesystems) / sizeof(*filesystems); i++) {
		use_moved_mounts(&filesystems[i]);
		use_roots(&filesystems[i]);
	}
	use_values();
	use_handles();
	remove_groups();
	return 0;
}
