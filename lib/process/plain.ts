/** Plain data: copies of events and processes that outlive their tracer, cross to a worker, or become JSON. */

/** The method of a class that makes its copy. Only toObject() calls it. */
export const COPY = Symbol('copy');

/**
 * `toObject` of events and processes. It is an own property of each object, because structuredClone() and
 * postMessage() see no getters. They throw when they find a function, and would make an empty object otherwise.
 */
export function toObject<T>(this: { [COPY](): T }): T {
  return this[COPY]();
}

/** Copies the named members that are present. */
export function copyOf(source: object, names: readonly string[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of names) {
    const value = (source as Record<string, unknown>)[name];
    if (value !== undefined) result[name] = copyValue(value);
  }
  return result;
}

function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // A Buffer can be a part of larger memory, which a copy must not hold.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(copyValue);
  if (COPY in value) return (value as { [COPY](): unknown })[COPY]();
  return copyOf(value, Object.keys(value));
}

/** For JSON, which has no such values: a bigint becomes its decimal digits, bytes become base64. */
export function jsonOf(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
  if (Array.isArray(value)) return value.map(jsonOf);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, jsonOf(member)]));
}

/** Freezes plain data without bytes. */
export function freezeAll<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freezeAll);
    Object.freeze(value);
  }
  return value;
}
