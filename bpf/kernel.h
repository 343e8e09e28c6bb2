/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel types and fields that the programs read, and no others. The offsets here have no meaning: CO-RE finds each
 * field by its name in the BTF of the running kernel.
 */
#ifndef POLYTRACE_KERNEL_H
#define POLYTRACE_KERNEL_H
#define __VMLINUX_H__

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef signed short s16;
typedef int s32;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s8 __s8;
typedef s16 __s16;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* from linux/bpf.h: the values that the programs use */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_F_MMAPABLE = 1024,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	union {
		struct {
			u32 hash;
			u32 len;
		};
		u64 hash_len;
	};
	const unsigned char *name;
};

struct dentry;

struct super_block {
	u32 s_dev;
	struct dentry *s_root;
	unsigned long s_magic;
	struct user_namespace *s_user_ns;
	void *s_encoding; /* with CONFIG_UNICODE */
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct inode {
	unsigned short i_mode;
	unsigned int i_nlink;
	unsigned long i_ino;
	u32 i_generation;
	struct super_block *i_sb;
	struct timespec64 i_ctime; /* before 6.6 */
	void *i_private;
};

struct inode___since_6_6 {
	struct timespec64 __i_ctime;
};

struct inode___since_6_11 {
	s64 i_ctime_sec;
	u32 i_ctime_nsec;
};

struct seqcount {
	unsigned int sequence;
};

struct rcu_state {
	unsigned long gp_seq;
};

struct rcu_segcblist {
	unsigned long gp_seq[4];
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

struct dentry {
	unsigned int d_flags;
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	unsigned char d_iname[32];
	struct super_block *d_sb;
};

union shortname_store {
	unsigned char string[32];
};

struct dentry___since_6_14 {
	union shortname_store d_shortname;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct cred;

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
	const struct cred *f_cred;
};

struct filename {
	const char *name;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root, pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};

struct new_utsname {
	char sysname[65];
};

struct uts_namespace {
	struct ns_common ns;
};
struct ipc_namespace {
	struct ns_common ns;
};
struct user_namespace;

struct pid_namespace {
	struct ns_common ns;
	struct user_namespace *user_ns;
};
struct net {
	struct ns_common ns;
};
struct time_namespace {
	struct ns_common ns;
};
struct cgroup_namespace {
	struct ns_common ns;
};

typedef struct {
	u32 val;
} kuid_t;
typedef struct {
	u32 val;
} kgid_t;

struct binfmt_misc;

struct user_namespace {
	int level;
	struct user_namespace *parent;
	struct binfmt_misc *binfmt_misc; /* since 6.7 */
	kuid_t owner;
	kgid_t group;
	struct ns_common ns;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct time_namespace *time_ns;
	struct time_namespace *time_ns_for_children;
	struct cgroup_namespace *cgroup_ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

/* one 64-bit word, or two of 32 bits before 6.3; the bytes are the same on little-endian machines */
typedef struct {
	u64 val;
} kernel_cap_t;

struct cred {
	kuid_t uid, suid, euid, fsuid;
	kgid_t gid, sgid, egid, fsgid;
	unsigned int securebits;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective;
	struct user_namespace *user_ns;
};

struct kernfs_node {
	const char *name;
	u64 id;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	int counter;
} atomic_t;

struct list_head {
	struct list_head *next;
};

struct signal_struct {
	atomic_t live;
	struct list_head thread_head;
	unsigned int flags;
	int group_exit_code;
};

struct thread_info {
	unsigned long flags;
	u32 status; /* x86 only */
};
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	struct list_head thread_node;
	u32 pid, tgid;
	int exit_code;
	int exit_state;
	u64 start_boottime;
	u64 self_exec_id;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	const struct cred *real_cred, *cred;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct pid *thread_pid;
	kuid_t loginuid;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	unsigned int secureexec : 1;
};

struct kiocb {
	struct file *ki_filp;
};

struct iovec {
	void *iov_base;
	u64 iov_len;
};

/* the values differ between kernel versions; bpf_core_enum_value gives those of the running kernel */
enum iter_type {
	ITER_IOVEC,
	ITER_KVEC,
	ITER_UBUF,
};

struct iov_iter {
	u8 iter_type;
	u64 iov_offset;
	u64 count;
	unsigned long nr_segs;
	const struct iovec *iov; /* before 6.4 */
	const struct iovec *__iov; /* since 6.4 */
	void *ubuf;
};

struct in6_addr {
	u8 bytes[16];
};

typedef struct {
	s64 counter;
} atomic64_t;

struct sock_common {
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_type, sk_protocol;
	u32 sk_priority, sk_mark;
};

struct socket {
	struct sock *sk;
};

struct sk_buff {
	unsigned int len;
	u16 protocol, transport_header, network_header;
	u32 priority, hash, mark;
	unsigned char *head;
	struct sock *sk;
};

struct net_device {
	char name[16];
};

struct module {
	char name[56];
	unsigned long taints;
	bool sig_ok;
};

struct load_info {
	const char *name;
	bool sig_ok;
};

enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC };

struct bpf_map {
	enum bpf_map_type map_type;
	u32 key_size, value_size, max_entries;
	char name[16];
};

struct bpf_prog_aux {
	char name[16];
};

struct bpf_prog {
	enum bpf_prog_type type;
	u32 len;
	struct bpf_prog_aux *aux;
};

struct perf_event_attr {
	u32 type;
	u64 config, kprobe_func, probe_offset;
};

struct perf_event {
	struct perf_event_attr attr;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_raw_tracepoint_args {
	u64 args[0];
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	struct user_pt_regs user_regs;
	u64 orig_x0;
};
#else
#error "unsupported architecture"
#endif

#pragma clang attribute pop

#endif
