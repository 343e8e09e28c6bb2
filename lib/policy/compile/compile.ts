/** A checked policy to the image that the kernel side is configured with. Deterministic: the same policy, the same image. */
import { filteredArg } from '../arguments.js';
import type { ArgImage, ArgType, HookImage, IntGroup, PolicyImage } from '../image.js';
import { BINARY_SETS_MAX, POLICY_HOOKS_MAX, INT_GROUPS_MAX, INT_TESTS_MAX, TEXT_ARGS_MAX } from '../limits.js';
import { callsOf, type Call } from '../lists.js';
import type { ArgData, Hook, ValueFilter } from '../model.js';
import type { Analysis } from '../policy.js';
import { type Report } from '../report.js';
import { ARG_TYPES, type TypeFacts } from '../vocabulary.js';
import { BinarySets } from './binaries.js';
import type { Clause } from './filters.js';
import { intGroups, pidGroups } from './ints.js';
import { textFilters } from './texts.js';

/** The policy has been found valid and supported; what is reported here is that it is too large for the kernel side. */
export function compile(analysis: Analysis, report: Report): PolicyImage {
  const { data, hooks } = analysis;
  const sets = new BinarySets();
  const images = hooks.flatMap((hook) => compileHook(analysis, hook, sets, report));
  const { metadata } = data;
  const whole = report.places.value(data, 'spec');
  if (images.length > POLICY_HOOKS_MAX) {
    report.add(
      'LIMIT_HOOKS',
      whole,
      `${images.length} hooks; a tracer runs at most ${POLICY_HOOKS_MAX}`,
      'use shorter lists of functions',
    );
  }
  if (sets.sets.length > BINARY_SETS_MAX) {
    const message = `${sets.sets.length} different sets of binaries; a tracer keeps at most ${BINARY_SETS_MAX}`;
    report.add('LIMIT_BINARY_SETS', whole, message, 'use the same matchBinaries in several selectors');
  }
  return {
    name: metadata?.name ?? '',
    ...(data.kind === 'TracingPolicyNamespaced' ? { namespace: metadata?.namespace ?? 'default' } : {}),
    hooks: images,
    binarySets: sets.sets,
  };
}

function compileHook(analysis: Analysis, hook: Hook, sets: BinarySets, report: Report): HookImage[] {
  const { data, selectors } = hook;
  const { args = [], returnArg } = data;
  const { places } = report;
  const clauses = args.map((): Clause[] => []);
  const returned: Clause[] = [];
  selectors.forEach((selector, s) => {
    for (const filter of selector.matchArgs ?? []) {
      const found = filteredArg(hook, args, filter);
      if (found !== undefined) clauses[found.position]?.push(clause(s, filter));
    }
    for (const filter of selector.matchReturnArgs ?? []) returned.push(clause(s, filter));
  });
  const common = {
    kind: 'kprobe' as const,
    position: { file: analysis.file, ...places.position(places.value(data, 'call')) },
    ...(data.message === undefined ? {} : { message: data.message }),
    ...(data.ignore?.callNotFound === true ? { ignoreCallNotFound: true as const } : {}),
    tags: data.tags ?? [],
    selectors: Math.max(selectors.length, 1),
    args: args.map((arg, i) => argImage(arg, clauses[i] ?? [], report)),
    ...(data.return === true && returnArg !== undefined ? { returnArg: argImage(returnArg, returned, report) } : {}),
    pids: pidGroups(
      selectors.flatMap(({ matchPIDs = [] }, selector) =>
        matchPIDs.map(({ operator, values = [] }) => ({ selector, negate: operator === 'NotIn', pids: values })),
      ),
    ),
    binaries: sets.tests(
      selectors.flatMap(({ matchBinaries = [] }, selector) => matchBinaries.map((filter) => ({ selector, filter }))),
    ),
  };
  checkHookSize(hook, common, report);
  return callsOf(analysis.data, data.call ?? '', data.syscall ?? true).map(({ name, syscall }: Call) => ({
    ...common,
    call: name,
    syscall,
  }));
}

function clause(selector: number, filter: ValueFilter): Clause {
  return { selector, operator: filter.operator ?? 'Equal', values: filter.values ?? [] };
}

function argImage(arg: ArgData, clauses: readonly Clause[], report: Report): ArgImage {
  const type = arg.type ?? 'nop';
  const facts: TypeFacts = ARG_TYPES[type];
  const isNumber = facts.class === 'signed' || facts.class === 'unsigned';
  return {
    index: arg.index ?? 0,
    // What the kernel side does not read has been refused before.
    type: type as ArgType,
    ...(arg.label === undefined ? {} : { label: arg.label }),
    ints: isNumber ? intGroups(clauses, type) : [],
    texts: isNumber ? {} : textFilters(clauses),
    position: report.places.position(report.places.value(arg)),
  };
}

type SizedHook = Pick<HookImage, 'args' | 'pids' | 'binaries'> & { readonly returnArg?: ArgImage };

function checkHookSize(hook: Hook, image: SizedHook, report: Report): void {
  const span = report.places.key(hook.data, 'selectors');
  const groups: IntGroup[] = [
    ...image.pids,
    ...image.args.flatMap((arg) => arg.ints),
    ...(image.returnArg?.ints ?? []),
  ];
  const tests = groups.reduce((sum, group) => sum + group.tests.length, 0);
  const hint = 'make two hooks of it, or use Mask, GreaterThan and LessThan instead of many values';
  if (tests > INT_TESTS_MAX)
    report.add('LIMIT_INT_TESTS', span, `${tests} comparisons of numbers; a hook does at most ${INT_TESTS_MAX}`, hint);
  if (groups.length > INT_GROUPS_MAX) {
    report.add(
      'LIMIT_INT_GROUPS',
      span,
      `${groups.length} filters on numbers side by side; a hook has at most ${INT_GROUPS_MAX}`,
      hint,
    );
  }
  const texts = image.args.filter((arg) => !['nop', 'int', 'uint32', 'size_t'].includes(arg.type));
  if (texts.length > TEXT_ARGS_MAX) {
    const message = `${texts.length} arguments that are texts or paths; a hook reads at most ${TEXT_ARGS_MAX}`;
    const second = 'make a second hook for the others';
    report.add('LIMIT_TEXT_ARGS', report.places.key(hook.data, 'args'), message, second);
  }
}
