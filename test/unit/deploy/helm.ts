/** Renders the templates of our chart. Supports only the part of Helm's language that `gen-deploy.ts` writes. */
import { parse, stringify } from 'yaml';

type Values = Record<string, unknown>;

interface Block {
  /** True if the lines inside the block are written. */
  readonly isOn: boolean;
  /** The value of `.` inside the block. */
  readonly dot: unknown;
  readonly isOuterOn: boolean;
}

export function renderTemplate(template: string, values: Values, namespace: string): unknown {
  const blocks: Block[] = [];
  const lines: string[] = [];
  const isOn = (): boolean => blocks.every((block) => block.isOn);
  for (const line of template.split('\n')) {
    const [, keyword, not, argument] =
      /^\{\{- (if|with|range|else|end)(?: (not|\$name, \$value :=))?(?: (\S+))? \}\}$/.exec(line) ?? [];
    if (keyword === 'if' || keyword === 'with' || keyword === 'range') {
      const value = lookUpValue(argument as string, values, namespace);
      blocks.push({ isOn: isNotEmpty(value) !== (not === 'not'), dot: value, isOuterOn: isOn() });
    } else if (keyword === 'else') {
      const block = blocks.pop() as Block;
      blocks.push({ ...block, isOn: !block.isOn });
    } else if (keyword === 'end') {
      if (blocks.pop() === undefined) throw new Error('end without a block');
    } else if (isOn()) {
      lines.push(renderLine(line, blocks.at(-1)?.dot, values, namespace));
    }
  }
  if (blocks.length > 0) throw new Error('a block without an end');
  return parse(lines.join('\n'));
}

function renderLine(line: string, dot: unknown, values: Values, namespace: string): string {
  const [, indent] = /^ *\{\{- toYaml \. \| nindent (\d+) \}\}$/.exec(line) ?? [];
  if (indent !== undefined) {
    const text = stringify(dot, { lineWidth: 0 }).trimEnd();
    return text.replaceAll(/^/gm, ' '.repeat(Number(indent)));
  }
  const [, before] = /^( *- )\{\{ printf "--%s=%v" \$name \$value \| quote \}\}$/.exec(line) ?? [];
  if (before !== undefined) {
    const flags = Object.entries(dot as Values).map(([name, value]) => JSON.stringify(`--${name}=${String(value)}`));
    return flags.map((flag) => before + flag).join('\n');
  }
  const text = line.replaceAll(/\{\{ (\S+)( \| quote)? \}\}/g, (_, path: string, quote?: string) => {
    const value = path === '.' ? dot : lookUpValue(path, values, namespace);
    return quote === undefined ? String(value) : JSON.stringify(String(value));
  });
  if (text.includes('{{')) throw new Error(`not known: ${line}`);
  return text;
}

function lookUpValue(path: string, values: Values, namespace: string): unknown {
  if (path === '.Release.Namespace') return namespace;
  const [, ...steps] = path.slice(1).split('.');
  if (!path.startsWith('.Values.')) throw new Error(`not known: ${path}`);
  return steps.reduce<unknown>((inner, step) => {
    const map = inner as Values;
    if (!Object.hasOwn(map, step)) throw new Error(`${path} is not in the values`);
    return map[step];
  }, values);
}

function isNotEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}
