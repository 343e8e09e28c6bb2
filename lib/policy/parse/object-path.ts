/** Finds the field of an object that a position in the YAML stands for. The YAML was made of the object. */
import type { Document, Node, Pair } from 'yaml';
import { POLICY_BYTES_MAX } from '../language/limits.js';
import { isMap, isScalar, isSeq, loadYaml } from './yaml-package.js';

/** Returns a function from an offset to the path of the innermost value there, such as `spec.kprobes[0].call`. */
export function createObjectPaths(text: string): (offset: number) => string {
  // A larger text is refused.
  if (text.length > POLICY_BYTES_MAX) return () => '';
  const document: Document.Parsed = loadYaml().parseDocument(text);
  return (offset) => findPath(document.contents, offset, '');
}

function findPath(node: Node | null, offset: number, path: string): string {
  if (isSeq(node)) {
    const index = node.items.findIndex((item) => contains(item as Node, offset));
    return index < 0 ? path : findPath(node.items[index] as Node, offset, `${path}[${index}]`);
  }
  if (!isMap(node)) return path;
  const pair = node.items.findLast(({ key }) => (rangeStart(key as Node) ?? Infinity) <= offset);
  return pair === undefined || isBeforeFirst(node.items, pair, offset)
    ? path
    : findPath(pair.value as Node | null, offset, joinName(path, pair));
}

/** A position at the beginning of an object stands for the object, which begins with its first key. */
function isBeforeFirst(pairs: readonly Pair[], pair: Pair, offset: number): boolean {
  return pair === pairs[0] && rangeStart(pair.key as Node) === offset;
}

function joinName(path: string, { key }: Pair): string {
  const name = isScalar(key) ? String(key.value) : '';
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === '' ? name : `${path}.${name}`;
}

function contains(node: Node | null, offset: number): boolean {
  const range = node?.range;
  return range !== undefined && range !== null && range[0] <= offset && offset < Math.max(range[2], range[0] + 1);
}

function rangeStart(node: Node | null): number | undefined {
  return node?.range?.[0];
}
