/* long SIZE calls compare() with two buffers of SIZE bytes: one of 'a', the other of 'b'. */
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) int compare(const char *one, const char *other, size_t size)
{
	__asm__ volatile("");
	return memcmp(one, other, size);
}

int main(int count, char **args)
{
	size_t size = count > 1 ? strtoul(args[1], NULL, 10) : 0;
	char *one = malloc(size), *other = malloc(size);

	memset(one, 'a', size);
	memset(other, 'b', size);
	return compare(one, other, size) < 0 ? 0 : 1;
}
