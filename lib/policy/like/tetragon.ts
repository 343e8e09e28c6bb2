/**
 * Finds the places of a policy where Tetragon does something else than polytrace. Each difference is a row of the tables
 * in this folder. docs/from-tetragon.md has the reasons.
 */
import type { Diagnostic } from '../../../types/errors.js';
import { DIAGNOSTIC_CODES } from '../parse/codes.js';
import type { DiagnosticCode } from '../parse/codes.js';
import { Report } from '../parse/report.js';
import { ACTION_DIFFERENCES } from './actions.js';
import { CALL_DIFFERENCES } from './calls.js';
import type { ComparedPolicy, Difference, DifferenceCode } from './difference.js';
import { EXPRESSION_DIFFERENCES } from './expressions.js';
import { PROCESS_DIFFERENCES } from './processes.js';
import { REFUSAL_DIFFERENCES } from './refusals.js';
import { VALUE_DIFFERENCES } from './values.js';

export const DIFFERENCES = {
  ...VALUE_DIFFERENCES,
  ...CALL_DIFFERENCES,
  ...PROCESS_DIFFERENCES,
  ...ACTION_DIFFERENCES,
  ...EXPRESSION_DIFFERENCES,
  ...REFUSAL_DIFFERENCES,
} as const;

interface Answer {
  readonly code: DifferenceCode;
  readonly message: string;
  /** True for the diagnostics of this code that are about the difference. Absent for all of them. */
  readonly test?: (diagnostic: Diagnostic) => boolean;
}

/** The diagnostics of polytrace that are differences, by code, and what Tetragon does with such a policy. */
export const ANSWERS = {
  YAML_DUPLICATE_KEY: { code: 'TETRAGON_ACCEPTS', message: 'Tetragon may accept a field twice, and use one of them' },
  YAML_ALIAS: { code: 'TETRAGON_ACCEPTS', message: 'Tetragon accepts anchors and aliases of YAML' },
  UNKNOWN_FIELD: { code: 'TETRAGON_ACCEPTS', message: 'Tetragon may ignore a field that it does not know' },
  MISSING_FIELD: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon accepts a file without apiVersion or kind',
    test: ({ message }) => /"(apiVersion|kind)"/.test(message),
  },
  OPTION_UNKNOWN: { code: 'TETRAGON_ACCEPTS', message: 'Tetragon ignores an option that it does not know' },
  LABEL_INVALID: { code: 'TETRAGON_ACCEPTS', message: 'Tetragon accepts such a label, which then never matches' },
  BUFFER_WITHOUT_SIZE: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon accepts a buffer of a tracepoint without a size',
  },
  RETURN_WITHOUT_RETURN_ARG: { code: 'TETRAGON_ACCEPTS', message: 'Tetragon accepts `return` without `returnArg`' },
  LIST_PATTERN_INVALID: {
    code: 'TETRAGON_ACCEPTS',
    message: "Tetragon reads patterns in Go's syntax, and accepts this one if it is correct there",
  },
  UNSUPPORTED_ARG_TYPE: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon accepts objects of the kernel as arguments of programs',
    test: ({ message }) => message.includes('functions of programs'),
  },
  UNSUPPORTED_ACTION: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon sends all signals of a selector',
    test: ({ message }) => message.includes('second signal'),
  },
  UNSUPPORTED_LIST: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon accepts a generated list in `enforcers`',
    test: ({ message }) => message.includes('in an enforcer'),
  },
  ARG_TYPE_MISMATCH: {
    code: 'TETRAGON_ACCEPTS',
    message: 'Tetragon accepts `string` for another pointer or number, and reports the bytes that it points to',
    test: ({ text }) => /string/.test(text),
  },
  ARG_TEXT_OF_STRUCT: {
    code: 'TETRAGON_MATCHES',
    message: 'Tetragon compares the bytes of the struct as a string, which matches nothing',
  },
  UPROBE_PLACES: {
    code: 'TETRAGON_REFUSES',
    message: 'Tetragon refuses a uprobe with attach points of two kinds; polytrace takes all of them',
  },
} as const satisfies Readonly<Partial<Record<DiagnosticCode, Answer>>>;

/** Returns a warning for each difference. `found` are the diagnostics of polytrace for the policy. */
export function compareWithTetragon(policy: ComparedPolicy, found: readonly Diagnostic[]): Diagnostic[] {
  const report = new Report(policy.positions);
  for (const { code, message, hint, find } of Object.values<Difference>(DIFFERENCES)) {
    for (const span of find(policy)) report.add(code, span, message, hint);
  }
  return [...report.diagnostics(), ...found.flatMap(findAnswer)];
}

function findAnswer(diagnostic: Diagnostic): Diagnostic[] {
  const answers: Readonly<Partial<Record<DiagnosticCode, Answer>>> = ANSWERS;
  const answer = answers[diagnostic.code];
  if (answer === undefined || answer.test?.(diagnostic) === false) return [];
  const { code, message } = answer;
  return [Object.freeze({ ...diagnostic, code, severity: DIAGNOSTIC_CODES[code], message })];
}
