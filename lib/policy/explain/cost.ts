/** What the parts of a compiled hook cost: comparisons, table lookups, path walks, memory. Figures for planning, not measurements. */
import type { HookCost } from '../../../types/policy.js';
import type { ArgImage, HookImage, TextTable } from '../image.js';

const PATHS: ReadonlySet<string> = new Set(['file', 'path', 'fd']);
const TEXTS: ReadonlySet<string> = new Set(['file', 'path', 'fd', 'string', 'filename']);

/** A node of an LPM trie holds 256 bytes of key and 16 of value; there are nearly as many inner nodes. */
const TRIE_NODE_BYTES = 512;
/** Of a hash: bookkeeping and value. */
const HASH_ENTRY_BYTES = 64 + 16;

export function costOf(hook: HookImage): HookCost {
  const groups = [...hook.pids, ...hook.args.flatMap((arg) => arg.ints), ...(hook.returnArg?.ints ?? [])];
  const filtered = hook.args.filter((arg) => tablesOf(arg).length > 0);
  const tables = filtered.flatMap(tablesOf);
  return {
    comparisons: groups.reduce((sum, group) => sum + group.tests.length, 0),
    binaryTests: hook.binaries.length,
    lookups: tables.length,
    pathWalks: filtered.filter((arg) => PATHS.has(arg.type)).length,
    readForEvent: hook.args.filter((arg) => TEXTS.has(arg.type) && !filtered.includes(arg)).length,
    tableEntries: tables.reduce((sum, table) => sum + table.entries.length, 0),
    tableBytes: memoryOf(filtered),
  };
}

function tablesOf({ texts }: ArgImage): TextTable[] {
  return [texts.equal, texts.prefix, texts.postfix].filter((table) => table !== undefined);
}

function memoryOf(args: readonly ArgImage[]): number {
  const equal = args.flatMap((arg) => arg.texts.equal?.entries ?? []);
  const tries = args.flatMap((arg) => [...(arg.texts.prefix?.entries ?? []), ...(arg.texts.postfix?.entries ?? [])]);
  const key = equal.reduce((most, entry) => Math.max(most, Buffer.byteLength(entry.value) + 1), 0);
  const hash = equal.length * (HASH_ENTRY_BYTES + Math.ceil(key / 8) * 8);
  return hash + (tries.length === 0 ? 0 : (2 * tries.length - 1) * TRIE_NODE_BYTES);
}
