/**
 * Describes hooks beside their pins, so that the next tracer can decode the records that nobody has read: what a hook reads and
 * which actions it has, without its filters.
 */
import { newTally } from '../events/hook.js';
import type { LoadedHook } from '../events/hook.js';
import type { CompiledHook, CompiledValue } from '../compiled/compiled-policy.js';
import { hasLateMembers } from '../compiled/compiled-hook.js';
import type { LateMembers } from '../events/late-members.js';
import { decodePlain, encodePlain } from '../recording/plain-json.js';
import type { EarlierHook } from '../stream/handover.js';

/** The pins have no room for a longer text. */
const TEXT_MAX = 256 * 1024 - 1;

/** The description of the base sensor is stored under the id of its first hook. */
interface SensorDescription {
  readonly since: bigint;
}

export interface HookIdentity {
  readonly key: string | undefined;
  readonly since?: bigint | undefined;
}

export function describeHook(loaded: LoadedHook, { key, since }: HookIdentity): string {
  const { policyName, functionName, functions, stackAddresses, compiled } = loaded;
  const names = {
    policyName,
    functionName,
    ...(key === undefined ? {} : { key }),
    ...(since === undefined ? {} : { since }),
  };
  const text = toText({
    ...names,
    hook: {
      ...(functions === undefined ? {} : { functions }),
      stackAddresses: stackAddresses === true,
      compiled: withoutFilters(compiled),
    },
  });
  // without the rest, the records are only counted
  return Buffer.byteLength(text) <= TEXT_MAX ? text : toText(names);
}

export function describeSensor(description: SensorDescription): string {
  return toText(description);
}

export function parseSensor(text: string | undefined): SensorDescription | undefined {
  return text === undefined ? undefined : (parseText(text) as SensorDescription | undefined);
}

/** Returns undefined for a text that describes no hook. The layout of the pins is the one of this version. */
export function parseHook(id: number, text: string, lateMembers: LateMembers): EarlierHook | undefined {
  const description = parseText(text) as
    | (Omit<EarlierHook, 'loaded'> & { hook?: Pick<LoadedHook, 'functions' | 'stackAddresses' | 'compiled'> })
    | undefined;
  if (description === undefined) return undefined;
  const { hook, ...names } = description;
  if (hook === undefined) return names;
  const { policyName, functionName } = names;
  const late = hasLateMembers(hook.compiled) ? { lateMembers } : {};
  return { ...names, loaded: { id, policyName, functionName, ...hook, ...late, tally: newTally() } };
}

function withoutFilters(hook: CompiledHook): CompiledHook {
  const { args, data, returnArg, ...rest } = hook;
  return {
    ...rest,
    args: args.map(withoutTests),
    data: data.map(withoutTests),
    ...(returnArg === undefined ? {} : { returnArg: withoutTests(returnArg) }),
    process: [],
    sets: [],
    scopes: [],
    changes: [],
    cel: { entry: [], returned: [] },
  };
}

function withoutTests({ intTable, ...value }: CompiledValue): CompiledValue {
  void intTable;
  return { ...value, ints: [], texts: {}, net: {} };
}

function toText(value: unknown): string {
  return JSON.stringify(encodePlain(value));
}

function parseText(text: string): unknown {
  try {
    return decodePlain(JSON.parse(text));
  } catch {
    return undefined;
  }
}
