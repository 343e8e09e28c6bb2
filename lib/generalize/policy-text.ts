/** Writes a policy as YAML: one value a line, every string in quotes, without a character that ends a line. Pure. */

export interface Filter {
  /** Position in the arguments of the hook. */
  readonly position: number;
  readonly operator: string;
  readonly values: readonly string[];
}

/** A filter with these values; none without values. */
export function filterValues(position: number, operator: string, values: readonly string[]): Filter[] {
  return values.length === 0 ? [] : [{ position, operator, values: [...new Set(values)].sort() }];
}

export interface PolicyHook {
  readonly call: string;
  readonly message: string;
  readonly args: readonly { readonly index: number; readonly type: string; readonly resolve?: string }[];
  /** Only calls that return this number are reported. */
  readonly returns?: number;
  /** One that is empty matches every call. */
  readonly selectors: readonly (readonly Filter[])[];
}

/** A string of YAML in quotes. */
export const quoteYaml = (text: string): string => quote(text);

const escapeUnicode = (text: string, set: RegExp): string =>
  text.replace(set, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Some readers of YAML end a line at more characters than others. */
function quote(text: string): string {
  return escapeUnicode(JSON.stringify(text), /[\u007f-\u009f\u2028\u2029\ufeff]/g);
}

/** A name in a comment cannot end it. */
export function quoteForComment(text: string): string {
  return escapeUnicode(JSON.stringify(text), /[^ -~]/g);
}

const LINE_MAX = 118;

/** Breaks sentences at their spaces. */
function wrap(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + word.length >= LINE_MAX) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** `programs`: the hooks are about these and all that they start. `scope`: further lines of the specification. */
export function formatPolicy(
  name: string,
  notes: readonly string[],
  hooks: readonly PolicyHook[],
  programs: readonly string[],
  scope: readonly string[] = [],
): string {
  const comment = notes.flatMap((note) => wrap(note).map((line, i) => `# ${i === 0 ? '' : '  '}${line}\n`));
  return `${comment.join('')}apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata:
  name: ${name}
spec:
${scope.map((line) => `  ${line}\n`).join('')}  kprobes:
${hooks.map((hook) => formatHook(hook, programs)).join('')}`;
}

function formatHook({ call, message, args, selectors, returns }: PolicyHook, programs: readonly string[]): string {
  const values = args.map(
    ({ index, type, resolve }) =>
      `        - { index: ${index}, type: ${type}${resolve === undefined ? '' : `, resolve: ${resolve}`} }\n`,
  );
  const all = selectors.map((filters) => formatSelector(filters, programs, returns));
  return `    - call: ${call}
      syscall: false
      message: ${message}
      args:
${values.join('')}${returns === undefined ? '' : '      return: true\n      returnArg: { index: 0, type: int }\n'}${all.every((text) => text === '') ? '' : `      selectors:\n${all.join('')}`}`;
}

function formatSelector(filters: readonly Filter[], programs: readonly string[], returns?: number): string {
  const list = (texts: readonly string[]): string =>
    `              values:\n${texts.map((text) => `                - ${quote(text)}\n`).join('')}`;
  const matchArgs = filters.map(
    ({ position, operator, values }) =>
      `            - args: [${position}]\n              operator: ${operator}\n${list(values)}`,
  );
  const parts = [
    ...(returns === undefined
      ? []
      : [`matchReturnArgs:\n            - index: 0\n              operator: Equal\n${list([String(returns)])}`]),
    ...(matchArgs.length === 0 ? [] : [`matchArgs:\n${matchArgs.join('')}`]),
    ...(programs.length === 0
      ? []
      : [`matchBinaries:\n            - operator: In\n              followChildren: true\n${list(programs)}`]),
  ];
  return parts.map((part, i) => `        ${i === 0 ? '- ' : '  '}${part}`).join('');
}
