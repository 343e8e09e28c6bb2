/*
 * Numbered actions: numbered FROM [COUNT] calls act(FROM), act(FROM + 1), … COUNT times. Without COUNT it continues
 * until its standard input is closed, and prints the number of calls.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((noinline)) void act(long number)
{
	__asm__ volatile("" ::"r"(number));
}

static int is_closed(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	return poll(&input, 1, 0) > 0;
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	long from = atol(argv[1]), count = argc > 2 ? atol(argv[2]) : -1, done = 0;

	while (count >= 0 ? done < count : !is_closed()) {
		act(from + done++);
		if (count < 0)
			nanosleep(&pause, NULL);
	}
	printf("%ld\n", done);
	return 0;
}
