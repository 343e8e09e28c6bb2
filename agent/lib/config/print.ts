/**
 * Formats the effective configuration as YAML, with the source of each value in a comment: the output of `polytrace
 * agent --check`.
 */
import { loadYaml } from '../yaml-package.js';
import { printableOptions, type Configuration } from './load.js';
import { settingName, SETTING_KEYS } from './settings.js';

export function formatConfiguration({ options, sources }: Configuration): string {
  const shown = printableOptions(options);
  return SETTING_KEYS.map((key) => {
    const name = settingName(key);
    if (!shown.has(name)) return `# ${name} is not set\n`;
    const value = shown.get(name);
    const plain = formatPlain(value);
    const line = plain === undefined ? formatYaml({ [name]: value }) : `${name}: ${plain}`;
    return line.includes('\n') ? `# ${sources[key]}\n${line}\n` : `${line} # ${sources[key]}\n`;
  }).join('');
}

const STYLE = { lineWidth: 0 };

const formatYaml = (value: object): string => loadYaml().stringify(value, STYLE).trimEnd();

/** Formats most values without the package yaml, so that most agents do not load it. Returns undefined for the others. */
function formatPlain(value: unknown): string | undefined {
  // JSON is valid YAML and keeps a list on one line, so the source fits behind it.
  if (Array.isArray(value) || typeof value === 'boolean' || Number.isSafeInteger(value)) return JSON.stringify(value);
  if (typeof value !== 'string') return undefined;
  if (/^[1-9]?\d+$/.test(value)) return JSON.stringify(value);
  return /^[a-z/][a-z0-9/.-]*$/.test(value) && !/^(true|false|null)$/.test(value) ? value : undefined;
}
