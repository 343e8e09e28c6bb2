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
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, GROUP_SETS_MAX);
	__type(key, struct address_key);
	__type(value, u32); /* index in group_sets */
} group_networks SEC(".maps");

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

/* The values of a group with strings or paths have no details. */
static __always_inline bool has_details(void)
{
	u32 slot = config.objects[0].slot;

	return config.objects_count && slot < HOOK_VALUES_MAX && config.values[slot].read >= READ_SOCK;
}

static __always_inline bool has_strings(void)
{
	return config.objects_count && !has_details();
}

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

/* The first bits of a number. */
static __always_inline bool has_bits(u64 difference, u32 bits)
{
	return !bits || !(difference >> (64 - (bits < 64 ? bits : 64)));
}

/* As in filter_address(), an IPv6 address that maps one of IPv4 is that of IPv4. */
static __noinline bool is_in_network(const struct net_detail *net, const struct group_test *test)
{
	u32 index = test->index, bits = test->op;
	const u8 *address;
	u64 upper, lower;

	address = index & GROUP_ADDRESS_DESTINATION ? net->destination : net->source;
	if (net->family == FAMILY_INET || (net->family == FAMILY_INET6 && is_mapped_ipv4(address))) {
		upper = *(u32 *)(address + (net->family == FAMILY_INET ? 0 : 12));
		return !(index & GROUP_ADDRESS_IPV6) && has_bits(__builtin_bswap64(upper) ^ test->value, bits);
	}
	if (net->family != FAMILY_INET6 || !(index & GROUP_ADDRESS_IPV6))
		return false;
	upper = __builtin_bswap64(*(u64 *)address);
	lower = __builtin_bswap64(*(u64 *)(address + 8));
	if (bits <= 64)
		return has_bits(upper ^ test->value, bits);
	return upper == test->value && has_bits(lower ^ test->upper, bits - 64);
}

/* The number of the words of a struct net_detail that can be compared. */
enum { NET_WORDS = 8 };

static __always_inline u64 net_word(const struct net_detail *net, u32 word)
{
	return ((const u32 *)net)[word % NET_WORDS];
}

static __noinline bool is_net_test_satisfied(struct hook_scratch *s, const struct group_test *test)
{
	u32 slot = test->index & ((1 << GROUP_WORD_SHIFT) - 1);
	const struct net_detail *net = detail_of(&s->record, value_slot(&s->record, slot));

	if (test->kind == GROUP_TEST_NETWORK)
		return is_in_network(net, test);
	return compare_numbers(net_word(net, test->index >> GROUP_WORD_SHIFT), test);
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

/* The set has the summary and the words of rules of its own; null: no rules. */
static __always_inline const struct group_set *get_set(u32 set)
{
	return set == GROUP_NO_SET ? 0 : bpf_map_lookup_elem(&group_sets, &set);
}

static __always_inline u64 read_summary(const struct group_set *set)
{
	return set ? *(volatile u64 *)&set->summary : 0;
}

static __always_inline u64 read_set_word(const struct group_set *set, u32 index)
{
	return set && index < GROUP_WORDS ? *(volatile u64 *)&set->words[index] : 0;
}

/* A word of the sets that all strings but the first one lead to. */
static __always_inline u64 read_other_words(const struct string_buffer *buffer, u32 index)
{
	u64 word = 0;

#pragma unroll
	for (u32 i = 1; i < GROUP_STRINGS_MAX; i++) {
		if (!is_filtered(i))
			break;
		word |= read_set_word(get_set(buffer->prefix_set[i]), index) |
			read_set_word(get_set(buffer->postfix_set[i]), index);
	}
	return word;
}

/* True if a string leads to a further filter with this number. */
static __noinline bool is_further_filter_satisfied(const struct hook_scratch *s, u32 number)
{
	u64 word = read_set_word(get_set(s->walk.first_set), number / 64) |
		   read_set_word(get_set(s->walk.second_set), number / 64) | read_other_words(&s->buffer, number / 64);

	return word >> (number % 64) & 1;
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
	case GROUP_TEST_NET:
	case GROUP_TEST_NETWORK:
		return has_details() && is_net_test_satisfied(s, test);
	case GROUP_TEST_STRING:
		return has_strings() && is_further_filter_satisfied(s, index);
	case GROUP_TEST_PRESENT:
		return has_strings() && !s->buffer.is_missing[string_number(index)];
	}
	return false;
}

