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
	STRING_BYTES_MAX = 4095,   /* longest string or buffer kept, */
	BUFFER_BYTES_MAX = 32767,  /* and with maxData */
	ARGV_BYTES_MAX = 32768,    /* longest argument block of an exec kept */
	FILTER_TEXT_MAX = 255,     /* longest Prefix or Postfix value (256 bytes of trie key, one names the value) */
	HOOK_ARGS_MAX = 8,         /* values read by a hook, args and data together, the return value not counted */
	HOOK_VALUES_MAX = 9,       /* the return value counted */
	HOOK_PARAM_MAX = 6,        /* function parameters that are passed in registers */
	HOOK_SELECTORS_MAX = 64,   /* one bit each in a selector mask */
	RESOLVE_STEPS_MAX = 12,    /* members between a parameter and the value that `resolve` leads to */
	INT_TESTS_MAX = 192,       /* comparisons of one hook, all values and selectors together */
	INT_GROUPS_MAX = 64,
	CEL_ROOM = 512,            /* BPF instructions of the CEL expressions of one hook, of its entry and of its return */
	CEL_ENTRY_MARK = 0x43454c01, /* the number that the first of them loads, in the object as it was built */
	CEL_RETURN_MARK = 0x43454c02,
	SUBSTRING_PASSES_MAX = 4,  /* scans of one text for substrings */
	AUTOMATON_STATES_MAX = 65535, /* characters of all substrings of one hook, about */
	PROCESS_TESTS_MAX = 128,
	PROCESS_SETS_MAX = 256,    /* sets of processes of all policies together; a bit each */
	PROCESS_WORDS = 4,
	CHANGE_TESTS_MAX = 16,     /* matchNamespaceChanges and matchCapabilityChanges of one hook */
	BINARY_TEXT_MAX = 511,     /* longest value of a binary set: hash keys are 512 bytes at most on old kernels */
	HOOKS_MAX = 1024,          /* hooks of all policies of one tracer */
	HOOK_PLACES_MAX = 65536,   /* functions, or places in programs, that one hook is attached to, */
	HOOK_LINKS_MAX = 1024,     /* and where each of them is attached by itself */
	STACK_FRAMES_MAX = 127,    /* addresses of a stack trace */
	IOVECS_MAX = 16,           /* pieces of a scattered buffer that are read */
	ASSIGNMENTS_MAX = 32,      /* registers that all selectors of one hook set */
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
	EVENT_MONITORED = 4, /* the hook was in monitor mode: what the selector says was not done */
	EVENT_SIGNALLED = 8,
	EVENT_SIGNAL_FAILED = 16,
	EVENT_OVERRIDDEN = 32, /* the function, or what a selector changes in the program */
	EVENT_PROTECTED = 64, /* the process is one that is never acted on */
	EVENT_NOTIFIED = 128, /* an enforcer was told what to do */
	/* EVENT_MONITORED to EVENT_NOTIFIED of what was done at the return, where the entry does something of its own: */
	EVENT_RETURN_SHIFT = 6, /* bits further left */
	EVENT_OF_OWNER = 16384, /* the process is not the one that ran, but the owner of a socket among the values */
	EVENT_IMA_HASH = 32768, /* struct ima_hash is at the end of the record */
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

/* One value of a hook's event: the policy's args in their order, its data, the return value. */
struct value {
	u64 value; /* an integer sign- or zero-extended to 64 bits; of a file the inode number */
	struct text_ref text; /* a string, buffer or path; or one of the details below */
	u32 mode; /* of a file: the inode's mode with its type bits */
	u32 magic; /* of a file: the file system's magic number */
	s32 fd; /* the descriptor; -1: none */
	u32 device; /* of a file: the file system's device number, as the kernel has it (12 bits major, 20 minor) */
	u32 links; /* of a file: names of the inode */
	u32 size; /* of a buffer: its bytes before it was cut */
};

struct event_hook {
	struct event_header header;
	struct process_key key;
	u32 hook; /* id given at load */
	u16 values_count;
	u16 place; /* of a hook that is attached to several: which of them, from 0 */
	u64 matched; /* one bit: the selector that matched; bit 0 when the hook has none */
	u32 suppressed; /* events like this that its rate limit has held back since the last one */
	u32 entry_selector; /* where entry and return each do something: the selector that decided on the entry's part */
	struct text_ref kernel_stack, user_stack; /* u64 addresses, innermost first; of length 0 when not asked for */
	/* struct value values[values_count], then texts and details */
};

enum { IMA_DIGEST_BYTES = 64 };

