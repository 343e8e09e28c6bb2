/** What stops a release: workflows that leak rights, versions that differ, credentials in the environment. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../project.js';

const PIN = '0123456789abcdef0123456789abcdef01234567';
const HEAD = 'on: push\npermissions: {contents: read}\njobs:\n';

/** Workflows with one mistake each, and the problem that is reported. */
const BAD: readonly (readonly [workflow: string, problem: string])[] = [
  [`${HEAD}  job: {steps: [{uses: actions/cache@v4}]}`, 'job: actions/cache@v4 is not pinned to a commit'],
  [
    `${HEAD}  job: {uses: other/repository/.github/workflows/x.yml@main}`,
    'job: other/repository/.github/workflows/x.yml@main is not pinned to a commit',
  ],
  ['on: push\njobs: {}', 'it does not limit its permissions'],
  ['on: push\npermissions: write-all\njobs: {}', 'all jobs may write: write-all'],
  ['on: push\npermissions: {id-token: write}\njobs: {}', 'all jobs may write: id-token'],
  [
    'on: {pull_request_target: {}}\npermissions: {}\njobs: {}',
    'pull_request_target gives rights to the code of others',
  ],
  [
    `${HEAD}  job: {steps: [{run: curl, env: {A: "\${{ secrets.NPM_TOKEN }}"}}]}`,
    'job: it has a secret: use trusted publishing',
  ],
  [
    `${HEAD}  job: {uses: ./.github/workflows/ci.yml, secrets: inherit}`,
    'job: it has a secret: use trusted publishing',
  ],
  [
    `${HEAD}  job: {steps: [{uses: actions/checkout@${PIN}}]}`,
    'job: the checkout keeps its token: persist-credentials: false',
  ],
  [
    `${HEAD}  job: {permissions: {id-token: write}, steps: [{uses: actions/checkout@${PIN}, with: {persist-credentials: false}}]}`,
    'job: it has rights or a token, and checks out the repository',
  ],
  [
    `${HEAD}  job: {permissions: {contents: write}, steps: [{run: npm ci}]}`,
    'job: it has rights or a token, and runs code of the repository or of a package',
  ],
  [
    `${HEAD}  job: {steps: [{run: bash x.sh, env: {A: "\${{ github.token }}"}}]}`,
    'job: it has rights or a token, and runs code of the repository or of a package',
  ],
  [`${HEAD}  job: {steps: [{run: npm publish x.tgz}]}`, 'job: npm publish runs scripts: --ignore-scripts'],
];

const TREE = {
  version: '1.2.3',
  others: { 'agent/package.json': '1.2.3' },
  tags: ['v1.2.3'],
  status: '',
  changelog: '# Changelog\n\n## [1.2.3] - 2026-11-28\n\nText.\n\n## [1.2.2] - 2026-01-01\n\nOld.\n',
  env: { GITHUB_REPOSITORY: 'owner/polytrace', PATH: '/bin' } as Record<string, string>,
};

describe('rules for workflows', () => {
  for (const [workflow, problem] of BAD) {
    it(`report that ${problem}`, async () => {
      const { workflowProblems } = await import('../../../scripts/release/workflows.mjs');
      assert.deepEqual(workflowProblems('x.yml', workflow), [`x.yml: ${problem}`]);
    });
  }

  it('accept the workflows of this repository', async () => {
    const { workflowProblems } = await import('../../../scripts/release/workflows.mjs');
    const folder = join(ROOT, '.github/workflows');
    const names = readdirSync(folder);
    assert.ok(names.includes('ci.yml') && names.includes('release.yml'));
    assert.deepEqual(
      names.flatMap((name) => workflowProblems(name, readFileSync(join(folder, name), 'utf8'))),
      [],
    );
  });
});

