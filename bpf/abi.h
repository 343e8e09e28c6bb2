/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The only definition of every struct and enum that the kernel programs and user space exchange.
 *
 * lib/wire/layout.gen.ts is generated from this file's BTF (npm run gen). Fields have a fixed width, padding is
 * written out, and the size of every struct is asserted. Strings are bytes without a final NUL. An (offset, length)
 * pair says where they are; the offset counts from the start of the record.
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

/* ---- limits ------------------------------------------------------------------------------------------------- */

enum abi_limit {
	PATH_BYTES_MAX = 4095,     /* longest path that is kept: PATH_MAX without the NUL */
	STRING_BYTES_MAX = 4095,   /* longest string or buffer that is kept without maxData */
	BUFFER_BYTES_MAX = 32767,  /* longest buffer that is kept with maxData */
	ARGV_BYTES_MAX = 32768,    /* longest argument block of an exec that is kept */
	FILTER_TEXT_MAX = 255,     /* longest Prefix or Postfix value: a trie key has 256 bytes, and one is the slot */
	HOOK_ARGS_MAX = 8,         /* values that a hook reads: args and data, without the return value */
	HOOK_VALUES_MAX = 9,       /* the same with the return value */
	HOOK_PARAM_MAX = 6,        /* function parameters that are passed in registers */
	HOOK_SELECTORS_MAX = 64,   /* a selector mask has a bit for each */
	RESOLVE_STEPS_MAX = 12,    /* members on the path of `resolve` */
	INT_TESTS_MAX = 192,       /* comparisons of one hook, for all values and selectors */
	INT_GROUPS_MAX = 64,
	CEL_ROOM = 512,            /* BPF instructions for CEL expressions at an entry, and as many at a return */
	RDONLY_CAST_MARK = 0x52444f01, /* the number of the kernel's function bpf_rdonly_cast in the built object */
	CEL_ENTRY_MARK = 0x43454c01, /* the number that marks the place of the expressions in the built object */
	CEL_RETURN_MARK = 0x43454c02,
	SUBSTRING_PASSES_MAX = 4,  /* scans of one text for substrings */
	AUTOMATON_STATES_MAX = 65535, /* about the number of characters of all substrings of one hook */
	PROCESS_TESTS_MAX = 128,
	PROCESS_SETS_MAX = 256,    /* sets of processes of all policies together; each has a bit */
	PROCESS_WORDS = 4,
	SCOPES_MAX = 256,          /* different scopes of all policies together; each has a bit */
	SCOPE_WORDS = 4,
	SCOPE_TESTS_MAX = 65,      /* different scopes of one hook: one of the policy, and one of each selector */
	CHANGE_TESTS_MAX = 16,     /* matchNamespaceChanges and matchCapabilityChanges of one hook */
	BINARY_TEXT_MAX = 511,     /* longest value of a set of binaries: old kernels have hash keys of at most 512 bytes */
	HOOKS_MAX = 1024,          /* hooks of all policies of one tracer */
	HOOK_PLACES_MAX = 65536,   /* functions, or places in programs, that one hook is attached to */
	HOOK_LINKS_MAX = 1024,     /* the same where each place needs a link of its own */
	STACK_FRAMES_MAX = 127,    /* addresses of a stack trace */
	IOVECS_MAX = 16,           /* pieces of a scattered buffer (struct iovec) that are read */
	ASSIGNMENTS_MAX = 32,      /* assignments to registers, for all selectors of one hook */
	ERROR_MAX = 4095,          /* largest error number that a function of the kernel can return, negated */
	PROBE_ARGS_MAX = 12,       /* arguments of a static probe */
	PROCESSES_MAX = 65536,     /* processes that are in sets, or whose state is kept, in a hash; others are in a trie */
	/* bytes that an event has for each: */
	TEXT_ROOM = STRING_BYTES_MAX + 1,   /* text or path */
	BUFFER_ROOM = BUFFER_BYTES_MAX + 1, /* text or buffer with maxData */
	DETAIL_ROOM = 128,         /* struct that describes a kernel object */
	STACK_ROOM = 1024,         /* stack trace */
	CGROUP_PATH_ROOM = 1024,   /* path of a cgroup: what the kernel's tracepoint gives, with its NUL */
};

/* ---- records: what the kernel reports ----------------------------------------------------------------------- */

