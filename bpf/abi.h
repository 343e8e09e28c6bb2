/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every struct and enum that crosses between the kernel programs and user space, defined once.
 *
 * lib/wire/layout.gen.ts is generated from this file's BTF (npm run gen). Fields are fixed width, padding is
 * written out, and every struct's size is asserted. Strings are bytes without a terminating NUL, found by an
 * (offset, length) pair that counts from the start of the record.
 */
#ifndef POLYTRACE_ABI_H
#define POLYTRACE_ABI_H

#ifndef __VMLINUX_H__
#include <stdint.h>
typedef uint8_t __u8_abi;
#define u8 uint8_t
#define u16 uint16_t
#define u32 uint32_t
#define u64 uint64_t
#define s32 int32_t
#define s64 int64_t
#endif

/* ---- limits -------------------------------------------------------------------------------------------- */

enum abi_limit {
	PATH_BYTES_MAX = 4095,     /* longest path, as PATH_MAX without its NUL */
	STRING_BYTES_MAX = 4095,   /* longest string argument kept */
	ARGV_BYTES_MAX = 32768,    /* longest argument block of an exec kept */
	FILTER_TEXT_MAX = 255,     /* longest Prefix or Postfix value (256 bytes of trie key, one names the argument) */
	HOOK_ARGS_MAX = 8,         /* values read by a hook, the return value not counted */
	HOOK_PARAM_MAX = 6,        /* function parameters that are passed in registers */
	HOOK_SELECTORS_MAX = 64,   /* one bit each in a selector mask */
	INT_TESTS_MAX = 192,       /* comparisons of one hook, all arguments and selectors together */
	INT_GROUPS_MAX = 64,
	BINARY_TESTS_MAX = 128,
	BINARY_SETS_MAX = 256,     /* sets of binaries of all policies together; a bit each */
	BINARY_WORDS = 4,
	BINARY_TEXT_MAX = 511,     /* longest value of a binary set: hash keys are 512 bytes at most on old kernels */
	TEXT_ARGS_MAX = 5,         /* string, filename, file, path and fd arguments of one hook */
	HOOKS_MAX = 1024,          /* hooks of all policies of one tracer */
};

/* ---- records: what the kernel tells -------------------------------------------------------------------- */

enum event_type {
	EVENT_EXEC = 1,
	EVENT_EXIT = 2,
	EVENT_FORK = 3,
	EVENT_HOOK = 4,
};

struct event_header {
	u32 size; /* bytes of the whole record, this header included */
	u16 type; /* enum event_type */
	u16 flags; /* enum event_flag */
	u64 time; /* CLOCK_BOOTTIME, nanoseconds */
};

enum event_flag {
	EVENT_ARGV_TRUNCATED = 1,
	EVENT_ARGV_UNREADABLE = 2,
	EVENT_ENTRY_MISSING = 4, /* a return whose entry was not seen */
	EVENT_NO_RETURN = 8,
};

/* Which process image a record is about: unique since boot. exec_count is the kernel's self_exec_id. */
struct process_key {
	u32 tgid;
	u32 tid;
	u64 start_time; /* of the thread group leader: CLOCK_BOOTTIME, nanoseconds */
	u64 exec_count;
};

struct text_ref {
	u32 offset; /* from the start of the record */
	u16 length; /* bytes */
	u16 flags;  /* enum text_flag */
};

enum text_flag {
	TEXT_TRUNCATED = 1,   /* longer than was kept */
	TEXT_DELETED = 2,     /* the path's name was removed */
	TEXT_UNREACHABLE = 4, /* the mount is not attached to a mount tree: the path starts at that mount */
	TEXT_PSEUDO = 8,      /* no path at all: a pipe, socket, memfd or anonymous inode; the text is its name */
	TEXT_FAULT = 16,      /* the memory could not be read */
};

struct process_creds {
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable; /* bit n: capability n */
};

struct process_namespaces { /* inode numbers, as in /proc/PID/ns */
	u32 uts, ipc, mnt, pid, pid_for_children, net, time, time_for_children, cgroup, user;
};

struct event_exec {
	struct event_header header;
	struct process_key key;
	u32 parent_tgid;
	u32 auid; /* login uid; 0xffffffff when unset */
	u64 parent_start_time;
	u64 cgroup_id;
	struct process_creds creds;
	struct process_namespaces ns;
	struct text_ref filename; /* as given to execve, a script's own name */
	struct text_ref executable; /* path of the file that runs, an interpreter for a script */
	struct text_ref cwd;
	u32 argv_offset; /* NUL-separated */
	u32 argv_length;
};

struct event_fork {
	struct event_header header;
	struct process_key key; /* of the child */
	u32 parent_tgid;
	u32 pad;
	u64 parent_start_time;
};

struct event_exit {
	struct event_header header;
	struct process_key key;
	u32 status; /* as wait(2) reports it: low 7 bits the signal, bit 7 core dumped, bits 8-15 the exit status */
	u32 pad;
};

enum arg_type {
	ARG_NOP = 0,
	ARG_INT = 1,
	ARG_UINT32 = 2,
	ARG_SIZE_T = 3,
	ARG_STRING = 4,
	ARG_FILENAME = 5,
	ARG_FILE = 6,
	ARG_PATH = 7,
	ARG_FD = 8,
};

/* One value of a hook's event, in the order of the policy's args. */
struct arg_value {
	u64 value; /* an integer sign- or zero-extended to 64 bits; file, path and fd: the inode number */
	struct text_ref text; /* string, filename, file, path, fd */
	u32 mode; /* file, path, fd: the inode's mode with its type bits */
	u32 magic; /* file, path, fd: the file system's magic number */
	s32 fd; /* fd: the descriptor */
	u32 pad;
};

