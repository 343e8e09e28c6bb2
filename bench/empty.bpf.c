// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* An empty program on the function that HOOK names. It measures the cost of the attachment itself. */
#define SECTION(name) __attribute__((section(name), used))

char LICENSE[] SECTION("license") = "Dual BSD/GPL";

SECTION(HOOK)
int empty(void *ctx __attribute__((unused)))
{
	return 0;
}