enum event_type {
	EVENT_EXEC = 1,
	EVENT_EXIT = 2,
	EVENT_FORK = 3,
	EVENT_HOOK = 4,
	EVENT_CGROUP = 5,
	EVENT_CGROUP_GONE = 6,
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
	EVENT_MONITORED = 4, /* the hook was in monitor mode: the selector's action was not done */
	EVENT_SIGNALLED = 8,
	EVENT_SIGNAL_FAILED = 16,
	EVENT_OVERRIDDEN = 32, /* the function was overridden, or the traced program was changed */
	EVENT_PROTECTED = 64, /* the process is protected from actions */
	EVENT_NOTIFIED = 128, /* an enforcer was notified */
	/* with ACTIONS_RETURN, the flags EVENT_MONITORED to EVENT_NOTIFIED of the return are this many bits further left */
	EVENT_RETURN_SHIFT = 6,
	EVENT_OF_OWNER = 16384, /* the process is the owner of a socket among the values */
	EVENT_IMA_HASH = 32768, /* the record ends with a struct ima_hash */
};

/* Flags of exec and fork records, beside those about arguments. The numbers above are those of hooks. */
enum process_flag {
	PROCESS_SECURE_EXEC = 4, /* the exec raised privileges (AT_SECURE) */
	PROCESS_NAMESPACE_INIT = 8, /* the process is pid 1 of a pid namespace other than the initial one */
};

/* The process image that a record is about. The key is unique since boot. exec_count is the kernel's self_exec_id. */
struct process_key {
	u32 tgid;
	u32 tid;
	u64 start_time; /* start of the thread group leader: CLOCK_BOOTTIME, nanoseconds */
	u64 exec_count;
};

struct text_ref {
	u32 offset; /* from the start of the record */
	u16 length; /* bytes */
	u16 flags;  /* enum text_flag */
};

enum text_flag {
	TEXT_TRUNCATED = 1,   /* only a part was kept */
	TEXT_DELETED = 2,     /* the file's name was removed */
	TEXT_UNREACHABLE = 4, /* the path does not start at the root: its mount is not attached to a mount tree */
	TEXT_PSEUDO = 8,      /* not a path: the text is the name of a pipe, socket, memfd or anonymous inode */
	TEXT_FAULT = 16,      /* the memory could not be read */
	TEXT_UNTRUSTED = 32,  /* executables only: the file is not known to have this path in the initial mount tree */
};

struct process_creds {
	u32 uid, gid, euid, egid, suid, sgid, fsuid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable; /* bit n is capability n */
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
	struct text_ref filename; /* as given to execve: for a script, the script */
	struct text_ref executable; /* path of the file that runs: for a script, the interpreter */
	struct text_ref cwd;
	u32 argv_offset; /* arguments, separated by NUL */
	u32 argv_length;
	u64 inode; /* of the executable */
	u32 links; /* hard links of the executable; 0: it has no name */
	u32 pad;
};

struct event_fork {
	struct event_header header;
	struct process_key key; /* the child */
	u32 parent_tgid;
	u32 pad;
	u64 parent_start_time;
};

struct event_exit {
	struct event_header header;
	struct process_key key;
	u32 status; /* as wait(2) reports it: bits 0-6 signal, bit 7 core dumped, bits 8-15 exit status */
	u32 pad;
};

/* A new cgroup of the unified hierarchy (cgroup v2). */
struct event_cgroup {
	struct event_header header;
	u64 id; /* the same as cgroup_id of an exec */
	struct text_ref path; /* from the root of the hierarchy; TEXT_TRUNCATED where the kernel gives only its beginning */
	u8 text[CGROUP_PATH_ROOM];
};

/* The kernel has freed a cgroup of the unified hierarchy. */
struct event_cgroup_gone {
	struct event_header header;
	u64 id;
};

/* One value of a hook's event. The order is: the policy's args, its data, the return value. */
struct value {
	u64 value; /* an integer, sign- or zero-extended to 64 bits; for a file, the inode number */
	struct text_ref text; /* a string, buffer, path, or one of the details below */
	u32 mode; /* file: the inode's mode with the type bits */
	u32 magic; /* file: the file system's magic number */
	s32 fd; /* the file descriptor; -1: none */
	u32 device; /* file: device number in the kernel's format (12 bits major, 20 bits minor) */
	u32 links; /* file: number of hard links */
	u32 size; /* buffer: its size in bytes before it was truncated */
};

struct event_hook {
	struct event_header header;
	struct process_key key;
	u32 hook; /* the id that user space gave the hook at load */
	u16 values_count;
	u16 place; /* index, from 0, of the function or place, where a hook has several */
	u64 matched; /* one bit, for the selector that matched; bit 0 when the hook has no selectors */
	u32 suppressed; /* equal events that the rate limit has held back since the last one */
	u32 entry_selector; /* the selector that decided the action at the entry, with ACTIONS_RETURN */
	struct text_ref kernel_stack, user_stack; /* u64 addresses, innermost first; length 0: not requested */
	/* then struct value values[values_count], then texts and details */
};

