import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePolicy, validatePolicy } from '../../../lib/policy/index.js';
import { ROOT } from '../../project.js';

const EXAMPLE = join(ROOT, 'policies/file-monitoring.yaml');

/** Runs the real command as a separate process. */
function runPolytrace(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(ROOT, 'lib/cli/main.ts');
  return spawnSync(process.execPath, ['--require', 'tsx/cjs', main, ...args], { encoding: 'utf8', cwd: ROOT });
}

describe('polytrace validate, with the real validator', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-validate-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('finds no mistakes in the example', () => {
    const { status, stdout, stderr } = runPolytrace('validate', 'policies/file-monitoring.yaml');
    assert.deepEqual(
      { status, stdout, stderr },
      { status: 0, stdout: 'policies/file-monitoring.yaml: ok\n', stderr: '' },
    );
  });

  it('reports the three mistakes of a file, each with its position and a hint', () => {
    const file = join(folder, 'three.yaml');
    const yaml = readFileSync(EXAMPLE, 'utf8')
      .replace('message: ', 'mesage: ')
      .replace('operator: Equal', 'operator: Equals')
      .replace("values: ['2']", "values: ['two']");
    writeFileSync(file, yaml);
    const lineNumber = (text: string): number => yaml.slice(0, yaml.indexOf(text)).split('\n').length;
    const { status, stdout } = runPolytrace('validate', file);
    assert.equal(status, 1);
    const lines = stdout.trimEnd().split('\n');
    const positions = lines
      .filter((line) => !line.startsWith(' '))
      .map((line) => /^(.*?):(\d+):\d+: error [A-Z_]+: /.exec(line));
    assert.deepEqual(
      positions.map((position) => [position?.[1], Number(position?.[2])]),
      ['mesage:', 'Equals', "'two'"].map((text) => [file, lineNumber(text)]),
    );
    assert.equal(lines.filter((line) => line.startsWith('    hint: ')).length, 3);
  });
});

describe('polytrace validate --like tetragon', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-like-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('prints what Tetragon does, in each format', () => {
    const file = join(folder, 'kill.yaml');
    writeFileSync(
      file,
      'apiVersion: cilium.io/v1alpha1\nkind: TracingPolicy\nmetadata: {name: kill}\nspec:\n  kprobes:\n  - call: sys_setuid\n    selectors:\n    - matchActions:\n      - action: Sigkill\n      matchPIDs: [{operator: In, values: [1]}]\n',
    );
    const run = (...more: string[]): ReturnType<typeof runPolytrace> =>
      runPolytrace('validate', '--kernel', 'none', file, ...more);
    const { status, stdout } = run('--like', 'tetragon');
    assert.equal(status, 0);
    assert.ok(stdout.includes(`${file}:9:17: warning TETRAGON_ACTS: Tetragon performs`), stdout);
    const json = JSON.parse(run('--like', 'tetragon', '--format', 'json').stdout) as {
      files: { diagnostics: { code: string; line: number; column: number }[] }[];
    };
    const found = json.files[0]?.diagnostics.find(({ code }) => code === 'TETRAGON_ACTS');
    assert.deepEqual([found?.line, found?.column], [9, 17]);
    const sarif = JSON.parse(run('--like', 'tetragon', '--format', 'sarif').stdout) as {
      runs: { results: { ruleId: string; level: string }[] }[];
    };
    assert.ok(sarif.runs[0]?.results.some(({ ruleId, level }) => ruleId === 'TETRAGON_ACTS' && level === 'warning'));
  });

  it('refuses another agent', () => {
    const { status, stderr } = runPolytrace('validate', EXAMPLE, '--like', 'falco');
    assert.equal(status, 2);
    assert.match(stderr, /tetragon/);
  });
});

describe('policies/file-monitoring.yaml', () => {
  const yaml = readFileSync(EXAMPLE, 'utf8');

  it('is valid, without a warning', () => {
    assert.deepEqual(validatePolicy(yaml), []);
  });

  it('hooks reads and writes, mappings, truncations and renames; hooks that only some kernels have may be absent', () => {
    const { hooks } = compilePolicy(yaml) as unknown as { hooks: { call: string; ignoreCallNotFound?: boolean }[] };
    assert.deepEqual(
      hooks.map(({ call, ignoreCallNotFound }) => [call, ignoreCallNotFound === true]),
      [
        ['security_file_permission', false],
        ['security_mmap_file', false],
        ['security_file_mprotect', false],
        ['security_path_truncate', false],
        ['security_file_truncate', true],
        ['security_path_rename', false],
        ['security_path_link', false],
        ['__do_loopback', true],
        ['clone_private_mount', true],
        ['security_sb_mount', false],
        ['security_move_mount', false],
        ['security_path_chroot', false],
      ],
    );
  });
});
