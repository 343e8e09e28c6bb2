/** Writes recordings of made events for tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePolicy } from '../../../lib/index.js';
import { encodePlain } from '../../../lib/recording/plain-json.js';
import { RECORDING, toRecordedHook, VERSION } from '../../../lib/recording/recorder.js';
import type { HookArgument, PlainEvent, PlainProcess } from '../../../types/events.js';
import { plainProcess } from '../output/events.js';

export interface Call {
  /** Number of the policy's hook. */
  readonly hook?: number;
  readonly process: Partial<PlainProcess>;
  readonly parent?: Partial<PlainProcess>;
  readonly ancestors?: readonly Partial<PlainProcess>[];
  readonly args: readonly HookArgument[];
  readonly event?: object;
}

/** A process that executes a file of the host. */
export function hostProcess(
  executable: string,
  argv: readonly string[] = [],
  more: Partial<PlainProcess> = {},
): Partial<PlainProcess> {
  const execId = Buffer.from(`node:${more.pid ?? 7}:${executable}`).toString('base64');
  return { executable, binary: executable, argv, arguments: argv.join(' '), execId, pid: 7, ...more };
}

export class RecordingFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'polytrace-learn-'));
  #count = 0;

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** The calls are those of a policy with these hooks and no filters. */
  write(policy: string, calls: Iterable<Call>): string {
    const path = this.path(`${this.#count++}.jsonl`);
    const compiled = compilePolicy(policy, { architecture: 'x64' });
    const hooks = compiled.hooks.map((hook) => toRecordedHook({ policyName: compiled.name, compiled: hook }));
    const lines: object[] = [{ polytrace: RECORDING, version: VERSION, architecture: 'x64' }];
    hooks.forEach((hook, number) => lines.push({ hook: number, is: encodePlain(hook) }));
    let number = 0;
    const addProcess = (process: Partial<PlainProcess>): number => {
      lines.push({ process: (number = (number + 1) % 16_384), is: encodePlain(plainProcess(process)) });
      return number;
    };
    for (const { hook = 0, process, parent, ancestors = [], args, event = {} } of calls) {
      const own = compiled.hooks[hook];
      const body: Partial<Record<keyof Extract<PlainEvent, { type: 'process_kprobe' }>, unknown>> = {
        type: 'process_kprobe',
        functionName: own?.call ?? '',
        time: '2026-11-24T14:36:50.316744941Z',
        timeNs: 1795531010316744941n,
        nodeName: 'node',
        policyName: compiled.name,
        tid: 7,
        args,
        data: [],
        action: 'post',
        actions: [],
        ofSocketOwner: false,
        suppressed: 0,
        tags: [],
        selector: 0,
      };
      const references = {
        process: addProcess(process),
        ...(parent === undefined ? {} : { parent: addProcess(parent) }),
        ancestors: ancestors.map(addProcess),
      };
      lines.push({ event: { ...(encodePlain({ ...body, ...event }) as object), ...references }, hook });
    }
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return path;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