enum { IMA_DIGEST_BYTES = 64 };

struct ima_hash {
	u32 algorithm; /* enum hash_algo of linux/hash_info.h */
	u32 pad;
	u8 digest[IMA_DIGEST_BYTES];
};

/* Bytes of a hook's record after struct event_hook, at most. */
enum record_room {
	VALUES_ROOM = HOOK_VALUES_MAX * sizeof(struct value),
	TEXTS_ROOM = HOOK_ARGS_MAX * TEXT_ROOM + 2 * BUFFER_ROOM, /* texts and details of all values */
	ADDED_ROOM = 2 * STACK_ROOM + sizeof(struct ima_hash), /* what actions add */
	BODY_MAX = VALUES_ROOM + TEXTS_ROOM + ADDED_ROOM,
	RECORD_MAX = sizeof(struct event_hook) + BODY_MAX, /* no record of any type is longer */
};

/* For sock, socket, skb and sockaddr. Filters find the 32-bit fields by their offset. */
struct net_detail {
	u32 family; /* AF_ */
	u32 type; /* SOCK_ */
	u32 protocol; /* IPPROTO_ */
	u32 state; /* TCP_ */
	u32 source_port, destination_port;
	u32 mark, priority;
	u8 source[16], destination[16]; /* IPv4 uses the first four bytes */
	u64 cookie; /* of the socket; 0: it has no cookie yet */
	u32 hash, length; /* packet only */
	u32 sec_path_len, sec_path_olen;
	u64 address; /* of the struct sock */
};

struct cred_detail {
	struct process_creds creds;
	u32 securebits;
	u32 user_level, user_owner, user_group, user_inum; /* its user namespace */
	u32 pad;
};

struct user_namespace_detail {
	u32 level, owner, group, inum;
};

enum { BPF_NAME_BYTES = 16, MODULE_NAME_BYTES = 56, PERF_FUNCTION_BYTES = 64 };

struct bpf_detail { /* for bpf_attr, bpf_prog and bpf_map */
	u32 type; /* type of the program or map */
	u32 instructions;
	u32 key_size, value_size, max_entries;
	u32 pad;
	u8 name[BPF_NAME_BYTES];
};

struct perf_detail {
	u32 type; /* PERF_TYPE_ */
	u32 pad;
	u64 config, probe_offset;
	u8 function[PERF_FUNCTION_BYTES]; /* the function of a kprobe */
};

enum module_signature {
	SIGNATURE_INVALID = 0,
	SIGNATURE_VALID = 1,
	SIGNATURE_UNKNOWN = 2, /* this kernel does not keep it */
};

struct module_detail { /* for load_info and module */
	u64 taints;
	u32 signature; /* enum module_signature */
	u32 pad;
	u8 name[MODULE_NAME_BYTES];
};

/* ---- configuration: what user space decides ----------------------------------------------------------------- */

/* How a value is read. Only user space knows more about its meaning. */
enum value_read {
	READ_NOTHING = 0,
	READ_SCALAR = 1, /* an integer of `width` bytes */
	/* values with a text */
	READ_STRING = 2,
	READ_FILENAME = 3, /* struct filename */
	READ_NET_DEVICE = 4, /* the name of a struct net_device */
	READ_SOCKADDR_UN = 5,
	READ_BUFFER = 6, /* size_param gives the number of bytes */
	READ_IOVEC = 7, /* size_param gives the number of struct iovec */
	READ_IOV_ITER = 8,
	READ_DATA_LOC = 9, /* a field of a tracepoint that holds the place and length of a text in the record */
	/* values with a path */
	READ_FILE = 16,
	READ_PATH = 17,
	READ_FD = 18,
	READ_DENTRY = 19,
	READ_BINPRM = 20,
	READ_KIOCB = 21,
	/* values with a detail */
	READ_SOCK = 32,
	READ_SOCKET = 33,
	READ_SKB = 34,
	READ_SOCKADDR = 35,
	READ_CRED = 36,
	READ_USER_NAMESPACE = 37,
	READ_LOAD_INFO = 38,
	READ_MODULE = 39,
	READ_BPF_ATTR = 40,
	READ_BPF_MAP = 41,
	READ_BPF_PROG = 42,
	READ_PERF_EVENT = 43,
};

enum value_source {
	SOURCE_PARAM = 0,
	SOURCE_RETURN = 1,
	SOURCE_TASK = 2, /* the current struct task_struct */
	SOURCE_REGISTERS = 3, /* the register at byte offset `field` of struct pt_regs; probes only */
	SOURCE_FIELD = 4, /* the address of byte offset `field` in the record of a tracepoint */
	SOURCE_HELPER = 5, /* parameter `param`, read by a helper: a pointer to const void in a trampoline */
};

