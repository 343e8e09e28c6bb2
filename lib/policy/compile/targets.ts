/** What a hook of a policy is put on: each of these becomes a hook of its own. */
import type { HookImage, ProgramPlace } from '../image.js';
import { callsOf } from '../lists.js';
import type { Hook, HookData, PolicyData } from '../model.js';

export type Target = Pick<HookImage, 'kind' | 'call' | 'syscall' | 'tracepoint' | 'program' | 'usdt'>;

export function targetsOf(policy: PolicyData, { kind, data }: Hook): Target[] {
  switch (kind) {
    case 'kprobes':
    case 'fentries': {
      const image = kind === 'kprobes' ? 'kprobe' : 'fentry';
      const calls = callsOf(policy, data.call ?? '', data.syscall ?? true);
      return calls.map(({ name, syscall }) => ({ kind: image, call: name, syscall }));
    }
    case 'tracepoints': {
      const { subsystem = '', event = '', raw } = data;
      const tracepoint = { subsystem, event };
      const image = raw === true ? 'raw_tracepoint' : 'tracepoint';
      return [{ kind: image, call: `${subsystem}/${event}`, syscall: false, tracepoint }];
    }
    case 'lsmhooks':
      return [{ kind: 'lsm', call: data.hook ?? '', syscall: false }];
    case 'uprobes':
      return placesOf(data).map(({ call, ...program }) => ({ kind: 'uprobe', call, syscall: false, program }));
    case 'usdts':
      return [usdtOf(data)];
  }
}

function usdtOf({ path = '', provider = '', name = '' }: HookData): Target {
  return { kind: 'usdt', call: `${provider}:${name}`, syscall: false, usdt: { path, provider, name } };
}

/** The field of the policy that says what is hooked. */
export function targetField({ kind }: Hook): keyof HookData {
  if (kind === 'tracepoints') return 'event';
  if (kind === 'lsmhooks') return 'hook';
  if (kind === 'usdts') return 'name';
  return kind === 'uprobes' ? 'path' : 'call';
}

interface Place extends ProgramPlace {
  readonly call: string;
}

/** Symbols, then offsets, then addresses: refCtrOffsets are in this order. */
function placesOf(data: HookData): Place[] {
  const { path = '', symbols = [], offsets = [], addrs = [], refCtrOffsets = [], binaryDigests = [], ignore } = data;
  const digests =
    binaryDigests.length === 0
      ? {}
      : {
          digests: binaryDigests,
          ...(ignore?.digestVerificationFailure === true ? { ignoreDigests: true as const } : {}),
        };
  const places = [
    ...symbols.map((symbol) => ({ call: symbol, ...symbolPlace(symbol) })),
    ...offsets.map((fileOffset) => ({ call: hex(fileOffset), fileOffset })),
    ...addrs.map((address) => ({ call: hex(address), address })),
  ];
  return places.map((place, i) => {
    const refCtrOffset = refCtrOffsets[i];
    return { ...place, path, ...digests, ...(refCtrOffset === undefined ? {} : { refCtrOffset }) };
  });
}

/** `NAME+OFFSET` is a place within a function. */
function symbolPlace(text: string): Pick<ProgramPlace, 'symbol' | 'symbolOffset'> {
  const [, symbol, offset] = /^(.+)\+(0x[0-9a-fA-F]+|\d+)$/.exec(text) ?? [];
  if (symbol === undefined || offset === undefined) return { symbol: text };
  return { symbol, symbolOffset: BigInt(offset) };
}

function hex(place: bigint): string {
  return `0x${place.toString(16)}`;
}
