/** Places in a policy object. Its text is one line of JSON, so a place is shown as a path, such as `spec.kprobes[0].call`. */
import { isCollection, isMap, isPair, isScalar, parseDocument, type Node, type Pair } from 'yaml';
import { PolicyError, type Diagnostic } from 'polytrace';

/** Most mistakes in a status. */
const SHOWN = 5;

/** What is wrong with the policy of `text`, with paths in place of lines; undefined if `error` is about something else. */
export function mistakesOf(error: unknown, text: string): string | undefined {
  if (!(error instanceof PolicyError)) return undefined;
  const document = parseDocument(text);
  const errors = error.diagnostics.filter(({ severity }) => severity === 'error');
  const lines = errors.slice(0, SHOWN).map((each) => {
    const remedy = each.hint === '' ? '' : ` (${each.hint})`;
    return `${pathAt(document.contents, offsetOf(text, each)) || 'the policy'}: ${each.code}: ${each.message}${remedy}`;
  });
  if (errors.length > SHOWN) lines.push(`and ${errors.length - SHOWN} more`);
  return lines.join('\n');
}

function offsetOf(text: string, { line, column }: Diagnostic): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

/** The path of the innermost key or value at an offset. */
function pathAt(node: Node | null, offset: number): string {
  let path = '';
  for (let inner: Node | null = node; isCollection(inner);) {
    const found: { readonly step: string; readonly value: Node | null } | undefined = stepAt(inner, offset);
    if (found === undefined) break;
    path += found.step;
    inner = found.value;
  }
  return path.replace(/^\./, '');
}

function stepAt(node: Node, offset: number): { readonly step: string; readonly value: Node | null } | undefined {
  if (!isCollection(node)) return undefined;
  for (const [i, item] of node.items.entries()) {
    if (isMap(node) && isPair(item)) {
      const { key, value } = item as Pair<Node, Node | null>;
      const step = `.${isScalar(key) ? String(key.value) : '?'}`;
      if (covers(key, offset)) return { step, value: null };
      if (covers(value, offset)) return { step, value };
    } else if (covers(item as Node, offset)) return { step: `[${i}]`, value: item as Node };
  }
  return undefined;
}

function covers(node: Node | null, offset: number): boolean {
  const [start, end] = node?.range ?? [0, 0];
  return start <= offset && offset < end;
}

/** Returns the path of a whole number that JavaScript cannot hold. */
export function unsafeNumber(value: unknown, path: string): string | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? path : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = unsafeNumber(inner, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