enum value_memory {
	MEMORY_KERNEL = 0,
	MEMORY_USER = 1,
	MEMORY_BY_ADDRESS = 2, /* the address shows which one it is */
};

enum value_width { WIDTH_SYSCALL = 16 };

/* Set in the number of a 32-bit system call, because 32-bit programs use other numbers. */
enum syscall_bit { SYSCALL_COMPAT = 0x80000000 };

/* One member on the path of `resolve`: address += offset; with `follow`, then address = *address. */
struct resolve_step {
	u32 offset;
	u32 follow;
};

/*
 * A table of values. For the entry that is found, candidates &= (match | ~positive) & ~reject. If no entry is found, match
 * and reject are 0.
 */
struct table {
	u64 positive; /* selectors that need a match here */
	u64 used; /* selectors that have a filter here; 0: there is no table */
};

struct value_config {
	u8 read; /* enum value_read */
	u8 source; /* enum value_source */
	u8 param; /* function parameter, from 0 */
	u8 steps_count;
	u8 width; /* scalar: 1, 2, 4 or 8 bytes; plus WIDTH_SYSCALL for the number of a system call */
	u8 is_signed;
	u8 indirect; /* the parameter or the steps give the address of the scalar or descriptor */
	u8 late; /* with `pair`: read at the return */
	u8 memory; /* enum value_memory, for strings and buffers */
	u8 size_param; /* parameter with the size of the buffer, from 1; 0: the size is the return value */
	u8 size_returned; /* the return value says how much of the buffer was filled */
	u8 first_group, groups_count; /* int_groups for a scalar or a net_detail */
	u8 size_width; /* for SOURCE_FIELD: bytes of size_field */
	u16 field; /* for SOURCE_FIELD and SOURCE_REGISTERS */
	u32 room; /* bytes that the event reserves for its text or detail */
	u16 size_field; /* for SOURCE_FIELD: the field with the size of the buffer */
	u16 pad;
	struct table integers; /* its entries are in int_equal */
	struct resolve_step steps[RESOLVE_STEPS_MAX];
};

enum int_op {
	INT_EQUAL = 0,
	INT_MASK = 1, /* at least one of the bits is set */
	INT_GREATER = 2,
	INT_LESS = 3,
	INT_GREATER_SIGNED = 4,
	INT_LESS_SIGNED = 5,
	INT_RANGE = 6, /* from value to upper, both included */
	INT_RANGE_SIGNED = 7,
};

/* A comparison. `selectors` are those whose filter it satisfies. */
struct int_test {
	u64 value;
	u64 upper;
	u64 selectors;
	u32 op; /* enum int_op */
	u32 pad;
};

/* What a group about the current process compares. */
enum process_field {
	PROCESS_TGID = 0,
	PROCESS_NAMESPACE_TGID = 1, /* the number in its own pid namespace */
	PROCESS_CAP_PERMITTED = 2,
	PROCESS_CAP_EFFECTIVE = 3,
	PROCESS_CAP_INHERITABLE = 4,
	PROCESS_NAMESPACE = 16, /* plus the index in struct process_namespaces */
};

/*
 * Comparisons of one value; a selector has at most one filter in it. With hits = the selectors of all comparisons that
 * hold: candidates &= hits | ~selectors. For a negated group: candidates &= ~hits.
 */
struct int_group {
	u64 selectors;
	u8 negate;
	u8 first; /* index of the first test */
	u8 count;
	u8 field; /* enum process_field, or the offset of a u32 in struct net_detail */
	u8 pad[4];
};

/* An entry of a table: the selectors that a value satisfies, and those that it rules out. */
struct verdict {
	u64 match;
	u64 reject;
};

/*
 * A text can be in the table only if the hash of some of its bytes is in the bitmap: of its first bytes for prefixes, of its last bytes
 * for other values. A look at the bitmap costs a tenth of a look at the table.
 */
enum text_hash {
	TEXT_HASH_BITS = 8,
	TEXT_HASH_WORDS = (1 << TEXT_HASH_BITS) / 64,
	TEXT_HASHED_MAX = 8,
	TEXT_HASH_FACTOR = 0x61c88647,
};

struct text_table {
	struct table table;
	u32 longest; /* size of the longest value in bytes */
	u32 hashed; /* number of bytes that are hashed: not more than the shortest value has; 0: there is no bitmap */
	u64 bitmap[TEXT_HASH_WORDS]; /* of the values' hashes */
};

/* One scan of a text with the automaton. A selector has at most one filter in it. */
struct substring_pass {
	u64 positive; /* selectors that need a match here */
	u16 start; /* the first state */
	u8 ignore_case;
	u8 pad[5];
};