describe('a release', function () {
  this.timeout(60_000);

  const obstacles = async (change: Partial<typeof TREE>): Promise<string[]> => {
    const { findObstacles } = await import('../../../scripts/release/obstacles.mjs');
    return findObstacles({ ...TREE, ...change });
  };

  it('is possible for a tagged, dated and committed version', async () => {
    assert.deepEqual(await obstacles({}), []);
  });

  it('needs a clean tree, one version, a tag and a dated section with text', async () => {
    assert.deepEqual(await obstacles({ status: ' M x' }), ['there are changes that are not committed']);
    assert.deepEqual(await obstacles({ tags: ['v1.2.2'] }), ['no tag v1.2.3 is on this commit']);
    assert.deepEqual(await obstacles({ others: { 'agent/package.json': '1.2.2' } }), [
      'agent/package.json has the version 1.2.2, not 1.2.3',
    ]);
    assert.deepEqual(await obstacles({ changelog: '## [1.2.2] - 2026-01-01\n' }), [
      'CHANGELOG.md has no section [1.2.3]',
    ]);
    assert.deepEqual(await obstacles({ changelog: '## [1.2.3] - unreleased\n\nText.\n' }), [
      'the section [1.2.3] of CHANGELOG.md has no date, but "unreleased"',
    ]);
    assert.deepEqual(await obstacles({ changelog: '## [1.2.3] - 2026-11-28\n' }), [
      'the section [1.2.3] of CHANGELOG.md is empty',
    ]);
  });

  it('needs the name of the repository, and an environment without credentials', async () => {
    assert.deepEqual(await obstacles({ env: {} }), [
      'GITHUB_REPOSITORY does not name the repository, such as owner/polytrace',
    ]);
    assert.deepEqual(await obstacles({ env: { ...TREE.env, NODE_AUTH_TOKEN: 'canary' } }), [
      'the environment has NODE_AUTH_TOKEN, which programs of others would see',
    ]);
  });

  it('gives no credential to the programs of others', async () => {
    const { cleanEnvironment } = await import('../../../scripts/release/environment.mjs');
    const env = cleanEnvironment({
      PATH: process.env['PATH'],
      HOME: '/root',
      NODE_AUTH_TOKEN: 'canary',
      'npm_config_//registry.npmjs.org/:_authToken': 'canary',
      ACTIONS_ID_TOKEN_REQUEST_URL: 'canary',
      AWS_SECRET_ACCESS_KEY: 'canary',
    });
    assert.deepEqual(Object.keys(env), ['PATH', 'HOME']);
    const { stdout } = spawnSync('env', { env, encoding: 'utf8' });
    assert.ok(stdout.includes('HOME=/root') && !stdout.includes('canary'));
  });

  it('accepts only licences that somebody has looked at', async () => {
    const { isAllowedLicence } = await import('../../../scripts/release/licences.mjs');
    for (const good of ['MIT', '(Apache-2.0 AND BSD-3-Clause)', 'GPL-3.0 OR MIT', 'ISC']) {
      assert.ok(isAllowedLicence(good), good);
    }
    for (const bad of ['UNKNOWN', 'UNLICENSED', 'MIT*', 'GPL-3.0', 'MIT AND GPL-2.0', 'Custom: LICENSE', '']) {
      assert.ok(!isAllowedLicence(bad), bad);
    }
  });

  it('has the notices in both packages', async () => {
    const { missingLicences, packPackage } = await import('../../../scripts/release/artifacts.mjs');
    const { NOTICES } = await import('../../../scripts/release/notices.mjs');
    for (const name of ['.', 'agent']) {
      const work = mkdtempSync(join(tmpdir(), 'polytrace-release-'));
      try {
        const { files } = JSON.parse(readFileSync(join(ROOT, name, 'package.json'), 'utf8')) as { files: string[] };
        writeFileSync(join(work, 'package.json'), JSON.stringify({ name: 'example', version: '1.2.3', files }));
        writeFileSync(join(work, 'LICENSE'), 'text');
        const env = { ...process.env, ...TREE.env };
        assert.deepEqual(missingLicences(packPackage(work, work, env)), [NOTICES]);
        writeFileSync(join(work, NOTICES), 'text');
        assert.deepEqual(missingLicences(packPackage(work, work, env)), [], name);
      } finally {
        rmSync(work, { recursive: true });
      }
    }
  });

  it('names each package in a bundle, with its licence', async () => {
    const { bundledFolders, imageNotices } = await import('../../../scripts/release/notices.mjs');
    const folders = bundledFolders(ROOT, true);
    for (const name of ['@grpc/grpc-js', '@bufbuild/cel', 'uplot', '@kubernetes/client-node']) {
      assert.ok(folders.includes(`node_modules/${name}`), name);
    }
    const [all, library] = [imageNotices(ROOT, true), imageNotices(ROOT, false)];
    assert.equal(all.split(/^={100}$/m).length - 1, folders.length);
    assert.ok(all.includes('@kubernetes/client-node') && !library.includes('@kubernetes/client-node'));
  });

  it('finds the licence of a package, and refuses one whose text is not known', async () => {
    const { packageLicence } = await import('../../../scripts/release/notices.mjs');
    assert.match(packageLicence(join(ROOT, 'node_modules/yaml')).texts[0] ?? '', /Permission to use, copy, modify/);
    const folder = mkdtempSync(join(tmpdir(), 'polytrace-notices-'));
    const licenceText = (members: object): string => {
      const file = join(folder, 'package.json');
      writeFileSync(file, JSON.stringify({ name: 'bare', version: '1.0.0', ...members }));
      return packageLicence(folder).texts[0] ?? '';
    };
    try {
      assert.equal(licenceText({ license: 'Apache-2.0' }), readFileSync(join(ROOT, 'LICENSE'), 'utf8'));
      assert.match(
        licenceText({ license: 'MIT', author: 'A <a@example.org>' }),
        /\(c\) A <a@example\.org>\n\nPermission is hereby granted/,
      );
      assert.throws(() => licenceText({ license: 'MIT' }), /bare 1\.0\.0 \(MIT\) has no file with its licence/);
      assert.throws(() => licenceText({ license: 'ISC', author: 'A' }), /bare 1\.0\.0 \(ISC\)/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('takes its notes from the changelog', async () => {
    const { changelogSection } = await import('../../../scripts/release/obstacles.mjs');
    assert.deepEqual(changelogSection(TREE.changelog, '1.2.3'), { date: '2026-11-28', text: 'Text.' });
  });

  it('writes the repository into the packed package.json only, and lists every file with its hash', async () => {
    const { packPackage, writeChecksums } = await import('../../../scripts/release/artifacts.mjs');
    const work = mkdtempSync(join(tmpdir(), 'polytrace-release-'));
    try {
      const [folder, output] = [join(work, 'package'), join(work, 'output')];
      for (const each of [folder, output]) mkdirSync(each);
      const text = '{"name":"example","version":"1.2.3","scripts":{"prepack":"exit 1"}}';
      writeFileSync(join(folder, 'package.json'), text);
      const file = packPackage(folder, output, { ...process.env, ...TREE.env }, 'agent');
      assert.equal(file, join(output, 'example-1.2.3.tgz'));
      assert.equal(readFileSync(join(folder, 'package.json'), 'utf8'), text);
      const packed = spawnSync('tar', ['-xzOf', file, 'package/package.json'], { encoding: 'utf8' }).stdout;
      const { repository, homepage, bugs } = JSON.parse(packed) as Record<string, unknown>;
      assert.deepEqual(repository, {
        type: 'git',
        url: 'git+https://github.com/owner/polytrace.git',
        directory: 'agent',
      });
      assert.equal(homepage, 'https://github.com/owner/polytrace#readme');
      assert.deepEqual(bugs, { url: 'https://github.com/owner/polytrace/issues' });
      assert.deepEqual(Object.keys(writeChecksums(output, { commit: 'x' }).files), ['example-1.2.3.tgz']);
      const check = (): number | null =>
        spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: output }).status;
      assert.equal(check(), 0);
      writeFileSync(file, 'another file');
      assert.equal(check(), 1);
    } finally {
      rmSync(work, { recursive: true });
    }
  });
});
