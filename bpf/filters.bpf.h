/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Filters without strings: on numbers, on expressions, on the process. Each takes the candidate selectors as bits, and
 * returns the candidates that can still match.
 */
#ifndef POLYTRACE_FILTERS_BPF_H
#define POLYTRACE_FILTERS_BPF_H

#include "scopes.bpf.h"
#include "values.bpf.h"
#include "task.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set at load */
	__type(key, struct int_key);
	__type(value, struct match_entry);
} int_equal SEC(".maps");

static __always_inline u64 apply_entry(u64 candidates, const volatile struct table *table,
				       const struct match_entry *entry)
{
	if (!entry)
		return candidates & ~table->positive;
	return candidates & (entry->match | ~table->positive) & ~entry->reject;
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */

static __always_inline bool is_test_true(const volatile struct int_test *test, u64 value)
{
	u32 op = test->op;
	u64 against = test->value;

	if (op == INT_EQUAL)
		return value == against;
	if (op == INT_MASK)
		return value & against;
	if (op == INT_GREATER)
		return value > against;
	if (op == INT_LESS)
		return value < against;
	if (op == INT_GREATER_SIGNED)
		return (s64)value > (s64)against;
	if (op == INT_LESS_SIGNED)
		return (s64)value < (s64)against;
	if (op == INT_RANGE)
		return value >= against && value <= test->upper;
	return (s64)value >= (s64)against && (s64)value <= (s64)test->upper;
}

static __always_inline u64 add_hits(u64 hits, u32 index, u64 value)
{
	const volatile struct int_test *test = &config.tests[index];

	if (is_test_true(test, value))
		hits |= test->selectors;
	return hits;
}

static __always_inline u64 filter_group(u64 candidates, u32 index, u64 value)
{
	const volatile struct int_group *group = &config.groups[index];
	u32 first = group->first, count = group->count;
	u64 hits = unknown_zero(value);

	/* most groups have one or two tests: for these, the optimizer removes the loop */
	if (count > 0)
		hits = add_hits(hits, first, value);
	if (count > 1)
		hits = add_hits(hits, first + 1, value);
	for (u32 i = 2; i < INT_TESTS_MAX && i < count; i++)
		hits = add_hits(hits, first + i, value);
	return group->negate ? candidates & ~hits : candidates & (hits | ~group->selectors);
}

static __always_inline u64 filter_number(u64 candidates, u32 slot, u64 value)
{
	const volatile struct value_config *spec = &config.values[slot];
	u32 first = spec->first_group, count = spec->groups_count;

	for (u32 i = 0; i < INT_GROUPS_MAX && i < count; i++) {
		candidates = filter_group(candidates, first + i, value);
		if (!candidates)
			return 0;
	}
	if (spec->integers.used && candidates & spec->integers.used) {
		struct int_key key = { .value = value, .slot = slot };

		candidates = apply_entry(candidates, &spec->integers, bpf_map_lookup_elem(&int_equal, &key));
	}
	return candidates;
}

/* Reads a number. `values`: at the return, those of the entry; run_return() has stored the duration there. */
static __always_inline u64 read_number(void *ctx, u32 slot, u64 returned, const struct value *values)
{
	if (config.values[slot].source == SOURCE_DURATION)
		return values ? values[slot].value : 0;
	return read_scalar_inline(ctx, slot, returned);
}

static __always_inline u64 filter_numbers(void *ctx, u64 candidates, enum phase phase, u64 returned,
					  const struct value *values)
{
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *value = &config.values[i];

		if (i >= config.values_count)
			break;
		if (value->read != READ_SCALAR || !is_in_phase(value, phase))
			continue;
		if (!value->groups_count && !value->integers.used)
			continue;
		candidates = filter_number(candidates, i, read_number(ctx, i, returned, values));
		if (!candidates)
			return 0;
	}
	return candidates;
}

/* ---- expressions -------------------------------------------------------------------------------------------- */

