/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What hooks tell the enforcers of their policy: to do something to this thread when it comes to one of their functions.
 *
 * A notification is for the system call that the thread is in, which its registers of user mode tell; one that was not
 * taken there is void. It belongs to the task, and ends with it. Only the thread itself reads and writes its own.
 */
#ifndef POLYTRACE_NOTIFICATIONS_BPF_H
#define POLYTRACE_NOTIFICATIONS_BPF_H

#include "registers.bpf.h"

enum { CALL_REGISTERS = 9 };

struct notification {
	u64 registers[CALL_REGISTERS];
	u32 waiting;
	u32 signal; /* 0: none */
	u32 overrides;
	s32 error; /* returned instead of running the function */
};

/* One for each policy: all its hooks and enforcers share it. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct notification);
} notifications SEC(".maps");

/* Place, stack, number and parameters of the system call; all of them zero in a thread of the kernel. */
static __always_inline void system_call(u64 *registers, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	registers[0] = READ(regs, USER_PC);
	registers[1] = READ(regs, USER_STACK);
	registers[2] = READ(regs, SYSCALL_NUMBER);
#define PARAM(number, name) registers[3 + number] = READ(regs, name);
	SYSCALL_REGISTERS(PARAM)
#undef PARAM
}

static __always_inline struct notification *own_notification(u64 flags)
{
	return bpf_task_storage_get(&notifications, bpf_get_current_task_btf(), 0, flags);
}

/* Takes the place of one that was not taken. Returns the flags for the event. */
static __always_inline u32 notify_enforcer(const volatile struct selector_actions *actions)
{
	struct notification *own = own_notification(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!own)
		return 0;
	system_call(own->registers, bpf_get_current_task_btf());
	own->signal = actions->notify_signal;
	own->overrides = actions->notify & NOTIFY_OVERRIDES;
	own->error = actions->notify_error;
	own->waiting = 1;
	return EVENT_NOTIFIED;
}

static __always_inline void forget_notification(void)
{
	struct notification *own = own_notification(0);

	if (own)
		own->waiting = 0;
}

/* The notification that the thread's system call has waiting, which is taken by that. */
static __always_inline struct notification *take_notification(void)
{
	struct notification *own = own_notification(0);
	u64 now[CALL_REGISTERS], difference = 0;

	if (!own || !own->waiting)
		return 0;
	own->waiting = 0;
	system_call(now, bpf_get_current_task_btf());
#pragma unroll
	for (u32 i = 0; i < CALL_REGISTERS; i++)
		difference |= now[i] ^ own->registers[i];
	return difference ? 0 : own;
}

#endif