struct ima_hash {
	u32 algorithm; /* enum hash_algo of linux/hash_info.h */
	u32 pad;
	u8 digest[IMA_DIGEST_BYTES];
};

/* sock, socket, skb, sockaddr. Filters compare its 32-bit fields by their offset. */
struct net_detail {
	u32 family; /* AF_ */
	u32 type; /* SOCK_ */
	u32 protocol; /* IPPROTO_ */
	u32 state; /* TCP_ */
	u32 source_port, destination_port;
	u32 mark, priority;
	u8 source[16], destination[16]; /* the first four bytes for IPv4 */
	u64 cookie; /* of the socket; 0: it has none yet */
	u32 hash, length; /* of a packet */
	u32 sec_path_len, sec_path_olen;
};

struct cred_detail {
	struct process_creds creds;
	u32 securebits;
	u32 user_level, user_owner, user_group, user_inum; /* of its user namespace */
	u32 pad;
};

struct user_namespace_detail {
	u32 level, owner, group, inum;
};

enum { BPF_NAME_BYTES = 16, MODULE_NAME_BYTES = 56, PERF_FUNCTION_BYTES = 64 };

struct bpf_detail { /* bpf_attr, bpf_prog, bpf_map */
	u32 type; /* of the program or map */
	u32 instructions;
	u32 key_size, value_size, max_entries;
	u32 pad;
	u8 name[BPF_NAME_BYTES];
};

struct perf_detail {
	u32 type; /* PERF_TYPE_ */
	u32 pad;
	u64 config, probe_offset;
	u8 function[PERF_FUNCTION_BYTES]; /* of a kprobe */
};

struct module_detail { /* load_info, module */
	u64 taints;
	u32 signature; /* 0 not valid, 1 valid, 2 the kernel does not tell */
	u32 pad;
	u8 name[MODULE_NAME_BYTES];
};

/* ---- configuration: what user space tells -------------------------------------------------------------- */

/* How a value is read. What it means beyond that is user space's affair. */
enum value_read {
	READ_NOTHING = 0,
	READ_SCALAR = 1, /* an integer of `width` bytes */
	/* texts */
	READ_STRING = 2,
	READ_FILENAME = 3, /* struct filename */
	READ_NET_DEVICE = 4, /* the name of a struct net_device */
	READ_SOCKADDR_UN = 5,
	READ_BUFFER = 6, /* as many bytes as size_param says */
	READ_IOVEC = 7, /* as many struct iovec as size_param says */
	READ_IOV_ITER = 8,
	READ_DATA_LOC = 9, /* a field of a tracepoint that tells where in the record its text is */
	/* paths */
	READ_FILE = 16,
	READ_PATH = 17,
	READ_FD = 18,
	READ_DENTRY = 19,
	READ_BINPRM = 20,
	READ_KIOCB = 21,
	/* details */
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
	SOURCE_REGISTERS = 3, /* byte offset `param` in struct pt_regs; kprobes only */
	SOURCE_FIELD = 4, /* byte offset `field` in the record of a tracepoint: an address */
	SOURCE_HELPER = 5, /* parameter `param`, which a trampoline's context does not give: a pointer to const void */
};

enum value_memory {
	MEMORY_KERNEL = 0,
	MEMORY_USER = 1,
	MEMORY_BY_ADDRESS = 2, /* addresses tell */
};

enum value_width { WIDTH_SYSCALL = 16 };

/* Set in the number of a system call that was made as 32-bit programs do: theirs are other numbers. */
enum syscall_bit { SYSCALL_COMPAT = 0x80000000 };

/* One member on the way of `resolve`: address += offset, and when `follow`, address = *address. */
struct resolve_step {
	u32 offset;
	u32 follow;
};

/* candidates &= (match | ~positive) & ~reject, of the entry found; of none when none is found */
struct table {
	u64 positive; /* selectors that want a match here */
	u64 used; /* selectors that have a filter here; 0: no table */
};

struct value_config {
	u8 read; /* enum value_read */
	u8 source; /* enum value_source */
	u8 param; /* function parameter, from 0 */
	u8 steps_count;
	u8 width; /* of a scalar: 1, 2, 4 or 8 bytes; and WIDTH_SYSCALL of the number of a system call */
	u8 is_signed;
	u8 indirect; /* the scalar is at the address, which the parameter or the steps give */
	u8 late; /* read when the function returns, where entry and return are two programs */
	u8 memory; /* enum value_memory: of strings and buffers */
	u8 size_param; /* parameter with the size of the buffer, from 1; 0: the return value is the size */
	u8 size_returned; /* the buffer was filled as far as the return value says */
	u8 first_group, groups_count; /* int_groups about a scalar, or about a net_detail */
	u8 pad;
	u16 field; /* of SOURCE_FIELD */
	u32 room; /* bytes of text or detail that the event has for it */
	u32 pad2;
	struct table integers; /* entries in int_equal */
	struct resolve_step steps[RESOLVE_STEPS_MAX];
};