/* ---- the walk through the rules ----------------------------------------------------------------------------- */

/*
 * The function is overridden. Separate programs would run in the order of their addition, the last one first, and the
 * first one that overrides would decide. So the rule that was added last decides here, too.
 */
static __always_inline void note_override(struct group_walk *walk, const struct group_rule *rule)
{
	if (walk->override_value && rule->addition < walk->override_addition)
		return;
	walk->override_addition = rule->addition;
	walk->override_value = rule->actions.override_value;
}

/*
 * Runs the actions of the current rule. Returns true if an event must be posted. The record belongs to all rules of the
 * call, so what the actions of one add to it is taken away before the next one.
 */
static __noinline bool act_on_rule(struct hook_scratch *s)
{
	struct hook_record *record = &s->record;
	struct group_walk *walk = &s->walk;
	u32 hook = walk->hook, number = walk->rule;
	struct hook_counters *counted = bpf_map_lookup_elem(&counters, &hook);
	const struct group_rule *rule = bpf_map_lookup_elem(&group_rules, &number);
	const struct selector_actions *actions;

	if (!counted || !rule)
		return false;
	actions = &rule->actions;
	record->event.header.flags &= config.finds_owner ? EVENT_SOCKET_OWNER : 0;
	record->event.header.flags |= enforce_actions(0, record, counted, actions);
	if (config.has_actions & ACTIONS_OVERRIDE && record->event.header.flags & EVENT_OVERRIDDEN)
		note_override(walk, rule);
	if (config.has_actions & ACTIONS_SOCKET && actions->socket)
		track_socket(walk->socket, actions->socket);
	record->event.suppressed = 0;
	record->used = walk->used;
	walk->stacks = actions->stacks;
	if (walk->flags & GROUP_NO_POST)
		return false;
	if (!config.actions[0].rate_scope)
		return true; /* no rule of this group has a rate limit */
	return !actions->rate_scope ||
	       is_rate_allowed(record, hook, rule->addition * HOOK_SELECTORS_MAX + walk->selector, actions->rate_scope,
			       actions->rate_interval);
}

/* The stacks that rules of this group may have: enum stack_kind, ORed. Each rule can do without. */
static __always_inline u32 group_stacks(void)
{
	return config.has_actions ? config.actions[0].stacks : 0;
}

/*
 * Reads the stacks of the call, once for all rules. It is called by the program itself, and not by the loop over the
 * rules, because the frames of the program are part of a stack that is known (stack_cache.bpf.h).
 */
static __noinline int collect_stacks(void *ctx, struct hook_scratch *s)
{
	struct hook_record *record = &s->record;
	struct group_walk *walk = &s->walk;

	record->used = walk->used;
	if (group_stacks() & STACK_KERNEL)
		collect_stack(ctx, record, &walk->kernel_stack, 0);
	if (group_stacks() & STACK_USER)
		collect_stack(ctx, record, &walk->user_stack, FLAG_USER_STACK);
	walk->used_with_stacks = record->used;
	walk->has_stacks = true;
	return 0;
}

/* Adds the stacks that the rule wants to its event. */
static __always_inline void add_stacks(struct hook_record *record, struct group_walk *walk)
{
	const struct string_ref none = {};
	u32 stacks = walk->stacks;

	record->event.kernel_stack = stacks & STACK_KERNEL ? walk->kernel_stack : none;
	record->event.user_stack = stacks & STACK_USER ? walk->user_stack : none;
	record->used = stacks ? walk->used_with_stacks : walk->used;
}

