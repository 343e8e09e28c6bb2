/** The events that only one of the two reports, by policy, with the reasons. docs/from-tetragon.md has them for users. */
import type { ComparedEvent } from './oracle.js';

export interface Difference {
  readonly reason: string;
  /** Who reports the events. `both`: each of the two reports others. */
  readonly by: 'tetragon' | 'polytrace' | 'both';
  readonly isOne: (event: ComparedEvent) => boolean;
}

const any = (): boolean => true;
const withMessage =
  (...messages: readonly string[]) =>
  ({ message }: ComparedEvent): boolean =>
    messages.includes(String(message));
const isUnread = ({ args }: ComparedEvent): boolean => JSON.stringify(args).includes('error_arg');

const SIGNED: Difference = { reason: 'there, negative numbers never match', by: 'both', isOne: any };
const MIXED: Difference = { reason: 'there, several uprobes mix up their filters', by: 'both', isOne: any };
const UNREAD: Difference = {
  reason: 'a string that cannot be read satisfies negated filters: a process can hide its memory',
  by: 'polytrace',
  isOne: isUnread,
};
const CUT: Difference = { reason: 'the end of a long string is not known, and matches', by: 'polytrace', isOne: any };
const RETURN: Difference = {
  reason: 'there, the return filter of another selector decides',
  by: 'tetragon',
  isOne: ({ function_name: name }) => name === '__x64_sys_lseek',
};

export const DIFFERENCES: Readonly<Partial<Record<string, readonly Difference[]>>> = {
  'n-inmap-neg': [SIGNED],
  'q-num-inmap-neg': [SIGNED],
  'q-num-inmap-negrange': [SIGNED],
  'q-num-inrange-s8': [SIGNED],
  'q-num-int16-lt': [SIGNED],
  'q-num-notinmap-neg': [SIGNED],
  'q-num-notinmap-s16': [SIGNED],
  'q-str-notempty': [UNREAD],
  'q-str-notpostfix': [UNREAD],
  'q-str-notprefix': [UNREAD],
  's-notequal': [UNREAD],
  'q-str-postfix': [CUT],
  'q-str-postfix-full': [CUT],
  'q-str-postfix-long': [CUT],
  'q-str-ret': [{ reason: 'there, matchReturnArgs of uprobes is ignored', by: 'tetragon', isOne: any }],
  'r-cross': [RETURN],
  'm-act': [
    { reason: 'there, rateLimit of one small value has no effect', by: 'tetragon', isOne: withMessage('rate-onearg') },
    { reason: 'the process id of the parent', by: 'both', isOne: withMessage('data-task') },
  ],
  'm-proc': [MIXED],
  'm-str': [MIXED],
  'm-ns': [
    {
      reason: 'each hook has a state of its own, and a fork hides no change',
      by: 'polytrace',
      isOne: withMessage('nschange-two', 'nschange-notin', 'capchange-raw', 'capchange-notin'),
    },
    {
      reason: 'there, changes of the user namespace are not seen',
      by: 'both',
      isOne: withMessage('user-host', 'cap-ns'),
    },
  ],
  ka: [
    { reason: 'there, filters on filename have no effect', by: 'tetragon', isOne: withMessage('filp') },
    RETURN,
    { reason: 'there, only the first piece of an iov_iter is read', by: 'both', isOne: withMessage('shmem') },
    { reason: 'there, a packet of ip_send_skb matches nothing', by: 'polytrace', isOne: withMessage('skb') },
    UNREAD,
    { reason: '32-bit programs vary', by: 'polytrace', isOne: withMessage('mmap-notprefix') },
  ],
  kb: [
    { reason: 'a descriptor that is not open', by: 'both', isOne: withMessage('write-buf-noteq') },
    {
      reason: 'there, buffers are compared before they are filled',
      by: 'polytrace',
      isOne: withMessage('read-filter'),
    },
    { reason: 'there, addresses of other families are read as names', by: 'both', isOne: withMessage('un-noteq') },
    { reason: 'there, DAddr with DPort matches nothing', by: 'polytrace', isOne: withMessage('daddr-dport') },
    { reason: 'there, Family of a sockaddr_un matches nothing', by: 'polytrace', isOne: withMessage('un-bind') },
    { reason: 'there, rateLimit of one small value has no effect', by: 'tetragon', isOne: withMessage('rate') },
    UNREAD,
  ],
};
