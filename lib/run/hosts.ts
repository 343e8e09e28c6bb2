/** Finds the addresses of the host names that are allowed, by the resolvers that the machine has when the run begins. */
import { getServers } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { AllowedEnd } from './rules.js';

/** Addresses with a port: both are given as `socketHooks` needs them. */
export interface AllowedAddresses {
  readonly port: AllowedEnd['port'];
  readonly addresses: readonly string[];
}

export interface ResolvedHosts {
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  readonly warnings: readonly string[];
}

/** Names that are asked for at the same time. */
const AT_ONCE = 16;
const TIMEOUT_MS = 3000;
/** Services behind many addresses answer with other ones each time. */
const QUESTIONS = 3;

/** Addresses of the resolvers of this machine. */
export function machineResolvers(): string[] {
  const found = getServers().map((server) => server.replace(/^\[(.*)\](?::\d+)?$|^(\d+(?:\.\d+){3}):\d+$/, '$1$2'));
  return found.map((address) => address.replace(/%.*$/, '')).filter((address) => isIP(address) !== 0);
}

export async function resolveHosts(ends: readonly AllowedEnd[]): Promise<ResolvedHosts> {
  const names = [...new Set(ends.filter(({ isName }) => isName).map(({ host }) => host))];
  const addresses = new Map<string, readonly string[]>();
  const warnings: string[] = [];
  const waiting = names.filter((name) => {
    if (!name.includes('*')) return true;
    warnings.push(
      `${name} stands for many names, which nobody can ask for: connections to it are refused; allow a network`,
    );
    return false;
  });
  const work = async (): Promise<void> => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const found = await resolveHost(name);
      addresses.set(name, found);
      if (found.length === 0) warnings.push(`${name} has no address: connections to it are refused`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { addresses, warnings: warnings.sort() };
}

async function resolveHost(name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 2 });
  const none = (): string[] => [];
  const asks = Array.from({ length: QUESTIONS }, () => [
    resolver.resolve4(name).catch(none),
    resolver.resolve6(name).catch(none),
  ]).flat();
  // the file /etc/hosts and other sources of names
  const local = lookup(name, { all: true }).then((all) => all.map(({ address }) => address), none);
  const limit = new Promise<string[]>((resolve) => setTimeout(resolve, 2 * TIMEOUT_MS, []).unref());
  const answers = await Promise.all([...asks, Promise.race([local, limit])]);
  return [...new Set(answers.flat())].sort();
}

/** The ends with addresses instead of names. */
export function withAddresses(
  ends: readonly AllowedEnd[],
  { addresses }: Pick<ResolvedHosts, 'addresses'>,
): AllowedAddresses[] {
  return ends.map(({ host, isName, port }) => ({ port, addresses: isName ? (addresses.get(host) ?? []) : [host] }));
}
