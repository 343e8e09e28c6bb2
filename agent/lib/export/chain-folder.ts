/** The folder of a chain: the key of the node, and the signed checkpoints. The last checkpoint outlives the agent. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHAIN_START, parseCheckpoint, signCheckpoint, type CheckpointFields } from 'polytrace/protocol';
import { makeFolder } from '../make-folder.js';

/** When the file has this number of checkpoints, the older half is removed: a checkpoint signs all lines before it. */
const CHECKPOINTS_MAX = 2000;

export class ChainFolder {
  readonly #path: string;
  readonly #key: string;
  #lines: string[];
  /** The newest checkpoint. */
  last: CheckpointFields;

  private constructor(path: string, key: string, lines: string[], last: CheckpointFields) {
    this.#path = path;
    this.#key = key;
    this.#lines = lines;
    this.last = last;
  }

  /** Makes the folder and the key if there are none. */
  static async open(path: string): Promise<ChainFolder> {
    await makeFolder(path, 0o700);
    const key = await openKey(path);
    const text = (await readIfPresent(join(path, 'checkpoints.jsonl'))) ?? '';
    // the last line of a killed agent can be incomplete
    const lines = text.split('\n').filter((line) => parseCheckpoint(line) !== undefined);
    const last = parseCheckpoint(lines.at(-1) ?? '') ?? { ...CHAIN_START, oldest: 1, time: '' };
    const folder = new ChainFolder(path, key, lines, last);
    if (text !== '' && text !== `${lines.join('\n')}\n`) await folder.#rewrite();
    return folder;
  }

  async sign(fields: CheckpointFields): Promise<void> {
    const line = signCheckpoint(fields, this.#key);
    this.#lines.push(line);
    this.last = fields;
    if (this.#lines.length <= CHECKPOINTS_MAX) return appendFile(this.#file, `${line}\n`, { mode: 0o600 });
    this.#lines = this.#lines.slice(-CHECKPOINTS_MAX / 2);
    await this.#rewrite();
  }

  get #file(): string {
    return join(this.#path, 'checkpoints.jsonl');
  }

  async #rewrite(): Promise<void> {
    await replaceFile(this.#file, this.#lines.map((line) => `${line}\n`).join(''));
  }
}

/** Returns the private key in PEM. The public one is beside it, for `polytrace verify` on other machines. */
async function openKey(path: string): Promise<string> {
  const file = join(path, 'key.pem');
  let key = await readIfPresent(file);
  if (key === undefined) {
    key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await replaceFile(file, key);
  }
  checkKey(file, key);
  await replaceFile(join(path, 'public.pem'), createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString());
  return key;
}

function checkKey(file: string, pem: string): void {
  let type: string | undefined;
  try {
    type = createPrivateKey(pem).asymmetricKeyType;
  } catch {
    // the error below names the file
  }
  if (type === 'ed25519') return;
  const message = `${file} is not a private key of Ed25519; remove it, and the agent makes a new one`;
  throw Object.assign(new Error(message), { code: 'CHAIN_KEY' });
}

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: 0o600, flush: true });
  await rename(`${path}.part`, path);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
