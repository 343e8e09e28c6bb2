// Runs the command `polytrace getevents > FILE` with made-up records instead of a tracer.
import { EventEmitter } from 'node:events';
import { closeSync, fstatSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import * as api from 'polytrace';
import type { Context } from '../lib/cli/context.js';
import { BatchIterator, compactLines, formatCompact, getEvents, jsonLines, toJson } from './dist.mjs';
import { iterateLines, openHub, type Reading, type Subject } from './stream.mjs';

/** Ends after `total` events. */
async function* readBatches(subject: Subject, total: number): AsyncGenerator<readonly api.TracerEvent[]> {
  let seen = 0;
  for await (const batch of new BatchIterator(openHub(subject, total).addConsumer({}))) {
    yield batch;
    seen += batch.length;
    if (seen === total) return;
  }
}

function benchContext(subject: Subject, total: number, file: number): Context {
  const tracer = {
    batches: () => readBatches(subject, total),
    lines: (format: api.LineFormatter) => iterateLines(subject, total, format),
    policies: () => [],
    close: () => Promise.resolve(),
  };
  return {
    api: {
      ...api,
      // of the same copy of the library as the events
      formatCompact,
      compactLines,
      jsonLines,
      toJson,
      hostGaps: () => [],
      openTracer: () => Promise.resolve(tracer as unknown as api.Tracer),
    },
    agentPackage: () => {
      throw new Error('not for this benchmark');
    },
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stdoutFile: file,
    stderr: new PassThrough().resume(),
    env: {},
    signals: new EventEmitter(),
    exit: () => undefined,
  };
}

/** Writes the lines of the events into a file, and returns the size of the file. */
export function linesInFile(subject: Subject, output: 'json' | 'compact' = 'json'): Reading {
  const path = join(tmpdir(), `polytrace-bench-${process.pid}-${subject}.${output}`);
  const read = async (total: number): Promise<number> => {
    const file = openSync(path, 'w');
    try {
      const status = await getEvents({ output, color: 'never' }, benchContext(subject, total, file));
      if (status !== 0) throw new Error(`getevents ended with status ${status}`);
      return fstatSync(file).size;
    } finally {
      closeSync(file);
    }
  };
  return Object.assign(read, { cleanUp: () => rmSync(path, { force: true }) });
}