static __always_inline void post_rule(struct hook_scratch *s)
{
	struct hook_record *record = &s->record;
	u32 hook = s->walk.hook, used;

	if (group_stacks())
		add_stacks(record, &s->walk);
	used = at_most(record->used, config.body_size);
	record->event.hook = hook;
	record->event.matched = 1ULL << (s->walk.selector & 63);
	record->event.header.size = sizeof(struct event_hook) + used;
	emit(&record->event, sizeof(struct event_hook) + used, hook);
}

/* All comparisons of the current rule hold. */
static __always_inline void finish_rule(struct hook_scratch *s)
{
	struct group_walk *walk = &s->walk;
	u32 hook = walk->hook;
	struct hook_counters *counted;

	walk->decided_hook = hook;
#ifdef MOVES_INTO_GROUPS
	if (unlikely(walk->flags & GROUP_LEAVES_MARK))
		leave_mark(walk->frame, current_move(hook));
#endif
	if (walk->flags & GROUP_COUNTS) {
		counted = bpf_map_lookup_elem(&counters, &hook);
		if (counted)
			__sync_fetch_and_add(&counted->matched, 1);
	}
	if (config.has_actions) {
		if (!act_on_rule(s))
			return;
		if (group_stacks() && walk->stacks && !walk->has_stacks) {
			walk->waits = true;
			return;
		}
	} else if (walk->flags & GROUP_NO_POST) {
		return;
	}
	post_rule(s);
}

/* Returns true if the rule has no comparisons, so that it holds. */
static __always_inline bool begin_rule(struct group_walk *walk, u32 number)
{
	const struct group_rule *rule = bpf_map_lookup_elem(&group_rules, &number);

	if (!rule || rule->hook == walk->decided_hook)
		return false;
	/* the rules of a hook are enabled one after the other: the first one decides about all of them */
	if (!*(volatile u8 *)&rule->enabled) {
		walk->decided_hook = rule->hook;
		return false;
	}
	walk->hook = rule->hook;
	if (config.has_actions)
		walk->rule = number;
	walk->selector = rule->selector;
	walk->flags = rule->flags;
	if (walk->flags & GROUP_NEEDS_EXECUTABLE && is_kernel_thread(current_task()))
		return false;
	walk->test = rule->first_test;
	walk->tests_end = walk->test + rule->tests_count;
	walk->is_hit = 0;
	return !rule->tests_count;
}

/* Returns true if it was the last comparison of its rule, and all of them hold. */
static __always_inline bool run_test(struct hook_scratch *s)
{
	struct group_walk *walk = &s->walk;
	u32 number = walk->test++;
	const struct group_test *test = bpf_map_lookup_elem(&group_tests, &number);

	if (!test) {
		walk->tests_end = walk->test;
		return false;
	}
	/* the usual comparison needs no function call */
	if (test->kind == GROUP_TEST_NUMBER && test->op == INT_EQUAL)
		walk->is_hit |= value_slot(&s->record, test->index)->value == test->value;
	else
		walk->is_hit |= is_test_satisfied(s, test);
	if (!test->last)
		return false;
	if (walk->is_hit == test->negate) {
		walk->tests_end = walk->test;
		return false;
	}
	walk->is_hit = 0;
	return walk->test == walk->tests_end;
}

/* Loads the next word of rules. */
static __always_inline void begin_word(struct hook_scratch *s, const struct group_set *first,
				       const struct group_set *second)
{
	struct group_walk *walk = &s->walk;
	u32 index = first_bit((u16)(walk->summary & -walk->summary));

	walk->summary &= walk->summary - 1;
	walk->index = index;
	walk->word = read_set_word(first, index) | read_set_word(second, index) | read_other_words(&s->buffer, index);
}

/* Runs the next comparison of the rule. `holds`: the rule has none. */
static __always_inline void continue_rule(struct hook_scratch *s, bool holds)
{
	if (s->walk.test != s->walk.tests_end)
		holds = run_test(s);
	if (holds)
		finish_rule(s);
}

struct rule_steps {
	struct hook_scratch *s;
};

static __always_inline bool has_ended(const struct group_walk *walk)
{
	return walk->test == walk->tests_end && !(walk->word | walk->summary);
}

/*
 * One step: the next rule and its first comparison, or one more comparison. Returns 1 at the end, and if an event waits
 * for the stacks.
 */
