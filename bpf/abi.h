/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The only definition of every struct and enum that the kernel programs and user space exchange.
 *
 * lib/wire/layout.gen.ts is generated from this file's BTF (npm run gen). Fields have a fixed width, padding is
 * written out, and the size of every struct is asserted. Strings are bytes without a final NUL. An (offset, length)
 * pair gives their location; the offset counts from the start of the record.
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
	PATH_BYTES_MAX = 4095,     /* longest recorded path: PATH_MAX without the NUL */
	STRING_BYTES_MAX = 4095,   /* longest recorded string or buffer without maxData */
	BUFFER_BYTES_MAX = 32767,  /* longest recorded string or buffer with maxData */
	ARGV_BYTES_MAX = 32768,    /* longest recorded argument block of an exec */
	ENVIRONMENT_BYTES_MAX = 32768, /* longest recorded environment of an exec */
	ARGUMENT_ANY = 255, /* stands for every position of an argument after 0, the name of the program */
	FILTER_STRING_MAX = 255, /* longest Prefix or Postfix value: a trie key has 256 bytes, and one is the slot */
	HOOK_ARGS_MAX = 8, /* values that a hook reads: args and data, without the return value */
	HOOK_VALUES_MAX = 9, /* the same with the return value */
	FOLDER_SLOT = 0x80, /* added to the slot in the keys of folders with a value */
	TREE_SLOT = 0xc0, /* the same for folders that have one, or in which a folder has one, at any depth */
	HOOK_PARAM_MAX = 6, /* function parameters that are passed in registers */
	HOOK_SELECTORS_MAX = 64, /* a selector mask has a bit for each */
	RESOLVE_STEPS_MAX = 12, /* members on the path of `resolve` */
	INT_TESTS_MAX = 192, /* comparisons of one hook, for all values and selectors */
	INT_GROUPS_MAX = 64,
	CEL_INSTRUCTIONS = 512, /* BPF instructions for CEL expressions at the entry, and again at the return */
	RDONLY_CAST_MARK = 0x52444f01, /* stands for the kernel function bpf_rdonly_cast in the built object */
	PREEMPT_DISABLE_MARK = 0x52444f02, /* the same for bpf_preempt_disable */
	PREEMPT_ENABLE_MARK = 0x52444f03, /* the same for bpf_preempt_enable */
	SCRATCH_LEVELS = 4, /* with GUARD_LEVELS: scratch entries of one program on one CPU */
	CEL_ENTRY_MARK = 0x43454c01, /* marks the location of the expressions in the built object */
	CEL_RETURN_MARK = 0x43454c02,
	SUBSTRING_PASSES_MAX = 4, /* scans of one string for substrings */
	AUTOMATON_STATES_MAX = 65535, /* about the number of characters of all substrings of one hook */
	PROCESS_TESTS_MAX = 128,
	PROCESS_SETS_MAX = 256, /* process sets of all policies together; each has a bit */
	PROCESS_WORDS = 4,
	SCOPES_MAX = 256, /* different scopes of all policies together; each has a bit */
	SCOPE_WORDS = 4,
	SCOPE_TESTS_MAX = 65, /* different scopes of one hook: one of the policy, and one of each selector */
	CHANGE_TESTS_MAX = 16, /* matchNamespaceChanges and matchCapabilityChanges of one hook */
	BINARY_PATH_MAX = 511, /* longest path in a set of binaries: a hash key of old kernels has at most 512 bytes */
	HOOKS_MAX = 4096, /* hooks of all policies of one tracer */
	HOOK_ATTACH_POINTS_MAX = 65536, /* functions, or addresses in programs, that one hook is attached to */
	HOOK_LINKS_MAX = 1024, /* the same where each attach point needs a link of its own */
	STACK_FRAMES_MAX = 127, /* addresses of a stack trace */
	IOVECS_MAX = 16, /* elements of an array of struct iovec that are read */
	ASSIGNMENTS_MAX = 32, /* assignments to registers, for all selectors of one hook */
	COUNTS_MAX = 4, /* Count actions of one hook */
	COUNT_LABELS_MAX = 4,
	COUNT_KEY_WORDS = 1 + 2 * COUNT_LABELS_MAX,
	COUNT_TEXT_MAX = 512, /* bytes of the text of a label */
	COUNT_BUCKETS = 48, /* of a histogram; the last one has all larger values */
	ERROR_MAX = 4095, /* largest error number; kernel functions return it negated */
	PROBE_ARGS_MAX = 12, /* arguments of a static probe */
	PROCESSES_MAX = 65536, /* entries of the hashes process_bits and process_states; the others are in tries */
	/* bytes that a record reserves for one: */
	STRING_CAPACITY = STRING_BYTES_MAX + 1, /* string or path */
	BUFFER_CAPACITY = BUFFER_BYTES_MAX + 1, /* string or buffer with maxData */
	DETAIL_CAPACITY = 128, /* struct that describes a kernel object */
	STACK_CAPACITY = 1024, /* stack trace */
	CGROUP_PATH_CAPACITY = 1024, /* path of a cgroup, as the kernel's tracepoint gives it, with its NUL */
	CGROUP_LABEL_CAPACITY = 256, /* name of a cgroup: the last part of its path, with its NUL */
	CGROUP_RATES_MAX = 16384, /* cgroups whose exec and exit records are counted; the others are not throttled */
	THROTTLE_SECONDS = 5, /* records of a cgroup are reported again after this time below the rate */
	MARKS_MAX = 64, /* marks of all policies together; each has a slot */
	MARK_GROUPS_MAX = 4, /* matchMarks filters with In of one selector */
	MARK_ACTIONS_MAX = 32, /* different Mark and Unmark actions of one hook */
	MARKS_REPORTED = 4, /* marks whose cause one event has */
	MARK_BUCKETS = 4096, /* counters that tell quickly that a process has no mark */
	MARK_OWNERS_MAX = 65536, /* processes and containers that have marks */
	MARK_DETAILS_MAX = 131072, /* marks of all of them */
};

/* ---- records: what the kernel reports ----------------------------------------------------------------------- */

enum event_type {
	EVENT_EXEC = 1,
	EVENT_EXIT = 2,
	EVENT_FORK = 3,
	EVENT_HOOK = 4,
	EVENT_CGROUP = 5,
	EVENT_CGROUP_GONE = 6,
	EVENT_THROTTLE = 7,
};

struct event_header {
	u32 size; /* bytes of the whole record, including this header */
	u16 type; /* enum event_type */
	u16 flags; /* enum event_flag */
	u64 time; /* CLOCK_BOOTTIME, nanoseconds */
};

enum event_flag {
	EVENT_MARKED = 1, /* hook records: see struct mark_cause */
	EVENT_ARGV_TRUNCATED = 1,
	EVENT_ARGV_UNREADABLE = 2,
	EVENT_MONITORED = 4, /* the hook was in monitor mode: the selector's action did not run */
	EVENT_SIGNALLED = 8,
	EVENT_SIGNAL_FAILED = 16,
	EVENT_OVERRIDDEN = 32, /* the function was overridden, or the traced program was changed */
	EVENT_PROTECTED = 64, /* the process is protected from actions */
	EVENT_NOTIFIED = 128, /* an enforcer was notified */
	/*
	 * with ACTIONS_RETURN: the return's flags EVENT_MONITORED to EVENT_NOTIFIED are shifted left by this many bits
	 */
	EVENT_RETURN_SHIFT = 6,
	EVENT_SOCKET_OWNER = 16384, /* the process is the owner of a socket among the values */
	EVENT_IMA_HASH = 32768, /* the record ends with a struct ima_hash */
};

