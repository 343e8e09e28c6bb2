/** Formats an explanation for a terminal. */
import type { HookCost, HookExplanation, PolicyExplanation } from '../../../types/policy.js';
import { formatValues } from './phrases.js';

export function formatExplanation(explanation: PolicyExplanation): string {
  const {
    name,
    namespace,
    severity,
    maturity,
    scope = [],
    nodes = [],
    options,
    hooks,
    enforcers,
    loader,
    unsupported,
    tableBytes,
  } = explanation;
  const lines = [`policy ${name}${namespace === undefined ? '' : `, of the namespace ${JSON.stringify(namespace)}`}`];
  const facts = [severity && `severity: ${severity}`, maturity && `maturity: ${maturity}`].filter(Boolean);
  if (facts.length > 0) lines.push('', facts.join(', '));
  if (scope.length > 0)
    lines.push('', `applies to ${scope[0]}`, ...scope.slice(1).map((phrase) => `        or ${phrase}`));
  if (nodes.length > 0) lines.push('', `is for nodes where ${nodes.join(' and ')}`);
  if (options.length > 0) lines.push('');
  for (const { name: option, value, effect } of options) lines.push(`option ${option}: ${value}`, `  ${effect}`);
  for (const hook of hooks) lines.push('', ...formatHook(hook));
  if (enforcers.length > 0) lines.push('', `enforcers: ${formatValues(enforcers)}`);
  if (loader === true) lines.push('', 'loader: every executable mapping of a file');
  if (unsupported.length > 0) {
    lines.push('', 'The policy cannot be loaded:', ...unsupported.map((reason) => `  ${reason}`));
  } else {
    lines.push(
      '',
      `Memory: tables of about ${formatKibibytes(tableBytes)} for ${hooks.length === 1 ? 'the hook' : `all ${hooks.length} hooks`}.`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function formatHook({ kind, target, attach, message, reads, selectors, cost }: HookExplanation): string[] {
  const lines = [`${kind}: ${target}`, `  attached by  ${attach}`];
  if (message !== undefined) lines.push(`  message      ${JSON.stringify(message)}`);
  lines.push(`  reads        ${reads.length === 0 ? 'nothing' : reads.join('; ')}`);
  selectors.forEach(({ conditions, actions }, i) => {
    const title = selectors.length === 1 ? 'matches when' : `selector ${i}`.padEnd(12);
    const [first = 'always', ...rest] = conditions;
    lines.push(`  ${title} ${first}`, ...rest.map((condition) => `           and ${condition}`));
    lines.push(`          then ${actions.join(actions.some((action) => action.includes(', ')) ? '; ' : ', ')}`);
  });
  if (selectors.length > 1) lines.push('  The first selector that matches decides.');
  if (cost !== undefined) lines.push(`  costs        ${formatCost(cost)}`);
  return lines;
}

function formatCost(cost: HookCost): string {
  const formatCount = (n: number, one: string, many = `${one}s`): string[] =>
    n === 0 ? [] : [`${n} ${n === 1 ? one : many}`];
  const parts = [
    ...formatCount(cost.comparisons, 'comparison of numbers', 'comparisons of numbers'),
    ...formatCount(cost.binaryTests, 'test of a bit of the process', 'tests of bits of the process'),
    ...formatCount(cost.pathWalks, 'path walk', 'path walks'),
    ...formatCount(cost.lookups, 'table lookup'),
    ...formatCount(cost.textScans, 'scan of a text', 'scans of texts'),
    ...formatCount(cost.expressionSteps, 'instruction of expressions', 'instructions of expressions'),
  ];
  const before = parts.length === 0 ? 'nothing to filter' : `at most ${parts.join(', ')}`;
  const after =
    cost.readForEvent === 0 ? '' : `; ${formatCount(cost.readForEvent, 'value').join('')} read for the event only`;
  const tables =
    cost.tableEntries === 0
      ? ''
      : `; ${formatCount(cost.tableEntries, 'table entry', 'table entries').join('')}, about ${formatKibibytes(cost.tableBytes)}`;
  return `${before}${after}${tables}`;
}

function formatKibibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}
