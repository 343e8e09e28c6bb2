/* Shared declarations of the evasion program. */
#include <stddef.h>
#include <sys/types.h>

/* The descriptor of the technique `inherit`. */
enum { INHERITED = 9 };

struct technique {
	const char *name;
	int args;
	void (*run)(char **arg);
};

/* The number of arguments of a technique that takes another technique with its arguments. */
enum { ANY_ARGS = -1 };

/* System calls on a file, techniques that give a file another name, mount or root, and other ways into the kernel. Each
 * list ends with an empty entry. */
extern const struct technique call_techniques[];
extern const struct technique name_techniques[];
extern const struct technique entry_techniques[];

/* Ends the process if `result` is negative. Returns it otherwise. */
long check(long result, const char *what);
/* Opens a file, reads one byte of it, writes one byte to it. */
int open_file(const char *path, int flags);
void read_from(int fd);
void read_path(const char *path);
void write_path(const char *path);
/* Prints the number of the technique and the pid of this process, whose events then belong to it. */
void announce(void);
void announce_pid(pid_t pid);
/* Gives this process mounts of its own. */
void unshare_mounts(void);
/* Runs a technique: its name and its arguments. */
void run_technique(char **token);