enum int_op {
	INT_EQUAL = 0,
	INT_MASK = 1, /* any of the bits is set */
	INT_GREATER = 2,
	INT_LESS = 3,
	INT_GREATER_SIGNED = 4,
	INT_LESS_SIGNED = 5,
	INT_RANGE = 6, /* value to upper, both included */
	INT_RANGE_SIGNED = 7,
};

/* hit: selectors |= those whose filter this value satisfies */
struct int_test {
	u64 value;
	u64 upper;
	u64 selectors;
	u32 op; /* enum int_op */
	u32 pad;
};

/* What a group without a value compares: of the current process. */
enum process_field {
	PROCESS_TGID = 0,
	PROCESS_NAMESPACE_TGID = 1, /* in its own pid namespace */
	PROCESS_CAP_PERMITTED = 2,
	PROCESS_CAP_EFFECTIVE = 3,
	PROCESS_CAP_INHERITABLE = 4,
	PROCESS_NAMESPACE = 16, /* and the index in struct process_namespaces */
};

/* One filter a selector: candidates &= hits | ~selectors, or &= ~hits when negated. */
struct int_group {
	u64 selectors;
	u8 negate;
	u8 first; /* index of the first test */
	u8 count;
	u8 field; /* enum process_field; or the offset of a u32 in struct net_detail */
	u8 pad[4];
};

/* What a table says of a value. */
struct verdict {
	u64 match;
	u64 reject;
};

struct text_table {
	struct table table;
	u32 longest; /* bytes of the longest value */
	u32 pad;
};

/* One scan of a text with the automaton: at most one filter a selector. */
struct substring_pass {
	u64 positive; /* selectors that want a match here */
	u16 start; /* state */
	u8 ignore_case;
	u8 pad[5];
};

/* A value that is a text, a path or a detail; those that cost least to decide on come first. */
struct object_config {
	u8 slot; /* index in values */
	u8 filtered; /* any of the tables is used */
	u8 passes_count;
	u8 pad[5];
	u64 inode; /* selectors whose Equal and NotEqual hold for the file's inode as well */
	struct text_table equal, prefix, postfix;
	struct table source, destination; /* entries in addresses */
	struct substring_pass passes[SUBSTRING_PASSES_MAX];
};

struct process_test {
	u64 selectors;
	u16 set; /* bit of the process's sets */
	u8 negate;
	u8 parent; /* of the parent's sets */
	u8 pad[4];
};

/* Whether something of the process differs from what it was at its exec, or when this was last reported. */
struct change_test {
	u64 selectors;
	u64 capabilities; /* any of these */
	u32 namespaces; /* any of these: bit n is the n-th of struct process_namespaces */
	u8 capability_set; /* enum process_field */
	u8 negate;
	u8 outside_host; /* only outside of the initial user namespace, */
	u8 pad;
	u32 host_user; /* which this is */
	u32 pad2;
};

enum rate_scope { RATE_NONE = 0, RATE_THREAD = 1, RATE_PROCESS = 2, RATE_GLOBAL = 3 };

enum stack_kind { STACK_KERNEL = 1, STACK_USER = 2 };

enum notify_kind {
	NOTIFY_ENFORCER = 1, /* tell the policy's enforcers what to do, */
	NOTIFY_OVERRIDES = 2, /* which is to return notify_error instead of running the function */
	NOTIFY_CLEANUP = 4, /* forget what they have been told */
};
enum socket_action { SOCKET_LEAVE = 0, SOCKET_TRACK = 1, SOCKET_UNTRACK = 2 };

/* What is done when a selector has matched. */
struct selector_actions {
	u8 no_post; /* no event */
	u8 signal; /* number of the signal that the process is sent; 0: none */
	u8 overrides; /* the function does not run, and returns override_value; of programs: they are changed */
	u8 stacks; /* enum stack_kind, ORed */
	s32 override_value; /* of a static probe: what its argument is set to */
	u32 rate_scope; /* enum rate_scope */
	u8 socket; /* enum socket_action: with the argument that config names */
	u8 argument; /* of a static probe: this one is set */
	u8 first_assignment, assignments_count; /* of a function of a program: registers that are set */
	u64 rate_interval; /* nanoseconds between events that are alike */
	u8 notify; /* enum notify_kind, ORed */
	u8 notify_signal; /* 0: none */
	u8 ima_hash; /* the event has the hash of the file */
	u8 pad2;
	s32 notify_error;
};

