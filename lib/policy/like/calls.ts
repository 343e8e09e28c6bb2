/** Filters for which other calls match in Tetragon, because of what such calls have as values. */
import type { Hook, SelectorData } from '../model/model.js';
import type { Span } from '../parse/positions.js';
import { isNegatedOperator, type Operator } from '../language/vocabulary.js';
import {
  comparison,
  filterSpans,
  listFilters,
  listSelectors,
  type ComparedPolicy,
  type DifferenceTable,
} from './difference.js';

export const CALL_DIFFERENCES = {
  nameOfMemfd: {
    code: 'TETRAGON_MATCHES',
    message: 'in Tetragon, the name of a memfd matches no filter on paths; in polytrace, it does',
    hint: 'hook memfd_create to see memfds in both',
    find: (policy) =>
      listFilters(policy).flatMap((placed) => {
        const { values = [] } = placed.filter;
        if (comparison(placed) !== 'path') return [];
        return values.flatMap((value, i) => (/^\/?memfd:/.test(value) ? [policy.positions.value(values, i)] : []));
      }),
  },
  unreadableString: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, a string that cannot be read matches no filter of this policy; in polytrace, it satisfies negated filters, because a process can hide its memory',
    hint: 'expect such events in polytrace only',
    // the difference is that of the whole policy, here and in the next two
    find: (policy) =>
      filterSpans(policy, ({ arg, filter: { operator } }) => arg?.type === 'string' && isNegated(operator)).slice(0, 1),
  },
  endOfLongString: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, Postfix compares the last byte that it has read of a string over 4,095 bytes; in polytrace, such a string matches, because its end is not known',
    hint: 'expect such events in polytrace only',
    find: (policy) =>
      filterSpans(policy, ({ arg, filter: { operator } }) => arg?.type === 'string' && operator === 'Postfix').slice(
        0,
        1,
      ),
  },
  changeBeforeFork: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, a change before a fork matches no more in the child; in polytrace, it matches there, too, because a fork hides no change',
    hint: 'expect such events in polytrace only',
    find: (policy) => findChanges(policy).slice(0, 1),
  },
  changeOfAnotherHook: {
    code: 'TETRAGON_MATCHES',
    message:
      'in Tetragon, a change that another hook of the policy has seen matches no more; in polytrace, each hook has a state of its own',
    hint: 'expect such events in polytrace only, or use one hook',
    find: findSecondChange,
  },
  addressWithPort: {
    code: 'TETRAGON_MATCHES',
    message: 'in Tetragon, DAddr with DPort of a socket matches nothing; in polytrace, both must hold',
    hint: 'filter one of the two, and compare the other one in the events',
    find: (policy) =>
      filterSpans(policy, ({ arg, filter, list, selector }) => {
        if (list !== 'matchArgs' || filter.operator !== 'DPort' || !isSocket(arg?.type)) return false;
        return (selector.matchArgs ?? []).some(({ operator, index }) => operator === 'DAddr' && index === filter.index);
      }),
  },
  familyOfLocalSocket: {
    code: 'TETRAGON_MATCHES',
    message: 'in Tetragon, Family of a sockaddr_un matches nothing; in polytrace, it is compared',
    hint: 'use the type sockaddr to compare the family in both',
    find: (policy) =>
      filterSpans(policy, ({ arg, filter }) => arg?.type === 'sockaddr_un' && filter.operator === 'Family'),
  },
  sentPacket: {
    code: 'TETRAGON_MATCHES',
    message: 'in Tetragon, a packet of ip_send_skb matches nothing; in polytrace, its addresses and ports are compared',
    hint: 'hook udp_sendmsg or tcp_sendmsg, and filter the sock',
    find: (policy) => filterSpans(policy, ({ arg, hook }) => arg?.type === 'skb' && hook.data.call === 'ip_send_skb'),
  },
  filterWithReturnCopy: {
    code: 'TETRAGON_MATCHES',
    message:
      'Tetragon compares a buffer with returnCopy before the function has filled it; polytrace compares it at the return',
    hint: 'expect other matches there',
    find: (policy) => filterSpans(policy, ({ arg }) => arg?.returnCopy === true),
  },
  piecesOfBuffer: {
    code: 'TETRAGON_MATCHES',
    message: 'Tetragon reads the first piece of an iov_iter; polytrace reads all of them',
    hint: 'expect shorter values there',
    find: (policy) =>
      policy.hooks.flatMap(({ data: { args = [] } }) =>
        args.flatMap((arg) => (arg.type === 'iov_iter' ? [policy.positions.value(arg, 'type')] : [])),
      ),
  },
} satisfies DifferenceTable;

function isSocket(type: string | undefined): boolean {
  return type === 'sock' || type === 'socket';
}

function isNegated(operator: Operator | undefined): boolean {
  return operator !== undefined && isNegatedOperator(operator);
}

function findChanges(policy: ComparedPolicy): Span[] {
  return listSelectors(policy).flatMap(({ selector }) =>
    (['matchNamespaceChanges', 'matchCapabilityChanges'] as const).flatMap((list) =>
      (selector[list] ?? []).length > 0 ? [policy.positions.key(selector, list)] : [],
    ),
  );
}

/** Returns the places of the filters on changes in the hooks after the first that has such filters. */
function findSecondChange({ hooks, positions }: ComparedPolicy): Span[] {
  return (['matchNamespaceChanges', 'matchCapabilityChanges'] as const).flatMap((list) => {
    const hasChanges = (selector: SelectorData): boolean => (selector[list] ?? []).length > 0;
    const [, ...later] = hooks.filter(({ selectors }: Hook) => selectors.some(hasChanges));
    return later.flatMap(({ selectors }) =>
      selectors.filter(hasChanges).map((selector) => positions.key(selector, list)),
    );
  });
}
