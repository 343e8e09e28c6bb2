/** Filters on the process. An event has the state at the exec; filters on the state at the call are uncertain. */
import type { PlainProcess } from '../../types/events.js';
import type { CompiledHook, ProcessSet, ProcessTest } from '../compiled/compiled-policy.js';
import { AbiLimit } from '../wire/layout.gen.js';
import { selectorMask, encodeUtf8 } from '../wire/encode/tables.js';
import { encodeString } from '../wire/surrogate-escape.js';
import type { UncertaintyCode } from '../../types/recording.js';
import type { RecordedCall } from './call.js';
import type { Candidates } from './candidates.js';
import { applyGroup } from './tables.js';
import { hasPrefix } from './strings.js';

export function filterProcess(
  candidates: Candidates,
  { process, sets, changes, scopes }: CompiledHook,
  processSets: readonly ProcessSet[],
  call: RecordedCall,
): void {
  for (const test of scopes) candidates.addUncertainty(selectorMask(test.selectors), 'SCOPE', 'scope');
  for (const group of process) {
    const isPid = group.field === 'pid';
    if (isPid && !call.isSocketOwner) applyGroup(candidates, group, BigInt(call.process.pid));
    else
      candidates.addUncertainty(
        selectorMask(group.selectors),
        isPid ? 'SOCKET_OWNER' : 'PROCESS_STATE',
        processFieldName(group.field),
      );
  }
  for (const test of sets.filter(({ yields }) => yields !== true)) applySetTest(candidates, test, processSets, call);
  for (const test of changes) candidates.addUncertainty(selectorMask(test.selectors), 'PROCESS_STATE', 'changes');
}

/** Drops selectors that only report where an enforcing one may match, unless the executable is trusted. */
export function dropYieldingSelectors(
  candidates: Candidates,
  { sets }: CompiledHook,
  enforcing: bigint,
  processSets: readonly ProcessSet[],
  call: RecordedCall,
): void {
  if (!candidates.hasPossible(enforcing)) return;
  const isCertain = candidates.hasCertain(enforcing);
  for (const test of sets.filter(({ yields }) => yields === true))
    applySetTest(candidates, test, processSets, call, isCertain);
}

function processFieldName(field: CompiledHook['process'][number]['field']): string {
  return typeof field === 'string' ? field : `namespace ${field.namespace}`;
}

type Membership = boolean | UncertaintyCode;

/** `isCertain` is false if the test applies only when another selector matches, and that is not certain. */
function applySetTest(
  candidates: Candidates,
  test: ProcessTest,
  processSets: readonly ProcessSet[],
  call: RecordedCall,
  isCertain = true,
): void {
  const set = processSets[test.set];
  const mask = selectorMask(test.selectors);
  const about = set?.argument !== undefined ? 'matchCmdArgs' : test.parent ? 'matchParentBinaries' : 'matchBinaries';
  const membership = set === undefined ? 'PROCESS_UNKNOWN' : resolveMembership(set, test.parent, call);
  if (typeof membership === 'string') candidates.addUncertainty(mask, membership, about);
  else if (membership !== test.negate) return;
  else if (isCertain) candidates.drop(mask);
  else candidates.addUncertainty(mask, 'PROCESS_HISTORY', about);
}

function resolveMembership(set: ProcessSet, ofParent: boolean, call: RecordedCall): Membership {
  if (call.isSocketOwner) return 'SOCKET_OWNER';
  const process = ofParent ? call.parent : call.process;
  // The scan of already running processes ran at another time than the event.
  if (process === undefined || (ofParent && hasFlag(call.process, 'procFS'))) return 'PROCESS_UNKNOWN';
  const own = processMembership(set, process);
  if (!set.follow || own === true) return own;
  const above = ofParent || call.parent === undefined ? call.ancestors : [call.parent, ...call.ancestors];
  return above.some((each) => processMembership(set, each) === true) ? true : 'PROCESS_HISTORY';
}

function processMembership(set: ProcessSet, process: PlainProcess): Membership {
  if (set.pids.length > 0) return set.inNamespace ? 'PROCESS_STATE' : set.pids.includes(process.pid);
  if (set.argument !== undefined) return argumentMembership(set, set.argument, process);
  const { executable } = process;
  const isUnsure = ['unknown', 'truncFilename', 'errorFilename'].some((flag) => hasFlag(process, flag));
  // /proc shows a path from another root than the kernel does, and the name of a memfd like a path.
  const isOther = (hasFlag(process, 'procFS') && process.binaryUntrusted) || executable.startsWith('/memfd:');
  if (isUnsure || isOther) return 'PROCESS_UNKNOWN';
  return (!set.trusted || !process.binaryUntrusted) && isPathInSet(set, encodeString(executable));
}

/** The kernel reads no other arguments than those of the event. If some of them are unknown, the others decide. */
function argumentMembership(set: ProcessSet, position: number | 'any', process: PlainProcess): Membership {
  // A process that is older than the tracer may have changed its arguments before the policy was loaded.
  if (hasFlag(process, 'procFS')) return 'PROCESS_UNKNOWN';
  const { argv } = process;
  const isCut = hasFlag(process, 'truncArgs') || hasFlag(process, 'errorArgs');
  // events do not have the name that the program was started with
  if (position === 0) return 'PROCESS_HISTORY';
  // the last argument may be incomplete
  const known = (isCut ? argv.slice(0, -1) : argv).map(encodeString);
  const compared = position === 'any' ? known : known.slice(position - 1, position);
  if (compared.some((argument) => isArgumentInSet(set, argument))) return true;
  return isCut && (position === 'any' || position > known.length) ? !set.trusted : false;
}

function isArgumentInSet({ equal, prefix, postfix }: ProcessSet, argument: Buffer): boolean {
  return (
    equal.some((value) => argument.equals(encodeUtf8(value))) ||
    prefix.some((value) => hasPrefix(argument, encodeUtf8(value))) ||
    postfix.some((value) => argument.subarray(-encodeUtf8(value).length).equals(encodeUtf8(value)))
  );
}

function isPathInSet({ equal, prefix, postfix }: ProcessSet, path: Buffer): boolean {
  return (
    (path.length <= AbiLimit.BINARY_PATH_MAX && equal.some((value) => path.equals(encodeUtf8(value)))) ||
    prefix.some((value) => hasPrefix(path, encodeUtf8(value))) ||
    postfix.some((value) => path.subarray(-encodeUtf8(value).length).equals(encodeUtf8(value)))
  );
}

function hasFlag({ flags }: PlainProcess, flag: string): boolean {
  return flags.split(' ').includes(flag);
}
