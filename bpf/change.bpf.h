/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Registers of a traced program: read, and written where the kernel allows it. Other kernels refuse a program that contains
 * a write. A caller of set_register therefore tests ACTIONS_REGISTERS first, so that the verifier removes the write.
 */
#ifndef POLYTRACE_CHANGE_BPF_H
#define POLYTRACE_CHANGE_BPF_H

#include "probes.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* words of struct pt_regs, without the segments, the flags and the number of a system call */
#define PROGRAM_REGISTERS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(16) X(19)
enum { REGISTER_WORDS = 20 };
#else
/* none: no other architecture supports assignments */
#define PROGRAM_REGISTERS(X)
enum { REGISTER_WORDS = 1 };
#endif

static __always_inline u64 program_register(void *ctx, u32 place)
{
	u64 word = 0;

	(void)ctx; /* where there is no case */
	switch (place) {
#define GET(number) CONTEXT_CASE(number, number * sizeof(u64))
		PROGRAM_REGISTERS(GET)
#undef GET
	}
	return word;
}

/* The offset must be a constant, as for reading. */
static __always_inline void set_register(void *ctx, u32 place, u64 word)
{
	(void)ctx;
	(void)word;
	switch (place) {
#define SET(number)                                                                                              \
	case number:                                                                                             \
		asm volatile("*(u64 *)(%0 + %1) = %2" ::"r"(ctx), "i"(number * sizeof(u64)), "r"(word) : "memory"); \
		break;
		PROGRAM_REGISTERS(SET)
#undef SET
	}
}

#endif
