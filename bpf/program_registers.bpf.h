/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Reads and writes registers of a traced program. Few kernels allow the write; others refuse a BPF program that
 * contains it. A caller of set_register() therefore tests ACTIONS_REGISTERS first, so that the verifier removes the
 * write.
 */
#ifndef POLYTRACE_PROGRAM_REGISTERS_BPF_H
#define POLYTRACE_PROGRAM_REGISTERS_BPF_H

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

static __always_inline u64 read_register(void *ctx, u32 index)
{
	u64 word = 0;

	(void)ctx; /* unused if there is no case */
	switch (index) {
#define GET(number) CONTEXT_CASE(number, number * sizeof(u64))
		PROGRAM_REGISTERS(GET)
#undef GET
	}
	return word;
}

/* The verifier allows only constant offsets, as for reads. */
static __always_inline void set_register(void *ctx, u32 index, u64 word)
{
	(void)ctx;
	(void)word;
	switch (index) {
#define SET(number)                                                                                                 \
	case number:                                                                                                \
		asm volatile("*(u64 *)(%0 + %1) = %2" ::"r"(ctx), "i"(number * sizeof(u64)), "r"(word) : "memory"); \
		break;
		PROGRAM_REGISTERS(SET)
#undef SET
	}
}

#endif
