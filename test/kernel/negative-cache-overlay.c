/*
 * Tests the negative cache of paths on overlayfs. The policy watches FOLDER/watched and /watched.
 *
 *   negative-cache-overlay FOLDER [stable]: mounts an overlay on FOLDER, with its layers in FOLDER.layers, and reads
 * files before and after every operation that gives them another path or another layer.
 *   negative-cache-overlay --user FOLDER: mounts the overlay in a user namespace, and only renames.
 */
#include "negative-cache.h"

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	check(fd, "open", path);
	check(write(fd, text, strlen(text)), "write", path);
	close(fd);
}

static void make_folders(const char *const *paths, int count)
{
	for (int i = 0; i < count; i++)
		make_folder(paths[i]);
}

#define MAKE_FOLDERS(...)                                               \
	do {                                                            \
		static const char *const paths_[] = { __VA_ARGS__ };    \
		make_folders(paths_, sizeof(paths_) / sizeof(*paths_)); \
	} while (0)

/* The working folder is FOLDER.layers. */
static void make_layers(void)
{
	MAKE_FOLDERS("upper", "work", "first", "first/plain", "first/plain/a", "first/watched", "first/watched/c");
	MAKE_FOLDERS("second", "second/plain", "second/plain/a", "second/plain/b", "second/plain/gone");
	MAKE_FOLDERS("second/watched", "second/watched/a", "second/watched/b", "second/m", "second/watched/m");
	MAKE_FOLDERS("second/plain/low", "second/watched/low", "empty");
	make_file("first/plain/a/other");
	make_file("first/watched/c/file");
	make_file("second/plain/a/file");
	make_file("second/plain/b/file");
	make_file("second/plain/gone/file");
	make_file("second/watched/a/file");
	make_file("second/watched/b/file");
	make_files("second/plain/low");
	make_files("second/watched/low");
}

static void mount_overlay(const char *target, const char *options)
{
	DO(mount("overlay", target, "overlay", 0, options), target);
}

static void copy_up(const char *path)
{
	int fd = open_file(path);

	read_repeatedly(fd);
	DO(chmod(path, 0600), path);
	read_repeatedly(fd); /* in the lower layer */
	read_path(path);     /* in the upper layer */
	close(fd);
}

static void copy_up_files(void)
{
	copy_up("plain/a/file");
	copy_up("watched/a/file");
	DO(chmod("plain/a", 0700), "plain/a");
	read_path("plain/a/other");
	make_file("plain/a/new");
	read_path("plain/a/new");
}

static void rename_paths(void)
{
	int fd = open_file("plain/b/file");

	rename_and_back(fd, "plain/b/file", "watched/b/moved");
	rename_and_back(fd, "plain/b", "watched/moved");
	rename_and_back(fd, "plain", "watched/plain");
	close(fd);
}

static void exchange_folders(void)
{
	int fd = open_file("plain/a/file"), other = open_file("watched/a/file");

	for (int i = 0; i < 4; i++) {
		read_repeatedly(fd);
		read_repeatedly(other);
		read_path("plain/a/file");
		DO(renameat2(AT_FDCWD, "plain/a", AT_FDCWD, "watched/a", RENAME_EXCHANGE), "plain/a");
	}
	close(fd);
	close(other);
}

/* A removed file or folder of a lower layer leaves a whiteout. The new folder is opaque. */
static void make_whiteouts(void)
{
	int fd = open_file("plain/gone/file");

	read_repeatedly(fd);
	DO(unlink("plain/gone/file"), "file");
	read_repeatedly(fd);
	close(fd);
	make_file("plain/gone/file");
	read_path("plain/gone/file");
	DO(unlink("plain/gone/file"), "file");
	DO(rmdir("plain/gone"), "gone");
	make_folder("plain/gone");
	make_file("plain/gone/file");
	read_path("plain/gone/file");
	fd = open_file("plain/gone/file");
	rename_and_back(fd, "plain/gone", "watched/gone");
	close(fd);
	fd = open_file("watched/c/file");
	rename_and_back(fd, "watched/c", "plain/c");
	close(fd);
	DO(link("plain/gone/file", "watched/link"), "link");
	read_path("watched/link");
	read_path("plain/gone/file");
	DO(unlink("watched/link"), "link");
}

