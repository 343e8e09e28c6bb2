/**
 * Describes positions in a policy object as paths, such as `spec.kprobes[0].call`. The object is one line of JSON, so
 * line and column do not help.
 */
import type { Node, Pair } from 'yaml';
import { loadYaml } from '../yaml-package.js';
import { PolicyError, type Diagnostic } from 'polytrace';

/** Maximum of errors in a status. */
const DIAGNOSTICS_MAX = 5;

/**
 * Formats the errors of a policy, with paths in place of positions. Returns undefined if `error` is not a
 * PolicyError.
 */
export function formatDiagnostics(error: unknown, text: string): string | undefined {
  if (!(error instanceof PolicyError)) return undefined;
  const errors = error.diagnostics.filter(({ severity }) => severity === 'error');
  return describeDiagnostics(errors, text).join('\n');
}

/** Returns a line for each diagnostic, with its path in place of its position. */
export function describeDiagnostics(diagnostics: readonly Diagnostic[], text: string, max = DIAGNOSTICS_MAX): string[] {
  const document = loadYaml().parseDocument(text);
  const lines = diagnostics.slice(0, max).map((each) => {
    const remedy = each.hint === '' ? '' : ` (${each.hint})`;
    return `${findPath(document.contents, diagnosticOffset(text, each)) || 'the policy'}: ${each.code}: ${each.message}${remedy}`;
  });
  if (diagnostics.length > max) lines.push(`and ${diagnostics.length - max} more`);
  return lines;
}

function diagnosticOffset(text: string, { line, column }: Diagnostic): number {
  let start = 0;
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1;
  return start + column - 1;
}

/** Returns the path of the innermost key or value at an offset. */
function findPath(node: Node | null, offset: number): string {
  const { isCollection } = loadYaml();
  let path = '';
  for (let inner: Node | null = node; isCollection(inner);) {
    const found: { readonly step: string; readonly value: Node | null } | undefined = findStep(inner, offset);
    if (found === undefined) break;
    path += found.step;
    inner = found.value;
  }
  return path.replace(/^\./, '');
}

function findStep(node: Node, offset: number): { readonly step: string; readonly value: Node | null } | undefined {
  const { isCollection, isMap, isPair, isScalar } = loadYaml();
  if (!isCollection(node)) return undefined;
  for (const [i, item] of node.items.entries()) {
    if (isMap(node) && isPair(item)) {
      const { key, value } = item as Pair<Node, Node | null>;
      const step = `.${isScalar(key) ? String(key.value) : '?'}`;
      if (containsOffset(key, offset)) return { step, value: null };
      if (containsOffset(value, offset)) return { step, value };
    } else if (containsOffset(item as Node, offset)) return { step: `[${i}]`, value: item as Node };
  }
  return undefined;
}

function containsOffset(node: Node | null, offset: number): boolean {
  const [start, end] = node?.range ?? [0, 0];
  return start <= offset && offset < end;
}

/** Returns the path of an integer that JavaScript cannot represent. */
export function findUnsafeNumber(value: unknown, path: string): string | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? path : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = findUnsafeNumber(inner, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
