/** Formats the settings as a list in Markdown, for docs/agent-configuration.md. */
import type { Setting } from './setting-kinds.js';
import { settingName, SETTING_KEYS, SETTINGS } from './settings.js';

export function formatSettingsList(): string {
  return SETTING_KEYS.map((key) => {
    const { help, fallback, isSecret, placeholder = '<switch>' }: Setting<unknown> = SETTINGS[key];
    const isUnset = fallback === undefined || (Array.isArray(fallback) && fallback.length === 0);
    const shown = Array.isArray(fallback) ? fallback.join(',') : String(fallback);
    const notes = [placeholder.slice(1, -1), ...(isUnset ? [] : [`default \`${shown}\``])];
    if (isSecret === true) notes.push('secret');
    return `- \`${settingName(key)}\` (${notes.join(', ')}): ${help}`;
  }).join('\n');
}
