/** The settings of the agent, as docs/agent-configuration.md shows them. */
import { format } from 'prettier';
import { settingsTable } from '../agent/lib/config/table.js';

/** The page with the table of now between `<!-- settings -->` and `<!-- /settings -->`. */
export async function withSettings(page: string): Promise<string> {
  const table = await format(settingsTable(), { parser: 'markdown', printWidth: 120 });
  return page.replace(
    /<!-- settings -->[^]*?<!-- \/settings -->/,
    () => `<!-- settings -->\n\n${table.trim()}\n\n<!-- /settings -->`,
  );
}
