/** The containers in a scope, and the default for unknown containers. */
import assert from 'node:assert/strict';
import type { ContainerInfo } from '../../../types/containers.js';
import { compilePolicy } from '../../../lib/policy/index.js';
import type { Scope } from '../../../lib/compiled/compiled-policy.js';
import { containsContainer, containsHost, UNNAMED } from '../../../lib/tracer/scope-members.js';
import { policyYaml } from '../policy/marked-policies.js';

/** Compiles the scope of a policy with these lines under `spec`. */
function compileScope(spec: string, namespace?: string): Scope {
  const text = policyYaml(`${spec}\nkprobes: [{call: f}]`);
  const yaml =
    namespace === undefined
      ? text
      : text
          .replace('kind: TracingPolicy', 'kind: TracingPolicyNamespaced')
          .replace('name: test', `name: test\n  namespace: "${namespace}"`);
  const [scope] = compilePolicy(yaml).scopes;
  assert.ok(scope !== undefined);
  return scope;
}

const ID = 'a'.repeat(64);
const web: ContainerInfo = {
  id: ID,
  runtime: 'containerd',
  name: 'main',
  image: { name: 'registry:5000/library/nginx:1.27@sha256:00' },
  pod: { namespace: 'shop', name: 'web-0', labels: { app: 'web', tier: '' } },
};
const docker: ContainerInfo = {
  id: ID,
  runtime: 'docker',
  name: 'db',
  image: { name: 'postgres' },
  labels: { 'a b': 'c' },
};
/** A container that only the cgroup source knows. */
const found: ContainerInfo = {
  id: ID,
  runtime: 'containerd',
  cgroupPath: `/kubepods/burstable/pod3f9d8f4e-0000-4000-8000-000000000000/${ID}`,
};

const cases: readonly (readonly [spec: string, is: readonly ContainerInfo[], isNot: readonly ContainerInfo[]])[] = [
  ['podSelector: {matchLabels: {app: web}}', [web], [docker, found, UNNAMED]],
  ['podSelector: {matchLabels: {app: web, tier: a}}', [], [web]],
  ['podSelector: {matchExpressions: [{key: app, operator: In, values: [api, web]}]}', [web], [docker, found, UNNAMED]],
  ['podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}', [found, UNNAMED], [web, docker]],
  ['podSelector: {matchExpressions: [{key: x, operator: NotIn, values: [web]}]}', [web, found, UNNAMED], [docker]],
  ['podSelector: {matchExpressions: [{key: tier, operator: Exists}]}', [web], [docker, found, UNNAMED]],
  ['podSelector: {matchExpressions: [{key: x, operator: DoesNotExist}]}', [web, found, UNNAMED], [docker]],
  ['podSelector: {matchExpressions: [{key: toString, operator: Exists}]}', [], [web, docker, found, UNNAMED]],
  ['podSelector: {}', [web, found, UNNAMED], [docker]],
  ['podSelector: {matchLabels: {"k8s:io.kubernetes.pod.namespace": shop}}', [web], [docker, found, UNNAMED]],
  ['containerSelector: {}', [web, docker, found, UNNAMED], []],
  ['containerSelector: {matchLabels: {name: db}}', [docker], [web, found, UNNAMED]],
  ['containerSelector: {matchLabels: {repo: "registry:5000/library/nginx"}}', [web], [docker, found, UNNAMED]],
  ['containerSelector: {matchLabels: {repo: postgres}}', [docker], [web]],
  ['containerSelector: {matchLabels: {image: "registry:5000/library/nginx:1.27@sha256:00"}}', [web], [docker]],
  ['containerSelector: {matchLabels: {runtime: containerd}}', [web, found], [docker, UNNAMED]],
  ['containerSelector: {matchLabels: {"label:a b": c}}', [docker], [web, found, UNNAMED]],
  [`containerSelector: {matchLabels: {id: ${ID}}}`, [web, docker, found], [UNNAMED]],
  ['podSelector: {}\ncontainerSelector: {matchLabels: {name: main}}', [web], [docker, found, UNNAMED]],
  ['hostSelector: {}', [], [web, docker, found, UNNAMED]],
  ['hostSelector: {}\ncontainerSelector: {matchLabels: {name: db}}', [docker], [web]],
];