/* A value that is a text, a path or a detail. Values with the cheapest filters come first. */
struct object_config {
	u8 slot; /* index in values */
	u8 filtered; /* at least one table is used */
	u8 passes_count;
	u8 pad[5];
	u64 inode; /* selectors whose Equal and NotEqual also compare the file's inode */
	struct text_table equal, prefix, postfix;
	struct table source, destination; /* their entries are in addresses */
	struct substring_pass passes[SUBSTRING_PASSES_MAX];
};

struct process_test {
	u64 selectors;
	u16 set; /* the set's bit */
	u8 negate;
	u8 parent; /* tests the sets of the parent */
	u8 pad[4];
};

/* Tests whether the cgroup of the process is in a scope. */
struct scope_test {
	u64 selectors;
	u16 scope; /* its bit */
	u8 pad[6];
};

/* Compares the process with its state at its exec, or when a hook last reported a change. */
struct change_test {
	u64 selectors;
	u64 capabilities; /* at least one of these has changed */
	u32 namespaces; /* at least one of these has changed; bit n is the n-th of struct process_namespaces */
	u8 capability_set; /* enum process_field */
	u8 negate;
	u8 outside_host; /* holds only outside of the initial user namespace */
	u8 pad;
	u32 host_user; /* inode number of the initial user namespace */
	u32 pad2;
};

enum rate_scope { RATE_NONE = 0, RATE_THREAD = 1, RATE_PROCESS = 2, RATE_GLOBAL = 3 };

enum stack_kind { STACK_KERNEL = 1, STACK_USER = 2 };

enum notify_kind {
	NOTIFY_ENFORCER = 1, /* tell the policy's enforcers what to do */
	NOTIFY_OVERRIDES = 2, /* they return notify_error instead of running the function */
	NOTIFY_CLEANUP = 4, /* the waiting notification is removed */
};
enum socket_action { SOCKET_LEAVE = 0, SOCKET_TRACK = 1, SOCKET_UNTRACK = 2 };

/* The actions of a selector that has matched. */
struct selector_actions {
	u8 no_post; /* no event is posted */
	u8 signal; /* number of the signal for the process; 0: none */
	u8 overrides; /* the function does not run and returns override_value; a traced program is changed instead */
	u8 stacks; /* enum stack_kind, ORed */
	s32 override_value; /* for a static probe: the new value of its argument */
	u32 rate_scope; /* enum rate_scope */
	u8 socket; /* enum socket_action, for the argument config.socket_slot */
	u8 argument; /* for a static probe: the argument that is set */
	u8 first_assignment, assignments_count; /* for a function of a program: registers that are set */
	u64 rate_interval; /* nanoseconds between equal events */
	u8 notify; /* enum notify_kind, ORed */
	u8 notify_signal; /* 0: none */
	u8 ima_hash; /* the event has the IMA hash of the file */
	u8 pad2;
	s32 notify_error;
};

/*
 * Equal events have the same hook, selector, place and values; with RATE_THREAD or RATE_PROCESS, also the same thread
 * or process.
 */
struct rate_key {
	u32 hook;
	u32 selector;
	u32 id; /* tid, tgid or 0, by the scope */
	u32 place; /* as in struct event_hook */
	u64 hash[2]; /* hash of all values with their texts */
};

struct rate {
	u64 posted; /* time of the last event: CLOCK_BOOTTIME, nanoseconds */
	u64 suppressed; /* events held back since then */
};

enum has_actions {
	ACTIONS_ANY = 1, /* at least one selector does more than post an event */
	ACTIONS_OVERRIDE = 2, /* a selector overrides; the kernel allows that in few functions */
	ACTIONS_NOTIFY = 4, /* a selector notifies enforcers */
	ACTIONS_SOCKET = 8, /* a selector tracks or untracks sockets */
	ACTIONS_RETURN = 16, /* entry and return have actions of their own */
	ACTIONS_IMA_HASH = 32, /* a selector posts with an IMA hash */
	ACTIONS_REGISTERS = 64, /* a selector sets registers of a traced program; few kernels allow that */
};

enum assigned { ASSIGN_CONSTANT = 0, ASSIGN_REGISTER = 1, ASSIGN_MEMORY = 2 };

/*
 * Sets register `to` of a traced program: to `offset`, to `offset` plus register `from`, or to the word at that address.
 * A register is named by its index, in words, in struct pt_regs.
 */
struct assignment {
	u64 offset;
	u8 kind; /* enum assigned */
	u8 to, from;
	u8 to_shift, from_shift; /* the highest bits that are not part of the register: 64 - 8 * its bytes */
	u8 pad[3];
};

