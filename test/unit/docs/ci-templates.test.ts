/** The templates for CI, and the files of docs/guard-npm-ci.md that use them: every input and option exists. */
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { commandOptions } from '../../../scripts/command-help.js';
import { readProjectFile } from '../../project.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly 'working-directory'?: string;
}

const action = parse(readProjectFile('action.yml')) as {
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
};
const template = (parse(readProjectFile('ci/gitlab.yml')) as Record<string, unknown>)['.polytrace'] as {
  readonly variables: Readonly<Record<string, string>>;
  readonly before_script: readonly string[];
  readonly script: readonly string[];
};
const page = readProjectFile('docs/guard-npm-ci.md');
const { version, files } = JSON.parse(readProjectFile('package.json')) as { version: string; files: string[] };
const scripts = action.runs.steps.map(({ run = '' }) => run);

function readPageFile(name: string): unknown {
  const { index = -1 } = new RegExp(`file="${name.replaceAll('.', '\\.')}"`).exec(page) ?? assert.fail(name);
  return parse(/```yaml\n([^]*?)```/.exec(page.slice(index))?.[1] ?? assert.fail(name));
}

describe('the templates for CI', () => {
  it('the action runs steps of its own, and no action of somebody else', () => {
    assert.equal(action.runs.using, 'composite');
    for (const { uses, shell } of action.runs.steps) assert.deepEqual([uses, shell], [undefined, 'bash']);
  });

  it('the action has a description and a default for each input, and uses each of them', () => {
    const used = action.runs.steps.flatMap(({ env = {}, 'working-directory': folder = '' }) => [...Object.values(env), folder]);
    const names = used.flatMap((text) => /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(text)?.[1] ?? []);
    assert.deepEqual([...names].sort(), Object.keys(action.inputs).sort());
    for (const [name, input] of Object.entries(action.inputs)) {
      assert.ok(input.description.length > 0, name);
      assert.equal(typeof input.default, 'string', name);
    }
  }); // prettier-ignore

  it('no script has an expression, which would be code of whoever chooses the input; each variable is set', () => {
    for (const { run = '', env = {} } of action.runs.steps) {
      assert.ok(!run.includes('${{'));
      for (const [, name = ''] of run.matchAll(/\$\{?(RUN_\w+|VERSION)/g)) assert.ok(name in env, name);
    }
    for (const [, name = ''] of [...template.before_script, ...template.script].join('\n').matchAll(/\$(\w+)/g))
      assert.ok(name in template.variables, name);
  });

  it('every option is one of the command', () => {
    const known = commandOptions('run');
    const runs = [...scripts, ...template.script].filter((script) => script.includes('polytrace run'));
    const options = runs.flatMap((script) => {
      const own = script.replace(/sudo --preserve-env env/g, '');
      return [...own.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([option]) => option);
    });
    assert.ok(options.length >= 8);
    for (const option of options) assert.ok(known.includes(option), option);
  });

  it('install this version, without scripts, and are in the package', () => {
    assert.equal(action.inputs['version']?.default, version);
    assert.equal(template.variables['POLYTRACE_VERSION'], version);
    for (const script of [scripts[0], template.before_script[0]]) assert.match(script ?? '', /^npm install --global --ignore-scripts .*"polytrace@\$/);
    for (const name of ['action.yml', 'ci']) assert.ok(files.includes(name), name);
  }); // prettier-ignore

  it('the workflow of the page uses inputs that exist, and other actions by their commit', () => {
    const { jobs } = readPageFile('.github/workflows/install.yml') as { jobs: Record<string, { steps: Step[] }> };
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    const own = steps.find(({ uses }) => uses === './.github/actions/polytrace');
    for (const name of Object.keys(own?.with ?? {})) assert.ok(name in action.inputs, name);
    for (const { uses } of steps) assert.match(uses ?? './', /^\.\/|@[0-9a-f]{40}$/);
    for (const name of Object.keys(action.inputs)) assert.ok(page.includes(`\`${name}\``), name);
  });

  it('the GitLab file of the page sets variables that exist', () => {
    const { include, install } = readPageFile('.gitlab-ci.yml') as {
      include: { local: string }[];
      install: { extends: string; variables: Record<string, string> };
    };
    assert.equal(install.extends, '.polytrace');
    assert.ok(page.includes(`cp "$(npm root --global)/polytrace/ci/gitlab.yml" ${include[0]?.local ?? ''}`));
    for (const name of Object.keys(install.variables)) assert.ok(name in template.variables, name);
  });
});
