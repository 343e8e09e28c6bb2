/** The policy with which a service is recorded, and what its events say about the service. */
import type { PlainEvent, PlainProcess, Process, ProcessTracepointEvent, TracerEvent } from '../../types/events.js';
import { isInContainers } from './scope.js';
import type { ServiceOptions } from '../../types/learn.js';
import type { Behavior } from '../../types/run.js';
import { Observer } from '../run/observer.js';
import { POLICY_NAME, runPolicy } from '../run/policy.js';

/** Messages of the hooks that `run` does not have. */
const SYSTEM_CALL = 'system call';
const CAPABILITY = 'capability';
/** Different system calls and capabilities. A kernel has fewer. */
const NAMES_MAX = 1024;

/** The policy to record a service with: see `servicePolicy`. */
export function recordingPolicy({ containers = [], pods, programs = [] }: ServiceOptions): string {
  const who =
    programs.length === 0 ? {} : { matchBinaries: [{ operator: 'In', followChildren: true, values: [...programs] }] };
  const containerSelector =
    containers.length === 0
      ? {}
      : { containerSelector: { matchExpressions: [{ key: 'name', operator: 'In', values: [...containers] }] } };
  const podSelector = pods === undefined ? {} : { podSelector: { matchLabels: pods } };
  const raw = { raw: true, optional: true };
  return runPolicy({
    who,
    scope: { ...containerSelector, ...podSelector },
    folder: undefined,
    programs: [],
    tracepoints: [
      {
        subsystem: 'raw_syscalls',
        event: 'sys_enter',
        ...raw,
        message: SYSTEM_CALL,
        args: [{ index: 1, type: 'syscall64' }],
        // one event an hour for each system call
        selectors: [{ ...who, matchActions: [{ action: 'Post', rateLimit: '1h', rateLimitScope: 'global' }] }],
      },
      {
        subsystem: 'capability',
        event: 'cap_capable',
        ...raw,
        message: CAPABILITY,
        args: [
          { index: 3, type: 'capability' },
          { index: 4, type: 'int' },
        ],
        selectors: [
          {
            ...who,
            matchArgs: [{ args: [1], operator: 'Equal', values: ['0'] }],
            matchActions: [{ action: 'Post', rateLimit: '1m', rateLimitScope: 'process' }],
          },
        ],
      },
    ],
  });
}

/** What a service did. */
export interface ServiceFacts {
  readonly behaviors: readonly Behavior[];
  readonly more: number;
  readonly systemCalls: ReadonlySet<string>;
  readonly capabilities: ReadonlySet<string>;
  readonly events: number;
  readonly lost: number;
}

export class ServiceObserver {
  readonly #options: ServiceOptions;
  readonly #observer: Observer;
  readonly #systemCalls = new Set<string>();
  readonly #capabilities = new Set<string>();
  #ancestors: readonly PlainProcess[] = [];
  #events = 0;
  #lost = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#observer = new Observer({
      places: { folder: '', home: '', temporary: '', caches: [] },
      isExact: true,
      pid: -1,
      everywhere: true,
      own: { packageFiles: [], cargoPackage: undefined },
      // the observer asks about the process of the event that it has got
      ancestors: () => this.#ancestors as unknown as readonly Process[],
      findProcess: () => undefined,
    });
  }

  add(event: PlainEvent): void {
    if (event.type === 'lost') this.#lost += event.count;
    if (!('process' in event) || !this.#isOwn(event)) return;
    this.#events++;
    this.#ancestors = event.parent === undefined ? event.ancestors : [event.parent, ...event.ancestors];
    if (event.type === 'process_tracepoint' && event.policyName === POLICY_NAME) this.#addNames(event);
    this.#observer.add(event as unknown as TracerEvent);
  }

  #addNames({ message, args }: Pick<ProcessTracepointEvent, 'message' | 'args'>): void {
    const [first] = args;
    if (message === SYSTEM_CALL && first?.type === 'syscall64' && first.name !== undefined) {
      if (this.#systemCalls.size < NAMES_MAX) this.#systemCalls.add(first.name);
    } else if (message === CAPABILITY && first?.type === 'capability' && first.name !== undefined) {
      if (this.#capabilities.size < NAMES_MAX) this.#capabilities.add(first.name);
    }
  }

  #isOwn({ process, parent, ancestors }: Extract<PlainEvent, { readonly process: unknown }>): boolean {
    const { programs = [] } = this.#options;
    if (!isInContainers(process, this.#options)) return false;
    if (programs.length === 0) return true;
    const chain = [process, ...(parent === undefined ? [] : [parent]), ...ancestors];
    return chain.some(({ executable }) => programs.includes(executable));
  }

  facts(): ServiceFacts {
    return {
      behaviors: this.#observer.behaviors.sorted(),
      more: this.#observer.behaviors.more,
      systemCalls: this.#systemCalls,
      capabilities: this.#capabilities,
      events: this.#events,
      lost: this.#lost,
    };
  }
}
