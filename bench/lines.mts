// `polytrace getevents -o json > FILE`: the command itself, with a stream of made-up records in the place of a tracer.
import { EventEmitter } from 'node:events';
import { closeSync, fstatSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import * as api from 'polytrace';
import type { Context } from '../lib/cli/context.js';
import { BatchIterator, getEvents } from './dist.mjs';
import { openHub, type Reading, type Subject } from './stream.mjs';

/** Ends after so many events. */
async function* batchesOf(subject: Subject, total: number): AsyncGenerator<readonly api.TracerEvent[]> {
  let seen = 0;
  for await (const batch of new BatchIterator(openHub(subject, total).join({}))) {
    yield batch;
    seen += batch.length;
    if (seen === total) return;
  }
}

function contextOf(subject: Subject, total: number, file: number): Context {
  const tracer = {
    batches: () => batchesOf(subject, total),
    policies: () => [],
    close: () => Promise.resolve(),
  };
  return {
    api: { ...api, hostGaps: () => [], openTracer: () => Promise.resolve(tracer as unknown as api.Tracer) },
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

/** Writes the lines of so many events into a file; returns its size. */
export function linesInFile(subject: Subject): Reading {
  return async (total) => {
    const path = join(tmpdir(), `polytrace-bench-${process.pid}.json`);
    const file = openSync(path, 'w');
    try {
      const status = await getEvents({ output: 'json', color: 'never' }, contextOf(subject, total, file));
      if (status !== 0) throw new Error(`getevents ended with status ${status}`);
      return fstatSync(file).size;
    } finally {
      closeSync(file);
      rmSync(path);
    }
  };
}
