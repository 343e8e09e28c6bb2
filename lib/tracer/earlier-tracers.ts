/** Opens what dead tracers have left in the folders of their pins: unread records, and the processes that they knew. */
import type { NativeBinding, NativeEarlierRing } from '../native/binding.js';
import type { LateMembers } from '../events/late-members.js';
import type { EarlierHook, EarlierTracerParts } from '../stream/handover.js';
import { SensorHook } from '../wire/layout.gen.js';
import { parseHook, parseSensor } from './hook-description.js';

/** A folder of pins. */
export interface Generation {
  readonly folder: string;
  /** Undefined if another version of polytrace has left it, or if its tracer died directly after its start. */
  readonly ring: NativeEarlierRing | undefined;
}

export function openGenerations(folders: readonly string[], binding: NativeBinding): Generation[] {
  return folders.map((folder) => {
    const ring = binding.openEarlierRing(folder);
    return { folder, ring: ring.isReadable() ? ring : undefined };
  });
}

export function describeGeneration(ring: NativeEarlierRing, lateMembers: LateMembers): EarlierTracerParts {
  const hooks = new Map<number, EarlierHook>();
  const names = ring.names();
  for (const [id, text] of names) {
    const hook = id < SensorHook.HOOK_FIRST_POLICY ? undefined : parseHook(id, text, lateMembers);
    if (hook !== undefined) hooks.set(id, hook);
  }
  return { ring, hooks, sensorSince: parseSensor(names.get(SensorHook.HOOK_EXEC))?.since };
}
