/** Renders the manifests of deploy-source.ts, with the defaults of their settings or as templates of a Helm chart. */
import { stringify } from 'yaml';
import { Flags, Concatenation, Setting, ReleaseValue, Conditional, ExtendedMap } from './deploy-source.js';

const YAML = { lineWidth: 0, aliasDuplicateObjects: false } as const;

export const toYaml = (value: unknown): string => stringify(value, YAML);

/** Replaces settings by their defaults. A key whose setting is empty is left out, as in the templates. */
export function withDefaults(value: unknown): unknown {
  if (value instanceof Setting) return withDefaults(value.fallback);
  if (value instanceof ReleaseValue) return value.fixed;
  if (value instanceof Concatenation) {
    const parts = value.parts.map(withDefaults);
    return parts.includes(undefined) ? undefined : parts.map(String).join('');
  }
  if (value instanceof Conditional) return withDefaults(isFull(value.setting.fallback) ? value.then : value.otherwise);
  if (value instanceof ExtendedMap)
    return { ...(withDefaults(value.own) as object), ...(value.more.fallback as object) };
  if (value instanceof Flags) return Object.entries(value.setting.fallback as object).map(formatFlag);
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => {
      const plain = withDefaults(item);
      return item instanceof Setting || item instanceof Flags ? plain : plain === undefined ? [] : [plain];
    });
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, inner]) => {
    const plain = withDefaults(inner);
    const isLeftOut = plain === undefined || (inner instanceof Setting && !isFull(plain));
    return isLeftOut ? [] : [[key, plain] as const];
  });
  return Object.fromEntries(entries);
}

const formatFlag = ([name, value]: [string, unknown]): string => `--${name}=${String(value)}`;

/** True for a value that is true in a template. */
function isFull(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Renders a template of a chart. */
export function renderTemplate(value: object): string {
  return contentLines(value, 0).join('\n') + '\n';
}

/** The entries of a mapping. */
function contentLines(value: object, depth: number): string[] {
  if (value instanceof Conditional) {
    return [`{{- if ${valuePath(value.setting)} }}`, ...contentLines(value.then as object, depth), '{{- end }}'];
  }
  if (value instanceof ExtendedMap) return [...mapLines(value.own, depth), ...settingLines(value.more, depth)];
  return mapLines(value, depth);
}

/** The content of a setting with a list or a mapping. */
function settingLines(setting: Setting, depth: number): string[] {
  return [`{{- with ${valuePath(setting)} }}`, `${indent(depth)}{{- toYaml . | nindent ${2 * depth} }}`, '{{- end }}'];
}

function mapLines(map: object, depth: number): string[] {
  return Object.entries(map).flatMap(([key, value]) => entryLines(`${indent(depth)}${key}:`, value, depth));
}

/** `head` is the line before its value. */
function entryLines(head: string, value: unknown, depth: number): string[] {
  if (value === undefined) return [];
  if (value instanceof Conditional) {
    const { setting, then, otherwise } = value;
    if (then === undefined) return unlessLines(setting, entryLines(head, otherwise, depth));
    const other = otherwise === undefined ? [] : ['{{- else }}', ...entryLines(head, otherwise, depth)];
    return [`{{- if ${valuePath(setting)} }}`, ...entryLines(head, then, depth), ...other, '{{- end }}'];
  }
  if (value instanceof Setting && isStructure(value.fallback)) {
    return [
      `{{- with ${valuePath(value)} }}`,
      head,
      `${indent(depth + 1)}{{- toYaml . | nindent ${2 * depth + 2} }}`,
      '{{- end }}',
    ];
  }
  if (value instanceof Setting && value.fallback === '') {
    return [`{{- with ${valuePath(value)} }}`, `${head} {{ . | quote }}`, '{{- end }}'];
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? [`${head} []`] : [head, ...value.flatMap((item) => itemLines(item, depth + 1))];
  }
  if (value instanceof ExtendedMap) return [head, ...contentLines(value, depth + 1)];
  if (isStructure(value)) {
    return Object.keys(value).length === 0 ? [`${head} {}`] : [head, ...mapLines(value, depth + 1)];
  }
  return [`${head} ${formatScalar(value)}`];
}

function itemLines(value: unknown, depth: number): string[] {
  if (value instanceof Conditional)
    return [`{{- if ${valuePath(value.setting)} }}`, ...itemLines(value.then, depth), '{{- end }}'];
  if (value instanceof Setting) return settingLines(value, depth);
  if (value instanceof Flags) {
    const head = `{{- range $name, $value := ${valuePath(value.setting)} }}`;
    const flag = '{{ printf "--%s=%s" $name (include "polytrace.text" $value) | quote }}';
    return [head, `${indent(depth)}- ${flag}`, '{{- end }}'];
  }
  if (!isStructure(value) || Array.isArray(value)) return [`${indent(depth)}- ${formatScalar(value)}`];
  const [first = '', ...rest] = mapLines(value, depth + 1);
  return [`${indent(depth)}- ${first.trimStart()}`, ...rest];
}

const unlessLines = (setting: Setting, lines: string[]): string[] => [
  `{{- if not ${valuePath(setting)} }}`,
  ...lines,
  '{{- end }}',
];
const indent = (depth: number): string => '  '.repeat(depth);
const valuePath = ({ path }: Setting): string => `$.Values.${path}`;
/** The value of a setting in a string. */
const valueText = (setting: Setting): string => `include "polytrace.text" ${valuePath(setting)}`;

function isStructure(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Concatenation) &&
    !(value instanceof ReleaseValue) &&
    !(value instanceof Setting)
  );
}

function formatScalar(value: unknown): string {
  if (value instanceof Setting)
    return `{{ ${valuePath(value)}${typeof value.fallback === 'string' ? ' | quote' : ''} }}`;
  // only a port is a number
  if (value instanceof ReleaseValue) return `{{ ${value.template} }}`;
  if (value instanceof Concatenation) {
    const [only] = value.parts;
    // the string can contain quotes and line breaks
    if (value.parts.length === 1 && only instanceof Setting) return `{{ ${valueText(only)} | quote }}`;
    const parts = value.parts.map((part) => {
      if (typeof part === 'string') return part;
      return `{{ ${part instanceof ReleaseValue ? part.template : valueText(part)} }}`;
    });
    return `"${parts.join('')}"`;
  }
  return toYaml(value).trimEnd();
}

/** Renders the values file of the chart: each setting with its comment. */
export function renderValues(settings: readonly Setting[]): string {
  const tree = new Map<string, unknown>();
  for (const { path, fallback, comment } of settings) {
    const steps = path.split('.');
    let inner = tree;
    for (const step of steps.slice(0, -1)) {
      if (!inner.has(step)) inner.set(step, new Map());
      inner = inner.get(step) as Map<string, unknown>;
    }
    inner.set(steps.at(-1) as string, { fallback, comment });
  }
  return valueLines(tree, 0).join('\n') + '\n';
}

function valueLines(tree: ReadonlyMap<string, unknown>, depth: number): string[] {
  return [...tree].flatMap(([key, value]) => {
    if (value instanceof Map) return [`${indent(depth)}${key}:`, ...valueLines(value, depth + 1)];
    const { fallback, comment } = value as { fallback: unknown; comment: string };
    const lines = toYaml({ [key]: fallback })
      .trimEnd()
      .split('\n');
    return [`${indent(depth)}# ${comment}`, ...lines.map((line) => indent(depth) + line)];
  });
}