/* How the parameters of a system call are found in the struct pt_regs that parameter 0 points to. */
enum syscall_registers { SYSCALL_NONE = 0, SYSCALL_NATIVE = 1, SYSCALL_IA32 = 2 };

/*
 * How a return finds its entry: by the stack frame. Where a function may jump to another function of the same hook, by the
 * stack frame and the place.
 */
enum pair { PAIR_NONE = 0, PAIR_BY_FRAME = 1, PAIR_BY_PLACE = 2 };

enum hook_shape { SHAPE_PLACE = 0x10000 };

/*
 * In the frozen .rodata of each hook program. The verifier knows its values and removes all code that a policy does not
 * use.
 */
struct hook_config {
	u32 hook;
	u32 self_tgid; /* the process that is left out; 0: none */
	u64 suppresses; /* selectors that only suppress events: what is not known is no match for them */
	u64 selectors; /* bit mask of all selectors; a hook without selectors has one that always matches */
	u8 values_count;
	u8 syscall; /* enum syscall_registers */
	u8 pair; /* enum pair: entry and return are two programs, and the record is kept in between */
	u8 params; /* number of parameters; in a fexit context the return value follows them */
	u8 process_groups; /* number of int_groups about the process; these are the first */
	u8 process_tests;
	u8 change_tests;
	u8 objects_count;
	u8 has_cel_entry; /* there is an expression of values that are known at the entry */
	u8 has_cel_return; /* there is an expression of other values */
	u8 has_actions; /* enum has_actions, ORed */
	u8 acts_late; /* selectors are decided at the return, and their actions are done there */
	u32 body_size; /* largest size, in bytes, of a record after struct event_hook */
	u32 shape; /* values_count of the event; plus SHAPE_PLACE where the cookie of the attachment is the place */
	u8 counts_hits; /* every call is counted, also if no selector matches */
	u8 finds_owner; /* the owner of the first value that is a tracked socket is the process of the event */
	u8 socket_slot; /* slot of the argument that actions track */
	u8 returned_socket; /* enum socket_action, for the returned socket, which is the last value */
	u64 acting; /* selectors that act on the process */
	u8 yielding_tests; /* they follow process_tests; their selectors yield to acting ones where a test fails */
	u8 scope_tests;
	u8 verdict_rest; /* ticks before another path is remembered in place of one */
	u8 pad[1];
	u32 verdict_entries; /* on all CPUs */
	u64 rename_lock, mount_lock; /* addresses in the kernel; 0: no verdict is remembered */
	struct value_config values[HOOK_VALUES_MAX];
	struct object_config objects[HOOK_VALUES_MAX];
	struct int_group groups[INT_GROUPS_MAX];
	struct int_test tests[INT_TESTS_MAX];
	struct process_test process[PROCESS_TESTS_MAX];
	struct change_test changes[CHANGE_TESTS_MAX];
	struct selector_actions actions[HOOK_SELECTORS_MAX];
	struct selector_actions return_actions[HOOK_SELECTORS_MAX]; /* with ACTIONS_RETURN; they decide about posting */
	struct assignment assignments[ASSIGNMENTS_MAX];
	struct scope_test scopes[SCOPE_TESTS_MAX];
};

/* The same for an enforcer. */
struct enforcer_config {
	u32 hook;
	u8 overrides; /* a notification may ask it to override */
	u8 counts_hits; /* every call is counted */
	u8 pad[2];
};

/* Keys of the tables: the slot of the value, then the content. */
struct trie_key {
	u32 prefix_bits;
	u8 slot;
	u8 text[FILTER_TEXT_MAX];
};

struct int_key {
	u64 value;
	u32 slot;
	u32 pad;
};

enum address_side { ADDRESS_SOURCE = 0, ADDRESS_DESTINATION = 1 };

/* An IPv4 address in an IPv6 socket (::ffff:a.b.c.d) has a key of family AF_INET. */
struct address_key {
	u32 prefix_bits; /* 32 for slot, side, family and pad, plus the bits of the address */
	u8 slot;
	u8 side; /* enum address_side */
	u8 family; /* AF_INET or AF_INET6 */
	u8 pad;
	u8 address[16];
};

struct inode_key {
	u64 inode;
	u32 device;
	u32 slot;
};

/* A state of the automaton that finds substrings. Nothing leaves state 0, and unused entries lead there. */
struct automaton_state {
	u64 match; /* selectors whose substring ends here */
	u16 next[256];
};

/* ---- shared state, mapped by both sides --------------------------------------------------------------------- */

