/* What the files of the evasion program share. */
#include <stddef.h>
#include <sys/types.h>

/* The descriptor of the way `inherit`. */
enum { INHERITED = 9 };

struct way {
	const char *name;
	int args;
	void (*run)(char **arg);
};

/* System calls on a file, and ways that give a file another name, mount or root. Each list ends with an empty entry. */
extern const struct way call_ways[];
extern const struct way name_ways[];

/* Ends the process if `result` is negative. Returns it otherwise. */
long must(long result, const char *what);
/* Opens a file, reads one byte of it, writes one byte to it. */
int open_for(const char *path, int flags);
void read_from(int fd);
void read_path(const char *path);
void write_path(const char *path);
/* Prints the name of the way and the pid of this process, whose events then belong to the way. */
void announce(void);
/* Runs the way that the words describe. */
void run_way(char **word);
