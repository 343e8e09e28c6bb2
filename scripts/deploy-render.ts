/** Writes the manifests of deploy-source.ts: with the defaults of their settings, or as templates of a Helm chart. */
import { stringify } from 'yaml';
import { Flags, Joined, Setting, Special, When, With } from './deploy-source.js';

const YAML = { lineWidth: 0, aliasDuplicateObjects: false } as const;

export const yamlOf = (value: unknown): string => stringify(value, YAML);

/** The value with the defaults. Settings without content leave their key out, as the templates do. */
export function withDefaults(value: unknown): unknown {
  if (value instanceof Setting) return withDefaults(value.fallback);
  if (value instanceof Special) return value.fixed;
  if (value instanceof Joined) return value.parts.map((part) => String(withDefaults(part))).join('');
  if (value instanceof When) return withDefaults(isFull(value.setting.fallback) ? value.then : value.otherwise);
  if (value instanceof With) return { ...(withDefaults(value.own) as object), ...(value.more.fallback as object) };
  if (value instanceof Flags) return Object.entries(value.setting.fallback as object).map(flagOf);
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown) => {
      const plain = withDefaults(item);
      return item instanceof Setting || item instanceof Flags
        ? (plain as unknown[])
        : plain === undefined
          ? []
          : [plain];
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

const flagOf = ([name, value]: [string, unknown]): string => `--${name}=${String(value)}`;

/** Truth as in templates. */
function isFull(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** The text of a template of a chart. */
export function templateOf(value: object): string {
  return contentLines(value, 0).join('\n') + '\n';
}

/** The entries of a mapping. */
function contentLines(value: object, depth: number): string[] {
  if (value instanceof When) {
    return [`{{- if ${valueOf(value.setting)} }}`, ...contentLines(value.then as object, depth), '{{- end }}'];
  }
  if (value instanceof With) return [...mapLines(value.own, depth), ...settingLines(value.more, depth)];
  return mapLines(value, depth);
}

/** The content of a setting with a list or a mapping. */
function settingLines(setting: Setting, depth: number): string[] {
  return [`{{- with ${valueOf(setting)} }}`, `${pad(depth)}{{- toYaml . | nindent ${2 * depth} }}`, '{{- end }}'];
}

function mapLines(map: object, depth: number): string[] {
  return Object.entries(map).flatMap(([key, value]) => entryLines(`${pad(depth)}${key}:`, value, depth));
}

/** `head`: the line up to its value. */
function entryLines(head: string, value: unknown, depth: number): string[] {
  if (value === undefined) return [];
  if (value instanceof When) {
    const { setting, then, otherwise } = value;
    if (then === undefined) return unlessLines(setting, entryLines(head, otherwise, depth));
    const other = otherwise === undefined ? [] : ['{{- else }}', ...entryLines(head, otherwise, depth)];
    return [`{{- if ${valueOf(setting)} }}`, ...entryLines(head, then, depth), ...other, '{{- end }}'];
  }
  if (value instanceof Setting && isStructure(value.fallback)) {
    return [
      `{{- with ${valueOf(value)} }}`,
      head,
      `${pad(depth + 1)}{{- toYaml . | nindent ${2 * depth + 2} }}`,
      '{{- end }}',
    ];
  }
  if (value instanceof Setting && value.fallback === '') {
    return [`{{- with ${valueOf(value)} }}`, `${head} {{ . | quote }}`, '{{- end }}'];
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? [`${head} []`] : [head, ...value.flatMap((item) => itemLines(item, depth + 1))];
  }
  if (value instanceof With) return [head, ...contentLines(value, depth + 1)];
  if (isStructure(value)) {
    return Object.keys(value).length === 0 ? [`${head} {}`] : [head, ...mapLines(value, depth + 1)];
  }
  return [`${head} ${scalar(value)}`];
}

function itemLines(value: unknown, depth: number): string[] {
  if (value instanceof When)
    return [`{{- if ${valueOf(value.setting)} }}`, ...itemLines(value.then, depth), '{{- end }}'];
  if (value instanceof Setting) return settingLines(value, depth);
  if (value instanceof Flags) {
    const head = `{{- range $name, $value := ${valueOf(value.setting)} }}`;
    return [head, `${pad(depth)}- {{ printf "--%s=%v" $name $value | quote }}`, '{{- end }}'];
  }
  if (!isStructure(value) || Array.isArray(value)) return [`${pad(depth)}- ${scalar(value)}`];
  const [first = '', ...rest] = mapLines(value, depth + 1);
  return [`${pad(depth)}- ${first.trimStart()}`, ...rest];
}

const unlessLines = (setting: Setting, lines: string[]): string[] => [
  `{{- if not ${valueOf(setting)} }}`,
  ...lines,
  '{{- end }}',
];
const pad = (depth: number): string => '  '.repeat(depth);
const valueOf = ({ path }: Setting): string => `.Values.${path}`;

function isStructure(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Joined) &&
    !(value instanceof Special) &&
    !(value instanceof Setting)
  );
}

function scalar(value: unknown): string {
  if (value instanceof Setting) return `{{ ${valueOf(value)}${typeof value.fallback === 'string' ? ' | quote' : ''} }}`;
  if (value instanceof Special) return `{{ ${value.template} | quote }}`;
  if (value instanceof Joined) {
    const [only] = value.parts;
    // the text can have quotes and lines
    if (value.parts.length === 1 && only instanceof Setting) return `{{ ${valueOf(only)} | quote }}`;
    const parts = value.parts.map((part) => {
      if (typeof part === 'string') return part;
      return `{{ ${part instanceof Special ? part.template : valueOf(part)} }}`;
    });
    return `"${parts.join('')}"`;
  }
  return yamlOf(value).trimEnd();
}

/** The values file of the chart: each setting with its comment. */
export function valuesFile(settings: readonly Setting[]): string {
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
    if (value instanceof Map) return [`${pad(depth)}${key}:`, ...valueLines(value, depth + 1)];
    const { fallback, comment } = value as { fallback: unknown; comment: string };
    const lines = yamlOf({ [key]: fallback })
      .trimEnd()
      .split('\n');
    return [`${pad(depth)}# ${comment}`, ...lines.map((line) => pad(depth) + line)];
  });
}
