/*
 * A program whose data needs the second page of its file or a later one. Loading it, the kernel clears the end of the
 * initialized data in memory, and so waits for the file system. It waits for the end of its standard input.
 */
#include <unistd.h>

char initialized[3 * 4096 + 100] = { 1 };
char cleared[100];

int main(void)
{
	char byte;

	write(1, "running\n", 8);
	while (read(0, &byte, 1) > 0)
		;
	return initialized[0] + cleared[0] - 1;
}
