/*
 * Static probes with every encoding of arguments: probes NAME passes each probe once in this order, and prints the
 * counter of the last one. With -DCALLER it is a program that calls the library, which is made with -DLIBRARY.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "../../../native/base/sdt.h"

/* An assembler's operands: a number, a location without a constant distance from a register, and an incomplete
 * location. */
#ifdef __aarch64__
#define NUMBER(number) number
#define UNREADABLE "[x0, x1]"
#define UNCLOSED "[x0"
#else
#define NUMBER(number) "$" number
#define UNREADABLE "guarded_counter(%%rip)"
#define UNCLOSED "(%%rax"
#endif

int pass_all(const char *name);

#ifndef CALLER

/* The kernel counts the tracers of `guarded` here. */
__attribute__((section(".probes"), used)) volatile unsigned short guarded_counter;
#ifdef __PIC__
__asm__(".hidden guarded_counter");
#endif

__attribute__((noinline)) static void numbers(int8_t a, uint16_t b, int32_t c, int64_t d)
{
	volatile int32_t e = c * 2;
	volatile uint8_t f = 200;
	volatile int64_t g = -d;

	PROBE("app", "numbers", "0",
	      "-1@%[a] 2@%[b] -4@%[c] -8@%[d] -4@%[e] 1@%[f] -8@%[g] -4@" NUMBER("-9") " 8@" NUMBER("77"), [a] "r"(a),
	      [b] "r"(b), [c] "r"(c), [d] "r"(d), [e] "m"(e), [f] "m"(f), [g] "m"(g));
}

__attribute__((noinline)) static void text(const char *name, size_t size)
{
	const char *volatile kept = name;

	PROBE("app", "text", "0",
	      "8@%[name] 8@%[size] 8@%[kept]", [name] "r"(name), [size] "r"(size), [kept] "m"(kept));
}

struct inner {
	int32_t numbers[3];
	const char *name;
};

struct outer {
	int64_t first;
	char label[16];
	struct inner *inner;
	struct {
		uint16_t low, high;
	};
};

__attribute__((noinline)) int described(const struct outer *what, const struct outer *none)
{
	PROBE("app", "described", "0", "8@%[what] 8@%[none]", [what] "r"(what), [none] "r"(none) : "memory");
	return what->first;
}

/* One probe at three locations. Each has its argument in another register or in memory. */
__attribute__((noinline)) static void places(int32_t n)
{
	volatile int32_t kept = n + 1;

	PROBE("app", "places", "0", "-4@%[n]", [n] "r"(n));
	PROBE("app", "places", "0", "-4@%[kept]", [kept] "m"(kept));
	PROBE("app", "places", "0", "-4@" NUMBER("3"), );
}

int pass_all(const char *name)
{
	numbers(-5, 50000, -70000, 1LL << 40);
	text(name, strlen(name));
	places(1);
	struct inner inner = { { 10, 20, 30 }, name };
	struct outer outer = { .first = -1, .label = "outer", .inner = &inner, .high = 60000 };
	described(&outer, 0);
	PROBE("app", "none", "0", "", );
	PROBE("app", "unreadable", "0", "4@" UNREADABLE, );
	PROBE("app", "unclosed", "0", "8@" UNCLOSED, );
	if (guarded_counter)
		PROBE("app", "guarded", "guarded_counter", "4@%[n]", [n] "r"((int32_t)guarded_counter));
	return guarded_counter;
}

#endif
#ifndef LIBRARY

int main(int count, char **args)
{
	printf("%d\n", pass_all(count > 1 ? args[1] : "nobody"));
	return 0;
}

#endif
