/** Finds the targets that a hook of a policy attaches to. */
import type { CompiledHook, ProgramPlace } from '../../compiled/compiled-policy.js';
import { placeInFile } from '../../names/places.js';
import { calledBy } from '../model/lists.js';
import type { Hook, HookData, PolicyData } from '../model/model.js';

export type Target = Pick<
  CompiledHook,
  'kind' | 'call' | 'syscall' | 'tracepoint' | 'program' | 'usdt' | 'list' | 'places'
>;

export function targetsOf(policy: PolicyData, hook: Hook): Target[] {
  const { kind, data } = hook;
  switch (kind) {
    case 'kprobes':
    case 'fentries': {
      const image = kind === 'kprobes' ? 'kprobe' : 'fentry';
      const { call = '' } = data;
      const { syscall, functions: list } = calledBy(policy, call, data.syscall ?? true);
      const only = 'functions' in list && list.functions.length === 1 ? list.functions[0] : undefined;
      return [{ kind: image, call: only ?? call, syscall, ...(only === undefined ? { list } : {}) }];
    }
    case 'tracepoints': {
      const { subsystem = '', event = '', raw } = data;
      const tracepoint = { subsystem, event };
      const image = raw === true ? 'raw_tracepoint' : 'tracepoint';
      return [{ kind: image, call: `${subsystem}/${event}`, syscall: false, tracepoint }];
    }
    case 'lsmhooks':
      return [{ kind: 'lsm', call: data.hook ?? '', syscall: false }];
    case 'uprobes': {
      const places = placesOf(data);
      return goesOnElsewhere(hook) ? places.map((place) => uprobeTarget([place])) : [uprobeTarget(places)];
    }
    case 'usdts':
      return [usdtOf(data)];
  }
}

function usdtOf({ path = '', provider = '', name = '' }: HookData): Target {
  return { kind: 'usdt', call: `${provider}:${name}`, syscall: false, usdt: { path, provider, name } };
}

/** The field of the policy that names the target of the hook. */
export function targetField({ kind }: Hook): keyof HookData {
  if (kind === 'tracepoints') return 'event';
  if (kind === 'lsmhooks') return 'hook';
  if (kind === 'usdts') return 'name';
  return kind === 'uprobes' ? 'path' : 'call';
}

function uprobeTarget(places: readonly ProgramPlace[]): Target {
  const [program = { path: '' }] = places;
  const call = placeInFile(program) + (places.length > 1 ? ` and ${places.length - 1} more` : '');
  return { kind: 'uprobe', call, syscall: false, program, ...(places.length > 1 ? { places } : {}) };
}

/**
 * True if the call continues elsewhere. The distance differs for each place, so each place needs a target of its own.
 */
function goesOnElsewhere({ selectors }: Hook): boolean {
  const actions = selectors.flatMap(({ matchActions = [] }) => matchActions);
  return actions.some(({ argNewSymbol, argNewOffset, argNewAddr }) =>
    [argNewSymbol, argNewOffset, argNewAddr].some((each) => each !== undefined),
  );
}

/** The places in the order of refCtrOffsets. They are all symbols, all offsets or all addresses. */
function placesOf(data: HookData): ProgramPlace[] {
  const { path = '', symbols = [], offsets = [], addrs = [], refCtrOffsets = [], binaryDigests = [], ignore } = data;
  const digests =
    binaryDigests.length === 0
      ? {}
      : {
          digests: binaryDigests,
          ...(ignore?.digestVerificationFailure === true ? { ignoreDigests: true as const } : {}),
        };
  const places = [
    ...symbols.map(symbolPlace),
    ...offsets.map((fileOffset) => ({ fileOffset })),
    ...addrs.map((address) => ({ address })),
  ];
  return places.map((place, i) => {
    const refCtrOffset = refCtrOffsets[i];
    return { ...place, path, ...digests, ...(refCtrOffset === undefined ? {} : { refCtrOffset }) };
  });
}

/** `NAME+OFFSET` means a place within a function. */
function symbolPlace(text: string): Pick<ProgramPlace, 'symbol' | 'symbolOffset'> {
  const [, symbol, offset] = /^(.+)\+(0x[0-9a-fA-F]+|\d+)$/.exec(text) ?? [];
  if (symbol === undefined || offset === undefined) return { symbol: text };
  return { symbol, symbolOffset: BigInt(offset) };
}
