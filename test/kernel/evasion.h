/* Shared declarations of the evasion program. */
#include <netinet/in.h>
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

/* System calls on a file; other names, mounts and roots of a file; other ways into the kernel; 32-bit system calls;
 * what a process was and had before; and what processes do that policies report. Each list ends with an empty entry. */
extern const struct technique call_techniques[];
extern const struct technique name_techniques[];
extern const struct technique entry_techniques[];
extern const struct technique ia32_techniques[];
extern const struct technique identity_techniques[];
extern const struct technique forge_techniques[];
extern const struct technique action_techniques[];

/* The number that this process's lines begin with. */
extern const char *mark;

/* Ends the process if `result` is negative. Returns it otherwise. */
long check(long result, const char *what);
/* Opens a file, reads one byte of it, writes one byte to it. */
int open_file(const char *path, int flags);
void read_from(int fd);
void read_path(const char *path);
void write_path(const char *path);
/* Prints the number of the technique and the pid of this process, whose events then belong to it. */
void announce(void);
/* Gives this process mounts of its own. */
void unshare_mounts(void);
/* Makes a tmpfs by fsopen, and returns the descriptor of its mount, which is attached nowhere. */
int make_mount(void);
/* Writes one byte into a file that may be new. */
void write_below(int folder, const char *name);
/* Copies a file, or a small program, into a file. Executes the file of a descriptor. */
void copy_file(const char *path, int to);
void copy_program(int to);
void execute_descriptor(int fd, char **arg);
/* Makes a socket that listens; and a connection to it. */
struct sockaddr_in listen_at(const char *address);
int connect_to(const char *address);
/* Writes the memory of this process by its file. */
void write_memory(int memory);
/* Runs a technique: its name and its arguments. */
void run_technique(char **token);
