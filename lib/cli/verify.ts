/** `polytrace verify`: checks the chain of an export, and prints what it proves. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { KeyObject } from 'node:crypto';
import type { Checkpoint, ChainResult, ChainVerifier } from '../chain/index.js';
import { loadProtocol } from '../protocol/load.js';
import { decompressChunks } from '../recording/lines.js';
import { splitByteLines } from './byte-lines.js';
import { POLICY_ERRORS, SUCCESS, UsageError, type Context } from './context.js';
import { print } from './output.js';
import { escapeControls } from '../output/terminal-text.js';

/** Where the agent keeps the key and the checkpoints by default. */
export const CHAIN_FOLDER = '/var/lib/polytrace/export-chain';

export interface VerifyOptions {
  readonly checkpoints: string;
  readonly key: string;
}

export async function verifyChain(
  files: readonly string[],
  options: VerifyOptions,
  { stdout, stderr }: Context,
): Promise<number> {
  const { ChainVerifier: Verifier } = loadProtocol();
  const { valid, forged } = await readCheckpoints(options);
  const verifier = new Verifier(valid);
  for (const place of forged) {
    verifier.report('CHAIN_SIGNATURE', place, `the checkpoint was not signed with the key of ${options.key}`);
  }
  const sorted = await sortFiles(files);
  for (const file of sorted) await addFile(verifier, file);
  const result = verifier.finish(sorted.at(-1) ?? '');
  for (const { code, place, message } of result.problems) {
    stderr.write(escapeControls(`${place}: ${code}: ${message}\n`));
  }
  await print(stdout, escapeControls(formatResult(result, files.length)));
  return result.problemCount === 0 ? SUCCESS : POLICY_ERRORS;
}

/** Reads the checkpoints, and the places of those with a wrong signature. */
async function readCheckpoints(
  options: VerifyOptions,
): Promise<{ readonly valid: Checkpoint[]; readonly forged: string[] }> {
  const { isSignedBy, parseCheckpoint } = loadProtocol();
  const key = await readKey(options.key);
  const lines = (await readText(options.checkpoints, '--checkpoints names the file of the chain')).split('\n');
  const valid: Checkpoint[] = [];
  const forged: string[] = [];
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    const checkpoint = parseCheckpoint(line);
    if (checkpoint !== undefined && isSignedBy(checkpoint, key)) valid.push(checkpoint);
    else forged.push(`${options.checkpoints}:${i + 1}`);
  }
  if (valid.length + forged.length === 0) throw new UsageError(`${options.checkpoints} has no checkpoint`);
  return { valid, forged };
}

async function readKey(path: string): Promise<KeyObject> {
  const text = await readText(path, '--key names the public key of the node');
  try {
    return loadProtocol().readChainKey(text);
  } catch (error) {
    throw new UsageError(`${path} has no key: ${(error as Error).message}`);
  }
}

async function readText(path: string, cure: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}; ${cure}`);
  }
}

async function* readLines(path: string): AsyncGenerator<Uint8Array, void> {
  try {
    yield* splitByteLines(decompressChunks(createReadStream(path) as AsyncIterable<Buffer>));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`cannot read ${path}: ${code ?? message}`);
  }
}

/** Sorts the files by the number of their first line: names do not have to sort in this order. */
async function sortFiles(files: readonly string[]): Promise<string[]> {
  const { parseLink } = loadProtocol();
  const found: { readonly file: string; readonly first: number }[] = [];
  for (const file of files) {
    let first = Infinity;
    for await (const line of readLines(file)) {
      first = parseLink(line)?.sequence ?? 0;
      break;
    }
    found.push({ file, first });
  }
  return found.sort((a, b) => a.first - b.first || (a.file < b.file ? -1 : 1)).map(({ file }) => file);
}

async function addFile(verifier: ChainVerifier, file: string): Promise<void> {
  let number = 0;
  for await (const line of readLines(file)) verifier.add(line, `${file}:${++number}`);
}

function formatResult(result: ChainResult, files: number): string {
  const { lines, first, last, checkpoint, lost, problemCount, problems } = result;
  const rest = problemCount - problems.length;
  const more = rest > 0 ? `and ${rest} more problems\n` : '';
  const verdict = problemCount === 0 ? 'verified' : `${problemCount} problems`;
  const range = lines === 0 ? 'no line' : `${lines} lines, ${first} to ${last}`;
  const unsigned = checkpoint === undefined ? lines : last - checkpoint.sequence;
  const signed = checkpoint === undefined ? '' : `signed: up to line ${checkpoint.sequence}, at ${checkpoint.time}\n`;
  const open = unsigned > 0 ? `not signed yet: ${unsigned} lines at the end\n` : '';
  return `${more}${verdict}: ${range}, in ${files} ${files === 1 ? 'file' : 'files'}\n${signed}${open}${formatLost(lost)}`;
}

function formatLost(lost: ReadonlyMap<string, number>): string {
  const total = [...lost.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return 'counted as lost: nothing\n';
  return `counted as lost: ${total} events (${[...lost].map(([reason, count]) => `${reason} ${count}`).join(', ')})\n`;
}
