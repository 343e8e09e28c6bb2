/** Decides what a command may do under `enforce`: from its lock file, its rules and its preset. Pure. */
import { isIP, isIPv4 } from 'node:net';
import { join, normalize } from 'node:path/posix';
import type { BehaviorKind, LockFact, RunRules } from '../../types/run.js';
import { PolytraceError } from '../errors.js';
import { generalizeHost, type Places } from '../generalize/paths.js';
import { listSubjects, parseEndpoint, parseFact, Variables, type Endpoint, type PathPattern } from './lock-facts.js';
import type { ParsedFact } from './lock-facts.js';

/** A connection that is allowed, or one end of it. */
export interface AllowedEnd {
  readonly host: string;
  readonly isName: boolean;
  /** `any`: every port; `*`: every port that the kernel chooses. */
  readonly port: Endpoint['port'] | 'any';
}

/** What processes may do. Undefined: everything. */
export interface Permissions {
  /** Files that may be changed in any way. */
  readonly writes?: readonly PathPattern[];
  /** Programs that may be executed. */
  readonly execs?: readonly PathPattern[];
  readonly connects?: readonly AllowedEnd[];
  /** Questions to the resolvers of the machine. */
  readonly dns: boolean;
  readonly listens?: readonly AllowedEnd[];
  /** Secrets that may be opened nevertheless. */
  readonly secrets?: readonly PathPattern[];
  /** Access to the memory of others, and changes of the kernel, of mounts and of privileges. */
  readonly memory: boolean;
  readonly kernel: boolean;
  readonly mounts: boolean;
  readonly users: boolean;
}

/** Scripts of packages are those that are executed in the folder of a package. They may do less than the command. */
export interface Enforcement {
  readonly all: Permissions;
  readonly packages: Permissions;
}

const LOOPBACK: readonly AllowedEnd[] = ['127.0.0.0/8', '::1'].map((host) => ({ host, isName: false, port: 'any' }));
const HTTP_PORTS = [80, 443];
/** Folders in a home where package managers keep their state. */
const MANAGER_FOLDERS = ['.npm', '.cache', '.cargo', '.local/share/pnpm', '.local/state/pnpm', '.yarn', '.config/yarn'];
const CHANGES: readonly BehaviorKind[] = ['write', 'remove', 'rename', 'mode'];
const NOTE = / \((?:folder|link|setuid|executable|owner|written)\)$/;
const UNKNOWN = '(unknown)';

export interface RuleSources {
  readonly rules: RunRules;
  readonly lock: readonly LockFact[] | undefined;
  readonly places: Places;
  /** The working folder is not the command's own: it is a home or the root. */
  readonly everywhere: boolean;
  /** Ports and hosts of the registries that the settings name. */
  readonly registries: readonly AllowedEnd[];
}

/** Throws PolytraceError RUN_RULES, and LOCK_POLICY for facts that cannot be read. */
export function makeEnforcement(sources: RuleSources): Enforcement {
  const { lock } = sources;
  const all = permit(sources, lock, false);
  const packages = permit(
    sources,
    lock?.filter((fact) => fact.package !== '.'),
    true,
  );
  return { all, packages };
}

function permit(sources: RuleSources, lock: readonly LockFact[] | undefined, isPackage: boolean): Permissions {
  const { rules, places, everywhere, registries } = sources;
  const { allowConnect, allowWrite, denySecrets, preset } = rules;
  const facts = lock?.map(parseFact);
  const variables = makeVariables(places);
  const own = everywhere ? [] : [folderOf(places.folder)];
  const written = (allowWrite ?? []).flatMap((path) => fileOrFolder(resolveRule(path, places)));
  const usual = [
    places.temporary,
    '/tmp',
    '/var/tmp',
    ...places.caches,
    ...MANAGER_FOLDERS.map((name) => join(places.home, name)),
  ];
  const rulesWrite = preset === undefined ? written : [...written, ...usual.flatMap(fileOrFolder)];
  const limitsWrite = facts !== undefined || allowWrite !== undefined || preset !== undefined;
  const asked = (allowConnect ?? []).map(parseConnectRule);
  const limitsConnect = facts !== undefined || allowConnect !== undefined || preset !== undefined;
  const hosts = [...asked, ...presetConnects(preset, registries, isPackage), ...ends(facts, 'connect')];
  const has = (kind: BehaviorKind): boolean => facts?.some((fact) => fact.kind === kind) === true;
  return {
    ...(limitsWrite ? { writes: [...own, ...rulesWrite, ...changedPaths(facts, variables)] } : {}),
    // the shell that runs a script, and what the script executes, are facts of its package
    ...(facts === undefined ? {} : { execs: listSubjects(facts, 'exec').flatMap((text) => variables.expand(text)) }),
    ...(limitsConnect ? { connects: hosts } : {}),
    dns: hosts.some(({ isName }) => isName) || has('dns') || (preset === 'install' && !isPackage),
    ...(facts !== undefined || preset !== undefined
      ? { listens: [...ends(facts, 'listen'), ...(preset === 'test' ? LOOPBACK : [])] }
      : {}),
    ...(facts !== undefined || denySecrets === true || preset !== undefined
      ? { secrets: listSubjects(facts ?? [], 'secret').flatMap((text) => variables.expand(text.replace(NOTE, ''))) }
      : {}),
    memory: has('memory'),
    kernel: has('kernel'),
    mounts: has('mount'),
    users: has('privilege'),
  };
}

