/** Makes plain data: copies of events and processes that outlive their tracer, cross to a worker, or become JSON. */

/** The key of the method that copies an object to plain data. */
export const COPY = Symbol('copy');

/**
 * `toObject` of processes. It is an own property of each object: structuredClone() and postMessage() ignore getters and
 * would make an empty object, but they throw when they find a function.
 */
export function toObject<T>(this: { [COPY](): T }): T {
  return this[COPY]();
}

/** Copies the named members that are present. */
export function copyMembers(source: object, names: readonly string[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of names) {
    const value = (source as Record<string, unknown>)[name];
    if (value !== undefined) result[name] = copyValue(value);
  }
  return result;
}

function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // A Buffer can be a part of larger memory, which a copy must not retain.
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(copyValue);
  if (COPY in value) return (value as { [COPY](): unknown })[COPY]();
  return copyMembers(value, Object.keys(value));
}

/** Converts plain data to what JSON can express: a bigint becomes its decimal digits, bytes become base64. */
export function toJsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
  if (Array.isArray(value)) return value.map(toJsonValue);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toJsonValue(member)]));
}

/** Freezes plain data without bytes. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