struct control {
	u32 need_wakeup; /* set by the reader before it sleeps, cleared by the program that wakes it */
	u32 keeps_bits; /* not 0: the base sensor keeps struct process_bits */
	u32 keeps_state; /* not 0: the base sensor keeps struct process_state */
	u32 scanning; /* not 0: a scan gives already running processes their bits */
	u32 scan_changes; /* number of processes whose bits a scan has changed */
	u32 self_tgid; /* the process that the base sensor leaves out; 0: none */
	u64 follow[PROCESS_WORDS]; /* sets that also contain the descendants of their members */
	u64 trusted[PROCESS_WORDS]; /* sets that do not take executables with TEXT_UNTRUSTED */
	u64 prefixed[PROCESS_WORDS]; /* sets with prefixes */
	u64 state_since; /* CLOCK_BOOTTIME; each process that started later has its state kept since then */
	u32 keeps_scopes; /* enum keeps_scopes: whether the base sensor keeps struct cgroup_scopes */
	u32 scopes_overflown; /* not 0: some of them are in cgroup_scopes_more */
	u64 scope_epoch; /* a number above SCOPE_EPOCH_SHIFT bits, never 0: it changes after each change of scopes */
};

/* One per hook. The first HOOK_FIRST_POLICY belong to the base sensor (enum sensor_hook). */
struct hook_counters {
	u64 lost_ring; /* records lost because the ring buffer was full */
	u64 lost_pending; /* entries lost because the table `pending` was full */
	u64 lost_return; /* kept entries whose return was not seen, because the kernel had no kretprobe instance left */
	u64 told_ring, told_pending, told_return; /* written by user space: how many of each it has reported */
	u64 enforces; /* written by user space; 0: monitor mode, actions are only reported */
	u64 hits; /* with counts_hits: calls that reached the program */
	u64 matched; /* with has_actions: calls that a selector matched */
	u64 suppressed; /* with has_actions: events that a rate limit held back */
	u64 enforced; /* with has_actions: calls that were overridden, or whose process got a signal */
	u64 pad[5];
};

enum sensor_hook {
	HOOK_EXEC = 0,
	HOOK_EXIT = 1,
	HOOK_FORK = 2,
	HOOK_PROCESS_BITS = 3, /* its lost_pending counts processes whose process_bits or process_state could not be kept */
	HOOK_SOCKETS = 4, /* its lost_pending counts sockets that found no room in socket_owners */
	HOOK_CGROUP = 5,
	HOOK_FIRST_POLICY = 8,
};

/* Sets of processes, one bit each. */
struct process_sets {
	u64 words[PROCESS_WORDS];
};

/* The sets that a process is in, and those that its parent was in at the fork. Processes without any have no entry. */
struct process_bits {
	u64 exec_count;
	u64 start_time;
	struct process_sets own, parent;
};

/*
 * A hook remembers whether a cgroup is in its scope: in one word, with the epoch and the id of the cgroup above the answer. A larger
 * id is not remembered. The epoch comes again after 2^27 changes.
 */
enum scope_memory {
	SCOPE_ID_SHIFT = 1,
	SCOPE_ID_BITS = 36,
	SCOPE_EPOCH_SHIFT = 37,
	SCOPE_MEMORY_BITS = 10, /* a hook has 2^10 words */
};

/* Entries for each of the two programs of a hook on each CPU: paths that no selector can match. */
enum verdict_memory { VERDICT_BITS = 7, VERDICTS_MAX = 1 << VERDICT_BITS };

/* The place of a name, for a process. Where it is the same, so is the path; see bpf/verdicts.bpf.h. */
struct known_verdict {
	u64 key; /* the address of the dentry, plus the object's place in config.objects; 0: no entry */
	u64 seen; /* the key that was looked up last, without success */
	u64 candidates; /* selectors that cannot match there */
	u64 mnt;
	u64 root_dentry, root_mnt; /* of the process */
	u32 renames, mounts; /* sequence counts of rename_lock and mount_lock */
	u64 hash_len; /* of the name */
	u64 name[4];
	u64 folder; /* number of its inode */
	u64 changed; /* time of the folder's last change, where its generation can be set; else 0 */
	u64 time; /* of this entry, in ticks */
	u32 generation; /* of the folder */
	u32 pad;
};

enum keeps_scopes {
	SCOPES_OFF = 0,
	SCOPES_LISTING = 1, /* of new cgroups; user space adds those that exist already */
	SCOPES_COMPLETE = 2, /* every cgroup has an entry */
};

/* What is known about a cgroup. Its descendants inherit it. */
enum cgroup_kind {
	CGROUP_HOST = 0, /* in no container */
	CGROUP_UNNAMED = 1, /* in a container that no source has named: the cgroup's name says that it is one */
	CGROUP_UNPROVEN = 2, /* the same, but a user other than root has given the name */
	CGROUP_NAMED = 3, /* in a container that a source has named */
	CGROUP_KINDS = 4,
};

