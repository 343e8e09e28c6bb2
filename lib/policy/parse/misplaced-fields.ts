/** Finds the object that a misplaced field belongs to. Most fields are misplaced because of their indentation. */
import type { Node } from 'yaml';
import { isMap, isScalar, isSeq } from './yaml-package.js';
import type { Field, ObjectShape, Shape } from '../language/shape.js';

/** Maximum number of levels below an object that are searched for a field. The language has no more. */
const LEVELS_MAX = 4;

/** Finds own properties only: a key such as `constructor` is not a field. */
export function findField({ fields }: ObjectShape, key: string): Field | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** Returns the shape of the object, or of the objects in the list. */
function nestedObjectShape(shape: Shape | undefined): ObjectShape | undefined {
  if (shape?.kind === 'list') return nestedObjectShape(shape.of);
  return shape?.kind === 'object' ? shape : undefined;
}

/** True if the node has the kind of the shape. Its content may still be wrong. */
function matchesShapeKind(node: Node | null, shape: Shape): boolean {
  if (node === null || (isScalar(node) && node.value === null)) return true;
  switch (shape.kind) {
    case 'object':
    case 'map':
      return isMap(node);
    case 'list':
      return isSeq(node) && node.items.slice(0, 1).every((item) => matchesShapeKind(item as Node | null, shape.of));
    case 'text':
    case 'integer':
    case 'boolean':
    case 'any':
      return isScalar(node);
  }
}

/** True if the object has such a field, and the node can be its value. */
export function acceptsField(shape: ObjectShape, key: string, node: Node | null): boolean {
  const field = findField(shape, key);
  return field !== undefined && matchesShapeKind(node, field.shape);
}

/**
 * Finds the field of the object whose own object, or whose list of objects, has the misplaced field. `preceding` are
 * the fields above the misplaced one. The nearest of them is the likeliest: the line is indented too little.
 */
export function findNestedParent(
  key: string,
  node: Node | null,
  shape: ObjectShape,
  preceding: readonly string[],
): string | undefined {
  return preceding.findLast((name) => {
    const inner = nestedObjectShape(findField(shape, name)?.shape);
    return inner !== undefined && acceptsField(inner, key, node);
  });
}

/**
 * Returns the names of the fields that lead from the object to the misplaced field; undefined if several paths are
 * possible.
 */
export function findFieldPath(
  key: string,
  node: Node | null,
  shape: ObjectShape,
  written: ReadonlyMap<string, unknown>,
): readonly string[] | undefined {
  const found = Object.keys(shape.fields).flatMap((name) => {
    const path = findPathBelow(name, key, node, shape, LEVELS_MAX);
    return path === undefined ? [] : [path];
  });
  const below = found.filter(([first = '']) => written.has(first));
  const likely = below.length > 0 ? below : found;
  return likely.length === 1 ? likely[0] : undefined;
}

function findPathBelow(
  name: string,
  key: string,
  node: Node | null,
  shape: ObjectShape,
  levels: number,
): readonly string[] | undefined {
  const inner = nestedObjectShape(findField(shape, name)?.shape);
  if (inner === undefined || levels === 0) return undefined;
  if (acceptsField(inner, key, node)) return [name];
  for (const next of Object.keys(inner.fields)) {
    const path = findPathBelow(next, key, node, inner, levels - 1);
    if (path !== undefined) return [name, ...path];
  }
  return undefined;
}

/** True if the object, or the last object of the list, does not have the field yet. */
export function canAddField(node: Node | null, key: string): boolean {
  if (node === null || (isScalar(node) && node.value === null)) return true;
  if (isSeq(node))
    return node.items.length > 0 && isMap(node.items.at(-1)) && canAddField(node.items.at(-1) as Node, key);
  return isMap(node) && !node.flow && !node.items.some((pair) => isScalar(pair.key) && pair.key.value === key);
}
