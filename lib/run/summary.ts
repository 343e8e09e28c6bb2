/** Formats the summary of a run: one screen of text, Markdown, JSON, SARIF and a page. Pure. */
import type { Behavior, BehaviorKind, RunSummary, SummaryFormat } from '../../types/run.js';
import { lockFact } from './lock.js';

const TITLES: Readonly<Record<BehaviorKind, string>> = {
  killed: 'Processes that were killed',
  secret: 'Secrets read',
  memory: 'Memory of other processes',
  kernel: 'Changes of the kernel',
  privilege: 'Changes of privileges',
  mount: 'Mounts',
  signal: 'Signals to processes outside',
  unseen: 'Not seen completely',
  write: 'Files written outside of the folder',
  remove: 'Files removed outside of the folder',
  rename: 'Files renamed outside of the folder',
  mode: 'Permissions changed outside of the folder',
  connect: 'Connections',
  dns: 'Host names asked for',
  listen: 'Listeners',
  exec: 'Programs',
  read: 'Files read outside of the folder',
};

/** The kinds that need a look even when nothing is locked. */
const SERIOUS: ReadonlySet<BehaviorKind> = new Set([
  'killed',
  'secret',
  'memory',
  'kernel',
  'privilege',
  'mount',
  'signal',
]);
/** Lines of each kind in the text. */
const LINES_MAX = 6;
const HARMLESS_LINES_MAX = 3;

export function formatRunSummary(
  summary: RunSummary,
  format: SummaryFormat,
  violations: readonly Behavior[] = [],
): string {
  switch (format) {
    case 'text':
      return formatText(summary, violations);
    case 'json':
      return `${JSON.stringify({ ...summary, violations }, null, 2)}\n`;
    case 'markdown':
      return formatMarkdown(summary, violations);
    case 'sarif':
      return formatSarif(summary, violations);
    case 'html':
      return formatPage(summary, violations);
  }
}

function byKind(behaviors: readonly Behavior[]): [BehaviorKind, Behavior[]][] {
  const groups = new Map<BehaviorKind, Behavior[]>();
  for (const behavior of behaviors) {
    const group = groups.get(behavior.kind);
    if (group === undefined) groups.set(behavior.kind, [behavior]);
    else group.push(behavior);
  }
  return [...groups];
}

