/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The sets that a process belongs to because of the arguments of its exec (matchCmdArgs). The values are in two tries,
 * whose slot is the position of the argument. A value of Equal ends with the NUL that ends each argument.
 *
 * An exec finds its sets before the program runs, so a program that changes its arguments later changes nothing. For
 * already running processes, user space reads the arguments from /proc. During a scan, execs and forks store their sets
 * in the same table, and user space adds only the processes that are missing there.
 */
#ifndef POLYTRACE_ARGUMENTS_BPF_H
#define POLYTRACE_ARGUMENTS_BPF_H

#include "sets.bpf.h"
#include "exec_scratch.bpf.h"

/* Without bpf_loop(), the verifier follows each step. A long argument needs several. */
#ifdef READ_PROBE
enum { ARGUMENT_STEPS_MAX = 1024 };
#else
enum { ARGUMENT_STEPS_MAX = ARGV_BYTES_MAX };
#endif

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct trie_key);
	__type(value, struct process_sets);
} argument_prefix SEC(".maps"), argument_postfix SEC(".maps");

/*
 * The index is the number of known arguments. The value has the sets that also contain a process whose further
 * arguments are unknown.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ARGUMENT_ANY + 1);
	__type(key, u32);
	__type(value, struct process_sets);
} argument_unknown SEC(".maps");

/* Adds the sets of a key, for its position and for any position. Position 0 is the name of the program. */
static __always_inline void add_keyed_sets(struct process_sets *sets, void *map, struct trie_key *key, u32 index)
{
	if (index < ARGUMENT_ANY) {
		key->slot = index;
		add_sets(sets, bpf_map_lookup_elem(map, key));
	}
	if (index > 0) {
		key->slot = ARGUMENT_ANY;
		add_sets(sets, bpf_map_lookup_elem(map, key));
	}
}

/* Adds the sets of the end of an argument, which ends before heap[end]. */
static __always_inline void add_argument_postfix(struct exec_scratch *s, u32 end, u32 length, u32 index)
{
	struct trie_key *key = &s->argument;
	u32 bits;

	end = at_most(end, EXEC_HEAP_SIZE);
	key->prefix_bits = 8 + 8 * at_most(length, FILTER_STRING_MAX);
	/* read from memory, so that the verifier does not check the loop again for each length */
	bits = *(volatile u32 *)&key->prefix_bits;
	/* reverses eight bytes at a time; bytes before the argument are beyond the length of the key */
	for (u32 i = 0; i < FILTER_STRING_MAX && 8 + 8 * i < bits; i += 8) {
		const u8 *from = (u8 *)s + __builtin_offsetof(struct exec_scratch, heap) - 8 - i + end;
		u8 *to = &key->string[i];

		/* the words are not aligned: the compiler would access single bytes */
		opaque(from);
		opaque(to);
		*(u64 *)to = __builtin_bswap64(*(u64 *)from);
	}
	add_keyed_sets(&s->arguments, &argument_postfix, key, index);
}

/*
 * Reads one argument, or the next part of a long one. Returns 1 at the end. It is a global function, so that the
 * verifier checks it only once, and not for each step.
 */
__noinline int add_argument_sets(u32 index)
{
	struct exec_scratch *s = get_scratch(index);
	struct argument_walk *walk;
	struct trie_key *key;
	bool whole;
	long got;
	u32 at;

	if (!s)
		return 1;
	walk = &s->walk;
	key = &s->argument;
	at = walk->at;
	if (at >= walk->end)
		return 1;
	at = at_most(at, EXEC_HEAP_SIZE);
	got = bpf_probe_read_kernel_str(key->string, FILTER_STRING_MAX, &s->heap[at]);
	if (got <= 0)
		return 1;
	got = at_most(got, FILTER_STRING_MAX);
	/* a string that fills the key may have been cut */
	whole = got < FILTER_STRING_MAX || !s->heap[at + FILTER_STRING_MAX - 1];
	if (whole && at + got > walk->end)
		return 1;
	if (at == walk->start) {
		key->prefix_bits = 8 + 8 * (whole ? got : got - 1);
		add_keyed_sets(&s->arguments, &argument_prefix, key, walk->index);
	}
	if (!whole) {
		walk->at = at + FILTER_STRING_MAX - 1;
		return 0;
	}
	at += got;
	add_argument_postfix(s, at - 1, at - 1 - walk->start, walk->index);
	walk->at = at;
	walk->start = at;
	walk->index++;
	return 0;
}

static long step_to_next_argument(u32 i __attribute__((unused)), const u32 *scratch)
{
	u32 ended = add_argument_sets(*scratch);

	/* the verifier knows no range of the result of a global function */
	opaque(ended);
	return ended & 1;
}

/*
 * Finds the sets of the arguments in the heap of the scratch memory, and stores them there. `cut`: there are more
 * arguments, or nobody can read them.
 */
static __always_inline void find_argument_sets(u32 index, u32 start, u32 length, bool cut)
{
	struct exec_scratch *s = get_scratch(index);
	u32 known;

	if (!s)
		return;
	__builtin_memset(&s->arguments, 0, sizeof(s->arguments));
	s->walk.at = start;
	s->walk.start = start;
	s->walk.end = start + length;
	s->walk.index = 0;
	REPEAT(ARGUMENT_STEPS_MAX, step_to_next_argument, &index);
	if (!cut && s->walk.at >= s->walk.end)
		return;
	known = at_most(s->walk.index, ARGUMENT_ANY);
	add_sets(&s->arguments, bpf_map_lookup_elem(&argument_unknown, &known));
}

#endif
