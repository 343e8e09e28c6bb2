/** Formats results of tests: as text, in the Test Anything Protocol (TAP 14), or as JUnit's XML. */
import { toOneLine } from '../output/terminal-text.js';

export interface ScenarioResult {
  readonly file: string;
  readonly name: string;
  readonly seconds: number;
  /** The reasons of a failure. Empty if the scenario passed. */
  readonly reasons: readonly string[];
  /** The reason if the scenario did not run. */
  readonly skipped?: string;
}

export const RESULT_FORMATS = ['text', 'tap', 'junit'] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

/** The output before the first result, for each result, and after the last. */
export interface ResultPrinter {
  readonly start: string;
  readonly format: (result: ScenarioResult, number: number) => string;
  readonly end: (results: readonly ScenarioResult[]) => string;
}

export const RESULT_PRINTERS: Readonly<Record<ResultFormat, ResultPrinter>> = {
  text: { start: '', format: formatText, end: formatSummary },
  tap: { start: 'TAP version 14\n', format: formatTap, end: ({ length }) => `1..${length}\n` },
  junit: { start: '', format: () => '', end: formatJunit },
};

function formatText({ file, name, seconds, reasons, skipped }: ScenarioResult): string {
  const state = skipped !== undefined ? 'skipped' : reasons.length === 0 ? 'ok' : 'FAILED';
  const skipReasons = skipped === undefined ? [] : [skipped];
  const lines = [...skipReasons, ...reasons].map((reason) => `    ${toOneLine(reason)}\n`);
  return `${state}  ${toOneLine(`${file}: ${name}`)} (${seconds.toFixed(1)} s)\n${lines.join('')}`;
}

function formatSummary(results: readonly ScenarioResult[]): string {
  const failed = results.filter(({ reasons }) => reasons.length > 0).length;
  const skipped = results.filter((result) => result.skipped !== undefined).length;
  return `${results.length} scenarios: ${results.length - failed - skipped} passed, ${failed} failed, ${skipped} skipped\n`;
}

/** Escapes `#`, which begins a directive, and `\`. */
function formatTap({ file, name, seconds, reasons, skipped }: ScenarioResult, number: number): string {
  const title = toOneLine(`${file}: ${name}`).replace(/[\\#]/g, (sign) => `\\${sign}`);
  const directive = skipped === undefined ? '' : ` # SKIP ${toOneLine(skipped)}`;
  const result = `${reasons.length === 0 ? 'ok' : 'not ok'} ${number} - ${title}${directive}\n`;
  const list = reasons.map((reason) => `    - ${JSON.stringify(toOneLine(reason))}\n`).join('');
  return (
    result +
    (reasons.length === 0 ? '' : `  ---\n  duration_ms: ${Math.round(seconds * 1000)}\n  reasons:\n${list}  ...\n`)
  );
}

function formatJunit(results: readonly ScenarioResult[]): string {
  const files = [...new Set(results.map(({ file }) => file))];
  const suites = files.map((file) => {
    const own = results.filter((result) => result.file === file);
    const failed = own.filter(({ reasons }) => reasons.length > 0).length;
    const skipped = own.filter((result) => result.skipped !== undefined).length;
    const seconds = own.reduce((sum, result) => sum + result.seconds, 0);
    const attributes = `name=${quoteAttribute(file)} tests="${own.length}" failures="${failed}" skipped="${skipped}" time="${seconds.toFixed(3)}"`;
    return `  <testsuite ${attributes}>\n${own.map(formatTestCase).join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="polytrace">\n${suites.join('')}</testsuites>\n`;
}

function formatTestCase({ file, name, seconds, reasons, skipped }: ScenarioResult): string {
  const open = `    <testcase classname=${quoteAttribute(file)} name=${quoteAttribute(name)} time="${seconds.toFixed(3)}"`;
  if (skipped !== undefined) return `${open}><skipped message=${quoteAttribute(skipped)}/></testcase>\n`;
  if (reasons.length === 0) return `${open}/>\n`;
  const failures = reasons.map((reason) => `<failure message=${quoteAttribute(reason)}/>`).join('');
  return `${open}>${failures}</testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Quotes an attribute. XML cannot contain control characters, so `toOneLine` escapes them. */
function quoteAttribute(text: string): string {
  return `"${toOneLine(text).replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign)}"`;
}
