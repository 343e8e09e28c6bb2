/** The names of the base sensor's hooks in `lost` events. */
import { SensorHook } from '../wire/layout.gen.js';

type SensorHookNumber = Exclude<(typeof SensorHook)[keyof typeof SensorHook], typeof SensorHook.HOOK_FIRST_POLICY>;

const SENSOR_HOOK_NAMES: Readonly<Record<SensorHookNumber, string>> = {
  [SensorHook.HOOK_EXEC]: 'process_exec',
  [SensorHook.HOOK_EXIT]: 'process_exit',
  [SensorHook.HOOK_FORK]: 'process_fork',
  [SensorHook.HOOK_PROCESS_BITS]: 'binary_sets',
  [SensorHook.HOOK_SOCKETS]: 'socket_owners',
  [SensorHook.HOOK_CGROUP]: 'cgroup_mkdir',
  [SensorHook.HOOK_MARKS]: 'marks',
};

/** Returns the name of a hook of the base sensor in `lost` events. */
export function sensorHookName(id: number): string | undefined {
  return (SENSOR_HOOK_NAMES as Readonly<Record<number, string>>)[id];
}
