/** Encodes groups of number comparisons: for the process, then for each value in the order of the slots. Pure. */
import { hookValues } from '../../compiled/compiled-hook.js';
import type {
  CompiledHook,
  IntGroup,
  NetField,
  ProcessField as ImageField,
  ProcessGroup,
} from '../../compiled/compiled-policy.js';
import { KernelError } from '../../errors.js';
import { NAMESPACES } from '../../names/namespaces.js';
import { type EncodeContext } from './context.js';
import {
  HookConfig,
  IntGroup as GroupLayout,
  IntOp,
  IntTest as TestLayout,
  NetDetail,
  ProcessField,
} from '../layout.gen.js';
import { selectorMask } from './tables.js';

export interface FieldGroup extends IntGroup {
  /** A number of enum process_field, or the offset of a field in struct net_detail. */
  readonly field: number;
}

/** The offset of each field in struct net_detail. */
export const NET_FIELDS: Readonly<Record<NetField, number>> = {
  family: NetDetail.family,
  protocol: NetDetail.protocol,
  state: NetDetail.state,
  sourcePort: NetDetail.sourcePort,
  destinationPort: NetDetail.destinationPort,
};

const PROCESS_FIELDS: Readonly<Record<ImageField & string, number>> = {
  pid: ProcessField.PROCESS_TGID,
  namespacePid: ProcessField.PROCESS_NAMESPACE_TGID,
  capPermitted: ProcessField.PROCESS_CAP_PERMITTED,
  capEffective: ProcessField.PROCESS_CAP_EFFECTIVE,
  capInheritable: ProcessField.PROCESS_CAP_INHERITABLE,
};

export interface HookGroups {
  readonly process: readonly FieldGroup[];
  /** The groups of each value, by slot. */
  readonly values: readonly (readonly FieldGroup[])[];
}

export function buildGroups(hook: CompiledHook, context: EncodeContext): HookGroups {
  return {
    process: hook.process.map((group) => buildProcessGroup(group, context)),
    values: hookValues(hook).map(({ ints, net }) => [
      ...ints.map((group) => ({ ...group, field: 0 })),
      ...(net.groups ?? []).map((group) => ({ ...group, field: NET_FIELDS[group.field] })),
    ]),
  };
}

function buildProcessGroup(group: ProcessGroup, context: EncodeContext): FieldGroup {
  const { field } = group;
  if (typeof field === 'string') return { ...group, field: PROCESS_FIELDS[field] };
  const numbers = context.hostNamespaces[field.namespace];
  const tests = group.tests.flatMap((test) =>
    test.host === true ? numbers.map((number) => ({ ...test, value: BigInt(number) })) : [test],
  );
  return { ...group, tests, field: ProcessField.PROCESS_NAMESPACE + NAMESPACES.indexOf(field.namespace) };
}

/** Throws KernelError LIMIT_INT_TESTS or LIMIT_INT_GROUPS. */
export function encodeGroups(view: DataView, groups: readonly FieldGroup[], call: string): void {
  const tests = groups.reduce((sum, group) => sum + group.tests.length, 0);
  if (tests > HookConfig.testsLength) {
    const message = `${call}: the hook has ${tests} comparisons of numbers; at most ${HookConfig.testsLength} are allowed`;
    throw new KernelError('LIMIT_INT_TESTS', message, 'split the hook into two, or use ranges instead of many values');
  }
  if (groups.length > HookConfig.groupsLength) {
    const message = `${call}: the hook has ${groups.length} filters on numbers next to each other; at most ${HookConfig.groupsLength} are allowed`;
    throw new KernelError('LIMIT_INT_GROUPS', message, 'split the hook into two');
  }
  let first = 0;
  groups.forEach((group, index) => {
    const at = HookConfig.groups + index * HookConfig.groupsStride;
    view.setBigUint64(at + GroupLayout.selectors, selectorMask(group.selectors), true);
    view.setUint8(at + GroupLayout.negate, Number(group.negate));
    view.setUint8(at + GroupLayout.first, first);
    view.setUint8(at + GroupLayout.count, group.tests.length);
    view.setUint8(at + GroupLayout.field, group.field);
    for (const test of group.tests) encodeTest(view, HookConfig.tests + first++ * HookConfig.testsStride, test);
  });
}

function encodeTest(view: DataView, at: number, test: IntGroup['tests'][number]): void {
  view.setBigUint64(at + TestLayout.value, test.value, true);
  view.setBigUint64(at + TestLayout.upper, test.upper ?? 0n, true);
  view.setBigUint64(at + TestLayout.selectors, selectorMask(test.selectors), true);
  view.setUint32(at + TestLayout.op, operatorNumber(test), true);
}

export function operatorNumber({ op, signed }: IntGroup['tests'][number]): number {
  switch (op) {
    case 'equal':
      return IntOp.INT_EQUAL;
    case 'mask':
      return IntOp.INT_MASK;
    case 'greater':
      return signed ? IntOp.INT_GREATER_SIGNED : IntOp.INT_GREATER;
    case 'less':
      return signed ? IntOp.INT_LESS_SIGNED : IntOp.INT_LESS;
    case 'range':
      return signed ? IntOp.INT_RANGE_SIGNED : IntOp.INT_RANGE;
  }
}
