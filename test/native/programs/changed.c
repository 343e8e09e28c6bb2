/*
 * A program that policies change. It prints the return values of its functions, and its variables after the static
 * probes that have them as arguments.
 */
#include <stdint.h>
#include <stdio.h>
#include "../../../native/base/sdt.h"

/* The program cannot write here. */
static const int32_t fixed = 9;

__attribute__((noinline)) int32_t answer(int32_t a)
{
	__asm__ volatile("");
	return a + 1;
}

__attribute__((noinline)) int32_t other(int32_t a)
{
	__asm__ volatile("");
	return a + 100;
}

__attribute__((noinline)) static void memory(void)
{
	volatile int8_t a = 1;
	volatile uint16_t b = 2;
	volatile int32_t c = 3;
	volatile int64_t d = 4;

	PROBE("changed", "memory", "0",
	      "-1@%[a] 2@%[b] -4@%[c] -8@%[d]", [a] "m"(a), [b] "m"(b), [c] "m"(c), [d] "m"(d));
	printf("memory %d %u %d %lld\n", a, b, c, (long long)d);
}

__attribute__((noinline)) static void others(void)
{
	int32_t narrow = 5;
	int64_t wide = 6;

	PROBE_REGISTER("changed", "narrow", "-4@%k[narrow]", narrow);
	PROBE_REGISTER("changed", "wide", "-8@%[wide]", wide);
	PROBE("changed", "fixed", "0", "-4@(%[at])", [at] "r"(&fixed));
	PROBE("changed", "constant", "0", "-4@$7", );
	printf("register %d %lld fixed %d\n", narrow, (long long)wide, *(const volatile int32_t *)&fixed);
}

int main(void)
{
	printf("answer %d\n", answer(1));
	memory();
	others();
	return 0;
}
