/** The errors of openTracer where no addon can be loaded. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { ROOT } from '../../project.js';

/** Returns the error of loadBinding() in a process without an addon, with a fake platform and architecture. */
function loadBindingError(platform: string, arch: string): string {
  const code = `
    const { loadBinding } = require('./lib/native/binding.ts');
    Object.defineProperty(process, 'platform', { value: '${platform}' });
    Object.defineProperty(process, 'arch', { value: '${arch}' });
    require.cache[require.resolve('node-gyp-build')] = {
      exports: () => { throw new Error('No native build was found for this\\nmore'); },
    };
    try { loadBinding(); } catch (error) { console.log(error.code + ' ' + error.message + ' | ' + error.hint); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--require', 'tsx/cjs', '--eval', code], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

describe('an addon that cannot be loaded', () => {
  it('names the platform, the C library, the version and the remedy', () => {
    assert.match(
      loadBindingError('linux', 'x64'),
      /^ADDON_MISSING .*wanted linux-x64 \((glibc [\d.]+|musl)\) for Node\.js [\d.]+; No native build was found for this \| .*install it again, or .*npx polytrace rebuild/,
    );
  });

  it('reports that no addon is possible for another architecture', () => {
    assert.match(loadBindingError('linux', 'riscv64'), /wanted linux-riscv64 .*\| tracing needs x64 or arm64; .*`--server`/);
  });

  for (const platform of ['darwin', 'win32']) {
    it(`reports that tracing needs Linux, on ${platform}`, () => {
      assert.match(loadBindingError(platform, 'arm64'), new RegExp(`wanted ${platform}-arm64 for Node.*\\| tracing needs Linux; validate`));
    });
  }
});

/** Runs code in a process with a fake platform, where no addon can be loaded. */
function runOnPlatform(platform: string, ...args: readonly string[]): string {
  const override = `
    Object.defineProperty(process, 'platform', { value: '${platform}' });
    Object.defineProperty(process, 'arch', { value: 'arm64' });
    process.dlopen = () => { throw new Error('no addon of another system can be loaded'); };`;
  const preload = `data:text/javascript,${encodeURIComponent(override)}`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', preload, '--require', 'tsx/cjs', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

describe('a platform without an addon', () => {
  for (const platform of ['darwin', 'win32']) {
    it(`${platform}: all policy functions work, and preflight() reports what is missing`, () => {
      const code = `
        const { readFileSync } = require('node:fs');
        const polytrace = require('./lib/index.ts');
        const yaml = readFileSync('policies/file-monitoring.yaml', 'utf8');
        const { canTrace, problem, kernel } = polytrace.preflight();
        console.log(JSON.stringify({
          platform: process.platform,
          wrong: polytrace.validatePolicy('x: 1').length > 0,
          right: polytrace.validatePolicy(yaml).filter(({ severity }) => severity === 'error'),
          image: polytrace.compilePolicy(polytrace.parsePolicy(yaml)).name,
          text: polytrace.formatExplanation(polytrace.explainPolicy(yaml)).length > 1000,
          schema: Object.keys(polytrace.policySchema()).length > 3,
          canTrace, kernel, problem,
        }));`;
      const { kernel, problem, ...rest } = JSON.parse(runOnPlatform(platform, '--eval', code)) as Record<string, string>;
      assert.deepEqual(rest, {
        platform,
        wrong: true,
        right: [],
        image: 'file-monitoring',
        text: true,
        schema: true,
        canTrace: false,
      });
      assert.match(kernel ?? '', new RegExp(`^${platform} .* arm64$`));
      assert.match(problem ?? '', /tracing needs Linux/);
    });

    it(`${platform}: import gives the same functions as require()`, () => {
      const code = `
        import * as imported from './lib/index.mjs';
        import { createRequire } from 'node:module';
        const required = createRequire(import.meta.url)('./dist/index.js');
        const names = Object.keys(required).filter((name) => imported[name] !== required[name]);
        const diagnostics = imported.validatePolicy('x: 1');
        console.log(JSON.stringify([process.platform, names, diagnostics.length > 0, imported.preflight().canTrace]));`;
      const output = JSON.parse(runOnPlatform(platform, '--input-type=module', '--eval', code)) as unknown;
      assert.deepEqual(output, [platform, [], true, false]);
    });

    it(`${platform}: the command can validate policies`, () => {
      const args = ['node', 'polytrace', 'validate', '--kernel', 'none', 'policies/file-monitoring.yaml'];
      const code = `process.argv = ${JSON.stringify(args)}; require('./lib/cli/main.ts');`;
      assert.equal(runOnPlatform(platform, '--eval', code), 'policies/file-monitoring.yaml: ok\n');
    });
  }
});
