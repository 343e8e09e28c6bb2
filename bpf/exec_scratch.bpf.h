/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The memory in which the base sensor makes the record of an exec. */
#ifndef POLYTRACE_EXEC_SCRATCH_BPF_H
#define POLYTRACE_EXEC_SCRATCH_BPF_H

#include "string_buffer.bpf.h"

enum {
	EXEC_HEAP_SIZE = 3 * STRING_CAPACITY + ARGV_BYTES_MAX,
	SCAN_SCRATCH = 0,
};

/*
 * The state of the walk along the arguments in the heap. It is not on the stack: there, the verifier would know the
 * numbers, and would follow each step of the walk.
 */
struct argument_walk {
	u32 at; /* the next byte to read */
	u32 end;
	u32 start; /* the first byte of the current argument */
	u32 index; /* the position of the current argument */
};

/*
 * The scan of already running processes uses the first, the others are one per CPU: nothing suspends the programs of an
 * exec, see exclusive_exec(). The value is too big for a per-CPU map.
 */
struct exec_scratch {
#ifndef OLD_KERNEL
	struct string_buffer buffer;
#endif
	struct process_bits bits; /* not on the stack: the chain of calls that stores them is the deepest one */
	struct process_sets arguments; /* the sets of the process by its arguments */
	struct argument_walk walk;
	struct trie_key argument; /* the key for the look-up of an argument */
	struct event_exec record;
	u8 heap[EXEC_HEAP_SIZE + FILTER_STRING_MAX]; /* the record continues here */
	u8 environment[ENVIRONMENT_BYTES_MAX]; /* must be last: it is cut off at load if it is not recorded */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set at load: the number of possible CPUs plus one */
	__type(key, u32);
	__type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

static __always_inline u32 exec_scratch_index(void)
{
	return 1 + bpf_get_smp_processor_id();
}

static __always_inline struct exec_scratch *get_scratch(u32 index)
{
	return bpf_map_lookup_elem(&exec_scratch, &index);
}

#endif
