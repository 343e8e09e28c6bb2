/** Writes `--NAME=true` and `--NAME=false` of a switch as the two flags that the command line has for it. */
import { findSettingKey, SETTINGS } from './settings.js';
import type { Setting } from './setting-kinds.js';

/** A chart or a script that has a boolean can then use it as the value of any switch. */
export function expandSwitches(args: readonly string[]): string[] {
  return args.map((arg) => {
    const [, name = '', value] = /^--([a-z0-9-]+)=(true|false)$/.exec(arg) ?? [];
    const key = findSettingKey(name);
    if (key === undefined || (SETTINGS[key] as Setting<unknown>).placeholder !== undefined) return arg;
    return value === 'true' ? `--${name}` : `--no-${name}`;
  });
}
