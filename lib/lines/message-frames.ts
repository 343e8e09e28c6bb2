/** Messages of events in protobuf as bytes. The encoder is the only one that knows their format: see message-pattern.ts. */
import type { PlainEvent } from '../../types/events.js';
import type { LineFormatter, MessageEncoder } from '../../types/output.js';
import type { ExecEvent, ExitEvent } from '../events/process-events.js';
import type { WriteLines } from '../native/binding.js';
import { getTrackedProcess } from '../process/view.js';
import type { LinePattern } from './line-pattern.js';
import { lineFormatter, type ProcessLine } from './line-writer.js';
import { createMessagePattern, createProcessPattern } from './message-pattern.js';

/** The header of a message in gRPC: a flag and the length. */
const HEADER = 5;

/** Execs and exits with a pattern of their own: those with the same node, status and signal have the same. */
const PATTERNS_MAX = 64;

/**
 * Returns a function that encodes events, each with the header of a message in gRPC. Its result is overwritten by the next
 * call.
 */
export function messageFrames(encoder: MessageEncoder, find?: () => WriteLines): LineFormatter {
  const patterns = new Map<string, LinePattern | undefined>();
  const processLine = (event: ExecEvent | ExitEvent): ProcessLine | undefined => {
    const { context } = getTrackedProcess(event.process);
    if (context.environment !== undefined || encoder.hasAncestors(event.type)) return undefined;
    const key = `${context.nodeName}\0${event.type === 'process_exec' ? '' : `${event.status} ${event.signal}`}`;
    let pattern = patterns.get(key);
    if (pattern === undefined && !patterns.has(key)) {
      if (patterns.size >= PATTERNS_MAX) return undefined;
      patterns.set(key, (pattern = createProcessPattern(event as PlainEvent, encoder)));
    }
    return pattern && { pattern, text: '' };
  };
  return lineFormatter(
    {
      format: (event) => addHeader(encoder.encodeMessage(event)),
      isFormatted: false,
      formatProcess: ({ view, context }, related) => encoder.encodeProcesses(view, related?.view, context.nodeName),
      processLine,
      createHookPattern: (event, hook) =>
        encoder.hasAncestors(event.type) ? undefined : createMessagePattern(event, hook, encoder),
    },
    find,
  );
}

function addHeader(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEADER);
  return frame;
}
