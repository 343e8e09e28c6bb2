/** `polytrace cleanup`: removes the policies that a dead tracer has left pinned, and prints the removed paths. */
import { SUCCESS, type Context } from './context.js';
import { print } from './output.js';
import { escapeControls } from '../output/terminal-text.js';

export async function cleanup(path: string, { api, stdout }: Context): Promise<number> {
  const removed = await api.removePersisted(path);
  await print(stdout, escapeControls(removed.map((each) => `${each}\n`).join('')));
  return SUCCESS;
}
