/** The filters of connections and listeners that are not allowed. Pure. */
import { EPHEMERAL_PORT } from '../generalize/paths.js';
import type { AllowedAddresses } from './hosts.js';
import { ANY_PORT } from './lock-facts.js';
import { filterValues, type Filter } from '../generalize/policy-text.js';

/** Selectors that a hook can have for one kind of process: more ports are joined. */
const PORTS_MAX = 24;

/**
 * The pairs of a port and an address that nothing allows: all ports without an allowed address, and for each other port the
 * addresses that it does not allow.
 */
export function deniedEndpoints(
  allowed: readonly AllowedAddresses[],
  [portOperator, addressOperator]: readonly [string, string],
  always: readonly Filter[],
): Filter[][] {
  const free = allowed.filter(({ port }) => port === 'any').flatMap(({ addresses }) => addresses);
  const high = allowed.filter(({ port }) => port === '*').flatMap(({ addresses }) => addresses);
  const byPort = new Map<number, string[]>();
  for (const { port, addresses } of allowed) {
    if (typeof port === 'number' && addresses.length > 0) byPort.set(port, [...(byPort.get(port) ?? []), ...addresses]);
  }
  const base = [...always, ...filterValues(0, `Not${addressOperator}`, free)];
  const ports = [...byPort.keys()].sort((one, other) => one - other);
  const highPort = high.length > 0 ? [ANY_PORT] : [];
  const selectors = [[...base, ...filterValues(0, `Not${portOperator}`, [...ports.map(String), ...highPort])]];
  // beyond the limit, the last ports share their addresses
  const single = ports.length <= PORTS_MAX ? ports : ports.slice(0, PORTS_MAX - 1);
  const groups = [
    ...single.map((port) => [port]),
    ...(single.length < ports.length ? [ports.slice(single.length)] : []),
  ];
  for (const group of groups) {
    const own = group.flatMap((port) => byPort.get(port) ?? []);
    const more = group.some((port) => port >= EPHEMERAL_PORT) ? high : [];
    selectors.push([
      ...base,
      ...filterValues(0, portOperator, group.map(String)),
      ...filterValues(0, `Not${addressOperator}`, [...own, ...more]),
    ]);
  }
  if (high.length > 0) {
    const others = ports.filter((port) => port >= EPHEMERAL_PORT).map(String);
    selectors.push([
      ...base,
      ...filterValues(0, portOperator, highPort),
      ...filterValues(0, `Not${portOperator}`, others),
      ...filterValues(0, `Not${addressOperator}`, high),
    ]);
  }
  return selectors;
}
