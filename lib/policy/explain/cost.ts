/**
 * Estimates the cost of a compiled hook: comparisons, table lookups, path walks and memory. The figures are not measured.
 */
import type { HookCost } from '../../../types/policy.js';
import { hookValues, valueTables } from '../../compiled/compiled-hook.js';
import { hookIntGroups } from '../compile/size.js';
import type { CompiledHook, CompiledValue } from '../../compiled/compiled-policy.js';
import { ARG_TYPES, COMPARED_AS, readFacts } from '../language/vocabulary.js';

/** The size of a node of an LPM trie with a key of 256 bytes and a value of 16. */
const TRIE_NODE_BYTES = 512;
/** The size of a node of an LPM trie whose key is a network. */
const NETWORK_NODE_BYTES = 96;
/** The size of an entry of a hash map: its header and its value. */
const HASH_ENTRY_BYTES = 64 + 16;
const INT_ENTRY_BYTES = HASH_ENTRY_BYTES + 16;
/** The size of a state of the automaton. Each character needs one state. */
const STATE_BYTES = 520;

export function estimateCost(hook: CompiledHook): HookCost {
  const values = hookValues(hook);
  const groups = hookIntGroups(hook);
  const filtered = values.filter(isReadByFilters);
  const tables = values.flatMap(valueTables);
  const scans = values.flatMap(({ texts }) => texts.substrings ?? []);
  return {
    comparisons: groups.reduce((sum, group) => sum + group.tests.length, 0),
    binaryTests: hook.sets.length + hook.changes.length,
    lookups: tables.length + Number(hook.scopes.length > 0),
    pathWalks: filtered.filter(({ type }) => COMPARED_AS[ARG_TYPES[type].class] === 'path').length,
    textScans: scans.length,
    expressionSteps: hook.cel.entry.length + hook.cel.returned.length,
    readForEvent: values.filter((value) => isReadFromMemory(value) && !filtered.includes(value)).length,
    tableEntries: tables.reduce((sum, table) => sum + table.entries.length, 0),
    tableBytes: values.reduce((sum, value) => sum + estimateTableBytes(value), 0),
  };
}

/** True if the value is not a number and has filters. The filters then read it. */
function isReadByFilters(value: CompiledValue): boolean {
  const { ints, intTable, texts, net } = value;
  if (!isReadFromMemory(value)) return false;
  return ints.length > 0 || intTable !== undefined || Object.keys(texts).length > 0 || Object.keys(net).length > 0;
}

function isReadFromMemory({ type }: CompiledValue): boolean {
  const { class: own } = readFacts(type);
  return own !== 'nothing' && own !== 'number';
}

function estimateTableBytes({ texts, net, intTable }: CompiledValue): number {
  const equal = texts.equal?.entries ?? [];
  const key = equal.reduce((maximum, entry) => Math.max(maximum, Buffer.byteLength(entry.value) + 1), 0);
  const tries = (texts.prefix?.entries.length ?? 0) + (texts.postfix?.entries.length ?? 0);
  const networks = (net.source?.entries.length ?? 0) + (net.destination?.entries.length ?? 0);
  const needles = (texts.substrings ?? []).flatMap((scan) => scan.needles);
  const characters = needles.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  return (
    equal.length * (HASH_ENTRY_BYTES + Math.ceil(key / 8) * 8) +
    trieNodeCount(tries) * TRIE_NODE_BYTES +
    trieNodeCount(networks) * NETWORK_NODE_BYTES +
    (intTable?.entries.length ?? 0) * INT_ENTRY_BYTES +
    characters * STATE_BYTES
  );
}

/** The number of nodes of a trie: the entries and the inner nodes between them. */
function trieNodeCount(entries: number): number {
  return entries === 0 ? 0 : 2 * entries - 1;
}
