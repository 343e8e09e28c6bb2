/**
 * Evaluates the image of a hook over a recorded call, as the BPF programs do it: filters first, then the actions of the
 * selector that matches. What the recording does not tell is answered with `unknown` and the reasons. Pure.
 */
import type { Verdict } from '../../types/recording.js';
import type { HookArgument } from '../../types/events.js';
import { acting, BUFFER_TYPES, isFiltered, suppressing, valuesOf } from '../compiled/compiled-hook.js';
import type { CompiledHook, ProcessSet, SelectorActions, CompiledValue } from '../compiled/compiled-policy.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { READS } from '../wire/reads.js';
import { selectorMask } from '../wire/encode/tables.js';
import { encodeText } from '../wire/text.js';
import type { Call } from './call.js';
import { Candidates, doubtOf } from './candidates.js';
import { runExpressions } from './cel.js';
import { filterNet, type NetArgument } from './network.js';
import { filterNumber, numberOf } from './numbers.js';
import { filterProcess, yieldToActing } from './process.js';
import { comparedPath, filterFileType, filterText, type Compared } from './texts.js';

export function evaluate(hook: CompiledHook, processSets: readonly ProcessSet[], call: Call): Verdict {
  const candidates = new Candidates(hook.selectors);
  valuesOf(hook).forEach((value, slot) => {
    if (isFiltered(value)) filterValue(candidates, value, call.values[slot], hook);
  });
  const numberAt = (slot: number): bigint | undefined => {
    const argument = call.values[slot];
    return argument && numberOf(argument);
  };
  runExpressions(candidates, hook.cel.entry, numberAt);
  runExpressions(candidates, hook.cel.returned, numberAt);
  filterProcess(candidates, hook, processSets, call);
  yieldToActing(candidates, hook, selectorMask(acting(hook)), processSets, call);
  return verdictOf(candidates, hook);
}

/** The selectors that have a filter on the value. */
function selectorsOf({ ints, intTable, texts, net }: CompiledValue): bigint {
  const tables = [intTable, texts.equal, texts.prefix, texts.postfix, net.source, net.destination];
  const groups = [...ints, ...(net.groups ?? []), ...(texts.substrings ?? [])];
  return [...tables.map((table) => table?.used ?? []), ...groups.map(({ selectors }) => selectors)]
    .map(selectorMask)
    .reduce((all, mask) => all | mask, 0n);
}

function filterValue(
  candidates: Candidates,
  image: CompiledValue,
  argument: HookArgument | undefined,
  hook: CompiledHook,
): void {
  const about = image.label ?? `${image.type} ${image.index}`;
  const all = selectorsOf(image);
  if (argument?.type !== image.type) return candidates.doubt(all, 'VALUE_NOT_RECORDED', about);
  if (READS[image.type].class === 'number') {
    const number = numberOf(argument);
    if (number !== undefined) filterNumber(candidates, image, number);
  } else if ('family' in argument) {
    filterNet(candidates, image.net, argument satisfies NetArgument);
  } else {
    if ('permission' in argument) filterFileType(candidates, image, argument);
    if (argument.type === 'sockaddr_un' && image.ints.length > 0) {
      // an address of another family is not read, and its family is not in the event
      if (argument.unreadable === true) return candidates.doubt(all, 'VALUE_INCOMPLETE', about);
      filterNumber(candidates, image, AF_UNIX);
    }
    const compared = comparedOf(argument);
    if (compared === undefined) candidates.doubt(all, 'VALUE_REWRITTEN', about);
    else filterText(candidates, { image, compared, about, suppresses: selectorMask(suppressing(hook)) });
  }
}

const AF_UNIX = 1n;

/** Undefined if the event has another text than the kernel compares. */
function comparedOf(argument: HookArgument): Compared | undefined {
  if ('path' in argument) {
    const bytes = comparedPath(argument);
    const hasFile = !argument.flags.includes('fault');
    const cutStart = argument.flags.includes('truncated');
    return bytes && { bytes, cutStart, cutEnd: false, cutUnknown: false, isFile: hasFile };
  }
  if (!('truncated' in argument)) return undefined;
  const { value, truncated } = argument;
  const whole = typeof value === 'string' ? encodeText(value) : Buffer.from(value);
  const bytes = whole.subarray(0, AbiLimit.STRING_BYTES_MAX);
  const cutEnd = truncated || whole.length > bytes.length;
  return { bytes, cutStart: false, cutEnd, cutUnknown: !BUFFER_TYPES.has(argument.type), isFile: false };
}

/** The selector with the lowest index matches. If it is not certain which, they may still all lead to the same. */
function verdictOf(candidates: Candidates, hook: CompiledHook): Verdict {
  const { selectors, endsSurely } = candidates.inOrder();
  if (selectors.length === 0) return { reported: 'no', selectors: [], doubts: [] };
  const doubts = candidates.doubtsAbout(selectors);
  const outcomes = new Set(selectors.map((selector) => reportOf(hook, selector)));
  if (!endsSurely) outcomes.add('no');
  if (outcomes.has('unknown')) doubts.push(doubtOf('RATE_LIMIT', 'rateLimit'));
  const [only = 'unknown', ...others] = outcomes;
  const reported = others.length > 0 ? 'unknown' : only;
  const [first] = selectors;
  return selectors.length === 1 && endsSurely ? { reported, selector: first as number, selectors, doubts } : { reported, selectors, doubts }; // prettier-ignore
}

/** Says if a match of the selector is reported. An event without Post comes only because of its requests. */
function reportOf({ actions, returnActions }: CompiledHook, selector: number): Verdict['reported'] {
  const posting: SelectorActions | undefined = returnActions?.[selector] ?? actions?.[selector];
  if (posting === undefined) return 'yes';
  if (posting.order.includes('noPost')) return 'no';
  return posting.rateLimit === undefined ? 'yes' : 'unknown';
}
