/*
 * The program of evasion.test.ts, which accesses files by many techniques. Standard input has strings that end with
 * NUL. Each is a number, a technique and its arguments, separated by tabs. Each technique runs in its own process,
 * which prints the number and its pid, so that the test finds its events.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

enum { TOKENS_MAX = 12 };

static const char *mark;

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

void announce_pid(pid_t pid)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "%s %d\n", mark, pid);
	check(write(1, line, length), "announce");
}

void announce(void)
{
	announce_pid(getpid());
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
	const struct technique *technique = find_technique(call_techniques, token);
	if (technique == NULL)
		technique = find_technique(name_techniques, token);
	if (technique == NULL)
		technique = find_technique(entry_techniques, token);
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
	while (getdelim(&line, &capacity, 0, stdin) > 0)
		failed += run_line(line);
	return failed == 0 ? 0 : 1;
}