struct scope_set {
	u64 words[SCOPE_WORDS];
};

/* The scopes that a cgroup of the unified hierarchy is in. Every cgroup has an entry. */
struct cgroup_scopes {
	u64 parent; /* id of the cgroup above; 0: none */
	u32 kind; /* enum cgroup_kind */
	u32 pad;
	struct scope_set scopes;
};

/* The key of the table cgroup_scopes_more: all of the id is compared. */
struct cgroup_key_more {
	u32 bits; /* 64 */
	u32 id[2]; /* the lower half first */
};

/* The state of a process that changes are compared with. */
struct process_state {
	u64 start_time;
	u64 cap_permitted, cap_effective, cap_inheritable;
	struct process_namespaces ns;
};

/* The task of a scan of the already running processes. */
struct scan_request {
	struct process_sets clear; /* sets without members: their bits belonged to other sets before */
	struct process_sets add; /* new sets: the scan finds their members */
	u64 since; /* CLOCK_BOOTTIME; a process that was forked later got its bits at the fork */
};

/* The key of the tables process_bits_more and process_states_more. */
struct process_key_more {
	u32 bits; /* 32: all of tgid is compared */
	u32 tgid;
};

enum { PID_LIMIT = 4194304 }; /* the kernel's largest pid_max */

struct pid_key {
	u32 pid;
	u32 in_namespace; /* not 0: `pid` is the number in the process's own pid namespace */
};

#define ABI_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
ABI_SIZE(event_header, 16);
ABI_SIZE(process_key, 24);
ABI_SIZE(text_ref, 8);
ABI_SIZE(process_creds, 56);
ABI_SIZE(process_namespaces, 40);
ABI_SIZE(event_exec, 208);
ABI_SIZE(event_fork, 56);
ABI_SIZE(event_exit, 48);
ABI_SIZE(event_cgroup, 32 + CGROUP_PATH_ROOM);
ABI_SIZE(event_cgroup_gone, 24);
ABI_SIZE(value, 40);
ABI_SIZE(event_hook, 80);
ABI_SIZE(selector_actions, 32);
ABI_SIZE(enforcer_config, 8);
ABI_SIZE(assignment, 16);
ABI_SIZE(rate_key, 32);
ABI_SIZE(rate, 16);
ABI_SIZE(ima_hash, 72);
ABI_SIZE(net_detail, 96);
ABI_SIZE(cred_detail, 80);
ABI_SIZE(user_namespace_detail, 16);
ABI_SIZE(bpf_detail, 40);
ABI_SIZE(perf_detail, 88);
ABI_SIZE(module_detail, 72);
ABI_SIZE(value_config, 136);
ABI_SIZE(int_test, 32);
ABI_SIZE(int_group, 16);
ABI_SIZE(text_table, 56);
ABI_SIZE(object_config, 280);
ABI_SIZE(process_test, 16);
ABI_SIZE(change_test, 32);
ABI_SIZE(scope_test, 16);
ABI_SIZE(verdict, 16);
ABI_SIZE(trie_key, 260);
ABI_SIZE(int_key, 16);
ABI_SIZE(address_key, 24);
ABI_SIZE(inode_key, 16);
ABI_SIZE(automaton_state, 520);
ABI_SIZE(control, 144);
ABI_SIZE(hook_counters, 128);
ABI_SIZE(process_bits, 80);
ABI_SIZE(known_verdict, 128);
ABI_SIZE(cgroup_scopes, 48);
ABI_SIZE(cgroup_key_more, 12);
ABI_SIZE(process_state, 72);
ABI_SIZE(scan_request, 72);
ABI_SIZE(process_key_more, 8);
ABI_SIZE(pid_key, 8);

#define ABI_ROOM(type, room) _Static_assert(sizeof(struct type) <= (room), #type)
ABI_ROOM(net_detail, DETAIL_ROOM);
ABI_ROOM(cred_detail, DETAIL_ROOM);
ABI_ROOM(user_namespace_detail, DETAIL_ROOM);
ABI_ROOM(bpf_detail, DETAIL_ROOM);
ABI_ROOM(perf_detail, DETAIL_ROOM);
ABI_ROOM(module_detail, DETAIL_ROOM);
_Static_assert(STACK_FRAMES_MAX * sizeof(u64) <= STACK_ROOM, "stack");
_Static_assert(sizeof(struct event_exec) + 3 * TEXT_ROOM + ARGV_BYTES_MAX <= RECORD_MAX, "exec");

#endif