/** Control characters of paths and names cannot change the terminal. */
function escapeText(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function formatOrigin({ package: name, script }: Behavior): string {
  if (name === undefined) return '';
  return script === undefined ? `[${name}] ` : `[${name} ${script}] `;
}

function formatBytes({ sent, received }: Behavior): string {
  const size = (bytes: number): string =>
    bytes < 10_000
      ? `${bytes} B`
      : bytes < 10_000_000
        ? `${Math.round(bytes / 1000)} kB`
        : `${Math.round(bytes / 1_000_000)} MB`;
  return sent === undefined && received === undefined
    ? ''
    : `, ${size(sent ?? 0)} sent, ${size(received ?? 0)} received`;
}

function formatLine(behavior: Behavior): string {
  const { subject, fact, count } = behavior;
  // one line can stand for different names
  const what = count > 1 && fact.includes('*') ? fact : subject;
  const refused = behavior.refused === true && behavior.kind !== 'killed' ? ' (refused)' : '';
  return escapeText(
    `${formatOrigin(behavior)}${what}${refused}${count > 1 ? ` ×${count}` : ''}${formatBytes(behavior)}`,
  );
}

function formatHead({ command, exitCode, signal, durationMs, execs }: RunSummary): string {
  const end = signal === undefined ? `exit status ${exitCode}` : `ended by signal ${signal}`;
  return `${escapeText(command.join(' ').slice(0, 200))}: ${end}, ${(durationMs / 1000).toFixed(1)} s, ${execs} programs executed`;
}

function formatNotes({ remaining, unseen, lost, moreBehaviors }: RunSummary): string[] {
  return [
    ...remaining.map(
      ({ pid, binary, killed }) => `Still running${killed ? ', and killed' : ''}: ${escapeText(binary)} (pid ${pid})`,
    ),
    ...(lost > 0 ? [`${lost} events were lost: the list is not complete`] : []),
    ...(moreBehaviors > 0 ? [`${moreBehaviors} further behaviors are not listed`] : []),
    ...unseen.map((text) => `Not seen: ${text}`),
  ];
}

/** What was refused, also without a lock file, and what has happened and is new against it. */
function splitViolations(
  { behaviors }: RunSummary,
  violations: readonly Behavior[],
): { readonly refused: readonly Behavior[]; readonly added: readonly Behavior[] } {
  return {
    refused: behaviors.filter((behavior) => behavior.refused === true),
    added: violations.filter((behavior) => behavior.refused !== true),
  };
}

function formatText(summary: RunSummary, violations: readonly Behavior[]): string {
  const lines = [`polytrace: ${formatHead(summary)}`];
  const { refused, added } = splitViolations(summary, violations);
  if (refused.length > 0) lines.push('', `Refused (${refused.length}):`, ...formatViolations(refused));
  if (added.length > 0) lines.push('', `New against the lock file (${added.length}):`, ...formatViolations(added));
  for (const [kind, group] of byKind(summary.behaviors)) {
    const room =
      kind === 'exec' || kind === 'read' ? HARMLESS_LINES_MAX : SERIOUS.has(kind) ? 2 * LINES_MAX : LINES_MAX;
    lines.push(`${SERIOUS.has(kind) ? '!' : ' '} ${TITLES[kind]} (${group.length})`);
    const shown = kind === 'exec' || kind === 'read' ? [...group].sort((one, other) => other.count - one.count) : group;
    lines.push(...shown.slice(0, room).map((behavior) => `    ${formatLine(behavior)}`));
    if (group.length > room) lines.push(`    … ${group.length - room} more`);
  }
  if (summary.behaviors.length === 0) lines.push('  Nothing outside of its folder.');
  lines.push(...formatNotes(summary).map((note) => `  ${note}`));
  return `${lines.join('\n')}\n`;
}

/** The lines of a diff, each with the processes that did it. */
function formatViolations(violations: readonly Behavior[]): string[] {
  return violations.flatMap((behavior) => {
    const { package: name, fact } = lockFact(behavior);
    const tree = [...behavior.process].reverse();
    return [
      `+ ${escapeText(name === '.' ? fact : `${name}: ${fact}`)}`,
      ...tree.map((process, depth) => `    ${'  '.repeat(depth)}${escapeText(process)}`),
    ];
  });
}

function formatMarkdown(summary: RunSummary, violations: readonly Behavior[]): string {
  const lines = ['### polytrace run', '', markdownText(formatHead(summary)), ''];
  const { refused, added } = splitViolations(summary, violations);
  for (const [title, group] of [
    ['refused', refused],
    ['new against the lock file', added],
  ] as const) {
    const fence = '```';
    if (group.length === 0) continue;
    lines.push(`**${group.length} ${title}**`, '', `${fence}diff`);
    lines.push(...formatViolations(group).map((line) => line.replaceAll('`', "'")), fence, '');
  }
  if (summary.behaviors.length > 0) lines.push('| what | package | subject | count |', '| --- | --- | --- | ---: |');
  for (const [kind, group] of byKind(summary.behaviors)) {
    for (const behavior of group.slice(0, 50)) {
      const { package: name = '', script = '', subject, count } = behavior;
      const cells = [TITLES[kind], `${name} ${script}`.trim(), subject + formatBytes(behavior)].map(markdownText);
      lines.push(`| ${cells.join(' | ')} | ${count} |`);
    }
    if (group.length > 50) lines.push(`| ${TITLES[kind]} | | … ${group.length - 50} more | |`);
  }
  lines.push('', ...formatNotes(summary).map((note) => `- ${markdownText(note)}`));
  return `${lines.join('\n').trimEnd()}\n`;
}

/** A name that a package chose is text, neither markup nor HTML. */
function markdownText(text: string): string {
  return escapeText(text).replace(/[\\`*_{}[\]()#+!|<>&~]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function formatSarif({ behaviors }: RunSummary, violations: readonly Behavior[]): string {
  const isNew = new Set(violations);
  const results = behaviors
    .filter((behavior) => isNew.has(behavior) || behavior.refused === true || SERIOUS.has(behavior.kind))
    .map((behavior) => ({
      ruleId: `run-${behavior.kind}`,
      level: SERIOUS.has(behavior.kind) || behavior.refused === true ? 'error' : 'warning',
      message: { text: `${isNew.has(behavior) ? 'New: ' : ''}${TITLES[behavior.kind]}: ${formatLine(behavior)}` },
      locations: [{ physicalLocation: { artifactLocation: { uri: 'package.json' }, region: { startLine: 1 } } }],
      partialFingerprints: { fact: `${behavior.package ?? '.'} ${lockFact(behavior).fact}` },
    }));
  const rules = [...new Set(results.map(({ ruleId }) => ruleId))].sort().map((id) => ({ id }));
  const sarif = {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'polytrace', rules } }, columnKind: 'utf16CodeUnits', results }],
  };
  return `${JSON.stringify(sarif, null, 2)}\n`;
}

function formatPage(summary: RunSummary, violations: readonly Behavior[]): string {
  const html = (text: string): string =>
    escapeText(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
  const formatTrees = (group: readonly Behavior[]): string =>
    html(formatViolations(group).join('\u0001')).replaceAll('\\u0001', '\n');
  const { refused, added } = splitViolations(summary, violations);
  const isMarked = new Set([...refused, ...added]);
  const rows = byKind(summary.behaviors).map(([kind, group]) => {
    const lines = group.map(
      (behavior) =>
        `<tr${isMarked.has(behavior) ? ' class="new"' : ''}><td>${html(formatOrigin(behavior))}</td><td>${html(behavior.subject + formatBytes(behavior))}</td><td>${behavior.count}</td><td>${html([...behavior.process].reverse().join(' › '))}</td></tr>`,
    );
    const open = SERIOUS.has(kind) || group.length <= 20 ? ' open' : '';
    return `<details${open}><summary>${html(TITLES[kind])} (${group.length})</summary><table>${lines.join('\n')}</table></details>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>polytrace run</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{font:15px system-ui;margin:2em auto;max-width:75em;color-scheme:light dark}td{padding:.2em .8em .2em 0;vertical-align:top;overflow-wrap:anywhere}
summary{font-weight:600;margin:.8em 0}.new{background:#f8d7da;color:#000}pre{overflow:auto}</style></head><body>
<h1>polytrace run</h1><p>${html(formatHead(summary))}</p>
${refused.length === 0 ? '' : `<h2>Refused</h2><pre>${formatTrees(refused)}</pre>`}
${added.length === 0 ? '' : `<h2>New against the lock file</h2><pre>${formatTrees(added)}</pre>`}
${rows.join('\n')}
<ul>${formatNotes(summary)
    .map((note) => `<li>${html(note)}</li>`)
    .join('')}</ul>
</body></html>
`;
}
