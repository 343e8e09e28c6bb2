/** Compiles the targets of a hook: what it is attached to. */
import type { CompiledHook, UprobeAttachPoint } from '../../compiled/compiled-policy.js';
import { formatAttachPoint } from '../../names/attach-points.js';
import { resolveCall } from '../model/lists.js';
import type { Hook, HookData, PolicyData } from '../model/model.js';

export type HookTarget = Pick<
  CompiledHook,
  'kind' | 'call' | 'syscall' | 'tracepoint' | 'program' | 'usdt' | 'list' | 'places'
>;

export function compileTargets(policy: PolicyData, hook: Hook): HookTarget[] {
  const { kind, data } = hook;
  switch (kind) {
    case 'kprobes':
    case 'fentries': {
      const compiledKind = kind === 'kprobes' ? 'kprobe' : 'fentry';
      const { call = '' } = data;
      const { syscall, functions: list } = resolveCall(policy, call, data.syscall ?? true);
      const only = 'functions' in list && list.functions.length === 1 ? list.functions[0] : undefined;
      return [{ kind: compiledKind, call: only ?? call, syscall, ...(only === undefined ? { list } : {}) }];
    }
    case 'tracepoints': {
      const { subsystem = '', event = '', raw } = data;
      const tracepoint = { subsystem, event };
      const compiledKind = raw === true ? 'raw_tracepoint' : 'tracepoint';
      return [{ kind: compiledKind, call: `${subsystem}/${event}`, syscall: false, tracepoint }];
    }
    case 'lsmhooks':
      return [{ kind: 'lsm', call: data.hook ?? '', syscall: false }];
    case 'uprobes': {
      const points = compileAttachPoints(data);
      return hasJumpAction(hook) ? points.map((point) => makeUprobeTarget([point])) : [makeUprobeTarget(points)];
    }
    case 'usdts':
      return [makeUsdtTarget(data)];
  }
}

function makeUsdtTarget({ path = '', provider = '', name = '' }: HookData): HookTarget {
  return { kind: 'usdt', call: `${provider}:${name}`, syscall: false, usdt: { path, provider, name } };
}

const TARGET_FIELDS: Readonly<Record<Hook['kind'], keyof HookData>> = {
  kprobes: 'call',
  fentries: 'call',
  tracepoints: 'event',
  uprobes: 'path',
  usdts: 'name',
  lsmhooks: 'hook',
};

/** The field of the policy that names the target of the hook. */
export function targetField({ kind }: Hook): keyof HookData {
  return TARGET_FIELDS[kind];
}

function makeUprobeTarget(points: readonly UprobeAttachPoint[]): HookTarget {
  const [program = { path: '' }] = points;
  const call = formatAttachPoint(program) + (points.length > 1 ? ` and ${points.length - 1} more` : '');
  return { kind: 'uprobe', call, syscall: false, program, ...(points.length > 1 ? { places: points } : {}) };
}

/**
 * True if an action makes the call continue elsewhere. The distance of the jump differs for each attach point, so each
 * attach point needs its own target.
 */
function hasJumpAction({ selectors }: Hook): boolean {
  const actions = selectors.flatMap(({ matchActions = [] }) => matchActions);
  return actions.some(({ argNewSymbol, argNewOffset, argNewAddr }) =>
    [argNewSymbol, argNewOffset, argNewAddr].some((each) => each !== undefined),
  );
}

/** The attach points in the order of refCtrOffsets. They are all symbols, all offsets or all addresses. */
function compileAttachPoints(data: HookData): UprobeAttachPoint[] {
  const { path = '', symbols = [], offsets = [], addrs = [], refCtrOffsets = [], binaryDigests = [], ignore } = data;
  const digests =
    binaryDigests.length === 0
      ? {}
      : {
          digests: binaryDigests,
          ...(ignore?.digestVerificationFailure === true ? { ignoreDigests: true as const } : {}),
        };
  const inContainers = data.resolvePathInContainer === true ? { inContainers: true as const } : {};
  const points = [
    ...symbols.map(parseSymbol),
    ...offsets.map((fileOffset) => ({ fileOffset })),
    ...addrs.map((address) => ({ address })),
  ];
  return points.map((point, i) => {
    const refCtrOffset = refCtrOffsets[i];
    return { ...point, path, ...inContainers, ...digests, ...(refCtrOffset === undefined ? {} : { refCtrOffset }) };
  });
}

/** `NAME+OFFSET` is an address within a function. */
function parseSymbol(text: string): Pick<UprobeAttachPoint, 'symbol' | 'symbolOffset'> {
  const [, symbol, offset] = /^(.+)\+(0x[0-9a-fA-F]+|\d+)$/.exec(text) ?? [];
  if (symbol === undefined || offset === undefined) return { symbol: text };
  return { symbol, symbolOffset: BigInt(offset) };
}
