/** Reads the facts of a lock file back: kinds, paths with their variables expanded, addresses with ports. Pure. */
import type { BehaviorKind, LockFact } from '../../types/run.js';
import { PolytraceError } from '../errors.js';
import { BEHAVIOR_KINDS } from './behaviors.js';
import { EPHEMERAL_PORT } from '../generalize/paths.js';

export interface ParsedFact {
  readonly kind: BehaviorKind;
  readonly subject: string;
}

const FACT = new RegExp(`^(?:.*?: )??(${BEHAVIOR_KINDS.join('|')}) (.*)$`, 's');

/** Throws PolytraceError LOCK_POLICY. */
export function parseFact({ package: name, fact }: LockFact): ParsedFact {
  const [, kind, subject] = FACT.exec(fact) ?? [];
  if (kind !== undefined && subject !== undefined) return { kind: kind as BehaviorKind, subject };
  throw new PolytraceError(
    'LOCK_POLICY',
    `the fact ${JSON.stringify(fact)} of the section ${JSON.stringify(name)} has no known kind`,
    `write the file anew with --update-lock; kinds are ${BEHAVIOR_KINDS.join(', ')}`,
  );
}

/** The subjects of one kind. */
export function listSubjects(facts: readonly ParsedFact[], wanted: BehaviorKind): string[] {
  return facts.filter(({ kind }) => kind === wanted).map(({ subject }) => subject);
}

/** A path of a lock file, for the kernel to compare. */
export interface PathPattern {
  readonly path: string;
  /** Every path that begins so is meant: the lock file has a `*` behind it. */
  readonly isPrefix: boolean;
}

const NAMES: readonly string[] = ['PWD', 'HOME', 'TMP', 'CACHE'];

/** The folders of each variable. `TMP` always has those that `run` calls so on each machine. */
export class Variables {
  readonly #folders: ReadonlyMap<string, readonly string[]>;

  /** Throws PolytraceError LOCK_POLICY for an unknown variable, and a folder that is not absolute. */
  constructor(given: Readonly<Record<string, readonly string[]>>) {
    for (const [name, folders] of Object.entries(given)) {
      if (!NAMES.includes(name))
        throw new PolytraceError('LOCK_POLICY', `lock files have no variable $${name}`, `use ${NAMES.join(', ')}`);
      const wrong = folders.find((folder) => !folder.startsWith('/'));
      if (wrong === undefined) continue;
      throw new PolytraceError(
        'LOCK_POLICY',
        `the folder of $${name} is ${JSON.stringify(wrong)}, which is no absolute path`,
        `write --var ${name}=/FOLDER`,
      );
    }
    const own = new Map(Object.entries(given).map(([name, folders]) => [name, folders.map(trimSlashes)]));
    own.set('TMP', [...new Set([...(own.get('TMP') ?? []), '/tmp', '/var/tmp'])]);
    this.#folders = own;
  }

  find(name: string): readonly string[] {
    return this.#folders.get(name) ?? [];
  }

  /** Throws PolytraceError LOCK_POLICY if there is none. */
  get(name: string, user: string): readonly string[] {
    const folders = this.find(name);
    if (folders.length > 0) return folders;
    throw new PolytraceError(
      'LOCK_POLICY',
      `$${name} has no folder, and ${user} needs it`,
      `add --var ${name}=/FOLDER`,
    );
  }

  /** Every path that the text of a lock file can stand for. A `*` makes it a prefix, which is wider. */
  expand(text: string): PathPattern[] {
    const [, name, rest = ''] = /^\$(PWD|HOME|TMP|CACHE)(?=\/|$)(.*)$/s.exec(text) ?? [];
    const paths = name === undefined ? [text] : this.get(name, JSON.stringify(text)).map((folder) => folder + rest);
    return paths.map((path) => {
      const star = path.indexOf('*');
      return star < 0 ? { path, isPrefix: false } : { path: path.slice(0, star), isPrefix: true };
    });
  }
}

const trimSlashes = (folder: string): string => folder.replace(/\/+$/, '');

/** The end of a connection, or a listener. */
export interface Endpoint {
  /** A name, an IPv4 address, or an IPv6 address without its brackets. */
  readonly host: string;
  readonly isName: boolean;
  /** `*`: every port that the kernel chooses. */
  readonly port: number | '*';
}

/** Undefined for a text that is no address with a port. */
export function parseEndpoint(subject: string): Endpoint | undefined {
  const [, address, named = '', port = ''] =
    /^(?:\[([0-9a-f:.]+)\]|([^\s[\]]+)):(\d+|\*)(?: \(.*\))?$/.exec(subject) ?? [];
  if (port === '') return undefined;
  const host = address ?? named;
  const isName = address === undefined && !/^\d+\.\d+\.\d+\.\d+$/.test(named);
  return { host, isName, port: port === '*' ? '*' : Number(port) };
}

/** The ports that `*` stands for, as filters write them. */
export const ANY_PORT = `${EPHEMERAL_PORT}:65535`;
