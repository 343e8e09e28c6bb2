/** The hook on changes of the state of TCP sockets, and connections that are followed through them. */
import type { PlainEvent, SocketArgument } from '../../types/events.js';
import type { YamlObject } from './policy-text.js';
import { isHookEvent, type HookPlainEvent } from './tracer.js';
import { findValue, numberValue } from './values.js';

/** States of TCP (net/tcp_states.h). */
export const STATE = { established: 1, synSent: 2, finWait1: 4, close: 7, lastAck: 9 } as const;

/** A number of struct tcp_sock, which is the same memory as the struct sock. */
export const tcpNumber = (label: string, resolve: string, type: string): YamlObject => ({
  index: 0,
  type,
  btfType: 'tcp_sock',
  resolve,
  label,
});

/** The values of the hook: the socket in its old state, its error, the old and the new state. */
export function stateHook(more: readonly YamlObject[], own: readonly YamlObject[]): YamlObject {
  return {
    subsystem: 'sock',
    event: 'inet_sock_set_state',
    raw: true,
    args: [
      { index: 0, type: 'sock', label: 'socket' },
      { index: 1, type: 'int', label: 'old' },
      { index: 2, type: 'int', label: 'new' },
      { index: 0, type: 'int', resolve: 'sk_err', label: 'error' },
      ...more,
    ],
    selectors: own,
  };
}

const TCP = { index: 0, operator: 'Protocol', values: ['IPPROTO_TCP'] };

export const isState = (index: 1 | 2, ...states: readonly number[]): YamlObject => ({
  matchArgs: [TCP, { index, operator: 'Equal', values: states.map(String) }],
});

/** A change of the state of a TCP socket. */
export interface StateChange {
  readonly event: HookPlainEvent;
  readonly socket: SocketArgument;
  /** Identifies the socket until the kernel frees it. */
  readonly key: string;
  readonly old: number;
  readonly new: number;
  readonly error: number;
}

export function toStateChange(event: PlainEvent): StateChange | undefined {
  if (!isHookEvent(event) || event.type !== 'process_tracepoint' || event.event !== 'inet_sock_set_state')
    return undefined;
  const socket = findValue(event, 'socket');
  if (socket?.type !== 'sock') return undefined;
  const [old, next, error] = ['old', 'new', 'error'].map((label) => Number(numberValue(event, label)));
  return { event, socket, key: String(socket.address), old: old ?? 0, new: next ?? 0, error: error ?? 0 };
}
