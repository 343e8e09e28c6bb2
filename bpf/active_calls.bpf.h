/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Calls between entry and return, for hooks that only count and keep nothing but numbers. The map `pending` would cost
 * three look-ups in a hash table for each call.
 *
 * The address of a stack frame gives a call its place. Frames of two active calls differ, so a place that has the frame
 * of a call belongs to it: nobody else changes it until the call returns. If another call is in the place, the new one
 * is kept in `pending`. No call waits, and none is lost.
 */
#ifndef POLYTRACE_ACTIVE_CALLS_BPF_H
#define POLYTRACE_ACTIVE_CALLS_BPF_H

#include "actions.bpf.h"

/* The probe flavour does without: atomic operations that return a value exist since Linux 5.12. */
#if defined(TRAMPOLINE) && !defined(READ_PROBE)
#define HAS_ACTIVE_CALLS

struct active_call {
	u64 frame; /* 0: the place is free */
	u8 record[ACTIVE_CALL_BYTES - sizeof(u64)]; /* the beginning of a struct hook_record */
};

_Static_assert(__builtin_offsetof(struct hook_record, body) + ACTIVE_CALL_VALUES * sizeof(struct value) <=
		       ACTIVE_CALL_BYTES - sizeof(u64),
	       "the values fit");

/* A variable, so that its address is a constant in the program. User space sets its size at load. */
struct active_call active_calls[1] SEC(".data.active_calls") = {};

/* The frame of a call as a number: the verifier allows no other arithmetic on the pointer, which is the context. */
static __always_inline u64 frame_number(u64 frame)
{
	asm volatile("%0 = -%0" : "+r"(frame));
	return frame;
}

static __always_inline struct active_call *find_place(u64 frame)
{
	struct active_call *first = active_calls;
	u32 number = (u32)(frame >> 4) * 0x9e3779b1;

	opaque(first); /* for the compiler, the array has only one element */
	opaque(number);
	return first + (number >> (32 - ACTIVE_CALL_BITS));
}

static __always_inline struct hook_record *call_record(struct active_call *call)
{
	return (void *)call->record;
}

/* Returns the record for a call that begins; null if another call is in its place. */
static __always_inline struct hook_record *start_call(u64 context, struct task_struct *task, u64 candidates)
{
	u64 frame = frame_number(context);
	struct active_call *call = find_place(frame);
	struct hook_record *record = call_record(call);
	u64 owner = *(volatile u64 *)&call->frame;

	if (owner == frame)
		count_lost_return(config.hook); /* the return of an earlier call with this frame was not seen */
	else if (owner || __sync_val_compare_and_swap(&call->frame, 0, frame))
		return 0;
	record->candidates = candidates;
	record->event.key.tgid = READ(task, tgid);
	record->event.key.tid = READ(task, pid);
	record->event.hook = config.hook;
	record->event.header.time = bpf_ktime_get_boot_ns();
	return record;
}

/* Returns the place of a call that returns; null if it is not in its place, or if no entry has stored it. */
static __always_inline struct active_call *find_call(u64 context)
{
	u64 frame = frame_number(context);
	struct active_call *call = find_place(frame);

	if (*(volatile u64 *)&call->frame != frame)
		return 0;
	/* the thread of a call that has not returned may have ended; its stack then belongs to another one */
	return call_record(call)->event.key.tid == (u32)READ(current_task(), pid) ? call : 0;
}

/* Frees the place. Another call may write to it at once, so this is a full barrier. */
static __always_inline void end_call(struct active_call *call)
{
	__sync_lock_test_and_set(&call->frame, 0);
}
#endif

#endif
