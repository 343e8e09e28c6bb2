/** The settings of the agent, as docs/agent-configuration.md shows them. */
import { format } from 'prettier';
import { settingsList } from '../agent/lib/config/table.js';

/** The page with the list of now between `<!-- settings -->` and `<!-- /settings -->`. */
export async function withSettings(page: string): Promise<string> {
  const list = await format(settingsList(), { parser: 'markdown', printWidth: 120, proseWrap: 'always' });
  return page.replace(
    /<!-- settings -->[^]*?<!-- \/settings -->/,
    () => `<!-- settings -->\n\n${list.trim()}\n\n<!-- /settings -->`,
  );
}
