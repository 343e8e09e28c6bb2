/** Filters on values for which other calls match in Tetragon. */
import { filterIntervals } from '../model/intervals.js';
import type { ArgData, Hook } from '../model/model.js';
import type { Span } from '../parse/positions.js';
import { ARG_TYPES, positiveOperator, type TypeFacts } from '../language/vocabulary.js';
import {
  comparison,
  filterSpans,
  listSelectors,
  type ComparedPolicy,
  type DifferenceTable,
  type PlacedFilter,
} from './difference.js';

export const VALUE_DIFFERENCES = {
  returnFilterOnUprobe: {
    code: 'TETRAGON_IGNORES',
    message: 'Tetragon ignores matchReturnArgs on uprobes: a call with any return value matches; polytrace compares it',
    hint: 'expect more events there',
    find: (policy) => findReturnFilters(policy, ({ kind }) => kind === 'uprobes'),
  },
  filterOnFilename: {
    code: 'TETRAGON_IGNORES',
    message: 'Tetragon does not filter values of type filename: every name matches; polytrace compares the name',
    hint: 'hook a function with the file itself, such as security_file_open, and filter its path',
    find: (policy) => filterSpans(policy, ({ arg }) => arg?.type === 'filename'),
  },
  returnFilterOfAnotherSelector: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, the return filter of another selector may decide; in polytrace, a call matches a selector whose filters on arguments and on the return value all match',
    hint: 'use a hook for each selector with matchReturnArgs',
    find: (policy) => findReturnFilters(policy, ({ kind, selectors }) => kind !== 'uprobes' && selectors.length > 1),
  },
  negativeSmallNumber: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, negative numbers of 8 and 16 bits never match, because it compares them without their sign; in polytrace they match',
    hint: 'expect no match there, and with a negated operator always one',
    find: (policy) => filterSpans(policy, (filter) => (numberFacts(filter.arg)?.bits ?? 64) < 32 && isNegative(filter)),
  },
  negativeNumberInMap: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, InMap never finds a negative number, and NotInMap always matches it; in polytrace, it is found',
    hint: 'use Equal, or write the bits of the number, such as 4294967295 for -1',
    find: (policy) =>
      filterSpans(
        policy,
        (placed) =>
          numberFacts(placed.arg)?.bits === 32 && basicOperator(placed) === 'InMap' && hasNegativeValue(placed),
      ),
  },
  subString: {
    code: 'TETRAGON_MATCHES',
    message: 'in Tetragon, the result depends on the kernel before Linux 6.17; polytrace searches on every kernel',
    hint: 'use Prefix, Postfix or Equal if the policy must mean the same on older kernels',
    find: (policy) => filterSpans(policy, (placed) => basicOperator(placed)?.startsWith('SubString') === true),
  },
  mixedUprobes: {
    code: 'TETRAGON_MATCHES',
    message:
      'Tetragon mixes up the values of this filter and of the other uprobes of the policy, and may name the last symbol in their events; in polytrace, each uprobe has its own',
    hint: 'write a policy for each uprobe',
    find: findMixedUprobes,
  },
  unknownPath: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, a path that the kernel does not know matches no filter of this policy; in polytrace, it matches every one, because nothing unknown is exempt',
    hint: 'expect such events in polytrace only; their path has the flag `unknown`',
    // the difference is that of the whole policy
    find: (policy) => filterSpans(policy, (placed) => comparison(placed) === 'path').slice(0, 1),
  },
} satisfies DifferenceTable;

/** Returns the places of matchReturnArgs in the hooks for which the test holds. */
function findReturnFilters(policy: ComparedPolicy, test: (hook: Hook) => boolean): Span[] {
  return listSelectors(policy).flatMap(({ hook, selector }) =>
    test(hook) && (selector.matchReturnArgs ?? []).length > 0
      ? [policy.positions.key(selector, 'matchReturnArgs')]
      : [],
  );
}

function basicOperator({ filter: { operator } }: PlacedFilter): string | undefined {
  return operator === undefined ? undefined : positiveOperator(operator);
}

/** Returns undefined if the value is not a signed number. */
function numberFacts(arg: ArgData | undefined): TypeFacts | undefined {
  const facts: TypeFacts = ARG_TYPES[arg?.type ?? 'auto'];
  return facts.class === 'signed' ? facts : undefined;
}

/** True if a positive filter can match a negative number, or if a negated filter excludes one. */
function isNegative({ arg, filter }: PlacedFilter): boolean {
  const facts = numberFacts(arg);
  if (facts === undefined || filter.operator === undefined) return false;
  const ranges = filterIntervals({ ...filter, operator: positiveOperator(filter.operator) }, facts) ?? [];
  return ranges.some(({ minimum }) => minimum < 0n);
}

function hasNegativeValue({ filter: { values = [] } }: PlacedFilter): boolean {
  return values.some((value) => value.includes('-'));
}

/** The operators whose values Tetragon keeps in maps. */
const IN_MAPS: ReadonlySet<string> = new Set(['Equal', 'Prefix', 'Postfix']);

function findMixedUprobes(policy: ComparedPolicy): Span[] {
  const uprobes = policy.hooks.filter(({ kind }) => kind === 'uprobes');
  if (uprobes.length < 2) return [];
  return filterSpans(policy, (placed) => {
    const operator = basicOperator(placed) ?? '';
    const isInMap = operator === 'InMap' || (comparison(placed) === 'string' && IN_MAPS.has(operator));
    return placed.hook.kind === 'uprobes' && isInMap;
  });
}
