/** `polytrace trace mount`: file systems that are mounted and unmounted, by the old and the new system calls. */
import { RecentMap } from '../rules/recent-map.js';
import { fieldColumn, WHO } from './columns.js';
import { formatPolicy } from './policy-text.js';
import { SyscallCalls, syscallFunctions, syscallTracepoints, type SyscallCall, type SyscallSpec } from './syscalls.js';
import { makeRow, type Row, type TracerDefinition } from './tracer.js';
import { formatResult, numberValue, textValue } from './values.js';

const text = (index: number, label: string): { index: number; type: string; label: string } => ({ index, type: 'string', label }); // prettier-ignore
const number = (index: number, label: string): { index: number; type: string; label: string } => ({ index, type: 'int', label }); // prettier-ignore

const CALLS: readonly SyscallSpec[] = [
  { name: 'mount', args: [text(0, 'source'), text(1, 'target'), text(2, 'type'), { index: 3, type: 'uint64', label: 'flags' }] },
  { name: 'umount', args: [text(0, 'target')] },
  // mount(8) since util-linux 2.39: a file system by fsopen and fsconfig, a bind mount by open_tree, then move_mount
  { name: 'fsopen', args: [text(0, 'type')] },
  { name: 'fsconfig', args: [number(0, 'fd'), number(1, 'command'), text(2, 'key'), text(3, 'value')] },
  { name: 'fsmount', args: [number(0, 'fd')] },
  { name: 'open_tree', args: [number(0, 'fd'), text(1, 'source')] },
  { name: 'move_mount', args: [number(0, 'fd'), text(1, 'source'), number(2, 'toFd'), text(3, 'target')] },
]; // prettier-ignore

/** FSCONFIG_SET_STRING of fsconfig(2). */
const SET_STRING = 1n;
/** Descriptors of file systems and trees that are not attached yet. */
const DESCRIPTORS_MAX = 4096;

/** Flags of mount(2) that make it something else than a mount of a file system (linux/mount.h). */
const KINDS: readonly (readonly [bit: bigint, name: string])[] = [
  [32n, 'remount'],
  [4096n, 'bind'],
  [8192n, 'move'],
  [(1n << 17n) | (1n << 18n) | (1n << 19n) | (1n << 20n), 'propagation'],
];

interface Prepared {
  readonly type: string;
  readonly source: string;
}

export const mountTracer: TracerDefinition = {
  name: 'mount',
  summary: 'file systems that are mounted and unmounted',
  takes: { failed: 'only calls that fail' },
  needs: 'kprobes (CONFIG_KPROBE_EVENTS), or tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)',
  policies: ({ policyName, pids, binaries }) => [
    formatPolicy(
      policyName,
      ['Mounts, by mount(2), and by fsopen, fsconfig, fsmount, open_tree and move_mount.'],
      syscallFunctions(CALLS, { pids, binaries }),
    ),
    formatPolicy(
      policyName,
      ['Mounts: entry and exit of the system calls.'],
      // the format of the tracepoint does not say that the value of fsconfig is a string
      syscallTracepoints(
        CALLS.map((call) => ({ ...call, args: call.args.filter(({ label }) => label !== 'value') })),
        { pids, binaries },
      ),
    ),
  ],
  columns: () => [
    ...WHO,
    fieldColumn('CALL', 10, 'call'),
    fieldColumn('RESULT', 7, 'result'),
    fieldColumn('TYPE', 9, 'type'),
    fieldColumn('SOURCE', 16, 'source'),
    fieldColumn('TARGET', 20, 'target'),
  ],
  createCollector: ({ failed }) => {
    const calls = new SyscallCalls();
    const descriptors = new RecentMap<string, Prepared>(DESCRIPTORS_MAX);
    const rowOf = (call: SyscallCall): Row | undefined => {
      const { entry, name, result } = call;
      const key = (fd: bigint): string => `${entry.process.pid} ${fd}`;
      const fd = numberValue(entry, 'fd');
      const read = (label: string): string => textValue(entry, label) ?? '';
      switch (name) {
        case 'fsopen':
          if (result < 0n) return mountRow(call, 'fsopen', { type: read('type'), source: '' }, '');
          descriptors.set(key(result), { type: read('type'), source: '' });
          return undefined;
        case 'fsconfig': {
          const known = descriptors.get(key(fd)) ?? { type: '', source: '' };
          if (result < 0n) return mountRow(call, 'fsconfig', known, '');
          if (numberValue(entry, 'command') === SET_STRING && read('key') === 'source')
            descriptors.set(key(fd), { ...known, source: read('value') });
          return undefined;
        }
        case 'fsmount':
          if (result < 0n) return mountRow(call, 'fsmount', descriptors.get(key(fd)), '');
          descriptors.set(key(result), descriptors.get(key(fd)) ?? { type: '', source: '' });
          return undefined;
        case 'open_tree':
          if (result >= 0n) descriptors.set(key(result), { type: 'bind', source: read('source') });
          return undefined;
        case 'move_mount': {
          const known = read('source') === '' ? descriptors.get(key(fd)) : { type: 'move', source: read('source') };
          return mountRow(call, 'mount', known, read('target'));
        }
        case 'umount':
          return mountRow(call, 'umount', undefined, read('target'));
        case 'mount': {
          const [, kind] = KINDS.find(([bits]) => (numberValue(entry, 'flags') & bits) !== 0n) ?? [];
          return mountRow(call, 'mount', { type: kind ?? read('type'), source: read('source') }, read('target'));
        }
        default:
          return undefined;
      }
    };
    return {
      get forgotten() {
        return calls.forgotten + descriptors.evicted;
      },
      take(event) {
        const call = calls.take(event);
        const row = call && rowOf(call);
        return row === undefined || (failed === true && row.fields['result'] === 'ok') ? [] : [row];
      },
    };
  },
};

function mountRow({ entry, result }: SyscallCall, call: string, known: Prepared | undefined, target: string): Row {
  return makeRow(entry, {
    call,
    result: result < 0n ? formatResult(result) : 'ok',
    type: known?.type ?? '',
    source: known?.source ?? '',
    target,
  });
}
