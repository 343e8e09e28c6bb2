/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Notifications from hooks to the enforcers of their policy. A notification says what an enforcer must do when this
 * thread calls one of its functions.
 *
 * A notification is valid for the current system call of the thread. The user-mode registers of the thread identify the
 * call. If no enforcer takes the notification during that call, it is ignored later. It is stored in the task storage
 * of the thread, and only the thread itself reads and writes it.
 */
#ifndef POLYTRACE_NOTIFICATIONS_BPF_H
#define POLYTRACE_NOTIFICATIONS_BPF_H

#include "registers.bpf.h"

enum { CALL_REGISTERS = 9 };

struct notification {
	u64 registers[CALL_REGISTERS];
	u32 pending;
	u32 signal; /* 0: none */
	u32 overrides;
	s32 error; /* returned instead of running the function */
};

/* Each policy has one map, which all its hooks and enforcers share. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct notification);
} notifications SEC(".maps");

/* Reads instruction pointer, stack pointer, number and parameters of the system call. All are 0 in a kernel thread. */
static __always_inline void read_syscall_registers(u64 *registers, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	registers[0] = READ(regs, USER_PC);
	registers[1] = READ(regs, USER_STACK);
	registers[2] = READ(regs, SYSCALL_NUMBER);
#define PARAM(number, name) registers[3 + number] = READ(regs, name);
	SYSCALL_REGISTERS(PARAM)
#undef PARAM
}

static __always_inline struct notification *get_notification(u64 flags)
{
	return bpf_task_storage_get(&notifications, bpf_get_current_task_btf(), 0, flags);
}

/* Replaces a notification that no enforcer has taken. Returns the flags for the event. */
static __always_inline u32 notify_enforcer(const volatile struct selector_actions *actions)
{
	struct notification *own = get_notification(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!own)
		return 0;
	read_syscall_registers(own->registers, bpf_get_current_task_btf());
	own->signal = actions->notify_signal;
	own->overrides = actions->notify & NOTIFY_OVERRIDES;
	own->error = actions->notify_error;
	own->pending = 1;
	return EVENT_NOTIFIED;
}

static __always_inline void clear_notification(void)
{
	struct notification *own = get_notification(0);

	if (own)
		own->pending = 0;
}

/* Takes the pending notification for the current system call of the thread. Returns null if there is none. */
static __always_inline struct notification *take_notification(void)
{
	struct notification *own = get_notification(0);
	u64 now[CALL_REGISTERS], difference = 0;

	if (!own || !own->pending)
		return 0;
	own->pending = 0;
	read_syscall_registers(now, bpf_get_current_task_btf());
#pragma unroll
	for (u32 i = 0; i < CALL_REGISTERS; i++)
		difference |= now[i] ^ own->registers[i];
	return difference ? 0 : own;
}

#endif