struct event_hook {
	struct event_header header;
	struct process_key key;
	u32 hook; /* id given at load */
	u32 args_count;
	u64 matched; /* one bit: the selector that matched; bit 0 when the hook has none */
	u64 return_value; /* an integer sign- or zero-extended to 64 bits */
	/* struct arg_value args[args_count], then text */
};

/* ---- configuration: what user space tells -------------------------------------------------------------- */

enum int_op {
	INT_EQUAL = 0,
	INT_MASK = 1, /* any of the bits is set */
	INT_GREATER = 2,
	INT_LESS = 3,
	INT_GREATER_SIGNED = 4,
	INT_LESS_SIGNED = 5,
};

/* hit: selectors |= those whose filter this value satisfies */
struct int_test {
	u64 value;
	u64 selectors;
	u32 op; /* enum int_op */
	u32 pad;
};

/* One filter a selector: candidates &= hits | ~selectors, or &= ~hits when negated. */
struct int_group {
	u64 selectors;
	u8 negate;
	u8 first; /* index of the first test */
	u8 count;
	u8 pad[5];
};

/* What a text table says of a text: candidates &= (match | ~positive) & ~reject */
struct text_verdict {
	u64 match;
	u64 reject;
};

struct text_table {
	u64 positive; /* selectors that want a match here */
	u64 used; /* selectors that have a filter here; 0: no table */
	u32 longest; /* bytes of the longest value */
	u32 pad;
};

struct arg_config {
	u8 type; /* enum arg_type */
	u8 param; /* function parameter, from 0 */
	u8 int_groups; /* groups about this argument */
	u8 pad;
};

/* A string, filename, file, path or fd argument; those that cost least to decide on come first. */
struct text_config {
	u8 slot; /* index in args */
	u8 type; /* enum arg_type */
	u8 param;
	u8 user; /* the string is in user memory */
	u8 filtered; /* any of the tables is used */
	u8 pad[3];
	struct text_table equal, prefix, postfix;
};

struct binary_test {
	u64 selectors;
	u16 set; /* bit of the process's binary sets */
	u8 negate;
	u8 pad[5];
};

/* In each hook program's .rodata: constants for the verifier, so that what a policy does not use is cut away. */
struct hook_config {
	u32 hook;
	u32 self_tgid; /* 0: no process is left out */
	u64 selectors; /* bit mask of those that exist; a hook without selectors has one that always matches */
	u8 args_count;
	u8 syscall; /* parameters are in the struct pt_regs that parameter 0 points to */
	u8 has_return; /* the event tells the return value */
	u8 pair; /* entry and return are two programs: the entry keeps what it read for the return */
	u8 pid_groups; /* int_groups stand in this order: process id, arguments by slot, return value */
	u8 return_groups;
	u8 binary_tests;
	u8 return_type; /* enum arg_type */
	u8 params; /* parameters of the function: the return value follows them in a fexit context */
	u8 texts_count;
	u8 pad[2];
	u32 body_size; /* bytes of a record after struct event_hook, at most */
	struct arg_config args[HOOK_ARGS_MAX];
	struct text_config texts[TEXT_ARGS_MAX];
	struct int_group groups[INT_GROUPS_MAX];
	struct int_test tests[INT_TESTS_MAX];
	struct binary_test binaries[BINARY_TESTS_MAX];
};

/* Keys of the text tables: the argument's slot, then the text. */
struct trie_key {
	u32 prefix_bits;
	u8 slot;
	u8 text[FILTER_TEXT_MAX];
};

/* ---- shared state, mapped by both sides ----------------------------------------------------------------- */

struct control {
	u32 need_wakeup; /* set by the reader before it sleeps, cleared by the program that wakes it */
	u32 binary_sets; /* not 0: the base sensor keeps struct binary_bits */
	u32 self_tgid; /* process that the base sensor leaves out; 0: none */
	u32 pad;
};

/* Per hook; the base sensor's own are the first of enum sensor_hook. */
struct hook_counters {
	u64 lost_ring; /* records that found no room in the ring buffer */
	u64 lost_pending; /* entries that could not be kept for their return */
	u64 lost_return; /* kept entries whose return never came: the kernel had no kretprobe instance left */
	u64 pad;
};

enum sensor_hook {
	HOOK_EXEC = 0,
	HOOK_EXIT = 1,
	HOOK_FORK = 2,
	HOOK_BINARY_BITS = 3, /* processes that could not be kept in binary_bits: counted in lost_pending */
	HOOK_FIRST_POLICY = 8,
};

/* Bits of the binary sets that a process's executable is in; processes in none have no entry. */
struct binary_bits {
	u64 exec_count;
	u64 start_time;
	u64 words[BINARY_WORDS];
};

struct binary_sets {
	u64 words[BINARY_WORDS];
};

#define ABI_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
ABI_SIZE(event_header, 16);
ABI_SIZE(process_key, 24);
ABI_SIZE(text_ref, 8);
ABI_SIZE(process_creds, 56);
ABI_SIZE(process_namespaces, 40);
ABI_SIZE(event_exec, 192);
ABI_SIZE(event_fork, 56);
ABI_SIZE(event_exit, 48);
ABI_SIZE(arg_value, 32);
ABI_SIZE(event_hook, 64);
ABI_SIZE(int_test, 24);
ABI_SIZE(int_group, 16);
ABI_SIZE(text_table, 24);
ABI_SIZE(hook_config, 8144);
ABI_SIZE(arg_config, 4);
ABI_SIZE(text_config, 80);
ABI_SIZE(text_verdict, 16);
ABI_SIZE(binary_test, 16);
ABI_SIZE(trie_key, 260);
ABI_SIZE(control, 16);
ABI_SIZE(hook_counters, 32);
ABI_SIZE(binary_bits, 48);

#endif
