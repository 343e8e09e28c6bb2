/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Credentials, namespaces and open files of a process. */
#ifndef POLYTRACE_TASK_BPF_H
#define POLYTRACE_TASK_BPF_H

#include "common.bpf.h"

enum { PF_KTHREAD = 0x00200000 }; /* a value of task_struct.flags */

static __always_inline void fill_creds(struct process_creds *out, const struct cred *cred)
{
	out->uid = READ(cred, uid.val);
	out->gid = READ(cred, gid.val);
	out->euid = READ(cred, euid.val);
	out->egid = READ(cred, egid.val);
	out->suid = READ(cred, suid.val);
	out->sgid = READ(cred, sgid.val);
	out->fsuid = READ(cred, fsuid.val);
	out->fsgid = READ(cred, fsgid.val);
	out->cap_permitted = READ_U64(cred, cap_permitted);
	out->cap_effective = READ_U64(cred, cap_effective);
	out->cap_inheritable = READ_U64(cred, cap_inheritable);
}

/*
 * The inode number of a namespace. A read through a null pointer gives 0: there is no namespace. A branch would double
 * the verifier's work.
 */
#define NS_INUM(pointer)                         \
	({                                       \
		typeof(pointer) ns_ = (pointer); \
		(u32) READ(ns_, ns.inum);        \
	})

/* The pid of the process in its own pid namespace, which is the innermost one. */
static __always_inline void read_upid(struct task_struct *task, struct pid_namespace **ns, u32 *number)
{
	struct pid *pid = READ(task, thread_pid);
	struct pid_namespace *found = 0;
	void *upid;
	u32 nr = 0;

	upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       READ(pid, level) * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(&found, sizeof(found), upid + bpf_core_field_offset(struct upid, ns));
	bpf_probe_read_kernel(&nr, sizeof(nr), upid + bpf_core_field_offset(struct upid, nr));
	*ns = found;
	*number = nr;
}

/*
 * False: the owner of the pid namespace is a user namespace that any user can have created. There, a user can get every
 * number, and is process 1 to begin with. Such a number exempts no process.
 */
static __always_inline bool is_host_pid_namespace(struct pid_namespace *ns)
{
	struct user_namespace *owner;

	ns = KERNEL(pid_namespace, ns);
	owner = READ(ns, user_ns);
	return owner && !READ(owner, level);
}

/* The inode number of the process's own pid namespace. */
static __always_inline u32 read_pid_namespace(struct task_struct *task)
{
	struct pid_namespace *ns;
	u32 number;

#ifndef READ_PROBE
	struct pid *pid = READ(task, thread_pid);

	/* most processes are in the initial pid namespace, and a helper call costs more than the reads */
	if (!READ(pid, level))
		return READ(pid, numbers[0].ns->ns.inum);
#endif
	read_upid(task, &ns, &number);
	ns = KERNEL(pid_namespace, ns);
	return NS_INUM(ns);
}

static __always_inline void fill_namespaces(struct process_namespaces *out, struct task_struct *task)
{
	struct nsproxy *proxy = READ(task, nsproxy);
	const struct cred *cred = READ(task, cred);

	out->user = NS_INUM(READ(cred, user_ns));
	out->uts = NS_INUM(READ(proxy, uts_ns));
	out->ipc = NS_INUM(READ(proxy, ipc_ns));
	out->mnt = NS_INUM(READ(proxy, mnt_ns));
	out->pid_for_children = NS_INUM(READ(proxy, pid_ns_for_children));
	out->net = NS_INUM(READ(proxy, net_ns));
	out->time = 0;
	out->time_for_children = 0;
	if (bpf_core_field_exists(proxy->time_ns)) {
		out->time = NS_INUM(READ(proxy, time_ns));
		out->time_for_children = NS_INUM(READ(proxy, time_ns_for_children));
	}
	out->cgroup = NS_INUM(READ(proxy, cgroup_ns));
	out->pid = read_pid_namespace(task);
}

static __always_inline void fill_state(struct process_state *state, struct task_struct *task)
{
	const struct cred *cred = READ(task, cred);

	state->cap_permitted = READ_U64(cred, cap_permitted);
	state->cap_effective = READ_U64(cred, cap_effective);
	state->cap_inheritable = READ_U64(cred, cap_inheritable);
	fill_namespaces(&state->ns, task);
}

/* The open file of a descriptor of the current process, or null. */
static __always_inline struct file *lookup_fd(s32 fd)
{
	struct task_struct *task = current_task();
	struct files_struct *files = READ(task, files);
	struct fdtable *table;
	struct file **slots, *file = 0;

	if (!files || fd < 0)
		return 0;
	table = READ(files, fdt);
	if ((u32)fd >= READ(table, max_fds))
		return 0;
	slots = READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &slots[fd]);
	return file;
}

#endif