/* Events that are alike: of the same hook, selector and thread or process, with the same values. */
struct rate_key {
	u32 hook;
	u32 selector;
	u32 id; /* tid, tgid or 0 */
	u32 place; /* as in the event */
	u64 hash[2]; /* of all values with their texts */
};

struct rate {
	u64 posted; /* CLOCK_BOOTTIME, nanoseconds */
	u64 suppressed; /* since then */
};

enum has_actions {
	ACTIONS_ANY = 1, /* any of actions is more than an event */
	ACTIONS_OVERRIDE = 2, /* and one overrides: only then the program has that in it, which the kernel allows in few places */
	ACTIONS_NOTIFY = 4, /* one has to do with enforcers */
	ACTIONS_SOCKET = 8, /* one tracks sockets, or no longer does */
	ACTIONS_RETURN = 16, /* entry and return have actions of their own */
	ACTIONS_IMA_HASH = 32, /* one posts with a hash */
	ACTIONS_REGISTERS = 64, /* by setting registers of a traced program, which few kernels allow at all */
};

enum assigned { ASSIGN_CONSTANT = 0, ASSIGN_REGISTER = 1, ASSIGN_MEMORY = 2 };

/* A register of a traced program: to = offset; + from; and what is there. Places of registers are words of struct pt_regs. */
struct assignment {
	u64 offset;
	u8 kind; /* enum assigned */
	u8 to, from;
	u8 pad[5];
};

/* Of a system call, whose parameters are in the struct pt_regs that parameter 0 points to. */
enum syscall_registers { SYSCALL_NONE = 0, SYSCALL_NATIVE = 1, SYSCALL_IA32 = 2 };

/* Which entry belongs to a return is known by the stack frame; and, where a function may jump to another of the same hook, by the place. */
enum pair { PAIR_NONE = 0, PAIR_BY_FRAME = 1, PAIR_BY_PLACE = 2 };

enum hook_shape { SHAPE_PLACE = 0x10000 };

/* In each hook program's .rodata: constants for the verifier, so that what a policy does not use is cut away. */
struct hook_config {
	u32 hook;
	u32 self_tgid; /* 0: no process is left out */
	u64 selectors; /* bit mask of those that exist; a hook without selectors has one that always matches */
	u8 values_count;
	u8 syscall; /* enum syscall_registers */
	u8 pair; /* enum pair: entry and return are two programs, the entry keeps what it read for the return */
	u8 params; /* parameters of the function: the return value follows them in a fexit context */
	u8 process_groups; /* the first int_groups are about the process */
	u8 process_tests;
	u8 change_tests;
	u8 objects_count;
	u8 has_cel_entry; /* there is an expression of values that are known at the entry, */
	u8 has_cel_return; /* and one of others */
	u8 has_actions; /* enum has_actions, ORed */
	u8 acts_late; /* a selector is known to match at the return only: so is what it does */
	u32 body_size; /* bytes of a record after struct event_hook, at most */
	u32 shape; /* what event_hook has from values_count on: the count; and SHAPE_PLACE where the attachment's cookie is the place */
	u8 counts_hits; /* every call is counted, whether a selector matches or not */
	u8 finds_owner; /* the process of an event is the owner of the first value that is a tracked socket */
	u8 socket_slot; /* of the argument that actions track */
	u8 returned_socket; /* enum socket_action: with what the function returns, the last of values */
	struct value_config values[HOOK_VALUES_MAX];
	struct object_config objects[HOOK_VALUES_MAX];
	struct int_group groups[INT_GROUPS_MAX];
	struct int_test tests[INT_TESTS_MAX];
	struct process_test process[PROCESS_TESTS_MAX];
	struct change_test changes[CHANGE_TESTS_MAX];
	struct selector_actions actions[HOOK_SELECTORS_MAX];
	struct selector_actions return_actions[HOOK_SELECTORS_MAX]; /* with ACTIONS_RETURN; of which the ways to post are those that count */
	struct assignment assignments[ASSIGNMENTS_MAX];
};

/* The same of an enforcer. */
struct enforcer_config {
	u32 hook;
	u8 overrides; /* a notification may ask for that */
	u8 counts_hits; /* every call is counted */
	u8 pad[2];
};

/* Keys of the tables: the value's slot, then what is looked for. */
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

