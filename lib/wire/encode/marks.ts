/** Encodes the filter matchMarks and the actions Mark and Unmark. Pure. */
import { isMatchedAtReturn } from '../../compiled/compiled-hook.js';
import type { CompiledHook, MarkChange, MarkTest } from '../../compiled/compiled-policy.js';
import type { EncodeContext } from './context.js';
import {
  HookConfig,
  MarkAction as ActionLayout,
  MarkDetail,
  MarkOperation,
  MarkTest as TestLayout,
  RecordLimit,
} from '../layout.gen.js';
import { selectorMask } from './tables.js';

/** Number of bytes that marks need in the record: to set one, or for the causes of those that were set. */
export function markBytes({ markTests, markChanges }: CompiledHook): number {
  return Math.max(
    markTests === undefined ? 0 : RecordLimit.MARKS_SIZE_MAX,
    markChanges === undefined ? 0 : MarkDetail.sizeof,
  );
}

export function encodeMarks(view: DataView, hook: CompiledHook, context: EncodeContext): void {
  const { markTests = [], markChanges = [] } = hook;
  if (markTests.length === 0 && markChanges.length === 0) return;
  view.setUint8(HookConfig.markTests, markTests.length);
  view.setUint8(HookConfig.markActions, markChanges.length);
  const isLate = context.pair && hook.returnActions === undefined && isMatchedAtReturn(hook);
  view.setUint8(HookConfig.marksAtReturn, Number(isLate));
  const groups = Array.from({ length: HookConfig.markGroupsLength }, (_, i) =>
    selectorMask(markTests.flatMap((test) => test.in[i] ?? [])),
  );
  groups.forEach((mask, i) => view.setBigUint64(HookConfig.markGroups + i * HookConfig.markGroupsStride, mask, true));
  view.setBigUint64(
    HookConfig.marked,
    groups.reduce((all, mask) => all | mask, 0n),
    true,
  );
  const isOfContainer = ({ container }: MarkTest | MarkChange): boolean => container === true;
  view.setUint8(HookConfig.containerMarks, Number([...markTests, ...markChanges].some(isOfContainer)));
  markTests.forEach((test, i) => {
    const at = HookConfig.marks + i * HookConfig.marksStride;
    test.in.forEach((selectors, n) => {
      view.setBigUint64(at + TestLayout.in + n * TestLayout.inStride, selectorMask(selectors), true);
    });
    view.setBigUint64(at + TestLayout.notIn, selectorMask(test.notIn), true);
    view.setUint32(at + TestLayout.id, markId(context, test.mark), true);
    view.setUint8(at + TestLayout.container, Number(isOfContainer(test)));
  });
  markChanges.forEach((change, i) => {
    const at = HookConfig.marking + i * HookConfig.markingStride;
    view.setBigUint64(at + ActionLayout.selectors, selectorMask(change.selectors), true);
    view.setBigUint64(at + ActionLayout.duration, change.ttl ?? 0n, true);
    view.setUint32(at + ActionLayout.id, markId(context, change.mark), true);
    view.setUint8(
      at + ActionLayout.operation,
      change.action === 'mark' ? MarkOperation.MARK_SET : MarkOperation.MARK_REMOVE,
    );
    view.setUint8(at + ActionLayout.container, Number(isOfContainer(change)));
    view.setUint8(at + ActionLayout.inherits, Number(change.inherits));
    view.setUint8(at + ActionLayout.atReturn, Number(change.onReturn === true));
  });
  const name = new TextEncoder().encode(hookName(hook)).subarray(0, HookConfig.markFunctionLength);
  name.forEach((byte, i) => view.setUint8(HookConfig.markFunction + i, byte));
}

function hookName({ call, tracepoint }: CompiledHook): string {
  return tracepoint === undefined ? call : `${tracepoint.subsystem}/${tracepoint.event}`;
}

function markId({ markIds = [] }: EncodeContext, mark: number): number {
  return markIds[mark] as number;
}
