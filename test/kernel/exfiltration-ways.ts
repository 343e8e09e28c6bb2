/** Ways to send out a secret, and what the policy `exfiltration` does about them. docs/bypass.md has the same table. */
export interface ExfiltrationWay {
  /** A way of exfiltration.c. */
  readonly way: string;
  readonly title: string;
  /** What the program prints if the policy does nothing. */
  readonly alone: 'ECONNREFUSED' | 'sent';
  /** Why the policy does not stop it. Absent if it refuses the call with EPERM. */
  readonly open?: string;
}

const NOT_A_CHILD = 'the sender did not read it, and is no child of a reader';

export const EXFILTRATION_WAYS: readonly ExfiltrationWay[] = [
  { way: 'connect', title: 'the process connects', alone: 'ECONNREFUSED' },
  { way: 'child', title: 'a child after `fork` connects', alone: 'ECONNREFUSED' },
  { way: 'exec', title: 'the program that it executes connects', alone: 'ECONNREFUSED' },
  { way: 'thread', title: 'another thread connects', alone: 'ECONNREFUSED' },
  { way: 'udp', title: 'UDP, after `connect`', alone: 'sent' },
  { way: 'uring', title: 'io_uring connects', alone: 'ECONNREFUSED' },
  { way: 'sqpoll', title: "io_uring's own thread connects", alone: 'ECONNREFUSED' },
  { way: 'uring-read', title: 'io_uring reads the secret', alone: 'ECONNREFUSED' },
  { way: 'map', title: 'the secret is mapped, and not read', alone: 'ECONNREFUSED' },
  { way: 'sendto', title: '`sendto` of UDP, without `connect`', alone: 'sent' },
  { way: 'uring-send', title: 'the same by io_uring', alone: 'sent' },
  { way: 'fastopen', title: '`sendto` of TCP with `MSG_FASTOPEN`', alone: 'ECONNREFUSED' },
  { way: 'earlier', title: 'a socket that was connected before the read', alone: 'sent' },
  { way: 'helper', title: 'an unmarked helper, by a socketpair', alone: 'ECONNREFUSED', open: NOT_A_CHILD },
  { way: 'parent', title: 'a child reads it, and its parent connects', alone: 'ECONNREFUSED', open: NOT_A_CHILD },
];

/** The rows of the table, and its reasons as a list. */
export function listExfiltrationRows(): string[][] {
  return EXFILTRATION_WAYS.map(({ title, open }) => [
    title,
    open === undefined ? 'refused' : 'not refused',
    open ?? '',
  ]);
}
