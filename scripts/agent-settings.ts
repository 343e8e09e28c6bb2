/** Writes the settings of the agent into docs/agent-configuration.md. */
import { format } from 'prettier';
import { formatSettingsList } from '../agent/lib/config/settings-list.js';

/** Returns the page with the current list between `<!-- settings -->` and `<!-- /settings -->`. */
export async function withSettings(page: string): Promise<string> {
  const list = await format(formatSettingsList(), { parser: 'markdown', printWidth: 120, proseWrap: 'always' });
  return page.replace(
    /<!-- settings -->[^]*?<!-- \/settings -->/,
    () => `<!-- settings -->\n\n${list.trim()}\n\n<!-- /settings -->`,
  );
}