/* An IPv4 address in an IPv6 socket (::ffff:a.b.c.d) is looked for as IPv4. */
struct address_key {
	u32 prefix_bits; /* 32 for what precedes the address, and its own */
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

/* A state of the automaton that finds substrings. State 0 is never left: unused entries lead there. */
struct automaton_state {
	u64 match; /* selectors whose substring ends here */
	u16 next[256];
};

/* ---- shared state, mapped by both sides ----------------------------------------------------------------- */

struct control {
	u32 need_wakeup; /* set by the reader before it sleeps, cleared by the program that wakes it */
	u32 keeps_bits; /* not 0: the base sensor keeps struct process_bits */
	u32 keeps_state; /* not 0: the base sensor keeps struct process_state */
	u32 scanning; /* not 0: processes that run are being given their bits */
	u32 scan_changes; /* processes whose bits a scan changed */
	u32 self_tgid; /* process that the base sensor leaves out; 0: none */
	u64 follow[PROCESS_WORDS]; /* sets whose members' descendants are members */
};

/* Per hook; the base sensor's own are the first of enum sensor_hook. */
struct hook_counters {
	u64 lost_ring; /* records that found no room in the ring buffer */
	u64 lost_pending; /* entries that could not be kept for their return */
	u64 lost_return; /* kept entries whose return never came: the kernel had no kretprobe instance left */
	u64 told_ring, told_pending, told_return; /* written by user space: how many of these it has reported */
	u64 enforces; /* written by user space: not 0 when what selectors say is done, and not only told */
	u64 hits; /* of hooks that count them: calls that reached the program */
	u64 matched; /* of hooks with actions: calls that a selector matched, */
	u64 suppressed; /* events that a rate limit held back, */
	u64 enforced; /* and calls that were overridden or whose process was sent a signal */
	u64 pad[5];
};

enum sensor_hook {
	HOOK_EXEC = 0,
	HOOK_EXIT = 1,
	HOOK_FORK = 2,
	HOOK_PROCESS_BITS = 3, /* processes that could not be kept in process_bits or process_states: in lost_pending */
	HOOK_SOCKETS = 4, /* owners of sockets that could not be kept: in lost_pending */
	HOOK_FIRST_POLICY = 8,
};

/* A bit for each set of processes. */
struct process_sets {
	u64 words[PROCESS_WORDS];
};

/* The sets that a process is in, and its parent when it was forked; processes in none have no entry. */
struct process_bits {
	u64 exec_count;
	u64 start_time;
	struct process_sets own, parent;
};

/* What changes are measured against. */
struct process_state {
	u64 start_time;
	u64 cap_permitted, cap_effective, cap_inheritable;
	struct process_namespaces ns;
};

/* What a walk over the processes that run is for. */
struct scan_request {
	struct process_sets clear; /* nobody is in these: their bits were used before, */
	struct process_sets add; /* and these are new: their members are to be found */
	u64 since; /* CLOCK_BOOTTIME: processes that were forked later had their bits from the start */
};

struct pid_key {
	u32 pid;
	u32 in_namespace; /* not 0: as its own pid namespace numbers it */
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
ABI_SIZE(value, 40);
ABI_SIZE(event_hook, 80);
ABI_SIZE(selector_actions, 32);
ABI_SIZE(enforcer_config, 8);
ABI_SIZE(assignment, 16);
ABI_SIZE(rate_key, 32);
ABI_SIZE(rate, 16);
ABI_SIZE(ima_hash, 72);
ABI_SIZE(net_detail, 88);
ABI_SIZE(cred_detail, 80);
ABI_SIZE(user_namespace_detail, 16);
ABI_SIZE(bpf_detail, 40);
ABI_SIZE(perf_detail, 88);
ABI_SIZE(module_detail, 72);
ABI_SIZE(value_config, 136);
ABI_SIZE(int_test, 32);
ABI_SIZE(int_group, 16);
ABI_SIZE(text_table, 24);
ABI_SIZE(object_config, 184);
ABI_SIZE(process_test, 16);
ABI_SIZE(change_test, 32);
ABI_SIZE(verdict, 16);
ABI_SIZE(trie_key, 260);
ABI_SIZE(int_key, 16);
ABI_SIZE(address_key, 24);
ABI_SIZE(inode_key, 16);
ABI_SIZE(automaton_state, 520);
ABI_SIZE(control, 56);
ABI_SIZE(hook_counters, 128);
ABI_SIZE(process_bits, 80);
ABI_SIZE(process_state, 72);
ABI_SIZE(scan_request, 72);
ABI_SIZE(pid_key, 8);

#endif
