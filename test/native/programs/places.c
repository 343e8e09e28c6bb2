/* Targets of uprobes: places NAME calls each function in this order, and prints whether the counter is in use. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A semaphore: the kernel counts the uprobes here that name it. */
__attribute__((section(".data"))) volatile unsigned short traced = 0;

__attribute__((noinline)) int64_t add(int32_t a, int64_t b)
{
	__asm__ volatile("");
	return a + b;
}

__attribute__((noinline)) size_t greet(const char *name, char *greeting, size_t size)
{
	__asm__ volatile("");
	return (size_t)snprintf(greeting, size, "hello %s", name);
}

__attribute__((noinline)) int measure(const char *bytes, size_t size)
{
	int sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return sum;
}

__attribute__((noinline)) int down(int n)
{
	__asm__ volatile("");
	return n == 0 ? 100 : down(n - 1) + 1;
}

int main(int count, char **args)
{
	const char *name = count > 1 ? args[1] : "nobody";
	char greeting[64];

	if (add(-7, 5000000000) != 4999999993)
		return 1;
	if (greet(name, greeting, sizeof(greeting)) != 6 + strlen(name))
		return 2;
	if (measure("\1\2\3", 3) != 6)
		return 3;
	if (down(2) != 102)
		return 4;
	printf("%u\n", traced);
	return setenv("PLACES_NAME", name, 1) == 0 ? 0 : 5;
}
