/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The program of a group: the hooks of many policies on one function. The including file defines POLICY_GROUP before
 * its other headers.
 *
 * The program reads each value and resolves the path once. One look-up for a string, or for a number, gives the set of
 * the rules (selectors) that it satisfies. Most calls end there. Otherwise the program walks through these rules, in
 * their order, and compares what else they filter. Unlike in the program of a single hook, the filters are not in
 * .rodata but in tables, so that policies can come and go while calls run.
 *
 * User space changes a table while programs read it. Each change of a set or rule is one of bits or bytes whose rules
 * are not enabled. A key of a table, a set, and a rule that were removed are used again only when all programs that may
 * have seen them have ended.
 */
#ifndef POLYTRACE_GROUP_BPF_H
#define POLYTRACE_GROUP_BPF_H

enum { GROUP_WORDS = GROUP_RULES_MAX / 64 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GROUP_SETS_MAX);
	__type(key, struct int_key);
	__type(value, u32); /* index in group_sets */
} group_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUP_SETS_MAX);
	__type(key, u32);
	__type(value, struct group_set);
} group_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUP_RULES_MAX);
	__type(key, u32);
	__type(value, struct group_rule);
} group_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUP_TESTS_MAX);
	__type(key, u32);
	__type(value, struct group_test);
} group_tests SEC(".maps");

/* ---- comparisons -------------------------------------------------------------------------------------------- */

static __always_inline bool compare_numbers(u64 value, const struct group_test *test)
{
	u64 against = test->value;

	switch ((enum int_op)test->op) {
	case INT_EQUAL:
		return value == against;
	case INT_MASK:
		return value & against;
	case INT_GREATER:
		return value > against;
	case INT_LESS:
		return value < against;
	case INT_GREATER_SIGNED:
		return (s64)value > (s64)against;
	case INT_LESS_SIGNED:
		return (s64)value < (s64)against;
	case INT_RANGE:
		return value >= against && value <= test->upper;
	case INT_RANGE_SIGNED:
		return (s64)value >= (s64)against && (s64)value <= (s64)test->upper;
	}
	return false;
}

static __noinline int load_process_sets(struct group_walk *walk)
{
	const struct process_bits *bits = lookup_bits(READ(current_task(), tgid));

#pragma unroll
	for (u32 i = 0; i < PROCESS_WORDS; i++) {
		walk->process[i] = bits ? bits->own.words[i] : 0;
		walk->process[PROCESS_WORDS + i] = bits ? bits->parent.words[i] : 0;
	}
	walk->facts |= FACTS_SETS;
	return 0;
}

static __noinline int load_scopes(struct group_walk *walk)
{
	const struct cgroup_scopes *known = lookup_scopes(current_cgroup());

#pragma unroll
	for (u32 i = 0; i < SCOPE_WORDS; i++)
		walk->scopes[i] = known ? known->scopes.words[i] : 0;
	walk->knows_cgroup = known != 0;
	walk->facts |= FACTS_SCOPES;
	return 0;
}

static __always_inline bool is_in_set(struct group_walk *walk, u32 set, u32 first)
{
	if (!(walk->facts & FACTS_SETS))
		load_process_sets(walk);
	return walk->process[first + (set / 64) % PROCESS_WORDS] >> (set % 64) & 1;
}

/* An unknown cgroup counts as a member of every scope, except for selectors that only suppress events. */
static __always_inline bool is_in_scope(struct group_walk *walk, u32 scope)
{
	if (!(walk->facts & FACTS_SCOPES))
		load_scopes(walk);
	if (!walk->knows_cgroup)
		return !(walk->flags & GROUP_SUPPRESSES);
	return walk->scopes[(scope / 64) % SCOPE_WORDS] >> (scope % 64) & 1;
}

static __noinline bool is_test_satisfied(struct hook_scratch *s, const struct group_test *test)
{
	u32 index = test->index;

	switch ((enum group_test_kind)test->kind) {
	case GROUP_TEST_NUMBER:
		return compare_numbers(value_slot(&s->record, index)->value, test);
	case GROUP_TEST_PROCESS:
		return compare_numbers(read_process_field(index), test);
	case GROUP_TEST_SET:
		return is_in_set(&s->walk, index, 0);
	case GROUP_TEST_PARENT_SET:
		return is_in_set(&s->walk, index, PROCESS_WORDS);
	case GROUP_TEST_SCOPE:
		return is_in_scope(&s->walk, index);
	}
	return false;
}

