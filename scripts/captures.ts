/**
 * Prints the recorded events of docs/samples with the command: for docs/recipes.md, and for terminals of 80 and 160
 * columns.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import * as agent from '../agent/lib/index.js';
import type { AgentClient, PolicyRow } from '../lib/grpc/client.js';
import type { Context } from '../lib/cli/context.js';
import { runCommand } from '../lib/cli/program.js';
import { runTop } from '../lib/cli/top.js';
import * as api from '../lib/index.js';

const SAMPLES = join(__dirname, '../docs/samples');
/** Recorded events of the scenarios of test/kernel/policy-library.test.ts, on Linux 6.12. */
const SAMPLE = join(SAMPLES, 'library.jsonl');
const WIDTHS = [80, 160];

interface Capture {
  readonly path: string;
  readonly text: string;
}

class TextSink extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function captureContext(columns: number, stdout: TextSink): Context {
  return {
    api,
    agentPackage: () => agent,
    stdin: Readable.from([]),
    stdout,
    stderr: new TextSink(),
    env: { COLUMNS: String(columns) },
    signals: new EventEmitter(),
    exit: () => undefined,
  };
}

async function runRead(columns: number, args: readonly string[]): Promise<string> {
  const stdout = new TextSink();
  const status = await runCommand(['read', SAMPLE, ...args], captureContext(columns, stdout));
  if (status !== 0) throw new Error(`polytrace read ${args.join(' ')} ended with status ${status}`);
  return stdout.text;
}

/** Creates the files of docs/samples that `npm run gen` writes. */
export async function createCaptures(): Promise<Capture[]> {
  const found: Capture[] = [];
  for (const columns of WIDTHS) {
    const addCapture = (name: string, text: string): void =>
      void found.push({ path: join(SAMPLES, `${name}-${columns}.txt`), text });
    addCapture('table', await runRead(columns, ['-o', 'table', '--processes', 'matched']));
    addCapture('tree', await runRead(columns, ['-o', 'tree', '--processes', 'matched']));
    const stdout = new TextSink();
    await runTop(fakeAgent(), { once: true, by: 'hooks', interval: 0.001 }, captureContext(columns, stdout));
    addCapture('top', stdout.text);
  }
  return found;
}

/** A client of an agent whose policies have reported the recorded events, and nothing since then. */
function fakeAgent(): AgentClient {
  const rows = new Map<string, Map<string, number>>();
  for (const line of readFileSync(SAMPLE, 'utf8').trimEnd().split('\n')) {
    const [event] = Object.values(JSON.parse(line) as Record<string, { policy_name?: string; function_name?: string }>);
    const { policy_name: policy, function_name: hook = '' } = event ?? {};
    if (policy === undefined) continue;
    const hooks = rows.get(policy) ?? new Map<string, number>();
    rows.set(policy, hooks.set(hook, (hooks.get(hook) ?? 0) + 1));
  }
  const policies = [...rows].map(([name, hooks]) => ({
    name,
    hooks: [...hooks].map(([hook, count]) => ({
      name: hook,
      attach: 'fentry',
      matched: count,
      posted: count,
      lost: 0,
    })),
  }));
  return { policies: () => Promise.resolve(policies as unknown as PolicyRow[]) } as unknown as AgentClient;
}

/**
 * Returns the page with the current output after each `<!-- read ARGUMENTS -->`. A page has at most 120 characters a
 * line.
 */
export async function withCaptures(page: string): Promise<string> {
  const parts = page.split(/(<!-- read .* -->\n\n```text\n[^]*?```)/);
  const filled = parts.map(async (part) => {
    const [, args] = /^<!-- read (.*) -->/.exec(part) ?? [];
    if (args === undefined) return part;
    return `<!-- read ${args} -->\n\n\`\`\`text\n${await runRead(110, args.split(' '))}\`\`\``;
  });
  return (await Promise.all(filled)).join('');
}
