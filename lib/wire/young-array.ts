/** V8 represents a copy of no element like this array: for objects, not for small integers. */
const OBJECTS: readonly object[] = [{}];

/**
 * Returns an empty array. A copy has no allocation site, unlike `[]`: when a program keeps events for some time, V8
 * would allocate all later arrays of the site in its old generation. What they refer to would then survive until the
 * next full collection, and an event would cost twice as much from then on.
 */
export function youngArray<T extends object>(): T[] {
  return OBJECTS.slice(0, 0) as T[];
}