/* Flags of exec, fork and exit records, in addition to EVENT_ARGV_*. The other flags above belong to hook records. */
enum process_flag {
	PROCESS_SECURE_EXEC = 4, /* the exec raised privileges (AT_SECURE) */
	PROCESS_NAMESPACE_INIT = 8, /* the process is pid 1 of a pid namespace other than the initial one */
	PROCESS_ENVIRONMENT_TRUNCATED = 16,
	PROCESS_ENVIRONMENT_UNREADABLE = 32,
	PROCESS_THROTTLED = 64, /* no event: the cgroup is above its rate; other events need the process */
};

/* The exec and the thread that a record is about. tgid, start_time and exec_count are unique since boot. */
struct process_key {
	u32 tgid;
	u32 tid;
	u64 start_time; /* start of the thread group leader: CLOCK_BOOTTIME, nanoseconds */
	u64 exec_count; /* the kernel's self_exec_id */
};

/* Locates bytes in the same record: a string, a path, a buffer, a detail or a stack trace. */
struct string_ref {
	u32 offset; /* from the start of the record */
	u16 length; /* bytes */
	u16 flags; /* enum string_flag */
};

enum string_flag {
	STRING_TRUNCATED = 1, /* only a part was recorded */
	STRING_DELETED = 2, /* the file's name was removed */
	STRING_UNREACHABLE = 4, /* the path does not start at the root: its mount is not attached to a mount tree */
	STRING_PSEUDO = 8, /* not a path: the string is the name of a pipe, socket, memfd or anonymous inode */
	STRING_FAULT = 16, /* the memory could not be read */
	STRING_UNTRUSTED = 32, /* executables only: no proof that the file has this path in the initial mount tree */
	/* the kernel does not know the path, or only its end; of an executable: it may be another file */
	STRING_UNKNOWN = 64,
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
	struct string_ref filename; /* as given to execve: for a script, the script */
	struct string_ref executable; /* path of the file that runs: for a script, the interpreter */
	struct string_ref cwd;
	u32 argv_offset; /* arguments, separated by NUL */
	u32 argv_length;
	u64 inode; /* of the executable */
	u32 links; /* hard links of the executable; 0: it has no name */
	u32 environment_length; /* the record ends with the environment: NAME=VALUE, separated by NUL */
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
	struct string_ref path; /* from the root of the hierarchy; STRING_TRUNCATED: only the beginning is known */
	u8 path_bytes[CGROUP_PATH_CAPACITY];
};

/* The kernel has freed a cgroup of the unified hierarchy. */
struct event_cgroup_gone {
	struct event_header header;
	u64 id;
};

/* From here on, exec and exit records of a cgroup have PROCESS_THROTTLED: it is above its rate. */
struct event_throttle {
	struct event_header header;
	struct process_key key; /* the process whose record was the first above the rate */
	u64 cgroup_id;
	struct string_ref name; /* STRING_TRUNCATED: only the beginning is known */
	u8 name_bytes[CGROUP_LABEL_CAPACITY];
};

/* One value of a hook's event. The order of values is: the policy's args, its data, the return value. */
struct value {
	/*
	 * an integer, sign- or zero-extended to 64 bits; for a file, the inode number; for an address of AF_ALG,
	 * salg_feat, and salg_mask in the upper half
	 */
	u64 value;
	struct string_ref string; /* a string, buffer, path, or one of the details below */
	u32 mode; /* file: the inode's mode with the type bits */
	u32 magic; /* file: the file system's magic number */
	s32 fd; /* the file descriptor; -1: none */
	u32 device; /* file: device number in the kernel's format (12 bits major, 20 bits minor) */
	u32 links; /* file: number of hard links */
	u32 size; /* buffer: its size in bytes before truncation */
};

struct event_hook {
	struct event_header header;
	struct process_key key;
	u32 hook; /* the id that user space gave the hook at load */
	u16 values_count;
	u16 attach_point; /* index, from 0, where a hook has several attach points */
	u64 matched; /* one bit, for the selector that matched; bit 0 when the hook has no selectors */
	u32 suppressed; /* equal events that the rate limit has suppressed since the last one */
	u32 entry_selector; /* the selector that decided the action at the entry, with ACTIONS_RETURN */
	struct string_ref kernel_stack, user_stack; /* u64 addresses, innermost first; length 0: not requested */
	/* then struct value values[values_count], then strings and details */
};

enum { IMA_DIGEST_BYTES = 64 };

struct ima_hash {
	u32 algorithm; /* enum hash_algo of linux/hash_info.h */
	u32 pad;
	u8 digest[IMA_DIGEST_BYTES];
};

enum mark_text { MARK_COMMAND_BYTES = 16, MARK_FUNCTION_BYTES = 48, MARK_ARGUMENT_BYTES = 128 };

enum mark_cause_flag {
	MARK_CAUSE_UNKNOWN = 1, /* there was no memory for the cause */
	MARK_ARGUMENT_TRUNCATED = 2,
	MARK_IN_CONTAINER = 4, /* the mark belongs to the container */
};

/*
 * The event that set a mark. With EVENT_MARKED, a record ends with up to MARKS_REPORTED of them and a u64 with their
 * number. Only a struct ima_hash can follow.
 */
struct mark_cause {
	u64 time; /* CLOCK_BOOTTIME, nanoseconds */
	struct process_key key; /* the process that set it */
	u16 test; /* index of the hook's struct mark_test */
	u16 flags; /* enum mark_cause_flag */
	u16 length; /* bytes of `argument` */
	u8 read; /* enum value_read of the argument; READ_NOTHING: there is none */
	u8 is_signed;
	u64 value; /* of the argument, as in struct value */
	u8 command[MARK_COMMAND_BYTES]; /* name of the thread, as in /proc/PID/comm */
	u8 function[MARK_FUNCTION_BYTES]; /* what was hooked; NUL at the end, unless it is longer */
	u8 argument[MARK_ARGUMENT_BYTES]; /* the beginning of its string or detail */
};