static long walk_rules(u32 i __attribute__((unused)), struct rule_steps *steps)
{
	struct hook_scratch *s = steps->s;
	struct group_walk *walk = &s->walk;
	bool holds = false;

	if (walk->test == walk->tests_end) {
		u64 word = walk->word;

		if (!word) {
			if (!walk->summary)
				return 1;
			begin_word(s, get_set(walk->first_set), get_set(walk->second_set));
			word = walk->word;
			if (!word)
				return 0;
		}
		walk->word = word & (word - 1);
		holds = begin_rule(walk, 64 * walk->index + first_bit(word & -word));
	}
	continue_rule(s, holds);
	if (group_stacks() && walk->waits)
		return 1;
	return has_ended(walk);
}

enum { RULE_STEPS_MAX = GROUP_WORDS + GROUP_RULES_MAX + GROUP_TESTS_MAX + 1 };

/* The summaries of the sets that all strings but the first one lead to. `any`: the first set that there is, or null. */
static __always_inline u64 read_other_summaries(const struct string_buffer *buffer, const struct group_set **any)
{
	u64 summary = 0;

#pragma unroll
	for (u32 i = 1; i < GROUP_STRINGS_MAX; i++) {
		const struct group_set *prefix, *postfix;

		if (!is_filtered(i))
			break;
		prefix = get_set(buffer->prefix_set[i]);
		postfix = get_set(buffer->postfix_set[i]);
		summary |= read_summary(prefix) | read_summary(postfix);
		if (!*any)
			*any = prefix ? prefix : postfix;
	}
	return summary;
}

/* Walks through the rules of two sets, and of those of further strings. */
static __always_inline void walk_sets(void *ctx, u64 frame, struct hook_scratch *s, u32 first_set, u32 second_set)
{
	const struct group_set *first = get_set(first_set), *second = get_set(second_set), *any = first;
	u64 summary = read_summary(first) | read_summary(second);
	struct group_walk *walk = &s->walk;
	struct rule_steps steps = { .s = s };
	u32 rule, index;

	if (!any)
		any = second;
	if (has_strings() && has_second_string())
		summary |= read_other_summaries(&s->buffer, &any);
	if (!any || !summary)
		return;
	walk->facts = 0;
	walk->frame = frame;
	walk->first_set = first_set;
	walk->second_set = second_set;
	walk->decided_hook = 0;
	walk->test = 0;
	walk->tests_end = 0;
	walk->word = 0;
	if (config.has_actions) {
		walk->used = s->record.used;
		walk->waits = false;
		walk->has_stacks = false;
		walk->override_value = 0;
	}
	/* most calls match one rule, which needs no search for its bit */
	rule = *(volatile u32 *)&any->lowest % GROUP_RULES_MAX;
	index = rule / 64;
	if (likely(summary == 1ULL << index && (read_set_word(first, index) | read_set_word(second, index) |
						read_other_words(&s->buffer, index)) == 1ULL << rule % 64)) {
		walk->summary = 0;
		continue_rule(s, begin_rule(walk, rule));
	} else {
		walk->summary = summary;
	}
	if (!has_ended(walk) && !(group_stacks() && walk->waits))
		bpf_loop(RULE_STEPS_MAX, walk_rules, &steps, 0);
	if (group_stacks() && walk->waits) {
		collect_stacks(ctx, s);
		walk->waits = false;
		post_rule(s);
		if (!has_ended(walk))
			bpf_loop(RULE_STEPS_MAX, walk_rules, &steps, 0);
	}
}

/* ---- what all rules need ------------------------------------------------------------------------------------- */

/*
 * Hooks with programs of their own compare numbers, processes and scopes before they resolve a path. So does a group,
 * if each of its rules needs one of a few. While user space changes the header, a program sees a mixture of the old and
 * the new one. Both let through what the enabled rules need, and so does each mixture.
 */
static __always_inline bool has_needed_number(void *ctx, u64 returned)
{
	u64 number, greater = 63;

	if (config.front_slot >= HOOK_VALUES_MAX || config.values[config.front_slot].read != READ_SCALAR)
		return true;
	number = read_scalar_inline(ctx, config.front_slot, returned);
	return group_header.numbers >> (number < greater ? number : greater) & 1;
}