/*
 * CEL expressions. Before the program is loaded, user space compiles them to instructions and overwrites the bodies
 * below. It finds a body by its first instruction. An unchanged body lets every candidate pass.
 */
#define CEL_STUB(name, number)                                            \
	static __noinline u64 name(const u64 *values, u64 candidates)     \
	{                                                                 \
		register const u64 *first asm("r1") = values;             \
		register u64 second asm("r2") = candidates;               \
		register u64 result asm("r0");                            \
                                                                          \
		asm volatile("r0 = %3\n.rept %4\nr0 = r0\n.endr\nr0 = r2" \
			     : "=r"(result), "+r"(first), "+r"(second)    \
			     : "i"(number), "i"(CEL_INSTRUCTIONS - 3)     \
			     : "r3", "r4", "r5", "memory");               \
		return result;                                            \
	}

CEL_STUB(cel_entry, CEL_ENTRY_MARK)
CEL_STUB(cel_return, CEL_RETURN_MARK)

/* `values`: at the return, the values that the entry has read; otherwise null. */
static __always_inline u64 filter_cel(void *ctx, u64 candidates, enum phase phase, u64 returned, struct value *values)
{
	u64 numbers[HOOK_VALUES_MAX] = {};

#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		const volatile struct value_config *value = &config.values[i];

		if (i >= config.values_count)
			break;
		if (value->read != READ_SCALAR)
			continue;
		if (is_in_phase(value, phase) && value->source != SOURCE_DURATION)
			numbers[i] = read_scalar(ctx, i, returned);
		else if (values)
			numbers[i] = values[i].value;
	}
	if (config.has_cel_entry && phase != PHASE_RETURN)
		candidates = cel_entry(numbers, candidates);
	if (config.has_cel_return && phase != PHASE_ENTRY)
		candidates = cel_return(numbers, candidates);
	return candidates;
}

/* ---- the process -------------------------------------------------------------------------------------------- */

static __noinline u64 read_process_field(u32 field)
{
	struct task_struct *task = current_task();
	const struct cred *cred = READ(task, cred);
	struct process_namespaces ns;
	u32 index = field - PROCESS_NAMESPACE;

	switch ((enum process_field)field) {
	case PROCESS_TGID:
		return READ(task, tgid);
	case PROCESS_NAMESPACE_TGID: {
		struct task_struct *leader = READ(task, group_leader);
		struct pid_namespace *pid_ns;
		u32 number;

		read_upid(leader, &pid_ns, &number);
		return number;
	}
	case PROCESS_CAP_PERMITTED:
		return READ_U64(cred, cap_permitted);
	case PROCESS_CAP_EFFECTIVE:
		return READ_U64(cred, cap_effective);
	case PROCESS_CAP_INHERITABLE:
		return READ_U64(cred, cap_inheritable);
	case PROCESS_NAMESPACE:
		break;
	}
	fill_namespaces(&ns, task);
	if (index >= sizeof(ns) / sizeof(u32))
		return 0;
	return ((u32 *)&ns)[index];
}

static __noinline bool has_host_pid_namespace(void)
{
	struct task_struct *leader = READ(current_task(), group_leader);
	struct pid_namespace *ns;
	u32 number;

	read_upid(leader, &ns, &number);
	return is_host_pid_namespace(ns);
}

/* A number in the process's own pid namespace selects. It exempts only if the process cannot have chosen it. */
static __always_inline u64 filter_namespace_pid(u64 candidates, u32 index)
{
	const volatile struct int_group *group = &config.groups[index];
	u64 left = filter_group(candidates, index, read_process_field(PROCESS_NAMESPACE_TGID));

	if (has_host_pid_namespace())
		return left;
	if (group->negate)
		left = candidates;
	return left & ~(config.suppresses & group->selectors);
}

