/** The exports of the agent: where events go without a client that asks for them. */
import type { Redactor } from 'polytrace';
import type { Configuration } from '../config/load.js';
import { JsonExport, sinkOf } from '../export/export.js';
import { redactorOf, shapeOf, type Shape } from '../export/shape.js';
import type { Log } from '../log/log.js';
import type { EventHub } from '../streams/hub.js';

interface Prepared {
  readonly redact: Redactor | undefined;
  readonly shape: Shape;
}

/** Checks what filters contain. Throws BadOption. */
export function exportsOf({ options, sources }: Configuration): Prepared {
  const redact = redactorOf(options, sources);
  return { redact, shape: shapeOf(options, sources, redact) };
}

export interface ExportsHost {
  readonly log: Log;
  readonly stdout: NodeJS.WritableStream;
  readonly nodeName: string;
}

export class Exports {
  /** Hides parts of arguments, for clients, too. */
  readonly redact: Redactor | undefined;
  readonly json: JsonExport | undefined;

  constructor({ options }: Configuration, { redact, shape }: Prepared, { log, stdout, nodeName }: ExportsHost) {
    this.redact = redact;
    const sink = sinkOf(options, stdout, log);
    if (sink !== undefined) this.json = new JsonExport(options, shape, sink, log, nodeName);
  }

  start(hub: EventHub): void {
    const { json } = this;
    if (json !== undefined) hub.listen((batch) => json.give(batch));
  }

  reopen(): void {
    this.json?.reopen();
  }

  async close(): Promise<void> {
    await this.json?.close();
  }
}
