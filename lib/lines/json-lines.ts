/** JSON lines as bytes. toJson() is the only formatter: the texts that the addon puts together are cut out of its lines. */
import type { PlainOf, ProcessExecEvent, ProcessExitEvent } from '../../types/events.js';
import type { JsonOptions, LineFormatter } from '../../types/output.js';
import type { ExecEvent, ExitEvent } from '../events/process-events.js';
import type { WriteLines } from '../native/binding.js';
import { exitPart, hasAncestors, headPart, nodePart, toJson } from '../output/json.js';
import { selectWriter } from '../output/process-json.js';
import { getTrackedProcess } from '../process/view.js';
import { createHookPattern } from './hook-pattern.js';
import { LineOp } from './line-arena.js';
import { LinePattern } from './line-pattern.js';
import { lineFormatter, type LineFormat, type ProcessLine } from './line-writer.js';

type PlainProcessEvent = PlainOf<ProcessExecEvent | ProcessExitEvent>;

/** Returns a function that formats events, each followed by a newline. Its result is overwritten by the next call. */
export function jsonLines(options: JsonOptions = {}, find?: () => WriteLines): LineFormatter {
  return lineFormatter(jsonFormat({ ...options }), find);
}

function jsonFormat(options: JsonOptions): LineFormat {
  const patterns = { process_exec: processPattern('process_exec'), process_exit: processPattern('process_exit') };
  const processLine = (event: ExecEvent | ExitEvent): ProcessLine | undefined => {
    const hasEnvironment = getTrackedProcess(event.process).context.environment !== undefined;
    if (hasEnvironment || hasAncestors(event, options)) return undefined;
    const text = exitPart(event as PlainProcessEvent) + nodePart(event.nodeName);
    return { pattern: patterns[event.type], text };
  };
  return {
    format: (event) => toJson(event, options),
    isFormatted: options.fields !== undefined,
    formatProcess: (process, related) => selectWriter(options).splitMembers(process.view, related?.view),
    processLine,
    createHookPattern: (event, hook) =>
      hasAncestors(event, options) ? undefined : createHookPattern(event, hook, options),
  };
}

/** The pattern of events of the base sensor. Few events of a process are of these types. */
function processPattern(type: PlainProcessEvent['type']): LinePattern {
  const pattern = new LinePattern().fixed(headPart(type));
  pattern.add(LineOp.process, 0).add(LineOp.tid).add(LineOp.process, 1);
  return pattern.add(LineOp.text).add(LineOp.time).fixed('"}\n');
}