/* A cache for a hook with one scope; see enum scope_cache. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SCOPE_CACHE_BITS);
	__type(key, u32);
	__type(value, u64);
} scope_cache SEC(".maps");

/* Tests the scopes of the policy and of its selectors. */
static __noinline u64 filter_scope_tests(u64 candidates, u64 id)
{
	const struct cgroup_scopes *known = lookup_scopes(id);
	u64 words[SCOPE_WORDS], suppresses = config.suppresses;
	u32 count = config.scope_tests;

	candidates += unknown_zero(id);
#pragma unroll
	for (u32 i = 0; i < SCOPE_WORDS; i++)
		words[i] = known ? known->scopes.words[i] : ~0ULL;
	for (u32 i = 0; i < SCOPE_TESTS_MAX && i < count; i++) {
		const volatile struct scope_test *test = &config.scopes[i];
		u32 scope = test->scope;
		u64 fails = ~(words[(scope / 64) % SCOPE_WORDS] >> (scope % 64)) & 1;

		/* no branch here: the verifier would follow both sides */
		opaque(fails);
		candidates &= ~(test->selectors & -fails);
		if (!known)
			candidates &= ~(test->selectors & suppresses); /* an unknown cgroup is not exempt */
	}
	return candidates;
}

/*
 * Tests the scope by the table and caches the answer, unless the cgroup is unknown. User space increments the epoch
 * when a change of scopes is complete. The epoch is therefore read before the table.
 */
static __noinline u64 filter_uncached_scope(u64 candidates, u64 id, u64 *word)
{
	const volatile struct scope_test *test = &config.scopes[0];
	const struct cgroup_scopes *known;
	struct control *c = shared_control();
	u32 scope = test->scope;
	u64 epoch, in;

	if (!c || !word)
		return filter_scope_tests(candidates, id);
	epoch = read_after_barrier(&c->scope_epoch);
	known = lookup_scopes(id);
	if (!known)
		return filter_scope_tests(candidates, id);
	in = known->scopes.words[(scope / 64) % SCOPE_WORDS] >> (scope % 64) & 1;
	*(volatile u64 *)word = epoch | id << SCOPE_ID_SHIFT | in;
	return candidates & ~(test->selectors & (in - 1));
}

static __always_inline u64 filter_scopes(u64 candidates)
{
	u64 id = current_cgroup();
	struct control *c;
	u64 *word, seen;
	u32 index;

	if (config.scope_tests > 1 || id >> SCOPE_ID_BITS)
		return filter_scope_tests(candidates, id);
	index = (u32)id * 0x9e3779b1 >> (32 - SCOPE_CACHE_BITS);
	word = bpf_map_lookup_elem(&scope_cache, &index);
	c = shared_control();
	if (!word || !c)
		return filter_scope_tests(candidates, id);
	seen = *(volatile u64 *)word;
	if (seen >> 1 != (*(volatile u64 *)&c->scope_epoch | id << SCOPE_ID_SHIFT) >> 1)
		return filter_uncached_scope(candidates, id, word);
	return candidates & ~(config.scopes[0].selectors & ((seen & 1) - 1));
}

/* `first` and `count`: tests in config.process. */
static __always_inline u64 filter_sets(u64 candidates, u32 tgid, u32 first, u32 count)
{
	const struct process_bits *bits = lookup_bits(tgid);
	u64 words[2 * PROCESS_WORDS] = {};

	candidates += unknown_zero(tgid);
	/* a process without an entry is in no set */
	if (bits) {
		__builtin_memcpy(words, bits->own.words, sizeof(bits->own.words));
		__builtin_memcpy(words + PROCESS_WORDS, bits->parent.words, sizeof(bits->parent.words));
	}
	for (u32 i = 0; i < PROCESS_TESTS_MAX && i < count; i++) {
		const volatile struct process_test *test = &config.process[first + i];
		u32 set = test->set, word = (set / 64) % PROCESS_WORDS + (test->parent ? PROCESS_WORDS : 0);
		u64 fails = ((words[word] >> (set % 64)) & 1) ^ !test->negate;

		/* no branch here: the verifier would follow both sides */
		opaque(fails);
		candidates &= ~(test->selectors & -fails);
	}
	return candidates;
}

