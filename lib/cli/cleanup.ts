/** `polytrace cleanup`: ends the policies that a dead tracer has left, and prints the removed paths. */
import { GOOD, type Context } from './context.js';
import { print } from './output.js';
import { safe } from './text.js';

export async function cleanup(path: string, { api, stdout }: Context): Promise<number> {
  const removed = await api.removePersisted(path);
  await print(stdout, safe(removed.map((each) => `${each}\n`).join('')));
  return GOOD;
}