static __noinline bool has_needed_set(void)
{
	const struct process_bits *bits = lookup_bits(READ(current_task(), tgid));
	u64 found = 0;

	if (!bits)
		return false;
#pragma unroll
	for (u32 i = 0; i < PROCESS_WORDS; i++)
		found |= bits->own.words[i] & group_header.sets[i];
	return found != 0;
}

/* An unknown cgroup may be in each scope. */
static __noinline bool has_needed_scope(void)
{
	const struct cgroup_scopes *known = lookup_scopes(current_cgroup());
	u64 found = 0;

	if (!known)
		return true;
#pragma unroll
	for (u32 i = 0; i < SCOPE_WORDS; i++)
		found |= known->scopes.words[i] & group_header.scopes[i];
	return found != 0;
}

static __always_inline bool can_match(void *ctx, u64 returned)
{
	u8 needs = group_header.needs;

	if (needs & GROUP_NEEDS_NUMBER && !has_needed_number(ctx, returned))
		return false;
	if (!(needs & (GROUP_NEEDS_SET | GROUP_NEEDS_SCOPE)))
		return true;
	if (needs & GROUP_NEEDS_SET && !has_needed_set())
		return false;
	return !(needs & GROUP_NEEDS_SCOPE) || has_needed_scope();
}

/* ---- the value that is looked up ------------------------------------------------------------------------------ */

/* False: this number leads to no rule. */
static __always_inline bool may_be_key(u64 number)
{
	u32 hash = hash_bytes(number, GROUP_KEY_BITS);

	return group_header.keys[hash / 64] >> (hash % 64) & 1;
}

/*
 * False: this address leads to no rule. A network has the hash of its first 32, 24 or 16 bits, or several of 16 bits.
 * The length is hashed, too, because the rest of a network is often 0.
 */
static __always_inline bool may_be_ipv4_key(u64 address)
{
	return may_be_key(address ^ 32) || may_be_key((address & 0xffffff) ^ 24) || may_be_key((u16)address ^ 16);
}

/* The same with 64, 48 and 32 bits of an address at this place. */
static __always_inline bool may_be_ipv6_key(u64 at)
{
	u64 first = read_word(at);

	/* an address that maps one of IPv4 begins like this */
	return !first || may_be_key(first) || may_be_key(first & 0xffffffffffff) || may_be_key((u32)first);
}

/* The number of a member of struct net_detail in group_header.number_word. */
#define NUMBER_WORD(member) (__builtin_offsetof(struct net_detail, member) / sizeof(u32) + 1)

/* False: the port or address of the socket leads to no rule. It is read from the socket, before that is described. */
static __always_inline bool may_have_net_rules(void *ctx, u64 returned)
{
	u32 word = group_header.number_word, slot = group_header.number_slot;
	struct sock *sk = 0;
	u16 family;

#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		u32 read = config.values[i].read;

		if (i < config.values_count && (read == READ_SOCK || read == READ_SOCKET) && i == slot)
			sk = (void *)read_sock(read_raw_inline(ctx, i, returned), read);
	}
	if (!sk)
		return true;
	sk = KERNEL(sock, sk);
	family = READ(sk, __sk_common.skc_family);
	if (family != FAMILY_INET && family != FAMILY_INET6)
		return true;
	if (word == NUMBER_WORD(destination_port))
		return may_be_key(from_network(READ(sk, __sk_common.skc_dport)));
	if (word == NUMBER_WORD(source_port))
		return may_be_key(READ(sk, __sk_common.skc_num));
	if (word == GROUP_DESTINATION && family == FAMILY_INET)
		return may_be_ipv4_key(READ(sk, __sk_common.skc_daddr));
	if (word == GROUP_DESTINATION)
		return may_be_ipv6_key((u64)ADDRESS(sk, __sk_common.skc_v6_daddr));
	if (word == GROUP_SOURCE && family == FAMILY_INET)
		return may_be_ipv4_key(READ(sk, __sk_common.skc_rcv_saddr));
	if (word == GROUP_SOURCE)
		return may_be_ipv6_key((u64)ADDRESS(sk, __sk_common.skc_v6_rcv_saddr));
	return true;
}

