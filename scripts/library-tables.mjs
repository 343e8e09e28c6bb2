#!/usr/bin/env node
// Writes the tables of docs/policy-library.md from the output of a run of test/kernel/policy-library.test.ts (standard input):
//   POLYTRACE_NIGHTLY=1 node test/vm/run-suite.mjs test/kernel/policy-library.test.ts | node scripts/library-tables.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';

const page = join(import.meta.dirname, '../docs/policy-library.md');

/**
 * The rules of Falco that are enabled by default (maturity `stable`), and what they make of the attacks, by their conditions.
 * Falco itself was not run. An attack that is not here is not meant: no such rule is about it.
 */
const FALCO = {
  'container-shell: bash': 'found (Terminal shell in container)',
  'container-shell: sh': 'found (Terminal shell in container)',
  'container-shell: a copy of dash': 'found (Terminal shell in container)',
  'credentials: programs that read': 'found (Read sensitive file untrusted)',
  'credentials: a copy of a key': 'not found: only searches',
  'credentials: another path by a mount': 'not found: another path',
  'dropped-programs: chmod in a container': 'not found: only the execution',
  'exfiltration: a child connects': 'the read only',
  'exfiltration: UDP without connect': 'the read only',
  'file-monitoring: reads and changes': 'the read only',
  'file-monitoring: a read by a script': 'found (Read sensitive file untrusted)',
  'fileless: a memfd': 'found (Fileless execution via memfd_create)',
  'fileless: /dev/shm': 'found (Execution from /dev/shm)',
  'kernel: system calls': 'ptrace only (PTRACE attached to process)',
  'kernel: kmod with a file from elsewhere': 'not found: only in containers',
  'kernel: PTRACE_SEIZE': 'found (PTRACE attached to process)',
  'log-clearing: a log is emptied': 'found (Clear Log Activities)',
  'log-clearing: records of logins are removed': 'not found: no removal',
  'memory-files: /tmp and a memfd': 'the memfd only',
  'raw-sockets: AF_PACKET': 'not found: only in containers',
  'reverse-shell: dup of a connection': 'not found: only in containers',
  'reverse-shell: /dev/tcp of bash': 'not found: only in containers',
  'reverse-shell: a shell that is bound to a port': 'not found: only in containers',
  'server-shell: a web server': 'found (Run shell untrusted)',
  'server-shell: a database': 'not found: the shell replaces the server',
  'server-shell: a child of a server': 'found (Run shell untrusted)',
};

const rows = readFileSync(0, 'utf8').split('\n');
const readTable = (name) =>
  rows.filter((line) => line.startsWith(`${name}| `)).map((line) => line.slice(name.length + 2, -2).split(' | '));

const formatTable = (head, body) =>
  [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

let text = readFileSync(page, 'utf8');
function replace(name, table) {
  const pattern = new RegExp(`(<!-- ${name}:begin -->).*(<!-- ${name}:end -->)`, 's');
  if (!pattern.test(text)) throw new Error(`${page} has no place for the table ${name}`);
  text = text.replace(pattern, `$1\n\n${table}\n\n$2`);
}

const noise = readTable('noise');
if (noise.length > 0) replace('noise', formatTable(['policy', 'severity', 'events', 'alerts', 'causes'], noise));
const attacks = readTable('attack').map(([policy, attack, result, also = '']) => [
  policy,
  attack,
  result,
  also.replaceAll(/[\w-]+/g, '`$&`'),
  FALCO[`${policy.replaceAll('`', '')}: ${attack}`] ?? 'not meant',
]);
if (attacks.length > 0)
  replace('attacks', formatTable(['policy', 'attack', 'result', 'also reported by', "Falco's default rules"], attacks));
if (noise.length + attacks.length === 0) throw new Error('the input has no table');
writeFileSync(page, await format(text, { parser: 'markdown', printWidth: 120, proseWrap: 'always' }));
