/** Actions and options with another effect in Tetragon. */
import { ACTION_TABLE, type ActionRule } from '../language/actions.js';
import type { OptionName } from '../language/options.js';
import type { ActionData } from '../model/model.js';
import type { Span } from '../parse/positions.js';
import { ARG_TYPES, COMPARED_AS, type TypeFacts } from '../language/vocabulary.js';
import { listSelectors, type ComparedPolicy, type DifferenceTable } from './difference.js';

export const ACTION_DIFFERENCES = {
  enforcement: {
    code: 'TETRAGON_ACTS',
    message: 'Tetragon performs the enforcing actions of this policy unasked; polytrace needs permission',
    hint: 'start polytrace with --enforcement, or open the tracer with `enforcement: true`',
    find: (policy) => (isMonitored(policy) ? [] : findFirstAction(policy, ENFORCING)),
  },
  requests: {
    code: 'TETRAGON_ACTS',
    message:
      'Tetragon sends the requests of this policy unasked; polytrace needs permission, because they leave the machine',
    hint: 'start polytrace with --allow-requests',
    find: (policy) => findFirstAction(policy, REQUESTS),
  },
  rateLimitOfSmallArgument: {
    code: 'TETRAGON_ACTS',
    message:
      'Tetragon reports every event of a hook with one small argument, despite its rateLimit; polytrace limits them',
    hint: 'read a second argument, and both limit equal events',
    find: findIgnoredRateLimits,
  },
  idleOverrideMethod: {
    code: 'TETRAGON_OPTION',
    message: 'this option selects how Tetragon overrides a function; in polytrace it has no effect',
    hint: 'polytrace takes the best mechanism of the kernel',
    find: (policy) => findOption(policy, 'override-method'),
  },
  idlePreloadSize: {
    code: 'TETRAGON_OPTION',
    message: 'this option sizes a table of strings in Tetragon; in polytrace it has no effect',
    hint: 'polytrace has no such table',
    find: (policy) => findOption(policy, 'sleepable-preload-size'),
  },
  idleHeapSize: {
    code: 'TETRAGON_OPTION',
    message: 'this option sizes a table of uprobes in Tetragon; in polytrace it has no effect',
    hint: 'polytrace has no such table',
    find: (policy) => findOption(policy, 'uprobe-heap-size'),
  },
  ownOption: {
    code: 'TETRAGON_OPTION',
    message: 'Tetragon does not know this option, and ignores it; in polytrace it has an effect',
    hint: 'expect the meaning of the policy without the option there',
    find: (policy) => findOption(policy, 'trust-binary-paths'),
  },
} satisfies DifferenceTable;

type Effect = ActionRule['effect'];

const ENFORCING: ReadonlySet<Effect> = new Set<Effect>(['signal', 'override', 'argument', 'enforcer']);
const REQUESTS: ReadonlySet<Effect> = new Set<Effect>(['request']);

function isMonitored({ data }: ComparedPolicy): boolean {
  const mode = data.spec?.options?.findLast(({ name }) => name === 'policy-mode')?.value;
  return mode === 'monitor' || mode === 'monitor_only';
}

/** Returns only the first place, because the difference is that of the whole policy. */
function findFirstAction(policy: ComparedPolicy, effects: ReadonlySet<Effect>): Span[] {
  const actions = listSelectors(policy).flatMap(({ selector }): readonly ActionData[] => [
    ...(selector.matchActions ?? []),
    ...(selector.matchReturnActions ?? []),
  ]);
  const first = actions.find(({ action }) => action !== undefined && effects.has(ACTION_TABLE[action].effect));
  return first === undefined ? [] : [policy.positions.value(first, 'action')];
}

/** Numbers of at most this width were measured. */
const SMALL_BITS = 32;

function findIgnoredRateLimits(policy: ComparedPolicy): Span[] {
  return listSelectors(policy).flatMap(({ hook, selector }) => {
    const { args = [], data = [] } = hook.data;
    const facts: TypeFacts = ARG_TYPES[args[0]?.type ?? 'auto'];
    const isSmall = COMPARED_AS[facts.class] === 'number' && (facts.bits ?? SMALL_BITS) <= SMALL_BITS;
    if (args.length !== 1 || data.length > 0 || !isSmall) return [];
    return (selector.matchActions ?? [])
      .filter(({ rateLimit }) => rateLimit !== undefined)
      .map((action) => policy.positions.key(action, 'rateLimit'));
  });
}

function findOption(policy: ComparedPolicy, wanted: OptionName): Span[] {
  return (policy.data.spec?.options ?? [])
    .filter(({ name }) => name === wanted)
    .map((option) => policy.positions.value(option, 'name'));
}
