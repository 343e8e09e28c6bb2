/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Shared by all programs: reads of kernel memory, the ring buffer, wake-ups of the reader, counters of losses.
 *
 * Each source is compiled for several flavours. The direct flavour dereferences BTF pointers and needs bpf_rdonly_cast
 * (Linux 6.2). The probe flavour (READ_PROBE) reads through a helper and runs since Linux 5.13. The old flavour
 * (READ_PROBE and OLD_KERNEL) is for older kernels; see string_buffer.bpf.h.
 */
#ifndef POLYTRACE_COMMON_BPF_H
#define POLYTRACE_COMMON_BPF_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"

#ifdef READ_PROBE
#define READ(pointer, field) BPF_CORE_READ(pointer, field)
/* reads eight bytes of a field whose type depends on the kernel version */
#define READ_U64(pointer, field)                                                                                  \
	({                                                                                                        \
		u64 word_ = 0;                                                                                    \
		bpf_probe_read_kernel(&word_, sizeof(word_), __builtin_preserve_access_index(&(pointer)->field)); \
		word_;                                                                                            \
	})
#define READ_BIT(pointer, field) BPF_CORE_READ_BITFIELD_PROBED(pointer, field)
#define KERNEL(type, pointer) ((struct type *)(pointer))
#else
/*
 * bpf_rdonly_cast. The addon inserts the number of this kernel function (native/loading/relocation_cache.cc). If the
 * function were declared, libbpf would read all kernel types again for each object.
 */
static void *(*const cast_readonly)(const void *object, u32 type) = (void *)RDONLY_CAST_MARK;
static void (*const preempt_disable)(void) = (void *)PREEMPT_DISABLE_MARK;
static void (*const preempt_enable)(void) = (void *)PREEMPT_ENABLE_MARK;
#define READ(pointer, field) ((pointer)->field)
#define READ_U64(pointer, field) (*(u64 *)&(pointer)->field)
#define READ_BIT(pointer, field) BPF_CORE_READ_BITFIELD(pointer, field)
/* a typed pointer that may be dereferenced; it costs one instruction */
#define KERNEL(type, pointer) ((struct type *)cast_readonly((void *)(pointer), bpf_core_type_id_kernel(struct type)))
#endif

/* The section of a program that the kernel checks against one of its types; see native/loading/typed_programs.h. */
#define TYPED_SEC(name) SEC("typed_" name)
/* The section of another program of a hook. The addon optimizes it for its configuration; see native/optimizer. */
#define HOOK_SEC(name) SEC("hook_" name)

#define ADDRESS(pointer, field) ((void *)__builtin_preserve_access_index(&(pointer)->field))

/* for the compiler, which keeps the values of the likely path in registers */
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* hides from the compiler what it knows about a value */
#define opaque(value) asm volatile("" : "+r"(value))

/*
 * A 0 that is an unknown number for the verifier. With a known number, the verifier would check a loop again for every
 * set of selectors that can be left. With an unknown number, it checks the loop once.
 */
static __always_inline u64 unknown_zero(u64 unknown)
{
	u64 same = unknown;

	opaque(same);
	return unknown - same;
}

/* Returns `bits` bits. lib/wire/encode/tables.ts has the same function. */
static __always_inline u32 hash_bytes(u64 bytes, const u32 bits)
{
	return (u32)(bytes ^ bytes >> 32) * STRING_HASH_FACTOR >> (32 - bits);
}

/* Bounds a value. The comparison stays in the code for the verifier, even if the compiler can prove the bound. */
static __always_inline u32 at_most(u32 value, const u32 bound)
{
	opaque(value);
	if (value > bound)
		value = bound;
	return value;
}

/*
 * Reads the word after a full memory barrier. Atomic operations that return a value exist since Linux 5.12. Before, the
 * addition is a full barrier only on x86. On arm64, a program and user space may miss what the other side writes at the
 * same moment.
 */
#ifdef OLD_KERNEL
#define read_after_barrier(word)                                                              \
	({                                                                                    \
		asm volatile("lock *(u32 *)(%0 + 0) += %1" : : "r"(word), "r"(0) : "memory"); \
		*(volatile typeof(*(word)) *)(word);                                          \
	})
#else
#define read_after_barrier(word) __sync_fetch_and_add(word, 0)
#endif

/*
 * Calls step(i, state) until it returns 1, at most `count` times. The verifier follows each iteration of a loop. It
 * checks a callback of bpf_loop() only until it finds no new state.
 */
#ifdef READ_PROBE
#define REPEAT(count, step, state)                                       \
	do {                                                             \
		for (u32 i_ = 0; i_ < (count) && !step(i_, state); i_++) \
			;                                                \
	} while (0)
#else
#define REPEAT(count, step, state) bpf_loop(count, step, state, 0)
#endif

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16); /* set at load */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HOOKS_MAX);
	__type(key, u32);
	__type(value, struct hook_counters);
} counters SEC(".maps");

/* Processes that no policy acts on: the tracer and its ancestors. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u32); /* tgid */
	__type(value, u32);
} protected_processes SEC(".maps");

/* The sets of processes. A process that is in no set, and whose parent is in none, has no entry. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES_MAX);
	__type(key, u32); /* tgid */
	__type(value, struct process_bits);
} process_bits SEC(".maps");

/*
 * Holds the further entries when process_bits is full. It can hold every pid. A trie needs memory only for its entries;
 * a hash table of that size has 64 MiB of buckets.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PID_LIMIT);
	__type(key, struct process_key_more);
	__type(value, struct process_bits);
} process_bits_more SEC(".maps");

/* The state of each process at its exec, or when a hook last reported a change. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES_MAX);
	__type(key, u32); /* tgid */
	__type(value, struct process_state);
} process_states SEC(".maps");

