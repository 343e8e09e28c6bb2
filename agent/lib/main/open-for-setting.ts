/** Opens what a setting names. */
import { ConfigError } from '../config/problems.js';
import { settingName, type SettingKey } from '../config/settings.js';
import type { Sources } from '../export/format.js';

/** Opens a file or folder, and adds the name and the source of its setting to the error. */
export async function openForSetting<T>(key: SettingKey, sources: Sources, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new ConfigError([
      { code: 'CONFIG_VALUE', source: sources[key], message: `${settingName(key)}: ${error.message}` },
    ]);
  }
}
