/** Compiles `loader: true` to a hook on the kernel function that reports each new mapping. */
import type { CompiledHook, IntGroup, CompiledValue } from '../../compiled/compiled-policy.js';
import type { Analysis } from '../analyse.js';
import type { Scopes } from './scopes.js';

/** Flag of an executable mapping (linux/mm.h). */
const VM_EXEC = 4n;

export function compileLoader({ data, file, positions }: Analysis, scopes: Scopes): CompiledHook[] {
  const { spec } = data;
  if (spec?.loader !== true) return [];
  const position = positions.toPosition(positions.value(spec, 'loader'));
  const makeMemberValue = (type: CompiledValue['type'], resolve: string, ...ints: IntGroup[]): CompiledValue => {
    return { index: 0, type, resolve, ints, texts: {}, net: {}, position };
  };
  return [
    {
      kind: 'loader',
      call: 'perf_event_mmap',
      syscall: false,
      position: { file, ...position },
      tags: [],
      selectors: 1,
      args: [makeMemberValue('file', 'vm_file')],
      // Only mappings that are executable and belong to a file are reported.
      data: [
        makeMemberValue('uint64', 'vm_flags', makeSingleTestGroup('mask', VM_EXEC, false)),
        makeMemberValue('uint64', 'vm_file', makeSingleTestGroup('equal', 0n, true)),
      ],
      process: [],
      sets: [],
      scopes: scopes.compileTests([], []),
      changes: [],
      cel: { entry: [], returned: [] },
    },
  ];
}

function makeSingleTestGroup(op: 'mask' | 'equal', value: bigint, negate: boolean): IntGroup {
  return { negate, selectors: [0], tests: [{ op, signed: false, value, selectors: [0] }] };
}