/* ---- the walk through the rules ----------------------------------------------------------------------------- */

/* All comparisons of the current rule hold. */
static __noinline int finish_rule(struct hook_scratch *s)
{
	struct hook_record *record = &s->record;
	u32 hook = s->walk.hook, used;
	struct hook_counters *counted;

	s->walk.decided_hook = hook;
#ifdef MOVES_INTO_GROUPS
	if (s->walk.flags & GROUP_LEAVES_MARK)
		leave_mark(s->walk.frame, current_move(hook));
#endif
	if (s->walk.flags & GROUP_COUNTS) {
		counted = bpf_map_lookup_elem(&counters, &hook);
		if (counted)
			__sync_fetch_and_add(&counted->matched, 1);
	}
	if (s->walk.flags & GROUP_NO_POST)
		return 0;
	used = at_most(record->used, config.body_size);
	record->event.hook = hook;
	record->event.matched = 1ULL << (s->walk.selector & 63);
	record->event.header.size = sizeof(struct event_hook) + used;
	emit(&record->event, sizeof(struct event_hook) + used, hook);
	return 0;
}

static __always_inline void begin_rule(struct hook_scratch *s, u32 number)
{
	const struct group_rule *rule = bpf_map_lookup_elem(&group_rules, &number);
	struct group_walk *walk = &s->walk;

	if (!rule || rule->hook == walk->decided_hook)
		return;
	/* the rules of a hook are enabled one after the other: the first one decides about all of them */
	if (!*(volatile u8 *)&rule->enabled) {
		walk->decided_hook = rule->hook;
		return;
	}
	walk->hook = rule->hook;
	walk->selector = rule->selector;
	walk->flags = rule->flags;
	if (walk->flags & GROUP_NEEDS_EXECUTABLE && is_kernel_thread(current_task()))
		return;
	walk->test = rule->first_test;
	walk->tests_end = walk->test + rule->tests_count;
	walk->is_hit = 0;
	if (!rule->tests_count)
		finish_rule(s);
}

static __always_inline void run_test(struct hook_scratch *s)
{
	struct group_walk *walk = &s->walk;
	u32 number = walk->test++;
	const struct group_test *test = bpf_map_lookup_elem(&group_tests, &number);

	if (!test) {
		walk->tests_end = walk->test;
		return;
	}
	walk->is_hit |= is_test_satisfied(s, test);
	if (!test->last)
		return;
	if (walk->is_hit == test->negate) {
		walk->tests_end = walk->test;
		return;
	}
	walk->is_hit = 0;
	if (walk->test == walk->tests_end)
		finish_rule(s);
}

static __always_inline u64 read_set_word(u32 set, u32 index)
{
	const struct group_set *found = bpf_map_lookup_elem(&group_sets, &set);

	return found && index < GROUP_WORDS ? *(volatile u64 *)&found->words[index] : 0;
}

static __always_inline void begin_word(struct group_walk *walk)
{
	u32 index = first_bit(walk->summary & -walk->summary);

	walk->summary &= walk->summary - 1;
	walk->index = index;
	walk->word = read_set_word(walk->first_set, index) | read_set_word(walk->second_set, index);
}

struct rule_steps {
	struct hook_scratch *s;
};

/* One step: a comparison of the current rule, the next rule, or the next word of rules. Returns 1 at the end. */
static long walk_rules(u32 i __attribute__((unused)), struct rule_steps *steps)
{
	struct hook_scratch *s = steps->s;
	struct group_walk *walk = &s->walk;
	u64 word = walk->word;

	if (walk->test != walk->tests_end) {
		run_test(s);
	} else if (word) {
		walk->word = word & (word - 1);
		begin_rule(s, 64 * walk->index + first_bit(word & -word));
	} else if (walk->summary) {
		begin_word(walk);
	} else {
		return 1;
	}
	return 0;
}

enum { RULE_STEPS_MAX = GROUP_WORDS + GROUP_RULES_MAX + GROUP_TESTS_MAX + 1 };

static __always_inline u64 read_summary(u32 set)
{
	const struct group_set *found = bpf_map_lookup_elem(&group_sets, &set);

	return found ? *(volatile u64 *)&found->summary : 0;
}

/* ---- what all rules need ------------------------------------------------------------------------------------- */

