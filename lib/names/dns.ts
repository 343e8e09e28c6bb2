/** Reads names of DNS messages (RFC 1035, 4.1.4). Everybody on the network, and each program, chooses all of the bytes. */

const LABEL_MAX = 63;
/** Bytes of a name without its last byte, the length 0 of the root. */
const NAME_MAX = 254;

export interface DnsName {
  /** The bytes of each label. The root has none. */
  readonly labels: readonly Uint8Array[];
  /** Position behind the name. */
  readonly end: number;
}

/**
 * Returns undefined if the name is longer than a name can be, leaves the message, or has a pointer that does not lead
 * back: pointers that only lead back have an end.
 */
export function readDnsName(message: Uint8Array, start: number): DnsName | undefined {
  const labels: Uint8Array[] = [];
  let used = 0;
  let lowest = start;
  let end: number | undefined;
  for (let at = start; ;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return { labels, end: end ?? at + 1 };
    if (length >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) return undefined;
      end ??= at + 2;
      at = (length - 0xc0) * 256 + low;
      if (at >= lowest) return undefined;
      lowest = at;
      continue;
    }
    used += length + 1;
    const next = at + 1 + length;
    if (length > LABEL_MAX || used > NAME_MAX || next > message.length) return undefined;
    labels.push(message.subarray(at + 1, next));
    at = next;
  }
}
