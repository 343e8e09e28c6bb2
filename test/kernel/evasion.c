/*
 * Reaches files in many ways: the program of evasion.test.ts. Each text on standard input, which ends with NUL, is one
 * way: its number, the action, and the action's arguments, separated by tabs. Each runs in a process of its own, which
 * prints the number and its pid, so that its events can be found.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "evasion.h"

enum { WORDS_MAX = 10 };

static const char *mark;

long must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
	return result;
}

int open_for(const char *path, int flags)
{
	return (int)must(open(path, flags, 0644), path);
}

void read_from(int fd)
{
	char byte;
	must(read(fd, &byte, 1), "read");
}

void read_path(const char *path)
{
	int fd = open_for(path, O_RDONLY);
	read_from(fd);
	close(fd);
}

void write_path(const char *path)
{
	must(write(open_for(path, O_WRONLY), "x", 1), "write");
}

void announce(void)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "%s %d\n", mark, getpid());
	must(write(1, line, length), "announce");
}

static const struct way *find(const struct way *ways, char **word)
{
	int args = 0;
	while (word[1 + args] != NULL)
		args++;
	for (; ways->name != NULL; ways++)
		if (!strcmp(ways->name, word[0]) && ways->args == args)
			return ways;
	return NULL;
}

void run_way(char **word)
{
	const struct way *way = find(call_ways, word);
	if (way == NULL)
		way = find(name_ways, word);
	if (way == NULL) {
		fprintf(stderr, "no such way: %s\n", word[0]);
		_exit(2);
	}
	way->run(word + 1);
}

/* 0 when it could be done */
static int carry_out(char *line)
{
	char *word[WORDS_MAX + 1] = { NULL };
	int count = 0, status;
	pid_t child;

	while (line != NULL && count < WORDS_MAX)
		word[count++] = strsep(&line, "\t");
	if (count < 2)
		return 1;
	mark = word[0];
	child = fork();
	if (child == 0) {
		announce();
		run_way(word + 1);
		_exit(0);
	}
	must(waitpid(child, &status, 0), "waitpid");
	if (status != 0)
		fprintf(stderr, "%s %s %s: status %d\n", mark, word[1], word[2], status);
	return status != 0;
}

int main(int count, char **arg)
{
	char *line = NULL;
	size_t room = 0;
	int failed = 0;

	/* the program that the way `inherit` executes */
	if (count == 2 && !strcmp(arg[1], "inherited")) {
		read_from(INHERITED);
		return 0;
	}
	while (getdelim(&line, &room, 0, stdin) > 0)
		failed += carry_out(line);
	return failed == 0 ? 0 : 1;
}
