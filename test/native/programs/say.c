/* say COUNT END: calls say() with a string of COUNT times "x", followed by END. */
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) void say(const char *text)
{
	__asm__ volatile("" ::"r"(text));
}

int main(int argc, char **argv)
{
	size_t count = strtoul(argv[1], NULL, 10);
	char *text = calloc(1, count + strlen(argv[2]) + 1);

	memset(text, 'x', count);
	strcpy(text + count, argv[2]);
	say(text);
	return argc != 3;
}
