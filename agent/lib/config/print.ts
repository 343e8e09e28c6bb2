/**
 * Formats the effective configuration as YAML, with the source of each value in a comment: the output of `polytrace
 * agent --check`.
 */
import { stringify } from 'yaml';
import { printableOptions, type Configuration } from './load.js';
import { settingName, SETTING_KEYS } from './settings.js';

export function formatConfiguration({ options, sources }: Configuration): string {
  const shown = printableOptions(options);
  return SETTING_KEYS.map((key) => {
    const name = settingName(key);
    if (!shown.has(name)) return `# ${name} is not set\n`;
    const value = shown.get(name);
    // JSON is valid YAML and keeps a list on one line, so the source fits behind it.
    const line = Array.isArray(value)
      ? `${name}: ${JSON.stringify(value)}`
      : stringify({ [name]: value }, STYLE).trimEnd();
    return line.includes('\n') ? `# ${sources[key]}\n${line}\n` : `${line} # ${sources[key]}\n`;
  }).join('');
}

const STYLE = { lineWidth: 0 };
