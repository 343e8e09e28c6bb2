/* blocking: calls block(7), which returns when the standard input is closed. Prints "ready" before. */
#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) long block(long number)
{
	char byte;

	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return number + 1;
}

int main(void)
{
	return block(7) == 8 ? 0 : 1;
}
