/*
 * The program of evasion.test.ts and policy-evasion.test.ts. Standard input has strings that end with NUL. Each is a
 * number, a technique and its arguments, separated by tabs. Each technique runs in its own process, which prints the
 * number and its pid, so that the test finds its events. The line about a failure follows on its messages.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

enum { TOKENS_MAX = 16 };

const char *mark;

long check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
	return result;
}

int open_file(const char *path, int flags)
{
	return (int)check(open(path, flags, 0644), path);
}

void read_from(int fd)
{
	char byte;
	check(read(fd, &byte, 1), "read");
}

void read_path(const char *path)
{
	int fd = open_file(path, O_RDONLY);
	read_from(fd);
	close(fd);
}

void write_path(const char *path)
{
	check(write(open_file(path, O_WRONLY), "x", 1), "write");
}

/* The link has the pid in the pid namespace of the mount of proc, which is that of the test. */
void announce(void)
{
	char line[64], pid[32] = "";
	check(readlink("/proc/self", pid, sizeof(pid) - 1), "/proc/self");
	check(write(1, line, snprintf(line, sizeof(line), "%s %s\n", mark, pid)), "announce");
}

static const struct technique *find_technique(const struct technique *techniques, char **token)
{
	int args = 0;
	while (token[1 + args] != NULL)
		args++;
	for (; techniques->name != NULL; techniques++)
		if (!strcmp(techniques->name, token[0]) && (techniques->args == args || techniques->args == ANY_ARGS))
			return techniques;
	return NULL;
}

void run_technique(char **token)
{
	static const struct technique *const lists[] = { call_techniques,  name_techniques,     entry_techniques,
							 ia32_techniques,  identity_techniques, forge_techniques,
							 action_techniques };
	const struct technique *technique = NULL;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists) && technique == NULL; i++)
		technique = find_technique(lists[i], token);
	if (technique == NULL) {
		fprintf(stderr, "no such technique: %s\n", token[0]);
		_exit(2);
	}
	technique->run(token + 1);
}

/* Returns 0 on success. */
static int run_line(char *line)
{
	char *token[TOKENS_MAX + 1] = { NULL };
	int count = 0, status;
	pid_t child;

	while (line != NULL && count < TOKENS_MAX)
		token[count++] = strsep(&line, "\t");
	if (count < 2)
		return 1;
	mark = token[0];
	child = fork();
	if (child == 0) {
		announce();
		run_technique(token + 1);
		_exit(0);
	}
	check(waitpid(child, &status, 0), "waitpid");
	if (status != 0)
		fprintf(stderr, "%s %s %s: status %d\n", mark, token[1], token[2], status);
	return status != 0;
}

int main(int count, char **arg)
{
	char *line = NULL;
	size_t capacity = 0;
	int failed = 0;

	/* the program that the technique `inherit` executes */
	if (count == 2 && !strcmp(arg[1], "inherited")) {
		read_from(INHERITED);
		return 0;
	}
	/* `run NUMBER TECHNIQUE ARGUMENT...`: one technique, in this process */
	if (count > 3 && !strcmp(arg[1], "run")) {
		mark = arg[2];
		announce();
		run_technique(arg + 3);
		return 0;
	}
	while (getdelim(&line, &capacity, 0, stdin) > 0)
		failed += run_line(line);
	return failed == 0 ? 0 : 1;
}
