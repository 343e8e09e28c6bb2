/** The options of `polytrace trace`, as commander gives them. */
import type { ProcessOptions } from './container-options.js';
import type { ServerOptions } from './server-options.js';

export interface TraceCommandOptions extends ServerOptions, ProcessOptions {
  readonly output: 'table' | 'json';
  readonly show?: true | number;
  readonly labels?: readonly string[];
  readonly duration?: number;
  readonly interval?: number;
  readonly once?: boolean;
  readonly rows: number;
  readonly exits?: boolean;
  readonly failed?: boolean;
  readonly all?: boolean;
  readonly each?: boolean;
  readonly min?: bigint;
  readonly library?: string;
  /** The arguments. */
  readonly functions?: readonly string[];
}