/*
 * A selector without an action matches a program by its path, and a process can create that path itself. If the
 * executable is not trusted to be the file of this path, such a selector yields to a selector with an action. Returns
 * the candidates; the lowest one decides.
 */
static __noinline u64 yield_to_acting(u64 candidates)
{
	if (!(candidates & config.acting))
		return candidates;
	return filter_sets(candidates, READ(current_task(), tgid), config.process_tests, config.yielding_tests);
}

static __always_inline u32 changed_namespaces(const struct process_namespaces *a, const struct process_namespaces *b)
{
	const u32 *x = (const u32 *)a, *y = (const u32 *)b;
	u32 changed = unknown_zero(x[0]);

	/* without branches: the verifier would follow every combination of changes */
#pragma unroll
	for (u32 i = 0; i < sizeof(*a) / sizeof(u32); i++) {
		u32 differs = x[i] ^ y[i];

		differs |= -differs;
		opaque(differs);
		changed |= differs >> 31 << i;
	}
	return changed;
}

/*
 * The earlier state of the current process. Null: the state is unknown, because the kernel had no memory for it. A
 * process that is older than the filters, and that the scan could not visit, is compared with its state at its first
 * call.
 */
static __always_inline struct process_state *find_known_state(u32 tgid, struct process_state *now)
{
	struct process_state *known = lookup_state(tgid);
	struct control *c = shared_control();
	struct task_struct *task = current_task();
	struct task_struct *leader = READ(task, group_leader);

	now->start_time = READ(leader, start_boottime);
	fill_state(now, task);
	if (known || !c || now->start_time > c->state_since)
		return known;
	bpf_map_update_elem(&process_states, &tgid, now, BPF_NOEXIST);
	return now;
}

/* The state of a process when this hook last reported it. If the entry was evicted, the hook reports it again. */
struct reported_state {
	u64 exec_count;
	struct process_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct reported_state);
} reported_states SEC(".maps");

/* As find_known_state(), but the state that this hook has reported since the exec comes first. */
static __always_inline struct process_state *find_reference_state(u32 tgid, u64 exec_count, struct process_state *now)
{
	struct process_state *known = find_known_state(tgid, now);
	struct reported_state *reported = bpf_map_lookup_elem(&reported_states, &tgid);

	if (reported && reported->state.start_time == now->start_time && reported->exec_count == exec_count)
		return &reported->state;
	return known;
}

static __noinline u64 filter_changes(u64 candidates, u32 tgid)
{
	struct process_state now = {};
	u64 exec_count = READ(current_task(), self_exec_id);
	struct process_state *known = find_reference_state(tgid, exec_count, &now);
	u64 permitted = 0, effective = 0, inheritable = 0;
	u32 namespaces = 0, count = config.change_tests;

	candidates += unknown_zero(tgid);
	if (known) {
		permitted = known->cap_permitted ^ now.cap_permitted;
		effective = known->cap_effective ^ now.cap_effective;
		inheritable = known->cap_inheritable ^ now.cap_inheritable;
		namespaces = changed_namespaces(&known->ns, &now.ns);
	}
	for (u32 i = 0; i < CHANGE_TESTS_MAX && i < count; i++) {
		const volatile struct change_test *test = &config.changes[i];
		u32 set = test->capability_set;
		u64 caps = set == PROCESS_CAP_PERMITTED   ? permitted
			   : set == PROCESS_CAP_EFFECTIVE ? effective
							  : inheritable;
		bool changed = (caps & test->capabilities) || (namespaces & test->namespaces);

		if (test->outside_host && now.ns.user == test->host_user)
			candidates &= ~test->selectors;
		else if (!known)
			candidates &= ~(test->selectors & config.suppresses); /* an unknown state matches */
		else if (!changed)
			candidates &= ~test->selectors;
	}
	return candidates;
}

