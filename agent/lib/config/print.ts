/** The effective configuration as YAML, with the source of each value in a comment: the output of `polytrace agent --check`. */
import { stringify } from 'yaml';
import { shownOptions, type Configuration } from './load.js';
import { nameOf, SETTING_KEYS } from './settings.js';

export function printConfiguration({ options, sources }: Configuration): string {
  const shown = shownOptions(options);
  return SETTING_KEYS.map((key) => {
    const name = nameOf(key);
    if (!shown.has(name)) return `# ${name} is not set\n`;
    const value = shown.get(name);
    // as JSON, which is YAML, so that the source fits behind it
    const line = Array.isArray(value)
      ? `${name}: ${JSON.stringify(value)}`
      : stringify({ [name]: value }, STYLE).trimEnd();
    return line.includes('\n') ? `# ${sources[key]}\n${line}\n` : `${line} # ${sources[key]}\n`;
  }).join('');
}

const STYLE = { lineWidth: 0 };
