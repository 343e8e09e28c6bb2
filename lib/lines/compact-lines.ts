/** Compact lines as bytes. formatCompact() is the only formatter: see compact-pattern.ts. */
import type { PlainEvent } from '../../types/events.js';
import type { CompactOptions, LineFormatter } from '../../types/output.js';
import type { WriteLines } from '../native/binding.js';
import { compactProcessTexts, formatCompact } from '../output/compact.js';
import { createCompactPattern } from './compact-pattern.js';
import { LineOp } from './line-arena.js';
import { LinePattern } from './line-pattern.js';
import { lineFormatter } from './line-writer.js';

/** Returns a function that formats events, each followed by a newline. Its result is overwritten by the next call. */
export function compactLines(options: CompactOptions = {}, find?: () => WriteLines): LineFormatter {
  const own = { ...options };
  const whole = new LinePattern().add(LineOp.text).fixed('\n');
  return lineFormatter(
    {
      format: (event) => formatCompact(event, own),
      // the mark stands at a column, which depends on what is before it
      isFormatted: own.capabilities === true,
      formatProcess: ({ view, parentProcess, context }) =>
        compactProcessTexts({ process: view, parent: parentProcess?.view, nodeName: context.nodeName }, own),
      processLine: (event) => ({ pattern: whole, text: formatCompact(event as PlainEvent, own) }),
      createHookPattern: (event, hook) => createCompactPattern(event, hook, own),
    },
    find,
  );
}
