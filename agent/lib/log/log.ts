/** Opens the agent's log on standard error: JSON lines, or lines for people. */
import { pino, type DestinationStream, type Logger } from 'pino';
import type * as Pretty from 'pino-pretty';

export type Log = Pick<Logger, 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'fatal'> & { level: string };

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
}

/** Strings from policies and clients are escaped. JSON does that, and the function below does it for `pretty`. */
export function openLog({ level, format }: LogOptions, stream: NodeJS.WritableStream): Log {
  const target: DestinationStream = { write: (text: string) => void stream.write(text) };
  const options = { level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` };
  if (format === 'json') return pino(options, target);
  // An import statement would load the package with this module, and most agents write JSON.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { prettyFactory } = require('pino-pretty') as typeof Pretty;
  const lines = prettyFactory({ colorize: false, translateTime: 'SYS:HH:MM:ss.l', singleLine: true });
  return pino(options, { write: (text: string) => target.write(escapeControls(lines(text))) });
}

/** Control characters and invisible characters, except the newline at the end. */
const CONTROLS = /(?!\n$)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escapeControls(line: string): string {
  return line.replace(CONTROLS, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}
