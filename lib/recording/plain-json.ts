/**
 * Converts plain data to JSON and back without loss: a bigint is `{"$n": "12"}`, bytes are `{"$b": BASE64}`. A name that begins
 * with `$` gets a second `$`.
 */

type Encoded = Readonly<Record<string, unknown>>;

export function encodePlain(value: unknown): unknown {
  if (typeof value === 'bigint') return { $n: value.toString() };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return { $b: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') }; // prettier-ignore
  if (Array.isArray(value)) return value.map(encodePlain);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.startsWith('$') ? `$${name}` : name, encodePlain(member)]),
  );
}

/** Throws an Error if `encodePlain` cannot have made the value. */
export function decodePlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(decodePlain);
  const { $n: digits, $b: base64 } = value as Encoded;
  if (typeof digits === 'string' && /^-?\d{1,20}$/.test(digits)) return BigInt(digits);
  if (typeof base64 === 'string') return new Uint8Array(Buffer.from(base64, 'base64'));
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [decodeName(name), decodePlain(member)]));
}

function decodeName(name: string): string {
  if (!name.startsWith('$')) return name;
  if (!name.startsWith('$$')) throw new Error(`a member has the unknown name ${JSON.stringify(name)}`);
  return name.slice(1);
}
