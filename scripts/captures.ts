/**
 * Prints the recorded events of docs/samples as the command does: blocks of docs/recipes.md, and whole terminals of 80 and 160
 * columns.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import * as agent from '../agent/lib/index.js';
import type { AgentClient, PolicyRow } from '../lib/cli/agent-api.js';
import type { Context } from '../lib/cli/context.js';
import { runCommand } from '../lib/cli/program.js';
import { top } from '../lib/cli/top.js';
import * as api from '../lib/index.js';

const SAMPLES = join(__dirname, '../docs/samples');
/** Events of the scenarios of test/kernel/policy-library.test.ts, on Linux 6.12. */
const SAMPLE = join(SAMPLES, 'library.jsonl');
const WIDTHS = [80, 160];

interface Capture {
  readonly path: string;
  readonly text: string;
}

class Text extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function contextOf(columns: number, stdout: Text): Context {
  return {
    api,
    agentPackage: () => agent,
    stdin: Readable.from([]),
    stdout,
    stderr: new Text(),
    env: { COLUMNS: String(columns) },
    signals: new EventEmitter(),
    exit: () => undefined,
  };
}

async function read(columns: number, words: readonly string[]): Promise<string> {
  const stdout = new Text();
  const status = await runCommand(['read', SAMPLE, ...words], contextOf(columns, stdout));
  if (status !== 0) throw new Error(`polytrace read ${words.join(' ')} ended with status ${status}`);
  return stdout.text;
}

/** The files of docs/samples that `npm run gen` writes. */
export async function captures(): Promise<Capture[]> {
  const found: Capture[] = [];
  for (const columns of WIDTHS) {
    const add = (name: string, text: string): void =>
      void found.push({ path: join(SAMPLES, `${name}-${columns}.txt`), text });
    add('table', await read(columns, ['-o', 'table', '--processes', 'matched']));
    add('tree', await read(columns, ['-o', 'tree', '--processes', 'matched']));
    const stdout = new Text();
    await top(counted(), { once: true, by: 'hooks', interval: 0.001 }, contextOf(columns, stdout));
    add('top', stdout.text);
  }
  return found;
}

/** An agent whose policies have reported the recorded events, and rest since then. */
function counted(): AgentClient {
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

/** The page with the output of now after each `<!-- read WORDS -->`. Lines of a page have at most 120 characters. */
export async function withCaptures(page: string): Promise<string> {
  const parts = page.split(/(<!-- read .* -->\n\n```text\n[^]*?```)/);
  const filled = parts.map(async (part) => {
    const [, words] = /^<!-- read (.*) -->/.exec(part) ?? [];
    if (words === undefined) return part;
    return `<!-- read ${words} -->\n\n\`\`\`text\n${await read(110, words.split(' '))}\`\`\``;
  });
  return (await Promise.all(filled)).join('');
}
