/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parameters in registers. The parameters of a kernel function are in the context of a kprobe. The parameters of a
 * system call are in the struct pt_regs that its kernel function receives.
 */
#ifndef POLYTRACE_REGISTERS_BPF_H
#define POLYTRACE_REGISTERS_BPF_H

#include "common.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define FUNCTION_REGISTERS(X) X(0, di) X(1, si) X(2, dx) X(3, cx) X(4, r8) X(5, r9)
#define SYSCALL_REGISTERS(X) X(0, di) X(1, si) X(2, dx) X(3, r10) X(4, r8) X(5, r9)
#define IA32_REGISTERS(X) X(0, bx) X(1, cx) X(2, dx) X(3, si) X(4, di) X(5, bp)
/* at the entry, the return address is on the stack; at the return, it is not */
#define FRAME_AT_ENTRY(regs) ((regs)->sp + 8)
#define FRAME_AT_RETURN(regs) ((regs)->sp)
#define USER_PC ip
#define USER_STACK sp
#define SYSCALL_NUMBER orig_ax
#elif defined(__TARGET_ARCH_arm64)
#define FUNCTION_REGISTERS(X)   \
	X(0, user_regs.regs[0]) \
	X(1, user_regs.regs[1]) \
	X(2, user_regs.regs[2]) X(3, user_regs.regs[3]) X(4, user_regs.regs[4]) X(5, user_regs.regs[5])
#define SYSCALL_REGISTERS(X)    \
	X(0, orig_x0)           \
	X(1, user_regs.regs[1]) \
	X(2, user_regs.regs[2]) X(3, user_regs.regs[3]) X(4, user_regs.regs[4]) X(5, user_regs.regs[5])
#define FRAME_AT_ENTRY(regs) ((regs)->user_regs.sp)
#define FRAME_AT_RETURN(regs) ((regs)->user_regs.sp)
#define USER_PC user_regs.pc
#define USER_STACK user_regs.sp
#define SYSCALL_NUMBER user_regs.regs[8]
#endif

/* The verifier allows only constant offsets in a context, so the compiler must not merge the cases. */
#define CONTEXT_CASE(number, offset)                                                         \
	case number:                                                                         \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(word) : "r"(ctx), "i"(offset)); \
		break;

static __always_inline u64 function_param(void *ctx, u32 n)
{
	u64 word = 0;

	switch (n) {
#define PARAM(number, name) CONTEXT_CASE(number, __builtin_offsetof(struct pt_regs, name))
		FUNCTION_REGISTERS(PARAM)
#undef PARAM
	}
	return word;
}

/* `abi`: enum syscall_registers */
static __always_inline u64 syscall_param(const struct pt_regs *user, u32 n, u32 abi)
{
	const struct pt_regs *regs = KERNEL(pt_regs, user);

#ifdef IA32_REGISTERS
	if (abi == SYSCALL_IA32) {
		switch (n) {
#define PARAM(number, name) \
	case number:        \
		return (u32)READ(regs, name);
			IA32_REGISTERS(PARAM)
#undef PARAM
		}
		return 0;
	}
#else
	(void)abi; /* there is only one ABI */
#endif
	switch (n) {
#define PARAM(number, name) \
	case number:        \
		return READ(regs, name);
		SYSCALL_REGISTERS(PARAM)
#undef PARAM
	}
	return 0;
}

#endif