describe('members of scopes', () => {
  for (const [spec, is, isNot] of cases) {
    it(spec.replaceAll('\n', ', '), () => {
      const scope = compileScope(spec);
      for (const info of is) assert.ok(containsContainer(scope, info), JSON.stringify(info));
      for (const info of isNot) assert.ok(!containsContainer(scope, info), JSON.stringify(info));
    });
  }

  it('are the containers of one namespace for a policy of that namespace', () => {
    const scope = compileScope('podSelector: {matchLabels: {app: web}}', 'shop');
    assert.deepEqual(
      [web, docker, found, UNNAMED].map((info) => containsContainer(scope, info)),
      [true, false, false, false],
    );
    assert.ok(!containsContainer(compileScope('', 'other'), web));
    assert.ok(!containsHost(compileScope('', 'shop'), {}));
  });

  it('are the processes of the host for a policy of the empty namespace', () => {
    const scope = compileScope('', '');
    assert.ok(containsHost(scope, {}));
    assert.deepEqual(
      [web, docker, found, UNNAMED].map((info) => containsContainer(scope, info)),
      [false, false, false, false],
    );
  });

  it('are the processes of the host if the labels of the node match', () => {
    assert.ok(containsHost(compileScope('hostSelector: {}'), {}));
    const scope = compileScope('hostSelector: {matchLabels: {zone: a}}');
    assert.deepEqual(
      [{ zone: 'a' }, { zone: 'b' }, {}].map((labels) => containsHost(scope, labels)),
      [true, false, false],
    );
    assert.ok(!containsHost(compileScope('podSelector: {}'), {}));
  });

  it('are only known containers in a scope that exempts', () => {
    const { scopes } = compilePolicy(
      policyYaml(
        'kprobes: [{call: f, selectors: [{matchWorkloads: {podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}}, matchActions: [{action: NoPost}]}]}]',
      ),
    );
    const [scope] = scopes as [Scope];
    assert.equal(scope.exempts, true);
    assert.deepEqual(
      [web, docker, found, UNNAMED].map((info) => containsContainer(scope, info)),
      [true, false, false, false],
    );
    // The label may be among the labels that were left out.
    assert.ok(!containsContainer(scope, { ...web, pod: { namespace: 'a', name: 'b' }, truncated: true }));
    assert.ok(
      containsContainer({ ...scope, exempts: false }, { ...web, pod: { namespace: 'a', name: 'b' }, truncated: true }),
    );
  });

  it('equal scopes are merged, whatever their order', () => {
    const compiled = compilePolicy(
      policyYaml(`podSelector: {matchLabels: {b: c, a: d}}
kprobes:
- call: f
  selectors:
  - matchWorkloads: {podSelector: {matchExpressions: [{key: a, operator: In, values: [d, d]}, {key: b, operator: In, values: [c]}]}}
  - matchWorkloads: {hostSelector: {}}
  - matchWorkloads: {}
- call: g`),
    );
    assert.equal(compiled.scopes.length, 2);
    assert.deepEqual(
      compiled.hooks.map(({ scopes }) => scopes),
      [
        [
          { scope: 0, selectors: [0, 1, 2] },
          { scope: 1, selectors: [1] },
        ],
        [{ scope: 0, selectors: [0] }],
      ],
    );
  });

  it('three selectors that select everything make no scope', () => {
    assert.deepEqual(
      compilePolicy(policyYaml('podSelector: {}\ncontainerSelector: {}\nhostSelector: {}\nkprobes: [{call: f}]'))
        .scopes,
      [],
    );
  });

  it('too many scopes are refused, and the error names their selectors', () => {
    const podSelectors = (from: number): string =>
      Array.from(
        { length: 60 },
        (_, i) => `{matchWorkloads: {containerSelector: {matchLabels: {name: c${from + i}}}}}`,
      ).join(', ');
    const hooks = [0, 60, 120, 180, 240].map((from) => `{call: f${from}, selectors: [${podSelectors(from)}]}`);
    assert.throws(() => compilePolicy(policyYaml(`kprobes: [${hooks.join(', ')}]`)), { code: 'LIMIT_SCOPES' });
    assert.equal(compilePolicy(policyYaml(`kprobes: [${hooks.slice(0, 4).join(', ')}]`)).scopes.length, 240);
  });
});
