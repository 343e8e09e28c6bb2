/** Compiles `loader: true`: a hook that the compiler adds, on the kernel function that reports each new mapping. */
import type { CompiledHook, IntGroup, CompiledValue } from '../../compiled/compiled-policy.js';
import type { Analysis } from '../analyse.js';
import type { Scopes } from './scopes.js';

/** linux/mm.h */
const VM_EXEC = 4n;

export function loaderOf({ data, file, places }: Analysis, scopes: Scopes): CompiledHook[] {
  const { spec } = data;
  if (spec?.loader !== true) return [];
  const position = places.position(places.value(spec, 'loader'));
  const member = (type: CompiledValue['type'], resolve: string, ...ints: IntGroup[]): CompiledValue => {
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
      args: [member('file', 'vm_file')],
      // Only mappings that are executable and belong to a file are reported.
      data: [
        member('uint64', 'vm_flags', one('mask', VM_EXEC, false)),
        member('uint64', 'vm_file', one('equal', 0n, true)),
      ],
      process: [],
      sets: [],
      scopes: scopes.tests([], []),
      changes: [],
      cel: { entry: [], returned: [] },
    },
  ];
}

function one(op: 'mask' | 'equal', value: bigint, negate: boolean): IntGroup {
  return { negate, selectors: [0], tests: [{ op, signed: false, value, selectors: [0] }] };
}