/*
 * Hooks with programs of their own compare numbers, processes and scopes before they resolve a path. So does a group,
 * if each of its rules needs one of a few. While user space changes the header, a program sees a mixture of the old and
 * the new one. Both let through what the enabled rules need, and so does each mixture.
 */
static __always_inline bool has_needed_number(void *ctx, const struct group_header *header, u64 returned)
{
	u64 number, greater = 63;

	if (config.front_slot >= HOOK_VALUES_MAX || config.values[config.front_slot].read != READ_SCALAR)
		return true;
	number = read_scalar_inline(ctx, config.front_slot, returned);
	return *(volatile u64 *)&header->numbers >> (number < greater ? number : greater) & 1;
}

static __noinline bool has_needed_set(const struct group_header *header)
{
	const struct process_bits *bits = lookup_bits(READ(current_task(), tgid));
	u64 found = 0;

	if (!bits)
		return false;
#pragma unroll
	for (u32 i = 0; i < PROCESS_WORDS; i++)
		found |= bits->own.words[i] & *(volatile u64 *)&header->sets[i];
	return found != 0;
}

/* An unknown cgroup may be in each scope. */
static __noinline bool has_needed_scope(const struct group_header *header)
{
	const struct cgroup_scopes *known = lookup_scopes(current_cgroup());
	u64 found = 0;

	if (!known)
		return true;
#pragma unroll
	for (u32 i = 0; i < SCOPE_WORDS; i++)
		found |= known->scopes.words[i] & *(volatile u64 *)&header->scopes[i];
	return found != 0;
}

static __always_inline bool can_match(void *ctx, const struct group_header *header, u64 returned)
{
	u8 needs = *(volatile u8 *)&header->needs;

	if (needs & GROUP_NEEDS_NUMBER && !has_needed_number(ctx, header, returned))
		return false;
	if (needs & GROUP_NEEDS_SET && !has_needed_set(header))
		return false;
	return !(needs & GROUP_NEEDS_SCOPE) || has_needed_scope(header);
}

/* ---- the program -------------------------------------------------------------------------------------------- */

/* Looks the number up. Without a value that is a string or path, this tells whether a rule can match. */
static __always_inline u32 find_number_rules(void *ctx, const struct group_header *header, u64 returned)
{
	struct int_key key = { .slot = header->number_slot };

	if (!header->looks_up)
		return GROUP_NO_SET;
	/* with an unknown slot, the verifier would see a pointer among the parameters */
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		if (i < config.values_count && config.values[i].read == READ_SCALAR && i == key.slot)
			key.value = read_scalar_inline(ctx, i, returned);
	}
	return lookup_rules(&group_numbers, &key);
}

static __always_inline int run_group(void *ctx, u32 which, u64 returned)
{
	const struct group_header *header = get_group_header();
	u32 slot = scratch_slot(which), number = GROUP_NO_SET;
	struct hook_record *record = 0;
	struct rule_steps steps;
	volatile u32 taken;
	u64 generation;
	bool always, is_kept = false;

	if (config.counts_hits)
		count_hit();
	if (!header)
		return 0;
	/* before the tables: what is found in them is at least as new */
	generation = *(volatile u64 *)&header->generation;
	if (!generation || !can_match(ctx, header, returned))
		return 0;
	always = !config.objects_count && *(volatile u8 *)&header->has_always;
	if (!config.objects_count) {
		number = find_number_rules(ctx, header, returned);
		if (!number && !always)
			return 0;
	}
	if (!evaluate_hook(ctx, which, &taken, PHASE_SINGLE, generation, returned, &record, &is_kept))
		return 0;
	steps.s = bpf_map_lookup_elem(&scratch, &slot);
	if (!steps.s)
		return 0;
	if (config.objects_count) {
		steps.s->walk.first_set = steps.s->buffer.prefix_set;
		steps.s->walk.second_set = steps.s->buffer.postfix_set;
	} else {
		steps.s->walk.first_set = number;
		steps.s->walk.second_set = always ? GROUP_ALWAYS : GROUP_NO_SET;
	}
	steps.s->walk.summary = read_summary(steps.s->walk.first_set) | read_summary(steps.s->walk.second_set);
	steps.s->walk.word = 0;
	steps.s->walk.facts = 0;
	steps.s->walk.frame = (u64)ctx;
	steps.s->walk.decided_hook = 0;
	steps.s->walk.test = 0;
	steps.s->walk.tests_end = 0;
	bpf_loop(RULE_STEPS_MAX, walk_rules, &steps, 0);
	return 0;
}

#endif