static __always_inline u64 replace_bits(u64 earlier, u64 now, u64 bits)
{
	return (earlier & ~bits) | (now & bits);
}

static __always_inline void replace_namespaces(struct process_namespaces *now, const struct process_namespaces *earlier,
					       u32 replaced)
{
	const u32 *x = (const u32 *)earlier;
	u32 *y = (u32 *)now;

	/* without branches, as in changed_namespaces() */
#pragma unroll
	for (u32 i = 0; i < sizeof(*now) / sizeof(u32); i++) {
		u32 bits = -(replaced >> i & 1);

		opaque(bits);
		y[i] = replace_bits(x[i], y[i], bits);
	}
}

/*
 * The selector `matched` has reported what its filters name. That is the reference for later changes; the rest still
 * has to be reported, by another selector or for another reason.
 */
static __noinline void update_state(u32 tgid, u64 matched)
{
	struct reported_state next = { .exec_count = READ(current_task(), self_exec_id) };
	struct process_state *earlier = find_reference_state(tgid, next.exec_count, &next.state);
	u64 permitted = 0, effective = 0, inheritable = 0;
	u32 namespaces = 0, count = config.change_tests;

	if (!earlier)
		return;
	permitted += unknown_zero(tgid);
	for (u32 i = 0; i < CHANGE_TESTS_MAX && i < count; i++) {
		const volatile struct change_test *test = &config.changes[i];
		u64 named = test->selectors & matched ? ~0ULL : 0;
		u32 set = test->capability_set;

		opaque(named);
		namespaces |= test->namespaces & named;
		if (set == PROCESS_CAP_PERMITTED)
			permitted |= test->capabilities & named;
		else if (set == PROCESS_CAP_EFFECTIVE)
			effective |= test->capabilities & named;
		else
			inheritable |= test->capabilities & named;
	}
	next.state.cap_permitted = replace_bits(earlier->cap_permitted, next.state.cap_permitted, permitted);
	next.state.cap_effective = replace_bits(earlier->cap_effective, next.state.cap_effective, effective);
	next.state.cap_inheritable = replace_bits(earlier->cap_inheritable, next.state.cap_inheritable, inheritable);
	replace_namespaces(&next.state.ns, &earlier->ns, namespaces);
	bpf_map_update_elem(&reported_states, &tgid, &next, BPF_ANY);
}

static __always_inline bool is_kernel_thread(struct task_struct *task)
{
	/* with the memory of a process, it works for that process */
	return READ(task, flags) & PF_KTHREAD && !READ(task, mm);
}

static __always_inline u64 filter_process(struct task_struct *task, u64 candidates)
{
	u32 tgid, count = config.process_groups;

	if (!config.self_tgid && !count && !config.process_tests && !config.change_tests)
		return candidates;
	tgid = READ(task, tgid);
	/* the tracer may have ended, and its pid may belong to another process */
	if (tgid == config.self_tgid && is_self(tgid))
		return 0;
	for (u32 i = 0; i < INT_GROUPS_MAX && i < count; i++) {
		u32 field = config.groups[i].field;

		if (field == PROCESS_NAMESPACE_TGID)
			candidates = filter_namespace_pid(candidates, i);
		else
			candidates =
				filter_group(candidates, i, field == PROCESS_TGID ? tgid : read_process_field(field));
		if (!candidates)
			return 0;
	}
	if (config.process_tests)
		candidates = filter_sets(candidates, tgid, 0, config.process_tests);
	if (config.needs_executable && config.needs_executable & candidates && is_kernel_thread(task))
		candidates &= ~config.needs_executable;
	if (candidates && config.change_tests)
		candidates = filter_changes(candidates, tgid);
	return candidates;
}

#endif
