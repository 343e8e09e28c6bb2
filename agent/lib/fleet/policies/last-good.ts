/**
 * The last good state on the disk: the signed records of each policy, so that a node works without a server. A file is
 * as untrusted as the server: signatures are checked again when it is read. A policy that is older than the signed list
 * beside it is refused. If the whole folder is an old one, only the server's newer list tells.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../make-folder.js';
import type { PolicyReplica, ReplicaEntry } from './replica.js';
import { ENVELOPE_BYTES_MAX } from './envelope.js';
import { POLICIES_MAX } from './records.js';

interface StoredPolicy {
  readonly head: string;
  readonly base?: string;
  readonly gate?: string;
}

const SUFFIX = '.policy.json';
const MANIFEST = 'manifest.json';
/** Both versions, with escapes. */
const FILE_BYTES_MAX = 4 * ENVELOPE_BYTES_MAX;

export class LastGood {
  readonly #folder: string;
  /** The content of the file on the disk. Equal content is not written again. */
  readonly #written = new Map<string, string>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder. Rejects with errors of the file system. */
  static async open(folder: string): Promise<LastGood> {
    await makeFolder(folder, 0o700);
    return new LastGood(folder);
  }

  /** Gives all records to the replica. Calls `onProblem` for files that cannot be read. */
  restore(replica: PolicyReplica, onProblem: (file: string, error: Error) => void): void {
    const list = join(this.#folder, MANIFEST);
    this.#read(list, onProblem, (text) => {
      replica.takeManifest(text, list);
      this.#written.set(MANIFEST, text);
    });
    const names = readdirSync(this.#folder).filter((name) => name.endsWith(SUFFIX));
    for (const name of names.slice(0, POLICIES_MAX)) {
      const file = join(this.#folder, name);
      this.#read(file, onProblem, (text) => {
        const { head, base, gate } = JSON.parse(text) as Partial<StoredPolicy>;
        if (typeof head !== 'string') throw new Error('it has no policy');
        replica.takeHead(head, file);
        const entry = [...replica.entries.values()].find((each) => each.head.envelope === head);
        if (entry === undefined) return;
        if (typeof base === 'string') replica.takeBase(entry.name, base, file);
        if (typeof gate === 'string') replica.takeGate(gate, file);
        this.#written.set(fileName(entry.name), text);
      });
    }
  }

  #read(file: string, onProblem: (file: string, error: Error) => void, use: (text: string) => void): void {
    try {
      if (statSync(file).size > FILE_BYTES_MAX) throw new Error('it is too large');
      use(readFileSync(file, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onProblem(file, error as Error);
    }
  }

  /** Throws errors of the file system. The files before stay whole. */
  save(entry: ReplicaEntry): void {
    const { head, base, gate } = entry;
    const stored: StoredPolicy = {
      head: head.envelope,
      ...(base !== undefined && { base: base.envelope }),
      ...(gate !== undefined && { gate: gate.envelope }),
    };
    this.#write(fileName(entry.name), JSON.stringify(stored));
  }

  /** Only after the policies that it names: an older policy beside it is refused. */
  saveManifest(envelope: string): void {
    this.#write(MANIFEST, envelope);
  }

  #write(name: string, text: string): void {
    if (this.#written.get(name) === text) return;
    const file = join(this.#folder, name);
    const next = `${file}.new`;
    const descriptor = openSync(next, 'w', 0o600);
    try {
      writeSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      renameSync(next, file);
    } catch (error) {
      rmSync(next, { force: true });
      throw error;
    }
    this.#written.set(name, text);
  }
}

/** Names of policies can have any character, and can be long. */
function fileName(policy: string): string {
  return `${createHash('sha256').update(policy).digest('hex').slice(0, 32)}${SUFFIX}`;
}
