/** Finds where a field belongs that is written in the wrong place, mostly because of its indentation. */
import type { Node } from 'yaml';
import { isMap, isScalar, isSeq } from './yaml-package.js';
import type { Field, ObjectShape, Shape } from '../language/shape.js';

/** Most levels below an object that are searched for a field. The language has no more. */
const LEVELS = 4;

/** Only fields of the object itself: a key such as `constructor` is no field. */
export function fieldOf({ fields }: ObjectShape, key: string): Field | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** The shape of the object, or of the objects in the list. */
function innerObject(shape: Shape | undefined): ObjectShape | undefined {
  if (shape?.kind === 'list') return innerObject(shape.of);
  return shape?.kind === 'object' ? shape : undefined;
}

/** True if the kind of the value is the right one. Its content may still be wrong. */
function fits(node: Node | null, shape: Shape): boolean {
  if (node === null || (isScalar(node) && node.value === null)) return true;
  switch (shape.kind) {
    case 'object':
    case 'map':
      return isMap(node);
    case 'list':
      return isSeq(node) && node.items.slice(0, 1).every((item) => fits(item as Node | null, shape.of));
    default:
      return isScalar(node);
  }
}

/** True if the object has such a field, and the value can be its value. */
export function takes(shape: ObjectShape, key: string, node: Node | null): boolean {
  const field = fieldOf(shape, key);
  return field !== undefined && fits(node, field.shape);
}

/**
 * The field of the object whose own object, or whose list of objects, has the stray field. `before` are the fields above
 * the stray one. The nearest of them is the likeliest: the line is indented too little.
 */
export function homeBelow(
  key: string,
  node: Node | null,
  shape: ObjectShape,
  before: readonly string[],
): string | undefined {
  return before.findLast((name) => {
    const inner = innerObject(fieldOf(shape, name)?.shape);
    return inner !== undefined && takes(inner, key, node);
  });
}

/** The names of the fields that lead from the object to the stray field; undefined if that is not clear. */
export function pathTo(
  key: string,
  node: Node | null,
  shape: ObjectShape,
  written: ReadonlyMap<string, unknown>,
): readonly string[] | undefined {
  const found = Object.keys(shape.fields).flatMap((name) => {
    const path = pathBelow(name, key, node, shape, LEVELS);
    return path === undefined ? [] : [path];
  });
  const below = found.filter(([first = '']) => written.has(first));
  const likely = below.length > 0 ? below : found;
  return likely.length === 1 ? likely[0] : undefined;
}

function pathBelow(
  name: string,
  key: string,
  node: Node | null,
  shape: ObjectShape,
  levels: number,
): readonly string[] | undefined {
  const inner = innerObject(fieldOf(shape, name)?.shape);
  if (inner === undefined || levels === 0) return undefined;
  if (takes(inner, key, node)) return [name];
  for (const next of Object.keys(inner.fields)) {
    const path = pathBelow(next, key, node, inner, levels - 1);
    if (path !== undefined) return [name, ...path];
  }
  return undefined;
}

/** True if the field can be added to the object, or to the last object of the list, because it is not there yet. */
export function canTake(node: Node | null, key: string): boolean {
  if (node === null || (isScalar(node) && node.value === null)) return true;
  if (isSeq(node)) return node.items.length > 0 && isMap(node.items.at(-1)) && canTake(node.items.at(-1) as Node, key);
  return isMap(node) && !node.flow && !node.items.some((pair) => isScalar(pair.key) && pair.key.value === key);
}
