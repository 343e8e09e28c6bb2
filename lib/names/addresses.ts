/** Formats IP addresses. */

/** Formats four bytes as `192.0.2.1`. */
export function formatIpv4(a: number, b: number, c: number, d: number): string {
  return `${a}.${b}.${c}.${d}`;
}

/** Formats sixteen bytes as in RFC 5952. The last four bytes of an IPv4-mapped address are formatted as IPv4. */
export function formatIpv6(bytes: Uint8Array): string {
  if (isIpv4Mapped(bytes)) return `::ffff:${bytes.subarray(12, 16).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const joinGroups = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return joinGroups(groups);
  return `${joinGroups(groups.slice(0, start))}::${joinGroups(groups.slice(start + length))}`;
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

/** Finds the longest run of zero groups. If several have the same length, the first one. */
function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, position) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: position + 1 - length, length };
  });
  return best;
}
