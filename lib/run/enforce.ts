/** Prepares and loads the policy of `enforce`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tracer } from '../../types/index.js';
import type { LockFact, RunOptions, RunRules } from '../../types/run.js';
import { PolytraceError } from '../errors.js';
import { enforcementPolicy, isPackageFolder, type Connected } from './enforcement-policy.js';
import type { Places } from '../generalize/paths.js';
import { machineResolvers, resolveHosts, withAddresses, type AllowedAddresses, type ResolvedHosts } from './hosts.js';
import { killPolicy } from './kill-policy.js';
import { Mounts } from './mounts.js';
import { findPrograms } from './programs.js';
import { makeEnforcement, type AllowedEnd, type Permissions } from './rules.js';

const DNS_PORT = 53;
/** Settings with the addresses of registries. */
const REGISTRY_VARIABLES = [
  'npm_config_registry',
  'NPM_CONFIG_REGISTRY',
  'YARN_REGISTRY',
  'YARN_NPM_REGISTRY_SERVER',
  'PIP_INDEX_URL',
];
const SETTINGS_BYTES_MAX = 1024 * 1024;

export interface EnforceSources {
  readonly options: RunOptions;
  readonly lock: readonly LockFact[] | undefined;
  readonly places: Places;
  readonly everywhere: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The permissions of the command and of packages. Host names have their addresses. */
export interface Allowed {
  readonly all: Connected;
  readonly packages: Connected;
  readonly hasPackages: boolean;
  readonly mounts: Mounts;
  readonly warnings: readonly string[];
}

/** The rules of the options; undefined if nothing is enforced. */
export function findRules({ enforce }: RunOptions): RunRules | undefined {
  if (enforce === undefined || enforce === false) return undefined;
  return enforce === true ? {} : enforce;
}

/** Throws PolytraceError RUN_RULES. */
export function checkEnforce(options: RunOptions, hasLock: boolean): void {
  const rules = findRules(options);
  if (rules === undefined) return;
  const isEmpty = Object.values(rules).every((rule) => rule === undefined || rule === false);
  if (options.updateLock === true)
    throw new PolytraceError('RUN_RULES', 'a lock file cannot be enforced and written anew', 'use one of them');
  if (!isEmpty || hasLock) return;
  const message =
    options.lock === undefined
      ? 'there are no rules to enforce'
      : `${options.lock} does not exist, so nothing is allowed`;
  throw new PolytraceError('RUN_RULES', message, 'write a lock file first, or name a preset or rules');
}

/** Throws PolytraceError RUN_RULES and LOCK_POLICY. */
export async function prepareEnforcement({
  options,
  lock,
  places,
  everywhere,
  env,
}: EnforceSources): Promise<Allowed | undefined> {
  const rules = findRules(options);
  if (rules === undefined) return undefined;
  const registries = rules.preset === 'install' ? await findRegistries(places, env) : [];
  const enforcement = makeEnforcement({ rules, lock, places, everywhere, registries });
  const { all, packages } = enforcement;
  const hosts = await resolveHosts([...(all.connects ?? []), ...(packages.connects ?? [])]);
  const resolvers: AllowedAddresses = { port: DNS_PORT, addresses: machineResolvers() };
  const complete = async ({ execs, ...others }: Permissions): Promise<Connected> => {
    const programs = execs === undefined ? {} : { execs: await findPrograms(execs) };
    return connectPermissions({ ...others, ...programs }, hosts, resolvers);
  };
  return {
    all: await complete(all),
    packages: await complete(packages),
    hasPackages: !isPackageFolder(places.folder),
    mounts: new Mounts(await readFile('/proc/self/mountinfo', 'utf8')),
    warnings: hosts.warnings,
  };
}

function connectPermissions(permissions: Permissions, hosts: ResolvedHosts, resolvers: AllowedAddresses): Connected {
  const { connects, listens, dns } = permissions;
  return {
    ...permissions,
    ...(connects === undefined ? {} : { connectsTo: [...withAddresses(connects, hosts), ...(dns ? [resolvers] : [])] }),
    ...(listens === undefined ? {} : { listensAt: withAddresses(listens, { addresses: new Map() }) }),
  };
}

/** Loads the policy. Returns whether calls are refused, or processes killed, as this kernel can do. */
export async function loadEnforcement(tracer: Tracer, pid: number, allowed: Allowed): Promise<'refuse' | 'kill'> {
  try {
    await tracer.addPolicy({ yaml: enforcementPolicy({ pid, ...allowed }), file: 'the policy of --enforce' });
    return 'refuse';
  } catch (error) {
    if (!cannotHook(error)) throw error;
    await tracer.addPolicy({ yaml: killPolicy({ pid, ...allowed }), file: 'the policy of --enforce' });
    return 'kill';
  }
}

/** True if this kernel cannot hook functions, or cannot change what they return. */
function cannotHook(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === 'NO_ATTACH_MECHANISM' || code === 'OVERRIDE_NOT_POSSIBLE';
}

async function findRegistries(
  { folder, home }: Places,
  env: Readonly<Record<string, string | undefined>>,
): Promise<AllowedEnd[]> {
  const files = await Promise.all([join(folder, '.npmrc'), join(home, '.npmrc')].map(readSettings));
  const lines = files.join('\n').split('\n');
  const named = lines.flatMap(
    (line) => /^\s*(?:@[^:\s]+:)?registry\s*=\s*["']?(https?:\/\/[^\s"']+)/.exec(line)?.[1] ?? [],
  );
  return [...REGISTRY_VARIABLES.map((name) => env[name]), ...named].flatMap((text) => registryEnd(text ?? ''));
}

async function readSettings(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).slice(0, SETTINGS_BYTES_MAX);
  } catch {
    return '';
  }
}

function registryEnd(text: string): AllowedEnd[] {
  try {
    const { hostname, port, protocol } = new URL(text);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const isName = !/^[\d.]+$|:/.test(host);
    return [{ host, isName, port: port !== '' ? Number(port) : protocol === 'http:' ? 80 : 443 }];
  } catch {
    return [];
  }
}
