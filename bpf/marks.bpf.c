// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Follows the owners of marks: a child gets the marks of its parent at the fork, before it runs, and the marks of a
 * process or of a container are removed when the kernel frees it. An exec needs no program: a mark that it ends has the
 * count of execs of its process.
 *
 * These programs are loaded with the first policy that has marks.
 */
#include "marks.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* True if this mark still has its slot. */
static __always_inline bool is_current_mark(u32 id)
{
	u32 slot = id & MARK_SLOT;
	struct mark_name *name = bpf_map_lookup_elem(&mark_names, &slot);

	return name && *(volatile u32 *)&name->id == id;
}

/* Copies one mark. The cause stays that of the parent. */
static __noinline int inherit_mark(const struct mark_owner *parent, const struct mark_owner *child, u32 id)
{
	u32 slot = id & MARK_SLOT;
	struct mark_owner from = { .start_time = parent->start_time, .tgid = parent->tgid, .slot = slot };
	struct mark_owner to = { .start_time = child->start_time, .tgid = child->tgid };
	struct mark_detail *detail = bpf_map_lookup_elem(&mark_details, &from);
	bool lost = id & MARK_WITHOUT_DETAIL;
	struct owned_marks *marks;

	id &= ~MARK_WITHOUT_DETAIL;
	if (!is_current_mark(id))
		return 0;
	if (!lost && (!detail || detail->id != id || !detail->inherits || bpf_ktime_get_boot_ns() >= detail->until))
		return 0;
	marks = find_or_add_owner(&to);
	if (!marks) {
		lose_owner();
		return 0;
	}
	to.slot = slot;
	if (lost || bpf_map_update_elem(&mark_details, &to, detail, BPF_ANY)) {
		count_lost_pending(HOOK_MARKS);
		id |= MARK_WITHOUT_DETAIL;
	}
	*(volatile u32 *)&marks->ids[slot & MARK_SLOT] = id;
	return 0;
}

static __always_inline int on_fork(struct task_struct *parent, struct task_struct *child)
{
	u32 bucket = READ(parent, tgid) & MARK_BUCKET;
	struct mark_owner from, to;
	struct owned_marks *marks;

	/* a thread is not a process */
	if (!mark_words.counts[bucket] || READ(child, pid) != READ(child, tgid))
		return 0;
	identify_process(&from, parent);
	identify_process(&to, child);
	marks = bpf_map_lookup_elem(&owned_marks, &from);
	if (!marks)
		return 0;
	for (u32 slot = 0; slot < MARKS_MAX; slot++) {
		u32 id = *(volatile u32 *)&marks->ids[slot];

		if (id)
			inherit_mark(&from, &to, id);
	}
	return 0;
}

static __always_inline int on_free(struct task_struct *task)
{
	u32 tgid = READ(task, tgid);
	struct mark_owner owner;

	if (!mark_words.counts[tgid & MARK_BUCKET] || READ(task, pid) != tgid)
		return 0;
	identify_process(&owner, task);
	remove_owner(&owner);
	return 0;
}

/* The kernel releases a cgroup when none of its processes is left. */
SEC("raw_tp/cgroup_release")
int handle_mark_cgroup_gone(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = KERNEL(cgroup, ctx->args[0]);
	struct kernfs_node *node = READ(cgroup, kn);
	struct mark_owner owner = { .start_time = READ(node, id) };

	if (mark_words.containers)
		remove_owner(&owner);
	return 0;
}

#ifdef READ_PROBE
SEC("raw_tp/sched_process_fork")
int handle_mark_fork(struct bpf_raw_tracepoint_args *ctx)
{
	return on_fork((void *)ctx->args[0], (void *)ctx->args[1]);
}

SEC("raw_tp/sched_process_free")
int handle_mark_free(struct bpf_raw_tracepoint_args *ctx)
{
	return on_free((void *)ctx->args[0]);
}
#else
TYPED_SEC("tp_btf/sched_process_fork")
int handle_mark_fork(u64 *ctx)
{
	return on_fork(KERNEL(task_struct, ctx[0]), KERNEL(task_struct, ctx[1]));
}

TYPED_SEC("tp_btf/sched_process_free")
int handle_mark_free(u64 *ctx)
{
	return on_free(KERNEL(task_struct, ctx[0]));
}

/* For kernels that can suspend these programs; see process.bpf.c. */
TYPED_SEC("tp_btf/sched_process_fork")
int exclusive_mark_fork(u64 *ctx)
{
	preempt_disable();
	on_fork(KERNEL(task_struct, ctx[0]), KERNEL(task_struct, ctx[1]));
	preempt_enable();
	return 0;
}

TYPED_SEC("tp_btf/sched_process_free")
int exclusive_mark_free(u64 *ctx)
{
	preempt_disable();
	on_free(KERNEL(task_struct, ctx[0]));
	preempt_enable();
	return 0;
}
#endif