/* ---- the program -------------------------------------------------------------------------------------------- */

/* Looks the number up. Without a value that is a string or path, this tells whether a rule can match. */
static __always_inline u32 find_number_rules(void *ctx, u64 returned)
{
	struct int_key key = { .slot = group_header.number_slot };

	if (!group_header.looks_up)
		return GROUP_NO_SET;
	/* with an unknown slot, the verifier would see a pointer among the parameters */
#pragma unroll
	for (u32 i = 0; i < HOOK_VALUES_MAX; i++) {
		if (i < config.values_count && config.values[i].read == READ_SCALAR && i == key.slot)
			key.value = read_scalar_inline(ctx, i, returned);
	}
	return may_be_key(key.value) ? lookup_rules(&group_numbers, &key) : GROUP_NO_SET;
}

static __noinline u32 lookup_network_rules(const struct net_detail *net, u32 side, u32 slot)
{
	struct address_key key = {};

	return fill_address_key(&key, net, side, slot) ? lookup_rules(&group_networks, &key) : GROUP_NO_SET;
}

static __noinline bool has_net_rules(struct hook_record *record, u32 index, const struct net_detail *net)
{
	struct hook_scratch *s = (void *)record - __builtin_offsetof(struct hook_scratch, record);
	struct int_key key = {};
	u32 word, slot;

	if (!index)
		s->walk.net_set = GROUP_NO_SET;
	word = group_header.number_word;
	slot = group_header.number_slot;
	if (!word || index >= HOOK_VALUES_MAX || slot != config.objects[index].slot)
		return true;
	if (word >= GROUP_SOURCE) {
		s->walk.net_set = lookup_network_rules(net, word - GROUP_SOURCE, slot);
	} else {
		key.slot = slot | word << GROUP_WORD_SHIFT;
		key.value = net_word(net, word - 1);
		s->walk.net_set = lookup_rules(&group_numbers, &key);
	}
	return s->walk.net_set != GROUP_NO_SET || group_header.has_always;
}

/*
 * `frame`: as for the program of a single hook. Returns what the function must return instead of running; 0: it runs.
 * No rule overrides with 0, as a trampoline cannot.
 */
static __always_inline s32 run_group(void *ctx, u64 frame, u32 which, u64 returned)
{
	u32 number = GROUP_NO_SET;
	struct hook_record *record = 0;
	struct hook_scratch *s;
	volatile u32 taken;
	u64 generation;
	bool always, is_kept = false;

	if (config.counts_hits)
		count_hit();
	/* before the tables: what is found in them is at least as new */
	generation = group_header.generation;
	if (!generation || !can_match(ctx, returned))
		return 0;
	always = !has_strings() && group_header.has_always;
	if (has_details() && group_header.number_word) {
		if (!always && !may_have_net_rules(ctx, returned))
			return 0;
	} else if (!has_strings()) {
		number = find_number_rules(ctx, returned);
		if (!number && !always)
			return 0;
	}
	if (!evaluate_hook(ctx, which, &taken, PHASE_SINGLE, generation, returned, &record, &is_kept))
		return 0;
	if (!record)
		return 0;
	s = (void *)record - __builtin_offsetof(struct hook_scratch, record);
	if (config.has_actions & ACTIONS_SOCKET)
		s->walk.socket = read_slot_sock(ctx, config.socket_slot, 0);
	if (has_details() && s->walk.net_set != GROUP_NO_SET)
		number = s->walk.net_set;
	if (has_strings())
		walk_sets(ctx, frame, s, s->buffer.prefix_set[0], s->buffer.postfix_set[0]);
	else
		walk_sets(ctx, frame, s, number, always ? GROUP_ALWAYS : GROUP_NO_SET);
	return config.has_actions & ACTIONS_OVERRIDE ? s->walk.override_value : 0;
}

#endif
