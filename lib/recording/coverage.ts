/** Finds the recorded hooks that recorded the calls of a policy's hook. */
import type { PlainEvent } from '../../types/events.js';
import type { RecordedHook, RecordedValue } from '../../types/recording.js';
import type { CompiledHook } from '../compiled/compiled-policy.js';
import { compileRegExp } from '../policy/index.js';
import { functionKey } from './function-key.js';

/**
 * Rates how well a recorded hook replaces a wanted hook: 0 if it recorded none of its calls, 1 if it may have recorded them, 2 if
 * it also reads the same values, 3 if it is the same hook of the same policy.
 */
export function rateCoverage(wanted: RecordedHook, recorded: RecordedHook): 0 | 1 | 2 | 3 {
  if (!mayShareCalls(wanted, recorded)) return 0;
  if (valuesKey(wanted) !== valuesKey(recorded) || attachPointKey(wanted) !== attachPointKey(recorded)) return 1;
  const isSame =
    wanted.policyName === recorded.policyName &&
    wanted.position.line === recorded.position.line &&
    wanted.position.column === recorded.position.column;
  return isSame ? 3 : 2;
}

const keys = new WeakMap<RecordedHook, string>();

/** Returns a key that is equal for a hook that a recording contains twice. */
export function hookKey(hook: RecordedHook): string {
  let key = keys.get(hook);
  if (key === undefined) {
    key = toJsonKey(hook);
    keys.set(hook, key);
  }
  return key;
}

function toJsonKey(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? member.toString() : member));
}

function valuesKey({ args, data, returnArg }: RecordedHook): string {
  const key = ({ position, label, ...value }: RecordedValue): unknown => (void [position, label], value);
  return toJsonKey([args.map(key), data.map(key), returnArg && key(returnArg)]);
}

function attachPointKey({ call, syscall, list, places: points, program, usdt, tracepoint }: RecordedHook): string {
  return toJsonKey([call, syscall, list, points, program, usdt, tracepoint]);
}

const FUNCTIONS: ReadonlySet<CompiledHook['kind']> = new Set<CompiledHook['kind']>(['kprobe', 'fentry']);

function mayShareCalls(a: RecordedHook, b: RecordedHook): boolean {
  if (a.kind !== b.kind && !(FUNCTIONS.has(a.kind) && FUNCTIONS.has(b.kind))) return false;
  switch (a.kind) {
    case 'tracepoint':
    case 'raw_tracepoint':
      return a.tracepoint?.subsystem === b.tracepoint?.subsystem && a.tracepoint?.event === b.tracepoint?.event;
    case 'lsm':
      return a.call === b.call;
    case 'uprobe':
    case 'usdt':
      return programPaths(a).some((path) => programPaths(b).includes(path));
    case 'kprobe':
    case 'fentry': {
      const [own, others] = [functionKeys(a), functionKeys(b)];
      return own === undefined || others === undefined || own.some((name) => others.includes(name));
    }
    case 'enforcer':
    case 'loader':
      return true;
  }
}

function programPaths({ program, places: points, usdt }: RecordedHook): string[] {
  return [program, ...(points ?? []), usdt].flatMap((point) => (point === undefined ? [] : [point.path]));
}

/** Returns undefined if the functions are known only on the kernel. */
function functionKeys({ call, syscall, list }: Pick<RecordedHook, 'call' | 'syscall' | 'list'>): string[] | undefined {
  if (list === undefined) return [functionKey(call, syscall)];
  return 'functions' in list ? list.functions.map((name) => functionKey(name, syscall)) : undefined;
}

/** True if the event of a recorded hook is also a call of this hook. The two hooks can have different lists of functions. */
export function isCoveredCall(hook: CompiledHook, event: PlainEvent, recorded: RecordedHook): boolean {
  switch (event.type) {
    case 'process_kprobe': {
      const own = functionKeys(hook);
      if (own !== undefined) return own.includes(functionKey(event.functionName, recorded.syscall));
      if (hook.list !== undefined && 'generated' in hook.list && hook.list.generated === 'syscalls')
        return recorded.syscall;
      return hook.list !== undefined && 'pattern' in hook.list && matchesPattern(hook.list.pattern, event.functionName);
    }
    case 'process_uprobe': {
      const points = hook.places ?? (hook.program === undefined ? [] : [hook.program]);
      return points.some(
        ({ path, symbol = '', symbolOffset, fileOffset, address }) =>
          path === event.path &&
          symbol === event.symbol &&
          (symbolOffset ?? fileOffset ?? 0n) === event.offset &&
          address === event.address,
      );
    }
    case 'process_usdt':
      return hook.usdt?.path === event.path && hook.usdt.provider === event.provider && hook.usdt.name === event.name;
    case 'process_tracepoint':
    case 'process_lsm':
    case 'process_loader':
    case 'process_exec':
    case 'process_exit':
    case 'process_throttle':
    case 'change':
    case 'lost':
      return true;
  }
}

function matchesPattern(pattern: string, name: string): boolean {
  const compiled = compileRegExp(pattern);
  return compiled instanceof RegExp && compiled.test(name);
}
