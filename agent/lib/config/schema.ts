/** The JSON Schema of the agent's configuration file. */
import { settingName, SETTING_KEYS, SETTINGS } from './settings.js';

export function configSchema(): object {
  const properties = SETTING_KEYS.map((key) => {
    const { help, fallback, schema } = SETTINGS[key];
    const isShown = fallback !== undefined;
    return [settingName(key), { description: help, ...schema, ...(isShown ? { default: fallback } : {}) }] as const;
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of the polytrace agent',
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}