static void bind_mounts(void)
{
	int fd = open_file("plain/a/file");

	read_repeatedly(fd);
	DO(mount("plain/a", "watched/m", NULL, MS_BIND, NULL), "watched/m");
	read_path("watched/m/file");
	read_path("plain/a/file");
	DO(syscall(SYS_move_mount, AT_FDCWD, "watched/m", AT_FDCWD, "m", 0), "m");
	read_path("m/file");
	read_repeatedly(fd);
	DO(umount("m"), "m");
	read_repeatedly(fd);
	close(fd);
	DO(mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL), "remount");
	read_path("plain/a/file");
	read_path("watched/a/file");
	DO(mount(NULL, ".", NULL, MS_REMOUNT, NULL), "remount");
	read_path("plain/a/file");
}

/* The same layers, in overlays at different places. */
static void mount_elsewhere(const char *layers)
{
	char options[1024];

	snprintf(options, sizeof(options), "lowerdir=%s/second/plain:%s/empty", layers, layers);
	for (int i = 0; i < 6; i++) {
		const char *target = i % 2 ? "watched/m" : "m";
		char path[64];

		mount_overlay(target, options);
		snprintf(path, sizeof(path), "%s/b/file", target);
		read_path(path);
		DO(umount(target), target);
	}
}

/* As reuse_dentries(), with folders of a lower layer. */
static void reuse_lower_dentries(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		drop_caches();
		read_files(i % 2 ? "watched/low" : "plain/low");
	}
}

static void change_everything(const char *folder)
{
	char layers[256], options[2048];

	snprintf(layers, sizeof(layers), "%s.layers", folder);
	make_folder(folder);
	make_folder(layers);
	DO(chdir(layers), layers);
	make_layers();
	snprintf(options, sizeof(options),
		 "lowerdir=%s/first:%s/second,upperdir=%s/upper,workdir=%s/work,redirect_dir=on", layers, layers,
		 layers, layers);
	mount_overlay(folder, options);
	DO(chdir(folder), folder);
	copy_up_files();
	rename_paths();
	exchange_folders();
	make_whiteouts();
	bind_mounts();
	mount_elsewhere(layers);
	reuse_lower_dentries();
	reuse_dentries();
	DO(chdir("/"), "/");
	DO(umount(folder), folder);
}

static void change_in_user_namespace(const char *folder)
{
	char options[1024];
	int fd;

	DO(unshare(CLONE_NEWUSER | CLONE_NEWNS), "");
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 0 1");
	write_text("/proc/self/gid_map", "0 0 1");
	make_folder(folder);
	DO(mount("none", "/mnt", "tmpfs", 0, NULL), "/mnt");
	DO(chdir("/mnt"), "/mnt");
	make_layers();
	snprintf(options, sizeof(options),
		 "lowerdir=/mnt/first:/mnt/second,upperdir=/mnt/upper,workdir=/mnt/work,userxattr");
	mount_overlay(folder, options);
	DO(chdir(folder), folder);
	make_folder("plain/own");
	make_file("plain/own/file");
	fd = open_file("plain/own/file");
	rename_and_back(fd, "plain/own/file", "watched/file");
	rename_and_back(fd, "plain/own", "watched/own");
	close(fd);
}

int main(int argc, char **argv)
{
	time_t booted = time(NULL) - seconds_since_boot();

	if (argc == 3 && strcmp(argv[1], "--user") == 0) {
		change_in_user_namespace(argv[2]);
		return 0;
	}
	if (argc != 2 && argc != 3)
		errx(2, "usage: negative-cache-overlay FOLDER [stable] | negative-cache-overlay --user FOLDER");
	advances_clock = argc == 3;
	change_everything(argv[1]);
	if (advances_clock)
		advance_clock(booted + seconds_since_boot() - time(NULL));
	return 0;
}
