/*
 * Calls that policies count: counted CALLS NUMBERS calls touch() with the numbers 0 to NUMBERS - 1 in turn, and the
 * system call getppid as often. touch() returns a negative number for odd numbers.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../../native/base/sdt.h"

__attribute__((noinline)) int64_t touch(uint32_t number, const char *name)
{
	__asm__ volatile("" : : "r"(name));
	PROBE("counted", "touched", "0", "4@%[n]", [n] "r"(number));
	return number % 2 ? -(int64_t)number : number;
}

int main(int count, char **args)
{
	long calls = count > 1 ? atol(args[1]) : 1;
	uint32_t numbers = count > 2 ? (uint32_t)atoi(args[2]) : 1;
	const char *name = count > 3 ? args[3] : "/srv/a/b/c";

	/* reads the name, so that its page is in memory */
	__asm__ volatile("" : : "r"(*name));
	for (long i = 0; i < calls; i++) {
		if (numbers)
			touch((uint32_t)i % numbers, name);
		syscall(SYS_getppid);
	}
	return 0;
}
