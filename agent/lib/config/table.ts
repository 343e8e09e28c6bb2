/** The settings as a table in Markdown: docs/agent-configuration.md shows it. */
import type { Setting } from './setting.js';
import { nameOf, SETTING_KEYS, SETTINGS } from './settings.js';

export function settingsTable(): string {
  const rows = SETTING_KEYS.map((key) => {
    const { help, fallback, isSecret, placeholder = 'true or false' }: Setting<unknown> = SETTINGS[key];
    const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '').replaceAll('>', '');
    const secret = isSecret === true ? ' (secret)' : '';
    return `| \`${nameOf(key)}\` | ${cell(placeholder)} | ${cell(defaultText(fallback))} | ${cell(help)}${secret} |`;
  });
  return ['| name | value | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** A default, as people read it. */
function defaultText(fallback: unknown): string {
  if (fallback === undefined || (Array.isArray(fallback) && fallback.length === 0)) return '';
  return `\`${Array.isArray(fallback) ? fallback.join(',') : String(fallback)}\``;
}