/* Holds the further entries when process_states is full; see process_bits_more. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PID_LIMIT);
	__type(key, struct process_key_more);
	__type(value, struct process_state);
} process_states_more SEC(".maps");

/* Eight bytes at any address of the kernel. */
static __always_inline u64 read_word(u64 address)
{
	struct qstr *any = KERNEL(qstr, address);

	return READ(any, hash_len);
}

static __always_inline struct task_struct *current_task(void)
{
#ifdef READ_PROBE
	return (struct task_struct *)bpf_get_current_task();
#else
	return (struct task_struct *)bpf_get_current_task_btf();
#endif
}

/*
 * The current task as a pointer that the verifier does not trust. For each pointer that a program reads through a
 * trusted one, the verifier searches all types of the kernel by name, and again for each path that leads there. That
 * would take most of the time of loading the base sensor. A read through an untrusted pointer checks the address first,
 * which costs seven instructions.
 */
static __always_inline struct task_struct *untrusted_task(void)
{
	return KERNEL(task_struct, bpf_get_current_task());
}

static __always_inline bool is_protected(u32 tgid)
{
	return tgid == 1 || bpf_map_lookup_elem(&protected_processes, &tgid);
}

/* True if the process is in a 32-bit system call; see asm/thread_info.h of the architecture. */
static __always_inline bool in_compat_syscall(void)
{
	struct task_struct *task = current_task();

#if defined(__TARGET_ARCH_x86)
	return READ(task, thread_info.status) & 2; /* TS_COMPAT */
#else
	return READ(task, thread_info.flags) & 1 << 22; /* _TIF_32BIT */
#endif
}

static __always_inline struct control *shared_control(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&control, &zero);
}

/*
 * Not 0: some entries are in process_bits_more, or in process_states_more. All programs share these variables in one
 * map, and read each of them in one instruction.
 */
volatile unsigned int bits_overflowed SEC(".data.shared") = 0;
volatile unsigned int states_overflowed SEC(".data.shared") = 0;
/* The bits of protected_bit() of all protected processes. Other processes may have the same bits. */
volatile unsigned long long protected_bits SEC(".data.shared") = 0;
/* Addresses of the kernel's mounts of all pipes, all sockets and memory files, after a program has seen one. */
volatile unsigned long long pipe_mount SEC(".data.shared") = UNKNOWN_MOUNT;
volatile unsigned long long socket_mount SEC(".data.shared") = UNKNOWN_MOUNT;
volatile unsigned long long memory_mount SEC(".data.shared") = UNKNOWN_MOUNT;
/* The bits of mount_bit() of all mounts that have had an entry in the negative cache. */
volatile unsigned long long cached_mounts SEC(".data.shared") = 0;

static __always_inline u64 protected_bit(u32 tgid)
{
	return 1ULL << (tgid & 63);
}

static __always_inline void *lookup_overflow(void *map, u32 tgid)
{
	struct process_key_more key = { .bits = 32, .tgid = tgid };

	return bpf_map_lookup_elem(map, &key);
}

/* Returns the entry of a process, or null. */
static __always_inline struct process_bits *lookup_bits(u32 tgid)
{
	struct process_bits *bits = bpf_map_lookup_elem(&process_bits, &tgid);

	return bits || !bits_overflowed ? bits : lookup_overflow(&process_bits_more, tgid);
}

static __always_inline struct process_state *lookup_state(u32 tgid)
{
	struct process_state *state = bpf_map_lookup_elem(&process_states, &tgid);

	return state || !states_overflowed ? state : lookup_overflow(&process_states_more, tgid);
}

static __always_inline bool is_self(u32 tgid)
{
	struct control *c = shared_control();
	return c && c->self_tgid == tgid;
}

static __always_inline void count_lost_ring(u32 hook)
{
	struct hook_counters *c = bpf_map_lookup_elem(&counters, &hook);
	if (c)
		__sync_fetch_and_add(&c->lost_ring, 1);
}

static __always_inline void count_lost_pending(u32 hook)
{
	struct hook_counters *c = bpf_map_lookup_elem(&counters, &hook);
	if (c)
		__sync_fetch_and_add(&c->lost_pending, 1);
}

static __always_inline void count_lost_return(u32 hook)
{
	struct hook_counters *c = bpf_map_lookup_elem(&counters, &hook);
	if (c)
		__sync_fetch_and_add(&c->lost_return, 1);
}

/*
 * The ring-buffer flags of a record: wake the reader or not. The reader sets need_wakeup before it sleeps, and the
 * first program that sees need_wakeup wakes it. If two programs see it at the same time, both wake the reader, which is
 * harmless.
 */
static __always_inline u64 wake_flags(void)
{
	struct control *c = shared_control();
	if (c && *(volatile u32 *)&c->need_wakeup) {
		c->need_wakeup = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

/* Returns false if the ring buffer has no room. */
static __always_inline bool emit(void *record, u32 size, u32 hook)
{
	if (!bpf_ringbuf_output(&events, record, size, wake_flags()))
		return true;
	count_lost_ring(hook);
	return false;
}

static __always_inline void fill_key(struct process_key *key, struct task_struct *task)
{
	/* see untrusted_task() */
	struct task_struct *leader = READ(KERNEL(task_struct, task), group_leader);

	key->tgid = READ(task, tgid);
	key->tid = READ(task, pid);
	key->start_time = READ(leader, start_boottime);
	key->exec_count = READ(task, self_exec_id);
}

#endif