function makeVariables({ folder, home, temporary, caches }: Places): Variables {
  return new Variables({ PWD: [folder], HOME: [home], TMP: [temporary], CACHE: caches.length === 0 ? [home] : caches });
}

const folderOf = (path: string): PathPattern => ({ path: path.endsWith('/') ? path : `${path}/`, isPrefix: true });
const fileOrFolder = (path: string): PathPattern[] => [
  { path: path.replace(/\/+$/, ''), isPrefix: false },
  folderOf(path),
];

/** Every path that a fact about a change names. */
function changedPaths(facts: readonly ParsedFact[] | undefined, variables: Variables): PathPattern[] {
  const subjects = (facts ?? []).flatMap(({ kind, subject }) => {
    if (kind === 'secret') return subject.endsWith(' (written)') ? [subject.replace(NOTE, '')] : [];
    if (!CHANGES.includes(kind)) return [];
    return kind === 'rename' ? subject.split(/ (?:\u2192|linked as) /) : [subject.replace(NOTE, '')];
  });
  return [...new Set(subjects)]
    .filter((text) => text !== UNKNOWN && text !== '')
    .flatMap((text) => variables.expand(text));
}

function ends(facts: readonly ParsedFact[] | undefined, kind: BehaviorKind): AllowedEnd[] {
  return listSubjects(facts ?? [], kind).flatMap((subject) => parseEndpoint(subject) ?? []);
}

function presetConnects(
  preset: RunRules['preset'],
  registries: readonly AllowedEnd[],
  isPackage: boolean,
): readonly AllowedEnd[] {
  if (preset === 'test') return LOOPBACK;
  if (preset !== 'install' || isPackage) return [];
  const everywhere = ['0.0.0.0/0', '::/0'];
  return [
    ...registries,
    ...HTTP_PORTS.flatMap((port) => everywhere.map((host): AllowedEnd => ({ host, isName: false, port }))),
  ];
}

/** `NAME:PORT`, `ADDRESS:PORT`, `[IPV6]:PORT`, an address or a network. Throws PolytraceError RUN_RULES. */
export function parseConnectRule(text: string): AllowedEnd {
  const [, address = '', bits = '0'] = /^\[?([^/\]]+)\]?(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (isIP(address) !== 0 && Number(bits) <= (isIPv4(address) ? 32 : 128)) {
    return { host: text.replace(/[[\]]/g, ''), isName: false, port: 'any' };
  }
  const end = parseEndpoint(text);
  const isHost = end !== undefined && (!end.isName || /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(end.host));
  if (isHost && (end.isName || isIP(end.host) !== 0) && (end.port === '*' || (end.port > 0 && end.port < 65_536))) {
    return end.isName ? { ...end, host: generalizeHost(end.host.toLowerCase()) } : end;
  }
  throw new PolytraceError(
    'RUN_RULES',
    `${JSON.stringify(text)} is no connection that can be allowed`,
    'write NAME:PORT, ADDRESS:PORT, an address or a network, such as registry.npmjs.org:443 or 10.0.0.0/8',
  );
}

/** Paths of rules can begin with ~ and with the variables of lock files, and are relative to the working folder. */
function resolveRule(text: string, { folder, home, temporary }: Places): string {
  if (text === '') throw new PolytraceError('RUN_RULES', 'the path of a rule is empty', 'name a file or a folder');
  const named = text
    .replace(/^(?:~|\$HOME)(?=\/|$)/, home)
    .replace(/^\$PWD(?=\/|$)/, folder)
    .replace(/^\$TMP(?=\/|$)/, temporary);
  if (/^\$|\*/.test(named)) {
    throw new PolytraceError(
      'RUN_RULES',
      `${JSON.stringify(text)} has a pattern`,
      'name a file or a folder: all in a folder is allowed',
    );
  }
  return normalize(named.startsWith('/') ? named : join(folder, named));
}
