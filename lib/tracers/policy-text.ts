/** Writes the policies of the tracers as YAML that people can read, keep and change. */

/** A value of YAML. A member that is undefined is left out. */
type YamlValue = string | number | boolean | readonly YamlValue[] | YamlObject;
export interface YamlObject {
  readonly [key: string]: YamlValue | undefined;
}

/** The filters of the command line that the kernel can evaluate. */
export interface ProcessFilters {
  /** Process ids in the initial pid namespace. */
  readonly pids: readonly number[];
  /** Paths of executables, or the names at the end of their paths. */
  readonly binaries: readonly string[];
}

/** Lines of a policy are at most this long if they can be broken. */
const LINE_MAX = 110;

/** Returns a complete policy. `comments` are lines for its reader. */
export function formatPolicy(name: string, comments: readonly string[], spec: YamlObject): string {
  return [
    ...comments.map((line) => `# ${line}`),
    'apiVersion: cilium.io/v1alpha1',
    'kind: TracingPolicy',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    ...blockLines(spec).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

/**
 * Adds the filters on the process to each selector. Returns undefined if nothing is filtered: then the hook needs no
 * selectors.
 */
export function selectors(filters: ProcessFilters, ...own: readonly YamlObject[]): readonly YamlObject[] | undefined {
  const process = processFilters(filters);
  const list = (own.length === 0 ? [{}] : own).map((selector) => ({ ...process, ...selector }));
  return list.every((selector) => Object.keys(selector).length === 0) ? undefined : list;
}

function processFilters({ pids, binaries }: ProcessFilters): YamlObject {
  const isAbsolute = binaries.every((path) => path.startsWith('/'));
  return {
    ...(pids.length > 0 && { matchPIDs: [{ operator: 'In', values: pids }] }),
    ...(binaries.length > 0 && {
      matchBinaries: [
        isAbsolute
          ? { operator: 'In', values: binaries }
          : { operator: 'Postfix', values: binaries.map((path) => (path.startsWith('/') ? path : `/${path}`)) },
      ],
    }),
  };
}

function blockLines(value: YamlValue): string[] {
  if (isList(value)) {
    return value.flatMap((item) => {
      const flow = flowText(item);
      if (typeof item !== 'object' || (flow.length <= LINE_MAX && isFlat(item))) return [`- ${flow}`];
      return blockLines(item).map((line, i) => `${i === 0 ? '- ' : '  '}${line}`);
    });
  }
  if (typeof value !== 'object') return [scalarText(value)];
  return Object.entries(value).flatMap(([key, member]) => {
    if (member === undefined) return [];
    const flow = flowText(member);
    if (typeof member !== 'object' || (isList(member) && flow.length <= LINE_MAX && member.every(isScalar)))
      return [`${key}: ${flow}`];
    return [`${key}:`, ...blockLines(member).map((line) => `  ${line}`)];
  });
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}

function isScalar(value: YamlValue | undefined): boolean {
  return typeof value !== 'object';
}

/** True for an object that is written in one line: its members are scalars, or lists of them. */
function isFlat(value: YamlValue): boolean {
  const members: readonly (YamlValue | undefined)[] = Object.values(value);
  return members.every(
    (member) => isScalar(member) || (member !== undefined && isList(member) && member.every(isScalar)),
  );
}

function flowText(value: YamlValue): string {
  if (isList(value)) return `[${value.map(flowText).join(', ')}]`;
  if (typeof value !== 'object') return scalarText(value);
  const members = Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : [`${key}: ${flowText(member)}`],
  );
  return `{ ${members.join(', ')} }`;
}

/** Texts that YAML reads as something else than a string. */
const KEYWORD = /^(true|false|null|yes|no|on|off|y|n|~)$/i;

function scalarText(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return /^[A-Za-z_/][\w./-]*$/.test(value) && !KEYWORD.test(value) ? value : JSON.stringify(value);
}
