/** Results of tests: as text, in the Test Anything Protocol (TAP 14), or as JUnit's XML. */
import { oneLine } from './text.js';

export interface Result {
  readonly file: string;
  readonly name: string;
  readonly seconds: number;
  /** Why it failed: empty if it passed. */
  readonly reasons: readonly string[];
  /** Why it did not run. */
  readonly skipped?: string;
}

export const RESULT_FORMATS = ['text', 'tap', 'junit'] as const;
export type ResultFormat = (typeof RESULT_FORMATS)[number];

/** Texts before the first result, of each result, and after the last. */
export interface ResultPrinter {
  readonly start: string;
  readonly one: (result: Result, number: number) => string;
  readonly end: (results: readonly Result[]) => string;
}

export const PRINTERS: Readonly<Record<ResultFormat, ResultPrinter>> = {
  text: { start: '', one: textOf, end: summaryOf },
  tap: { start: 'TAP version 14\n', one: tapOf, end: ({ length }) => `1..${length}\n` },
  junit: { start: '', one: () => '', end: junitOf },
};

function textOf({ file, name, seconds, reasons, skipped }: Result): string {
  const word = skipped !== undefined ? 'skipped' : reasons.length === 0 ? 'ok' : 'FAILED';
  const why = skipped === undefined ? [] : [skipped];
  const lines = [...why, ...reasons].map((reason) => `    ${oneLine(reason)}\n`);
  return `${word}  ${oneLine(`${file}: ${name}`)} (${seconds.toFixed(1)} s)\n${lines.join('')}`;
}

function summaryOf(results: readonly Result[]): string {
  const failed = results.filter(({ reasons }) => reasons.length > 0).length;
  const skipped = results.filter((result) => result.skipped !== undefined).length;
  return `${results.length} scenarios: ${results.length - failed - skipped} passed, ${failed} failed, ${skipped} skipped\n`;
}

/** `#` begins a directive, and `\` an escape. */
function tapOf({ file, name, seconds, reasons, skipped }: Result, number: number): string {
  const title = oneLine(`${file}: ${name}`).replace(/[\\#]/g, (sign) => `\\${sign}`);
  const directive = skipped === undefined ? '' : ` # SKIP ${oneLine(skipped)}`;
  const result = `${reasons.length === 0 ? 'ok' : 'not ok'} ${number} - ${title}${directive}\n`;
  const list = reasons.map((reason) => `    - ${JSON.stringify(oneLine(reason))}\n`).join('');
  return (
    result +
    (reasons.length === 0 ? '' : `  ---\n  duration_ms: ${Math.round(seconds * 1000)}\n  reasons:\n${list}  ...\n`)
  );
}

function junitOf(results: readonly Result[]): string {
  const files = [...new Set(results.map(({ file }) => file))];
  const suites = files.map((file) => {
    const own = results.filter((result) => result.file === file);
    const failed = own.filter(({ reasons }) => reasons.length > 0).length;
    const skipped = own.filter((result) => result.skipped !== undefined).length;
    const seconds = own.reduce((sum, result) => sum + result.seconds, 0);
    const attributes = `name=${xml(file)} tests="${own.length}" failures="${failed}" skipped="${skipped}" time="${seconds.toFixed(3)}"`;
    return `  <testsuite ${attributes}>\n${own.map(caseOf).join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="polytrace">\n${suites.join('')}</testsuites>\n`;
}

function caseOf({ file, name, seconds, reasons, skipped }: Result): string {
  const open = `    <testcase classname=${xml(file)} name=${xml(name)} time="${seconds.toFixed(3)}"`;
  if (skipped !== undefined) return `${open}><skipped message=${xml(skipped)}/></testcase>\n`;
  if (reasons.length === 0) return `${open}/>\n`;
  const failures = reasons.map((reason) => `<failure message=${xml(reason)}/>`).join('');
  return `${open}>${failures}</testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** An attribute in quotes. XML cannot have control characters; `oneLine` escapes them. */
function xml(text: string): string {
  return `"${oneLine(text).replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign)}"`;
}
