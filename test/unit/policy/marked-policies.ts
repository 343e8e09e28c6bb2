/**
 * Test policies with marked mistakes. The mark `⟦CODE⟧` stands right before the position of the diagnostic, so that no
 * test has to count lines and columns.
 */
import assert from 'node:assert/strict';
import type { CompiledHook } from '../../../lib/compiled/compiled-policy.js';
import { PolicyError, type Diagnostic } from '../../../lib/errors.js';
import type { Architecture } from '../../../lib/names/syscalls.js';
import { compilePolicy, parsePolicy, validatePolicy, type CompiledPolicy } from '../../../lib/policy/index.js';
import { checkSchema } from './schema-agreement.js';

interface ExpectedDiagnostic {
  readonly code: string;
  readonly line: number;
  readonly column: number;
}

export interface MarkedPolicy {
  readonly yaml: string;
  readonly expected: readonly ExpectedDiagnostic[];
}

export function parseMarks(text: string): MarkedPolicy {
  const expected: ExpectedDiagnostic[] = [];
  const lines = text.split('\n').map((line, i) => {
    let plain = line;
    for (let match = MARK.exec(plain); match !== null; match = MARK.exec(plain)) {
      expected.push({ code: match[1] as string, line: i + 1, column: match.index + 1 });
      plain = plain.replace(MARK, '');
    }
    return plain;
  });
  return { yaml: lines.join('\n'), expected };
}

const MARK = /⟦([A-Z0-9_]+)⟧/;

/** Checks that exactly the marked mistakes are reported. */
export function checkMarked(text: string): void {
  const { yaml, expected } = parseMarks(text);
  const found = validatePolicy(yaml, { file: 'p.yaml' });
  assert.deepEqual(
    found.map(({ code, line, column }) => ({ code, line, column })),
    expected,
    found.map((d) => `${d.line}:${d.column} ${d.code}: ${d.message}`).join('\n'),
  );
  checkAgreement(yaml);
  for (const d of found) {
    assert.equal(d.file, 'p.yaml');
    assert.ok(d.message.length > 0 && d.hint.length > 0, `${d.code} has message and hint`);
    assert.ok(d.text.length <= 80 && !d.text.includes('\n'), 'the text is one line of at most 80 characters');
  }
}

/**
 * Checks that parsePolicy refuses exactly the policies with errors, with the same diagnostics as validatePolicy.
 */
export function checkRefused(text: string, found: readonly Diagnostic[]): void {
  let refused: readonly Diagnostic[] = [];
  try {
    parsePolicy(text);
  } catch (error) {
    assert.ok(error instanceof PolicyError, String(error));
    refused = error.diagnostics;
  }
  assert.deepEqual(refused, found.some((d) => d.severity === 'error') ? found : []);
}

/** Checks that parsePolicy and the JSON Schema agree with validatePolicy. */
export function checkAgreement(text: string, found: readonly Diagnostic[] = validatePolicy(text)): void {
  checkRefused(text, found);
  checkSchema(text, found);
}

/** Checks that the text is accepted, or refused with valid positions, in a short time. Returns the diagnostics. */
export function checkText(
  text: string,
  check: (text: string, found: readonly Diagnostic[]) => void = checkAgreement,
): readonly Diagnostic[] {
  // This is processor time, because wall-clock time would include other work of the machine.
  const begin = process.cpuUsage();
  const found = validatePolicy(text);
  const { user, system } = process.cpuUsage(begin);
  const milliseconds = (user + system) / 1000;
  const lines = text.split('\n');
  for (const d of found) {
    assert.ok(d.line >= 1 && d.line <= lines.length + 1, `line ${d.line} of ${lines.length}`);
    assert.ok(
      d.column >= 1 && d.column <= (lines[d.line - 1]?.length ?? 0) + 2,
      `column ${d.column} of line ${d.line}: ${d.code}`,
    );
    assert.ok(d.text.length <= 80);
  }
  check(text, found);
  if (!found.some((d) => d.severity === 'error')) checkCompiles(text);
  assert.ok(milliseconds < 1000, `${milliseconds} ms`);
  return found;
}

/** Compiles a valid policy. Returns undefined if the policy leaves a type to the kernel, the only allowed error. */
export function checkCompiles(text: string): CompiledPolicy | undefined {
  try {
    return compilePolicy(text);
  } catch (error) {
    assert.ok(error instanceof PolicyError, String(error));
    const errors = error.diagnostics.filter((d) => d.severity === 'error');
    assert.ok(errors.every((d) => d.code === 'TYPE_NOT_INFERRED'), error.message); // prettier-ignore
    return undefined;
  }
}

/** Compiles a policy, and returns its first hook. */
export function compileHook(yaml: string, architecture: Architecture = 'x64'): CompiledHook {
  const [hook] = compilePolicy(yaml, { architecture }).hooks;
  assert.ok(hook);
  return hook;
}

/** Returns a policy with one item of `spec.kprobes`, which is passed without its indentation. */
export function kprobeYaml(body: string): string {
  return policyYaml(`kprobes:\n${yamlItem(body)}`);
}

export function policyYaml(spec: string): string {
  return `apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata:\n  name: test\nspec:\n${indent(dedent(spec), 2)}\n`;
}

/** Returns a policy with a kprobe that reads a file and an int, and has these selectors. */
export function selectorsYaml(body: string): string {
  return kprobeYaml(`${FILE_AND_INT}\nselectors:\n${yamlItem(body)}`);
}

export const FILE_AND_INT = `call: security_file_permission
syscall: false
return: true
args:
- index: 0
  type: file
- index: 1
  type: int
returnArg:
  index: 0
  type: int`;

export function yamlItem(body: string): string {
  return `- ${indent(dedent(body), 2).slice(2)}`;
}

function dedent(text: string): string {
  const lines = text.replace(/^\n/, '').trimEnd().split('\n');
  const depth = Math.min(
    ...lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  );
  return lines.map((line) => line.slice(depth)).join('\n');
}

function indent(text: string, by: number): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? line : ' '.repeat(by) + line))
    .join('\n');
}
