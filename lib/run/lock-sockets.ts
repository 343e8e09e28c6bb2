/** The hooks of a lock file's policy for connections and listeners. Pure. */
import { isIP, isIPv4 } from 'node:net';
import { PolytraceError } from '../errors.js';
import { EPHEMERAL_PORT } from '../generalize/paths.js';
import { ANY_PORT, parseEndpoint, listSubjects, type Endpoint, type ParsedFact } from './lock-facts.js';
import { quoteForComment, type Filter, type PolicyHook } from '../generalize/policy-text.js';

/** Half of the selectors that a hook can have: the others are for whoever changes the file. */
const SELECTORS_MAX = 32;

interface Allowed {
  readonly port: Endpoint['port'];
  /** Undefined: every address. */
  readonly addresses: readonly string[] | undefined;
}

export function readAddresses(given: Readonly<Record<string, readonly string[]>>): Map<string, readonly string[]> {
  for (const [host, networks] of Object.entries(given)) {
    const wrong = networks.find((text) => !isNetwork(text));
    if (wrong === undefined) continue;
    throw new PolytraceError(
      'LOCK_POLICY',
      `${JSON.stringify(wrong)} is no address and no network`,
      `write --address ${host}=192.0.2.1 or --address ${host}=2001:db8::/32`,
    );
  }
  return new Map(Object.entries(given));
}

function isNetwork(text: string): boolean {
  const [, address = '', bits = '0'] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  return isIP(address) !== 0 && Number(bits) <= (isIPv4(address) ? 32 : 128);
}

export function connectHooks(
  facts: readonly ParsedFact[],
  known: ReadonlyMap<string, readonly string[]>,
  notes: string[],
): PolicyHook[] {
  const unused = new Set(known.keys());
  const allowed = listSubjects(facts, 'connect').map((subject): Allowed => {
    const { host, isName, port } = readEndpoint(subject);
    const addresses = isName ? known.get(host) : [host];
    if (addresses === undefined)
      notes.push(
        `Wider than the lock file: ${quoteForComment(subject)} allows every address with this port. Narrow it with --address.`,
      );
    unused.delete(host);
    return { port, addresses };
  });
  if (unused.size > 0) {
    throw new PolytraceError(
      'LOCK_POLICY',
      `the lock file has no connection to ${[...unused].map((host) => JSON.stringify(host)).join(', ')}`,
      'name hosts as the lock file does, or leave --address out',
    );
  }
  return socketHooks(
    {
      call: 'tcp_connect',
      message: 'A connection that the lock file does not have',
      args: [{ index: 0, type: 'sock' }],
    },
    ['DPort', 'DAddr'],
    allowed,
    [],
  );
}

export function listenHooks(facts: readonly ParsedFact[]): PolicyHook[] {
  const allowed = listSubjects(facts, 'listen').map((subject): Allowed => {
    const { host, port } = readEndpoint(subject);
    return { port, addresses: [host] };
  });
  return socketHooks(
    {
      call: 'security_socket_listen',
      message: 'A listener that the lock file does not have',
      args: [{ index: 0, type: 'socket' }],
    },
    ['SPort', 'SAddr'],
    allowed,
    [{ position: 0, operator: 'Family', values: ['AF_INET', 'AF_INET6'] }],
  );
}

function readEndpoint(subject: string): Endpoint {
  const endpoint = parseEndpoint(subject);
  if (endpoint !== undefined) return endpoint;
  throw new PolytraceError(
    'LOCK_POLICY',
    `${JSON.stringify(subject)} is no address with a port`,
    'write the file anew with --update-lock',
  );
}

/**
 * Reports each pair of a port and an address that is not allowed: all ports that nothing allows, and for each other port
 * the addresses that it does not allow. At most one selector matches a socket.
 */
function socketHooks(
  hook: Omit<PolicyHook, 'selectors'>,
  [portOperator, addressOperator]: readonly [string, string],
  allowed: readonly Allowed[],
  always: readonly Filter[],
): PolicyHook[] {
  const byPort = new Map<Endpoint['port'], Set<string> | 'all'>();
  for (const { port, addresses } of allowed) {
    const before = byPort.get(port);
    if (addresses === undefined || before === 'all') byPort.set(port, 'all');
    else byPort.set(port, new Set([...(before ?? []), ...addresses]));
  }
  const some = byPort.get('*');
  const ports = [...byPort.keys()].filter((port) => port !== '*').sort((one, other) => one - other);
  const filter = (operator: string, values: readonly string[]): Filter[] =>
    values.length === 0 ? [] : [{ position: 0, operator, values: [...values].sort() }];
  const otherAddresses = (...sets: readonly (Set<string> | 'all' | undefined)[]): Filter[] | undefined =>
    sets.includes('all')
      ? undefined
      : filter(`Not${addressOperator}`, [...new Set(sets.flatMap((set) => [...(set ?? [])]))]);
  const selectors: Filter[][] = [
    [...always, ...filter(`Not${portOperator}`, [...ports.map(String), ...(some === undefined ? [] : [ANY_PORT])])],
  ];
  for (const port of ports) {
    const others = otherAddresses(byPort.get(port), port >= EPHEMERAL_PORT ? some : undefined);
    if (others !== undefined) selectors.push([...always, ...filter(portOperator, [String(port)]), ...others]);
  }
  if (some !== undefined && some !== 'all') {
    const single = ports.filter((port) => port >= EPHEMERAL_PORT).map(String);
    selectors.push([
      ...always,
      ...filter(portOperator, [ANY_PORT]),
      ...filter(`Not${portOperator}`, single),
      ...(otherAddresses(some) ?? []),
    ]);
  }
  return Array.from({ length: Math.ceil(selectors.length / SELECTORS_MAX) }, (_, i) => ({
    ...hook,
    selectors: selectors.slice(i * SELECTORS_MAX, (i + 1) * SELECTORS_MAX),
  }));
}
