/**
 * Keeps the policies of clients in a folder, so that they outlive the agent: one JSON file for each, with the members
 * that Tetragon's records have.
 */
import { createHash } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PolicyMode } from 'polytrace';
import { makeFolder } from '../make-folder.js';
import { policyKey } from './claim.js';
import { checkFolderTrust } from './file-trust.js';
import { PolicyFileError, toPolicyFileError } from './policy-file-error.js';
import { readPolicyFile } from './read-policy-file.js';

/** JSON can need six bytes for a byte of the policy. */
const BYTES_MAX = 8 * 1024 * 1024;

export interface ClientPolicy {
  readonly name: string;
  readonly namespace: string;
  readonly yaml: string;
  readonly enabled: boolean;
  /** Undefined: the mode of the policy itself. */
  readonly mode?: PolicyMode | undefined;
}

export class ClientPolicies {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads all records, by their names. A file that cannot be read is an error of its path. */
  async load(): Promise<{ readonly policies: readonly ClientPolicy[]; readonly problems: ReadonlyMap<string, Error> }> {
    const problems = new Map<string, Error>();
    const policies: ClientPolicy[] = [];
    try {
      await makeFolder(this.#folder, 0o700);
      await checkFolderTrust(this.#folder);
      for (const name of (await readdir(this.#folder)).filter((each) => each.endsWith('.json')).sort()) {
        const path = join(this.#folder, name);
        try {
          policies.push(parseRecord(path, await readPolicyFile(path, { allowUnsafe: false, maxBytes: BYTES_MAX })));
        } catch (error) {
          problems.set(path, error as Error);
        }
      }
    } catch (error) {
      problems.set(this.#folder, toPolicyFileError(error, this.#folder));
    }
    return { policies, problems };
  }

  /** Writes a record completely, or leaves the earlier one. Rejects with PolicyFileError. */
  async save(policy: ClientPolicy): Promise<void> {
    const path = this.#pathFor(policyKey(policy.name, policy.namespace));
    const temporary = `${path}.new`;
    try {
      await makeFolder(this.#folder, 0o700);
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify({ domain: '', ...policy })}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      throw toPolicyFileError(error, path);
    }
  }

  /** Rejects with PolicyFileError. */
  async remove(key: string): Promise<void> {
    const path = this.#pathFor(key);
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw toPolicyFileError(error, path);
    }
  }

  /** A name can be longer than a file name may be. */
  #pathFor(key: string): string {
    return join(this.#folder, `${createHash('sha256').update(key).digest('hex')}.json`);
  }
}

function parseRecord(path: string, text: string): ClientPolicy {
  let record: Partial<Record<keyof ClientPolicy, unknown>> = {};
  try {
    record = Object(JSON.parse(text)) as typeof record;
  } catch {
    // reported below
  }
  const { name, namespace = '', yaml, enabled = true, mode } = record;
  const isMode = mode === undefined || mode === 'enforce' || mode === 'monitor';
  if (
    typeof name !== 'string' ||
    typeof namespace !== 'string' ||
    typeof yaml !== 'string' ||
    typeof enabled !== 'boolean' ||
    !isMode
  ) {
    const reason = 'it is not a record of a policy';
    throw new PolicyFileError('FILE_DAMAGED', path, reason, 'remove it, and add the policy again');
  }
  return { name, namespace, yaml, enabled, ...(mode !== undefined && { mode }) };
}
