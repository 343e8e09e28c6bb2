/** Filters on the process. An event has the process at its exec; filters on its state at the call cannot be evaluated. */
import type { PlainProcess } from '../../types/events.js';
import type { CompiledHook, ProcessSet, ProcessTest } from '../compiled/compiled-policy.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { selectorMask, textBytes } from '../wire/encode/tables.js';
import { encodeText } from '../wire/text.js';
import type { UncertaintyCode } from '../../types/recording.js';
import type { Call } from './call.js';
import type { Candidates } from './candidates.js';
import { applyGroup } from './tables.js';
import { startsWith } from './texts.js';

export function filterProcess(
  candidates: Candidates,
  { process, sets, changes, scopes }: CompiledHook,
  processSets: readonly ProcessSet[],
  call: Call,
): void {
  for (const test of scopes) candidates.doubt(selectorMask(test.selectors), 'SCOPE', 'scope');
  for (const group of process) {
    const isPid = group.field === 'pid';
    if (isPid && !call.ofSocketOwner) applyGroup(candidates, group, BigInt(call.process.pid));
    else candidates.doubt(selectorMask(group.selectors), isPid ? 'SOCKET_OWNER' : 'PROCESS_STATE', nameOf(group.field));
  }
  for (const test of sets.filter(({ yields }) => yields !== true)) testSet(candidates, test, processSets, call);
  for (const test of changes) candidates.doubt(selectorMask(test.selectors), 'PROCESS_STATE', 'changes');
}

/** A selector that only reports does not keep a process from one that acts, unless its path is trusted. */
export function yieldToActing(
  candidates: Candidates,
  { sets }: CompiledHook,
  acting: bigint,
  processSets: readonly ProcessSet[],
  call: Call,
): void {
  if (!candidates.mayHave(acting)) return;
  const isSure = candidates.haveSurely(acting);
  for (const test of sets.filter(({ yields }) => yields === true)) testSet(candidates, test, processSets, call, isSure);
}

function nameOf(field: CompiledHook['process'][number]['field']): string {
  return typeof field === 'string' ? field : `namespace ${field.namespace}`;
}

type Membership = boolean | UncertaintyCode;

/** `isSure` is false for a test that counts only if another selector matches, which is not known. */
function testSet(
  candidates: Candidates,
  test: ProcessTest,
  processSets: readonly ProcessSet[],
  call: Call,
  isSure = true,
): void {
  const set = processSets[test.set];
  const mask = selectorMask(test.selectors);
  const about = test.parent ? 'matchParentBinaries' : 'matchBinaries';
  const membership = set === undefined ? 'PROCESS_UNKNOWN' : membershipOf(set, test.parent, call);
  if (typeof membership === 'string') candidates.doubt(mask, membership, about);
  else if (membership !== test.negate) return;
  else if (isSure) candidates.drop(mask);
  else candidates.doubt(mask, 'PROCESS_HISTORY', about);
}

function membershipOf(set: ProcessSet, ofParent: boolean, call: Call): Membership {
  if (call.ofSocketOwner) return 'SOCKET_OWNER';
  const process = ofParent ? call.parent : call.process;
  // the scan of running processes saw another moment than the event
  if (process === undefined || (ofParent && hasFlag(call.process, 'procFS'))) return 'PROCESS_UNKNOWN';
  const own = isMember(set, process);
  if (!set.follow || own === true) return own;
  const above = ofParent || call.parent === undefined ? call.ancestors : [call.parent, ...call.ancestors];
  return above.some((each) => isMember(set, each) === true) ? true : 'PROCESS_HISTORY';
}

function isMember(set: ProcessSet, process: PlainProcess): Membership {
  if (set.pids.length > 0) return set.inNamespace ? 'PROCESS_STATE' : set.pids.includes(process.pid);
  const { executable } = process;
  const isUnsure = hasFlag(process, 'unknown') || hasFlag(process, 'truncFilename');
  // /proc shows the path from another root than the kernel, and a name in memory like a path
  const isOther = (hasFlag(process, 'procFS') && process.binaryUntrusted) || executable.startsWith('/memfd:');
  if (isUnsure || isOther) return 'PROCESS_UNKNOWN';
  return (!set.trusted || !process.binaryUntrusted) && hasPath(set, encodeText(executable));
}

function hasPath({ equal, prefix, postfix }: ProcessSet, path: Buffer): boolean {
  return (
    (path.length <= AbiLimit.BINARY_TEXT_MAX && equal.some((value) => path.equals(textBytes(value)))) ||
    prefix.some((value) => startsWith(path, textBytes(value))) ||
    postfix.some((value) => path.subarray(-textBytes(value).length).equals(textBytes(value)))
  );
}

function hasFlag({ flags }: PlainProcess, flag: string): boolean {
  return flags.split(' ').includes(flag);
}
