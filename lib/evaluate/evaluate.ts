/**
 * Evaluates a compiled hook over a recorded call, as the BPF programs do: filters first, then the actions of the selector
 * that matches. Where the recording lacks data, the verdict is `unknown` with the reasons. Pure.
 */
import type { Verdict } from '../../types/recording.js';
import type { HookArgument } from '../../types/events.js';
import {
  enforcingSelectors,
  excludingSelectors,
  isFiltered,
  suppressingSelectors,
  hookValues,
  valueTables,
} from '../compiled/compiled-hook.js';
import type { CompiledHook, ProcessSet, SelectorActions, CompiledValue } from '../compiled/compiled-policy.js';
import { BUFFER_TYPES } from '../names/arg-types.js';
import { FAMILIES } from '../names/network.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { selectorMask } from '../wire/encode/tables.js';
import type { RecordedCall } from './call.js';
import { Candidates, makeUncertainty } from './candidates.js';
import { runExpressions } from './cel.js';
import { isComparedAs, type ArgumentComparedAs } from './comparison-kinds.js';
import { filterMarks, type MarkHistory } from './marks.js';
import { filterNet } from './network.js';
import { filterNumber, argumentNumber } from './numbers.js';
import { filterProcess, dropYieldingSelectors } from './process.js';
import { argumentBytes, filterFileType, filterString, hasPath, type ComparedBytes } from './strings.js';

/** `marks`: the marks that earlier calls have set; without them, filters on marks are uncertain. */
export function evaluateHook(
  hook: CompiledHook,
  processSets: readonly ProcessSet[],
  call: RecordedCall,
  marks?: MarkHistory,
): Verdict {
  const candidates = new Candidates(hook.selectors);
  hookValues(hook).forEach((value, slot) => {
    if (isFiltered(value)) filterValue(candidates, value, call.values[slot], hook);
  });
  const readSlot = (slot: number): bigint | undefined => {
    const argument = call.values[slot];
    return argument !== undefined && isComparedAs(argument, 'number') ? argumentNumber(argument) : undefined;
  };
  runExpressions(candidates, hook.cel.entry, readSlot);
  runExpressions(candidates, hook.cel.returned, readSlot);
  filterProcess(candidates, hook, processSets, call);
  filterMarks(candidates, hook, call, marks);
  dropYieldingSelectors(candidates, hook, selectorMask(enforcingSelectors(hook)), processSets, call);
  return makeVerdict(candidates, hook);
}

/** The mask of the selectors that have a filter on the value. */
function filteringSelectors(value: CompiledValue): bigint {
  const { ints, texts, net } = value;
  const groups = [...ints, ...(net.groups ?? []), ...(texts.substrings ?? [])];
  return [...valueTables(value).map(({ used }) => used), ...groups.map(({ selectors }) => selectors)]
    .map(selectorMask)
    .reduce((all, mask) => all | mask, 0n);
}

function filterValue(
  candidates: Candidates,
  compiled: CompiledValue,
  argument: HookArgument | undefined,
  hook: CompiledHook,
): void {
  const about = compiled.label ?? `${compiled.type} ${compiled.index}`;
  const all = filteringSelectors(compiled);
  if (argument?.type !== compiled.type) return candidates.addUncertainty(all, 'VALUE_NOT_RECORDED', about);
  if (isComparedAs(argument, 'number')) {
    filterNumber(candidates, compiled, argumentNumber(argument));
  } else if (isComparedAs(argument, 'socket', 'address')) {
    filterNet(candidates, compiled.net, argument);
  } else if (isComparedAs(argument, 'string', 'path')) {
    if ('path' in argument) filterFileType(candidates, compiled, argument);
    if ((argument.type === 'sockaddr_un' || argument.type === 'sockaddr_alg') && compiled.ints.length > 0) {
      // The BPF programs do not read an address of another family, and the event does not have that family.
      if (argument.unreadable === true) return candidates.addUncertainty(all, 'VALUE_INCOMPLETE', about);
      filterNumber(candidates, compiled, ADDRESS_FAMILIES[argument.type]);
    }
    const suppresses = selectorMask(suppressingSelectors(hook));
    const compared = comparedBytes(argument);
    const excluding = (): bigint => selectorMask(excludingSelectors(compiled));
    if ('path' in argument && !hasPath(argument)) candidates.drop(excluding());
    // A null pointer satisfies no negated filter, and memory that cannot be read does. Events do not tell them apart.
    if ('value' in argument && argument.unreadable === true && !BUFFER_TYPES.has(argument.type))
      candidates.addUncertainty(excluding(), 'VALUE_INCOMPLETE', about);
    if ('path' in argument && argument.flags.includes('unknown')) {
      if (all !== 0n) candidates.drop(suppresses);
    } else if (compared === undefined) candidates.addUncertainty(all, 'VALUE_REWRITTEN', about);
    else filterString(candidates, { compiled, compared, about, suppresses });
  } else {
    argument satisfies ArgumentComparedAs<'nothing'>; // it has no filters
  }
}

/** The family of each type of address that has one family only. */
const ADDRESS_FAMILIES = { sockaddr_un: BigInt(FAMILIES.AF_UNIX), sockaddr_alg: BigInt(FAMILIES.AF_ALG) };

/** Undefined if the event has another string than the kernel compares. */
function comparedBytes(argument: ArgumentComparedAs<'string' | 'path'>): ComparedBytes | undefined {
  const all = argumentBytes(argument);
  if (all === undefined) return undefined;
  if ('path' in argument) {
    const hasFile = !argument.flags.includes('fault');
    const cutStart = argument.flags.includes('truncated');
    return { bytes: all, cutStart, cutEnd: false, cutUnknown: false, isFile: hasFile };
  }
  const { truncated, unreadable = false } = argument;
  const bytes = all.subarray(0, AbiLimit.STRING_BYTES_MAX);
  const cutEnd = truncated || unreadable || all.length > bytes.length;
  const cutUnknown = !unreadable && !BUFFER_TYPES.has(argument.type);
  return { bytes, cutStart: false, cutEnd, cutUnknown, isFile: false };
}

/** The candidate with the lowest index matches. If it is not certain, all candidates may still have the same outcome. */
function makeVerdict(candidates: Candidates, hook: CompiledHook): Verdict {
  const { selectors, isLastCertain } = candidates.listMatches();
  if (selectors.length === 0) return { reported: 'no', selectors: [], doubts: [] };
  const doubts = candidates.listUncertainties(selectors);
  const outcomes = new Set(selectors.map((selector) => reportOutcome(hook, selector)));
  if (!isLastCertain) outcomes.add('no');
  if (outcomes.has('unknown')) doubts.push(makeUncertainty('RATE_LIMIT', 'rateLimit'));
  const [only = 'unknown', ...others] = outcomes;
  const reported = others.length > 0 ? 'unknown' : only;
  const [first] = selectors;
  return selectors.length === 1 && isLastCertain ? { reported, selector: first as number, selectors, doubts } : { reported, selectors, doubts }; // prettier-ignore
}

/** The outcome if the selector matches. */
function reportOutcome({ actions, returnActions }: CompiledHook, selector: number): Verdict['reported'] {
  const posting: SelectorActions | undefined = returnActions?.[selector] ?? actions?.[selector];
  if (posting === undefined) return 'yes';
  if (posting.order.includes('noPost')) return 'no';
  return posting.rateLimit === undefined ? 'yes' : 'unknown';
}