/* Maximum sizes, in bytes, of the parts of a hook's record after struct event_hook. */
enum record_limit {
	VALUES_SIZE_MAX = HOOK_VALUES_MAX * sizeof(struct value),
	STRINGS_SIZE_MAX = HOOK_ARGS_MAX * STRING_CAPACITY + 2 * BUFFER_CAPACITY, /* strings and details */
	MARKS_SIZE_MAX = MARKS_REPORTED * sizeof(struct mark_cause) + sizeof(u64),
	/* stack traces, the hash of actions, marks */
	ACTIONS_SIZE_MAX = 2 * STACK_CAPACITY + sizeof(struct ima_hash) + MARKS_SIZE_MAX,
	BODY_SIZE_MAX = VALUES_SIZE_MAX + STRINGS_SIZE_MAX + ACTIONS_SIZE_MAX,
	RECORD_SIZE_MAX = sizeof(struct event_hook) + BODY_SIZE_MAX, /* of a record of any type */
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
	u64 cookie; /* of the socket; 0: none yet */
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

/* ---- configuration: written by user space ------------------------------------------------------------------- */

/* How a value is read. Only user space knows the meaning of the value. */
enum value_read {
	READ_NOTHING = 0,
	READ_SCALAR = 1, /* an integer of `width` bytes */
	/* values with a string */
	READ_STRING = 2,
	READ_FILENAME = 3, /* struct filename */
	READ_NET_DEVICE = 4, /* the name of a struct net_device */
	READ_SOCKADDR_UN = 5,
	READ_BUFFER = 6, /* size_param gives the number of bytes */
	READ_IOVEC = 7, /* size_param gives the number of struct iovec */
	READ_IOV_ITER = 8,
	READ_DATA_LOC = 9, /* a tracepoint field with the offset and the length of a string in the tracepoint record */
	READ_SOCKADDR_ALG = 10,
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
	SOURCE_DURATION = 6, /* nanoseconds from the entry to the return; only with `pair` */
};

enum value_memory {
	MEMORY_KERNEL = 0,
	MEMORY_USER = 1,
	MEMORY_BY_ADDRESS = 2, /* the sign of the address tells which one */
};

enum value_width { WIDTH_SYSCALL = 16 };

/* Set in the number of a 32-bit system call. 32-bit programs use other numbers. */
enum syscall_bit { SYSCALL_COMPAT = 0x80000000 };

/* One member on the path of `resolve`: address += offset; with `follow`, then address = *address. */
struct resolve_step {
	u32 offset;
	u32 follow;
};

/*
 * A table of values. The look-up of a value gives match and reject, which are 0 if there is no entry. Then:
 * candidates &= (match | ~positive) & ~reject.
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
	u8 indirect; /* the parameter, or the last step, is the address of the scalar or descriptor */
	u8 read_at_return; /* with `pair`: the program at the return reads it */
	u8 memory; /* enum value_memory, for strings and buffers */
	u8 size_param; /* parameter with the size of the buffer, from 1; 0: the size is the return value, or not known
			*/
	u8 size_returned; /* the return value is the number of bytes in the buffer */
	u8 first_group, groups_count; /* int_groups for a scalar or a net_detail */
	u8 size_width; /* bytes of size_field, or of size_param */
	u16 field; /* for SOURCE_FIELD and SOURCE_REGISTERS */
	u32 capacity; /* bytes that the event reserves for its string or detail */
	u16 size_field; /* for SOURCE_FIELD: the field with the size of the buffer; else `len` of the packet size_param
			 */
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

/* A comparison. It satisfies the filters of `selectors`. */
struct int_test {
	u64 value;
	u64 upper;
	u64 selectors;
	u32 op; /* enum int_op */
	u32 pad;
};

/* The value that a group compares, for groups about the current process. */
enum process_field {
	PROCESS_TGID = 0,
	PROCESS_NAMESPACE_TGID = 1, /* the number in its own pid namespace */
	PROCESS_CAP_PERMITTED = 2,
	PROCESS_CAP_EFFECTIVE = 3,
	PROCESS_CAP_INHERITABLE = 4,
	PROCESS_NAMESPACE = 16, /* plus the index in struct process_namespaces */
};

/*
 * Comparisons of one value. A selector has at most one filter in a group. hits = the selectors of all comparisons that
 * hold. candidates &= hits | ~selectors; for a negated group, candidates &= ~hits.
 */
struct int_group {
	u64 selectors;
	u8 negate;
	u8 first; /* index of the first test */
	u8 count;
	u8 field; /* enum process_field, or the offset of a u32 in struct net_detail */
	u8 pad[4];
};

/* An entry of a table. */
struct match_entry {
	u64 match; /* selectors whose filter the value satisfies */
	u64 reject; /* selectors that the value rules out */
};

/*
 * A string can match a table only if the hash of some of its bytes is in the bitmap: its first bytes for prefixes, its
 * last bytes for other values. A look-up in the bitmap costs a tenth of a look-up in the table.
 */
enum string_hash {
	STRING_HASH_BITS = 8,
	STRING_HASH_WORDS = (1 << STRING_HASH_BITS) / 64,
	STRING_HASH_BYTES_MAX = 8,
	STRING_HASH_FACTOR = 0x61c88647,
};

struct string_table {
	struct table table;
	u32 longest; /* size of the longest value in bytes */
	u32 hashed; /* number of hashed bytes: at most the length of the shortest value; 0: there is no bitmap */
	u64 bitmap[STRING_HASH_WORDS]; /* of the values' hashes */
};

/* One scan of a string with the automaton. A selector has at most one filter in a pass. */
struct substring_pass {
	u64 positive; /* selectors that need a match here */
	u16 start; /* the first state */
	u8 ignore_case;
	u8 pad[5];
};

/* A value that is a string, a path or a detail. Values with the cheapest filters come first. */
struct object_config {
	u8 slot; /* index in values */
	u8 filtered; /* at least one table is used */
	u8 passes_count;
	u8 folders; /* the negative cache may have whole folders: only equal, prefix and postfix are used */
	u8 short_names; /* bit N: the hashed bytes of a postfix end with a slash and N more bytes */
	u8 pad[3];
	u64 inode; /* selectors whose Equal and NotEqual also compare the file's inode */
	u64 excluding; /* selectors with negated filters only: they do not match if there is no path or string */
	u64 rooted; /* selectors that match only strings that begin with a slash */
	struct string_table equal, prefix, postfix;
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
	u16 scope; /* the bit of the scope */
	u8 pad[6];
};

/* Compares the process with its state at its exec, or when this hook last reported such a change. */
struct change_test {
	u64 selectors;
	u64 capabilities; /* at least one of these has changed */
	u32 namespaces; /* at least one of these has changed; bit n is the n-th of struct process_namespaces */
	u32 host_user; /* inode number of the initial user namespace */
	u8 capability_set; /* enum process_field */
	u8 outside_host; /* the test holds only outside of the initial user namespace */
	u8 pad[6];
};

/* Tests one mark, for all selectors of a hook that name it. */
struct mark_test {
	u64 in[MARK_GROUPS_MAX]; /* selectors whose n-th filter with In names it */
	u64 not_in; /* selectors that it rules out */
	u32 id; /* see struct mark_name */
	u8 container; /* the mark belongs to a container */
	u8 pad[3];
};

enum mark_operation { MARK_SET = 0, MARK_REMOVE = 1 };

/* Sets or removes a mark. */
struct mark_action {
	u64 selectors;
	u64 duration; /* nanoseconds; 0: until the process or the container ends */
	u32 id;
	u8 operation; /* enum mark_operation */
	u8 container;
	u8 inherits; /* children have it, too, and it stays over an exec */
	u8 at_return; /* of matchReturnActions */
};

enum rate_scope { RATE_NONE = 0, RATE_THREAD = 1, RATE_PROCESS = 2, RATE_GLOBAL = 3 };

enum stack_kind { STACK_KERNEL = 1, STACK_USER = 2 };

enum notify_kind {
	NOTIFY_ENFORCER = 1, /* notify the policy's enforcers */
	NOTIFY_OVERRIDES = 2, /* the enforcer returns notify_error instead of running the function */
	NOTIFY_CLEANUP = 4, /* remove the pending notification */
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
	u8 ima_hash; /* the event gets the IMA hash of the file */
	u8 pad2;
	s32 notify_error;
};

/*
 * Equal events have the same hook, selector, attach point and values. With RATE_THREAD or RATE_PROCESS, they also have
 * the same thread or process.
 */
struct rate_key {
	u32 hook;
	u32 selector; /* in a group, with group_rule.addition above it: addition * HOOK_SELECTORS_MAX + selector */
	u32 id; /* tid, tgid or 0, by the scope */
	u32 attach_point; /* as in struct event_hook */
	u64 hash[2]; /* hash of all values with their strings */
};

struct rate {
	u64 posted; /* time of the last event: CLOCK_BOOTTIME, nanoseconds */
	u64 suppressed; /* events suppressed since then */
};

enum action_flag {
	ACTIONS_ANY = 1, /* at least one selector does more than post an event */
	ACTIONS_OVERRIDE = 2, /* a selector overrides; the kernel allows that in few functions */
	ACTIONS_NOTIFY = 4, /* a selector notifies enforcers */
	ACTIONS_SOCKET = 8, /* a selector tracks or untracks sockets */
	ACTIONS_RETURN = 16, /* entry and return have actions of their own */
	ACTIONS_IMA_HASH = 32, /* a selector posts with an IMA hash */
	ACTIONS_REGISTERS = 64, /* a selector sets registers of a traced program; few kernels allow that */
};

enum assignment_kind { ASSIGN_CONSTANT = 0, ASSIGN_REGISTER = 1, ASSIGN_MEMORY = 2 };

/*
 * Sets register `to` of a traced program: to `offset`, to `offset` plus register `from`, or to the word at that
 * address. The number of a register is its index, in words, in struct pt_regs.
 */
struct assignment {
	u64 offset;
	u8 kind; /* enum assignment_kind */
	u8 to, from;
	u8 to_shift, from_shift; /* number of high bits outside of the register: 64 - 8 * its bytes */
	u8 pad[3];
};

/* The text or number of a label, and its two words in the key. Numbers have one word; the other one is 0. */
enum count_label_kind {
	LABEL_NUMBER = 0, /* the value */
	LABEL_TEXT = 1, /* the value's string or path: two hashes of its first COUNT_TEXT_MAX bytes; 0: it is unknown */
	LABEL_ADDRESS = 2, /* the IPv6 address of the value; an IPv4 address is mapped (::ffff:a.b.c.d) */
	LABEL_PORT = 3,
	LABEL_DEVICE = 4, /* of the value's file */
	LABEL_ERRNO = 5, /* the number of the error that the value is; 0: none */
	LABEL_UID = 6,
	LABEL_CGROUP = 7, /* its id */
	/* the file that the process executes: inode number; device, with the generation below it; see count_texts */
	LABEL_BINARY = 8,
	LABEL_PARENT_BINARY = 9, /* the same for the parent */
};

struct count_label {
	u8 kind; /* enum count_label_kind */
	u8 slot;
	u8 folders; /* LABEL_TEXT: a path is cut after this many folders; 0: never */
	u8 is_destination; /* the address and the port of the other side */
	u8 pad[4];
};

/* A Count action. */
struct count_config {
	u64 selectors;
	u8 labels_count;
	u8 has_value; /* the sum has the value of `slot`; otherwise nothing is added up */
	u8 slot;
	u8 is_signed; /* a negative value adds nothing */
	u8 has_buckets;
	u8 pad[3];
	struct count_label labels[COUNT_LABELS_MAX];
};

/* The first word is the index of the count. Two words for each label follow; a hook with fewer labels has shorter keys.
 */
struct count_key {
	u64 words[COUNT_KEY_WORDS];
};

/* On each CPU. Bucket 0 has the value 0, bucket n the values from 2^(n-1) to 2^n - 1. Only histograms have buckets. */
struct count_sum {
	u64 calls;
	u64 sum;
	u64 buckets[COUNT_BUCKETS];
};

/* Places for keys on each CPU. */
enum direct_key_size { DIRECT_KEY_BITS = 6, DIRECT_KEYS = 1 << DIRECT_KEY_BITS };

enum direct_key_state { KEY_FREE = 0, KEY_TAKEN = 1, KEY_READY = 2 };

/* A key, and the sum of calls that one CPU has counted here and not in count_keys; see bpf/direct_keys.bpf.h. */
struct direct_key {
	u64 state; /* enum direct_key_state */
	u64 words[COUNT_KEY_WORDS];
	u64 calls, sum;
};

/* The text of a label of kind LABEL_TEXT or LABEL_BINARY, by the label's words. */
struct count_text_key {
	u64 words[2];
	u32 kind; /* enum count_label_kind; LABEL_BINARY also for parents */
	u32 pad;
};

/* How the parameters of a system call are found in the struct pt_regs that parameter 0 points to. */
enum syscall_registers { SYSCALL_NONE = 0, SYSCALL_NATIVE = 1, SYSCALL_IA32 = 2 };

/*
 * How a return finds the record of its entry. The key is the stack frame. If a function can jump to another function of
 * the same hook, the attach point is part of the key.
 */
enum pair { PAIR_NONE = 0, PAIR_BY_FRAME = 1, PAIR_BY_ATTACH_POINT = 2 };

enum hook_shape { SHAPE_ATTACH_POINT = 0x10000 };

/*
 * In the frozen .rodata of each hook program. The verifier knows these values and removes all code that a policy does
 * not use.
 */

/* Protects the scratch memory of a program that the kernel may suspend and start again on the same CPU. */
enum scratch_guard {
	GUARD_NONE = 0, /* the kernel does not start the program again while it runs */
	GUARD_PREEMPT = 1, /* the program disables preemption */
	GUARD_LEVELS = 2, /* the program takes a free entry; if there is none, the call is counted as missed */
};

struct hook_config {
	u32 hook;
	u32 self_tgid; /* the process that the hook ignores; 0: none */
	u64 suppresses; /* selectors that only suppress events: an unknown value does not match them */
	u64 selectors; /* bit mask of all selectors; a hook without selectors has one that always matches */
	u8 values_count;
	u8 syscall; /* enum syscall_registers */
	u8 pair; /* enum pair: entry and return are two programs, and the table `pending` keeps the record in between */
	u8 params; /* number of parameters; in a fexit context the return value follows them */
	u8 process_groups; /* number of int_groups about the process; they come first */
	u8 process_tests;
	u8 change_tests;
	u8 objects_count;
	u8 has_cel_entry; /* there is an expression of values that are known at the entry */
	u8 has_cel_return; /* there is an expression with values that are known only at the return */
	u8 has_actions; /* enum action_flag, ORed */
	u8 acts_at_return; /* the selector is chosen at the return, and its actions run there */
	u32 body_size; /* largest size, in bytes, of a record after struct event_hook */
	u32 shape; /* values_count of the event; plus SHAPE_ATTACH_POINT if the attach cookie is the attach point */
	u8 counts_hits; /* every call is counted, also if no selector matches */
	u8 finds_owner; /* the process of the event is the owner of the first tracked socket among the values */
	u8 socket_slot; /* slot of the argument that actions track */
	u8 returned_socket; /* enum socket_action, for the returned socket, which is the last value */
	u64 acting; /* selectors that act on the process */
	u64 needs_executable; /* selectors that kernel threads do not match, because these execute no file */
	u8 yielding_tests; /* number of tests after process_tests; see yield_to_acting() */
	u8 scope_tests;
	u8 cache_hold_ticks; /* ticks for which an entry of the negative cache is not replaced */
	u8 guard; /* enum scratch_guard */
	u32 cache_entries; /* entries of the negative cache, on all CPUs */
	u64 rename_lock, mount_lock; /* addresses in the kernel; 0: there is no negative cache */
	u64 shm_mnt; /* address of the variable that points to the mount of memory files; 0: unknown */
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
	u8 mark_tests;
	u8 mark_actions;
	u8 marks_at_return; /* the program at the return tests the marks, because the selector is known only then */
	u8 container_marks; /* a test or an action is about marks of containers */
	u32 mark_pad;
	u64 marked; /* selectors with a filter that needs a mark */
	u64 mark_groups[MARK_GROUPS_MAX]; /* selectors that have an n-th filter with In */
	struct mark_test marks[MARKS_MAX];
	struct mark_action marking[MARK_ACTIONS_MAX];
	u8 mark_function[MARK_FUNCTION_BYTES]; /* what is hooked, for struct mark_cause */
	u8 counts_count;
	u8 counts_buckets; /* at least one count is a histogram */
	u8 duration; /* there is a value with SOURCE_DURATION */
	u8 duration_slot;
	u8 counts_only; /* no selector does anything but count: there is never an event */
	u8 count_key_labels; /* most labels of a count */
	u16 count_kinds; /* enum count_label_kind of all labels, as bits */
	u32 counted_slots; /* values that counts use, as bits; with counts_only, no other value is kept */
	u32 active_calls; /* not 0: the hook keeps calls in ACTIVE_CALLS places; see bpf/active_calls.bpf.h */
	u32 direct_keys; /* number of places for keys, on all CPUs together; see bpf/direct_keys.bpf.h */
	u8 can_move; /* the hook may move into a group; see bpf/moved_calls.bpf.h */
	u8 front_slot; /* of a group: the number of group_header.numbers; HOOK_VALUES_MAX: none */
	u8 keys_pad[2];
	u64 count_seed[2]; /* of the hashes of texts, so that nobody can choose texts with the same hashes */
	struct count_config counts[COUNTS_MAX];
	u64 text_start, text_size; /* code of the kernel itself, in bytes */
	u64 orc_lookup, orc_addresses, orc_entries; /* addresses of the ORC tables */
	u32 stack_caches; /* one for each CPU; 0: see bpf/stack_cache.bpf.h */
	u32 stack_pad;
};

/*
 * The places of active calls of a hook: most values of a call, places, and bytes of a place. A call has the place that
 * the address of its stack frame gives.
 */
enum active_call_size {
	ACTIVE_CALL_VALUES = 4,
	ACTIVE_CALL_BITS = 7,
	ACTIVE_CALLS = 1 << ACTIVE_CALL_BITS,
	ACTIVE_CALL_BYTES = 272,
};

/* The configuration of an enforcer. */
struct enforcer_config {
	u32 hook;
	u8 overrides; /* a notification may ask it to override */
	u8 counts_hits; /* every call is counted */
	u8 pad[2];
};

/*
 * Keys of the tables begin with the slot of the value. With FOLDER_SLOT, a key of string_prefix is a folder of values:
 * a value of Equal or Prefix up to its last slash. With TREE_SLOT, it is a value up to any of its slashes. Its entry
 * has the length of the folder in `match`. Both have the first bit, so that the path to values has no more nodes.
 */
struct trie_key {
	u32 prefix_bits;
	u8 slot;
	u8 string[FILTER_STRING_MAX];
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

/* A state of the automaton that finds substrings. State 0 is final; unused transitions lead there. */
struct automaton_state {
	u64 match; /* selectors that have a substring which ends here */
	u16 next[256];
};

/* ---- groups: one program for the hooks of many policies ------------------------------------------------------ */

/*
 * A group is one program, attached to one function, with the hooks of several policies. Each selector of these hooks is
 * a rule. Each value of a filter leads to the set of the rules that it satisfies. bpf/group.bpf.h has the program,
 * docs/architecture.md the reasons.
 */
enum group_limit {
	GROUP_SOURCE = 64,
	GROUP_DESTINATION = GROUP_SOURCE + 1, /* as enum address_side */
	GROUP_WORD_SHIFT = 8, /* bits of an index that are the slot; the number of a word of a net_detail follows */
	GROUP_RULES_MAX = 1024, /* selectors of all policies of one group */
	GROUP_SETS_MAX = 4096, /* different values of all filters of one group */
	GROUP_TESTS_MAX = 8192, /* further comparisons of all rules */
	GROUP_STRINGS_MAX = 4, /* strings and paths that the hooks of one group filter */
	GROUP_STRING_MAX = FILTER_STRING_MAX - 1, /* longest string of Equal: the key has its NUL, too */
	GROUP_EQUAL_MAX = 64, /* longest string of Equal that can be in group_equal; longer ones are in the trie */
	GROUP_SLOT_BITS = 13, /* group_equal has 2^GROUP_SLOT_BITS slots; see enum group_hash */
	GROUP_END_BYTES = 4, /* hashed bytes at the end of a value of Postfix */
	GROUP_END_BITS = 12, /* of such a hash */
	GROUP_PAIR_BITS = 6, /* of the hash of the last two bytes */
	GROUP_KEY_BITS = 12, /* of the hash of a number, or of the first bits of an address */
	GROUP_ADDITIONS = 1 << 26, /* for group_rule.addition */
};

/*
 * The factor of hash_string() in bpf/group_strings.bpf.h, in two halves. The upper GROUP_SLOT_BITS of the hash of a
 * value of Equal are the number of its slot in group_equal, or of the neighbour of its slot. The upper half of a slot
 * has the next 32 bits of the hash, the lower half the index of the set. An empty slot is 0.
 */
enum group_hash {
	GROUP_HASH_UPPER = 0x5851f42d,
	GROUP_HASH_LOWER = 0x4c957f2d,
};

/* Sets that no value leads to. Those of each further string follow, GROUP_STRING_SETS later. */
enum group_set_index {
	GROUP_NO_SET = 0,
	GROUP_ALWAYS = 1, /* rules without a filter on a string, or with an Equal on the number that is looked up */
	GROUP_UNKNOWN_STRING = 2, /* rules that match a string about which nothing is known */
	GROUP_CUT_START = 3, /* rules that match a string whose beginning is unknown */
	GROUP_CUT_END = 4, /* rules that match a string whose end is unknown */
	GROUP_STRING_SETS = 3,
	GROUP_FIRST_SET = GROUP_UNKNOWN_STRING + GROUP_STRINGS_MAX * GROUP_STRING_SETS,
};

struct group_header {
	u64 generation; /* changes when values are added; 0: there are no rules */
	u8 longest_prefix; /* bytes of the longest key of Prefix and Equal that is in group_prefix */
	u8 longest_postfix;
	u8 looks_up; /* not 0: the number of number_slot is looked up */
	u8 number_slot;
	u8 has_always; /* not 0: GROUP_ALWAYS may have rules */
	u8 needs; /* enum group_need: what all rules need */
	u8 has_equal; /* not 0: group_equal may have values */
	u8 number_word; /* of the net_detail of number_slot, plus 1; or GROUP_SOURCE or GROUP_DESTINATION: an address */
	u64 numbers; /* bit n: a rule may match the number n; bit 63: a greater one */
	u64 sets[PROCESS_WORDS]; /* each rule needs one of these process sets */
	u64 scopes[SCOPE_WORDS]; /* each rule needs one of these scopes */
	/*
	 * What values of Postfix may end with. Bits are set before a value is found, and cleared when nothing can find
	 * it any more.
	 */
	u64 short_ends[4]; /* bit n: a value of fewer than GROUP_END_BYTES bytes ends with the byte n */
	u64 ends[(1 << GROUP_END_BITS) / 64]; /* the hashes of the last bytes of the others; see is_end() */
	u64 end_pairs; /* the hashes of the last two bytes; all of them if a value has only one */
	/*
	 * The hashes of the numbers and networks that lead to rules; changed as those of Postfix. See may_be_key() and
	 * may_be_ipv4_key().
	 */
	u64 keys[(1 << GROUP_KEY_BITS) / 64];
	u8 short_names; /* bit n: the last GROUP_END_BYTES of a value end with a slash and n more bytes */
	u8 has_unrooted; /* not 0: a value of Equal or Prefix may begin without a slash */
	u8 has_further; /* not 0: rules may have further filters on the string */
	u8 pad[5];
};

enum group_need { GROUP_NEEDS_NUMBER = 1, GROUP_NEEDS_SET = 2, GROUP_NEEDS_SCOPE = 4 };

struct group_set {
	u64 summary; /* bit n: words[n] may have a rule */
	u64 words[GROUP_RULES_MAX / 64]; /* one bit for each rule */
	u64 string[GROUP_EQUAL_MAX /
		   8]; /* the value of Equal in group_equal that leads to this set, padded with zeros */
	u32 string_words; /* words of the string that are not only padding */
	u32 lowest; /* the lowest rule of the set: programs try it as the only one, and compare it with the words */
	u32 has_rules; /* 0: all bits are further filters of rules */
	u32 pad;
};

enum group_flag {
	GROUP_SUPPRESSES = 1, /* the selector only suppresses events: an unknown value does not match it */
	GROUP_NO_POST = 2,
	GROUP_NEEDS_EXECUTABLE = 4, /* kernel threads do not match */
	GROUP_COUNTS = 8, /* the hook counts its matches */
	GROUP_LEAVES_MARK = 16, /* the hook's own program may run after the group's */
};

/* hook_counters.move; see bpf/moved_calls.bpf.h */
enum group_move {
	MOVE_NONE = 0, /* the hook's own program reports its calls */
	MOVE_DONE = 1, /* the group reports them all */
	MOVE_FIRST = 2, /* this and greater numbers: a move. Both programs report calls */
};

/*
 * A selector. Those of one hook follow each other; the first that matches decides. After them come the further filters
 * on the string of all its selectors: the values of each lead to its number, too, which is never enabled as a rule.
 */
struct group_rule {
	u32 hook; /* the id of the policy's hook */
	u16 first_test, tests_count; /* comparisons that follow the look-up; all groups of them must hold */
	u8 selector;
	u8 flags; /* enum group_flag */
	u8 enabled; /* the last byte that is written when a hook is added, and the first when it is removed */
	u8 pad;
	u32 addition; /* differs for hooks that had the same id one after the other; below GROUP_ADDITIONS */
	struct selector_actions actions;
};

enum group_test_kind {
	GROUP_TEST_NUMBER = 0, /* a value of the hook */
	GROUP_TEST_PROCESS = 1, /* enum process_field */
	GROUP_TEST_SET = 2, /* a process set */
	GROUP_TEST_PARENT_SET = 3,
	GROUP_TEST_SCOPE = 4,
	GROUP_TEST_NET = 5, /* a word of a struct net_detail; the index has its number from GROUP_WORD_SHIFT on */
	GROUP_TEST_NETWORK = 6, /* an address; the index has flags: enum group_address */
	GROUP_TEST_STRING = 7, /* a further filter on the string, by its number */
	GROUP_TEST_PRESENT = 8, /* there is a string or path, by its number: see excluding in struct object_config */
};

enum group_address { GROUP_ADDRESS_DESTINATION = 1 << 8, GROUP_ADDRESS_IPV6 = 1 << 9 };

/*
 * A comparison. Comparisons up to one with `last` are alternatives: one that holds is enough. A network has its
 * address, as a number, in value and upper; that of IPv4 is in the upper half of value.
 */
struct group_test {
	u64 value;
	u64 upper;
	u16 index; /* the slot, field or bit */
	u8 kind; /* enum group_test_kind */
	u8 op; /* enum int_op; of a network, the number of its bits */
	u8 last;
	u8 negate; /* none of the alternatives may hold; set in all of them */
	u8 pad[2];
};

/* ---- shared state, mapped by both sides --------------------------------------------------------------------- */

enum argument_tracking {
	ARGUMENTS_IGNORE = 0, /* no set of processes depends on arguments */
	ARGUMENTS_KEEP = 1,
	ARGUMENTS_COLLECT = 2, /* a scan collects the sets of already running processes */
};

struct control {
	u32 need_wakeup; /* set by the reader before it sleeps, cleared by the program that wakes it */
	u32 keeps_bits; /* not 0: the base sensor keeps struct process_bits */
	u32 keeps_state; /* not 0: the base sensor keeps struct process_state */
	u32 scanning; /* not 0: a scan gives already running processes their bits */
	u32 scan_changes; /* number of processes whose bits a scan has changed */
	u32 self_tgid; /* the process that the base sensor ignores; 0: none */
	u32 keeps_arguments; /* enum argument_tracking */
	u32 lists_paths; /* not 0: list_processes also writes paths */
	u64 follow[PROCESS_WORDS]; /* sets that also contain the descendants of their members */
	u64 trusted[PROCESS_WORDS]; /* sets that exclude what a process may have forged: paths, pids in its namespace */
	u64 prefixed[PROCESS_WORDS]; /* sets that have prefixes */
	u64 selecting[PROCESS_WORDS]; /* sets of executables that also contain an unknown one */
	u64 state_since; /* CLOCK_BOOTTIME; the state of each process that started later is complete */
	u32 keeps_scopes; /* enum scope_tracking: the base sensor keeps struct cgroup_scopes */
	u32 scopes_overflowed; /* not 0: some entries are in cgroup_scopes_more */
	u64 scope_epoch; /* shifted by SCOPE_EPOCH_SHIFT, never 0; it changes after each change of scopes */
};

/* The configuration of the base sensor, set at load. */
struct sensor_config {
	u64 rate_events; /* most exec and exit records of a cgroup in rate_interval; 0: no limit */
	u64 rate_interval; /* nanoseconds */
	u32 environment; /* not 0: exec records have the environment */
	u32 pad;
};

/* The exec and exit records of a cgroup, on all CPUs together. */
struct cgroup_rate {
	u64 since; /* CLOCK_BOOTTIME: start of the interval */
	u64 count; /* records since then */
	u64 until; /* CLOCK_BOOTTIME: until then, no record is reported */
};

/* One per hook. The first HOOK_FIRST_POLICY belong to the base sensor (enum sensor_hook). */
struct hook_counters {
	u64 lost_ring; /* records lost because the ring buffer was full */
	u64 lost_pending; /* records lost because the table `pending` was full */
	u64 lost_return; /* calls that were missed: their return was not seen, or every scratch entry was in use */
	u64 reported_ring, reported_pending, reported_return; /* written by user space: the part that it has reported */
	u64 enforces; /* written by user space; 0: monitor mode, actions are only reported */
	u64 hits; /* with counts_hits: calls that reached the program */
	u64 matched; /* with has_actions: calls that a selector matched */
	u64 suppressed; /* with has_actions: events that a rate limit suppressed */
	u64 enforced; /* with has_actions: calls that were overridden, or whose process got a signal */
	u64 move; /* written by user space: enum group_move */
	u64 pad[4];
};

enum sensor_hook {
	HOOK_EXEC = 0, /* its lost_pending, and that of HOOK_EXIT: records of cgroups above their rate */
	HOOK_EXIT = 1,
	HOOK_FORK = 2,
	HOOK_PROCESS_BITS = 3, /* its lost_pending: processes whose process_bits or process_state could not be stored */
	HOOK_SOCKETS = 4, /* its lost_pending: sockets that could not be stored in socket_owners */
	HOOK_CGROUP = 5,
	HOOK_MARKS = 7, /* its lost_pending: marks that could not be stored */
	HOOK_FIRST_POLICY = 8,
};

/* Process sets, one bit each. */
struct process_sets {
	u64 words[PROCESS_WORDS];
};

/* The sets of a process, and the sets of its parent at the fork. A process without any has no entry. */
struct process_bits {
	u64 exec_count;
	u64 start_time;
	struct process_sets own, parent;
};

/*
 * A word of the cache that tells whether a cgroup is in the scope of a hook. The lowest bit is the answer; the id of
 * the cgroup and the epoch are above it. Larger ids are not cached. The epoch repeats after 2^27 changes.
 */
enum scope_cache {
	SCOPE_ID_SHIFT = 1,
	SCOPE_ID_BITS = 36,
	SCOPE_EPOCH_SHIFT = 37,
	SCOPE_CACHE_BITS = 10, /* a hook has 2^10 words */
};

/*
 * Entries of the negative cache for each CPU and each of the two programs of a hook: paths that no selector can match.
 * A hook that has only one program uses the entries of both.
 */
enum negative_cache {
	NEGATIVE_CACHE_BITS = 7,
	NEGATIVE_CACHE_SIZE = 1 << NEGATIVE_CACHE_BITS,
	UNKNOWN_MOUNT = 1, /* no address of a mount: no program has seen a file of it */
};

/*
 * The identity of a path as a process sees it. As long as all of it is the same, so is the path; see
 * bpf/negative_cache.bpf.h.
 */
struct negative_entry {
	u64 key; /* of negative_key(); 0: no entry */
	u64 last_miss; /* the key of the last failed look-up */
	u64 candidates; /* the candidates, none of which matches */
	u64 mnt;
	u64 root_dentry, root_mnt; /* of the process */
	u32 rename_seq, mount_seq; /* sequence counts of rename_lock and mount_lock */
	u64 hash_len; /* of the name; in the entry for a whole folder of a group, end_pairs of the group */
	u64 name[4];
	u64 parent_inode; /* inode number of the folder that contains the name */
	u64 parent_ctime; /* ctime of the folder, if users can set generations on this file system; else 0 */
	u64 time; /* when the entry was written, in ticks */
	u32 parent_generation; /* generation of its inode */
	u32 layer_device; /* on overlayfs: the folder is one of a layer, on this device; else 0, or ROOT_OF_MOUNT */
};

/*
 * The kernel stacks that a hook has seen, on each CPU; see bpf/stack_cache.bpf.h. A stack begins with the frames of the
 * program and of its trampoline.
 */
enum stack_cache_size {
	KNOWN_STACK_BITS = 3,
	KNOWN_STACKS = 1 << KNOWN_STACK_BITS,
	KNOWN_FRAMES = 32, /* most addresses of a stack that is stored, and its end */
	ORC_COPY_BITS = 6,
	ORC_COPIES = 1 << ORC_COPY_BITS,
	STACK_PROGRAM_FRAMES = 4, /* most frames of the program and the trampoline */
	STACK_PAUSE = 15, /* after a stack that cannot be stored, so many others are not stored */
	TRAMPOLINE_WORDS_ABOVE = 16, /* words of the trampoline's stack frame: parameters, bp, address */
	TRAMPOLINE_WORDS_BELOW = 12, /* its data below the parameters */
	USER_STACK_BYTES = 64, /* first size of a user stack; the kernel clears what it does not use */
};

enum frame_kind {
	FRAME_HAS_BASE = 1, /* register bp gives the places of this frame and of the following ones */
	FRAME_IS_END = 2, /* not a frame: the registers of the program are there */
};

/* Where a frame has its address: so many bytes above the base, which is the context at first. */
struct known_frame {
	u64 address;
	u16 place;
	u16 base; /* with FRAME_HAS_BASE: bytes from the base before to the word that has the new one */
	u32 kind; /* enum frame_kind */
};

struct known_stack {
	u32 first; /* index of the address in the hooked function; 0: there is no stack */
	u16 trampoline; /* bytes from the context down to the address in the trampoline */
	u16 registers; /* bytes from the start of the stack to the registers of the program */
	struct known_frame frames[KNOWN_FRAMES];
};

/* A copy of an entry of the kernel's ORC tables. */
struct orc_copy {
	u64 address, entry;
};

struct stack_cache {
	u32 caller; /* bytes from the context up to the address in the caller of the function; 0: not known */
	u16 pause;
	u16 is_long; /* the last stack of a program was longer than USER_STACK_BYTES */
	struct known_stack stacks[KNOWN_STACKS];
	struct orc_copy orc[ORC_COPIES];
};

enum scope_tracking {
	SCOPES_OFF = 0,
	SCOPES_LISTING = 1, /* the sensor stores new cgroups; user space adds those that exist already */
	SCOPES_COMPLETE = 2, /* every cgroup has an entry */
};

/* The kind of a cgroup. Its descendants inherit it. */
enum cgroup_kind {
	CGROUP_HOST = 0, /* in no container */
	CGROUP_UNNAMED = 1, /* in a container that no source has named: only the cgroup's name shows it */
	CGROUP_UNPROVEN = 2, /* the same, but a user other than root has chosen the name */
	CGROUP_NAMED = 3, /* in a container that a source has named */
	CGROUP_KINDS = 4,
};

struct scope_set {
	u64 words[SCOPE_WORDS];
};

/* The scopes of a cgroup of the unified hierarchy. Every cgroup has an entry. */
struct cgroup_scopes {
	u64 parent; /* id of the cgroup above; 0: none */
	u32 kind; /* enum cgroup_kind */
	u32 pad;
	struct scope_set scopes;
};

/* The key of the trie cgroup_scopes_more. */
struct cgroup_key_more {
	u32 bits; /* 64: the whole id is compared */
	u32 id[2]; /* the lower half first */
};

/* The state of a process at its exec, for matchNamespaceChanges and matchCapabilityChanges. */
struct process_state {
	u64 start_time;
	u64 cap_permitted, cap_effective, cap_inheritable;
	struct process_namespaces ns;
};

/* The request for a scan of the already running processes. */
struct scan_request {
	struct process_sets clear; /* sets without members, whose bits belonged to earlier sets */
	struct process_sets add; /* new sets: the scan finds their members */
	u64 since; /* CLOCK_BOOTTIME; a process that was forked later has its bits from the fork */
};

enum running_flag {
	RUNNING_KERNEL_THREAD = 1,
	RUNNING_NAMESPACE_INIT = 2, /* pid 1 of a pid namespace other than the initial one */
	RUNNING_FORGED = 4, /* its executable may not be the one of its exec */
	RUNNING_EXECUTABLE_DELETED = 8, /* its executable was removed */
	RUNNING_CWD_DELETED = 16, /* its folder was removed */
	RUNNING_EXECUTABLE_CHANGED = 32, /* while its path was written */
	RUNNING_CWD_CHANGED = 64,
};

/*
 * An already running process. The iterator list_processes writes its two paths, and then the struct. User space
 * replaces their lengths by the numbers of texts. 0: only /proc knows the path.
 */
struct running_process {
	struct process_key key; /* tid: a thread that has not ended, or tgid */
	u32 parent_tgid;
	u32 auid;
	u64 cgroup_id;
	struct process_creds creds;
	struct process_namespaces ns;
	u32 flags; /* enum running_flag */
	u32 executable, cwd; /* bytes of these paths */
	u32 pad;
	u64 executable_inode; /* the address of the executable's struct inode */
};

/* A file of a descriptor of user space. */
struct reported_inode {
	u64 inode;
	u64 address; /* of its struct inode */
	u32 device;
	u32 pad;
};

/* Index in the map reported_inode: each is used by one thread of user space. */
enum inode_slot { INODE_OF_POLICY, INODE_OF_HOST, INODE_SLOTS };

/* The key of the tries process_bits_more and process_states_more. */
struct process_key_more {
	u32 bits; /* 32: all of tgid is compared */
	u32 tgid;
};

/* ---- marks -------------------------------------------------------------------------------------------------- */

/*
 * The owner of marks: a process (its start and tgid), or a container (the id of its cgroup and 0). No two processes
 * since boot have the same key.
 */
struct mark_owner {
	u64 start_time;
	u32 tgid;
	u32 slot; /* in the key of a struct mark_detail */
};

/* Set in an id of struct owned_marks: there was no memory for the struct mark_detail. The mark then stays. */
enum mark_bit { MARK_WITHOUT_DETAIL = 0x80000000 };

/* The ids of the marks that an owner may have, by slot. 0: none. An entry lives as long as its owner. */
struct owned_marks {
	u32 ids[MARKS_MAX];
};

/* A mark of an owner. It is set if its id is the one of the struct mark_name of its slot, until it ends. */
struct mark_detail {
	u64 until; /* CLOCK_BOOTTIME */
	u32 id;
	u32 inherits;
	struct mark_cause cause;
};

enum { MARK_NAME_BYTES = 504 };

/*
 * The mark that has a slot now. The lower bits of an id are the slot. An id is never used again, so what an earlier
 * mark of the slot has left is not valid.
 */
struct mark_name {
	u32 id;
	u32 length;
	u8 name[MARK_NAME_BYTES];
};

/* One for all CPUs. It says without a look-up that a process has no mark. */
struct mark_words {
	u32 counts[MARK_BUCKETS]; /* marked processes, by the lower bits of their tgid */
	u32 containers; /* containers that have marks */
	u32 unknown; /* owners whose marks could not be stored */
};

enum { PID_LIMIT = 4194304 }; /* the kernel's largest pid_max */

struct pid_key {
	u32 pid;
	u32 in_namespace; /* not 0: `pid` is the number in the process's own pid namespace */
};

#define ABI_SIZE(type, bytes) _Static_assert(sizeof(struct type) == (bytes), #type)
ABI_SIZE(event_header, 16);
ABI_SIZE(process_key, 24);
ABI_SIZE(string_ref, 8);
ABI_SIZE(process_creds, 56);
ABI_SIZE(running_process, 160);
ABI_SIZE(reported_inode, 24);
ABI_SIZE(process_namespaces, 40);
ABI_SIZE(event_exec, 208);
ABI_SIZE(event_fork, 56);
ABI_SIZE(event_exit, 48);
ABI_SIZE(event_cgroup, 32 + CGROUP_PATH_CAPACITY);
ABI_SIZE(event_cgroup_gone, 24);
ABI_SIZE(value, 40);
ABI_SIZE(event_hook, 80);
ABI_SIZE(selector_actions, 32);
ABI_SIZE(enforcer_config, 8);
ABI_SIZE(assignment, 16);
ABI_SIZE(count_config, 48);
ABI_SIZE(count_key, 72);
ABI_SIZE(direct_key, 96);
ABI_SIZE(count_sum, 400);
ABI_SIZE(count_text_key, 24);
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
ABI_SIZE(string_table, 56);
ABI_SIZE(object_config, 296);
ABI_SIZE(process_test, 16);
ABI_SIZE(change_test, 32);
ABI_SIZE(mark_cause, 240);
ABI_SIZE(mark_test, 48);
ABI_SIZE(mark_action, 24);
ABI_SIZE(mark_owner, 16);
ABI_SIZE(mark_detail, 256);
ABI_SIZE(mark_name, 512);
ABI_SIZE(scope_test, 16);
ABI_SIZE(match_entry, 16);
ABI_SIZE(trie_key, 260);
ABI_SIZE(int_key, 16);
ABI_SIZE(address_key, 24);
ABI_SIZE(inode_key, 16);
ABI_SIZE(automaton_state, 520);
ABI_SIZE(group_header, 136 + (1 << GROUP_END_BITS) / 8 + (1 << GROUP_KEY_BITS) / 8);
ABI_SIZE(group_set, 24 + GROUP_RULES_MAX / 8 + GROUP_EQUAL_MAX);
ABI_SIZE(group_rule, 48);
ABI_SIZE(group_test, 24);
ABI_SIZE(control, 184);
ABI_SIZE(hook_counters, 128);
ABI_SIZE(process_bits, 80);
ABI_SIZE(negative_entry, 128);
ABI_SIZE(stack_cache, 8 + KNOWN_STACKS * (8 + 16 * KNOWN_FRAMES) + 16 * ORC_COPIES);
ABI_SIZE(cgroup_scopes, 48);
ABI_SIZE(cgroup_key_more, 12);
ABI_SIZE(process_state, 72);
ABI_SIZE(scan_request, 72);
ABI_SIZE(process_key_more, 8);
ABI_SIZE(pid_key, 8);

#define ABI_FITS(type, capacity) _Static_assert(sizeof(struct type) <= (capacity), #type)
ABI_FITS(net_detail, DETAIL_CAPACITY);
ABI_FITS(cred_detail, DETAIL_CAPACITY);
ABI_FITS(user_namespace_detail, DETAIL_CAPACITY);
ABI_FITS(bpf_detail, DETAIL_CAPACITY);
ABI_FITS(perf_detail, DETAIL_CAPACITY);
ABI_FITS(module_detail, DETAIL_CAPACITY);
_Static_assert(STACK_FRAMES_MAX * sizeof(u64) <= STACK_CAPACITY, "stack");
_Static_assert(sizeof(struct event_exec) + 3 * STRING_CAPACITY + ARGV_BYTES_MAX + ENVIRONMENT_BYTES_MAX <=
		       RECORD_SIZE_MAX,
	       "exec");

#endif
