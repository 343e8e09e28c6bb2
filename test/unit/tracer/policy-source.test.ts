/** Values that programs pass where a source of policies is expected. */
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import type { PolytraceError } from '../../../lib/errors.js';
import { parsePolicy } from '../../../lib/policy/index.js';
import { resolveOptions } from '../../../lib/tracer/options.js';
import { checkPolicySource } from '../../../lib/tracer/policy-source.js';

const YAML = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: a }
spec: { kprobes: [{ call: vfs_open, syscall: false }] }
`;

describe('sources of policies', () => {
  it('paths, URLs, text and parsed policies are accepted', () => {
    const sources = ['a.yaml', pathToFileURL('/a.yaml'), { yaml: YAML }, { yaml: YAML, file: 'a' }, parsePolicy(YAML)];
    sources.forEach((source) => checkPolicySource(source));
    resolveOptions({ policies: sources });
  });

  const mistakes: readonly (readonly [source: unknown, message: RegExp, hint: RegExp])[] = [
    [{ file: 'a.yaml' }, /^source is \{ file: 'a\.yaml' \}, not a source/, /^use the path itself, 'a\.yaml'$/],
    [{ spec: { kprobes: [] } }, /^source is \{ spec: \[Object\] \}/, /definePolicy/],
    [{ name: 'a', file: 'a.yaml' }, /^source is \{ name: 'a'/, /parsePolicy or definePolicy/],
    [{}, /^source is \{\}/, /file: URL/],
    [['a.yaml'], /^source is \[ 'a\.yaml' \]/, /path of a file or folder/],
    [null, /^source is null/, /\{ yaml: text \}/],
    [undefined, /^source is undefined/, /\{ yaml: text \}/],
    [5, /^source is 5/, /\{ yaml: text \}/],
    [{ yaml: 5 }, /^source\.yaml is 5/, /text of the policy/],
    [{ yaml: YAML, file: 5 }, /^source\.file is 5/, /name of the policy in messages/],
    [{ href: 5 }, /^source\.href is 5/, /new URL/],
  ];
  for (const [source, message, hint] of mistakes) {
    it(`${JSON.stringify(source)} has a coded error with the remedy`, () => {
      assert.throws(() => checkPolicySource(source as never), { code: 'BAD_OPTION', message, hint });
    });
  }

  it('openTracer names the index of the source', () => {
    const policies = ['a.yaml', { file: 'b.yaml' }] as never;
    const message = /^option policies\[1\] is \{ file: 'b\.yaml' \}/;
    assert.throws(() => resolveOptions({ policies }), { code: 'BAD_OPTION', message });
  });

  it('a long text is shown in part', () => {
    assert.throws(
      () => checkPolicySource({ file: 'x'.repeat(1e6) } as never),
      ({ message, hint }: PolytraceError) => message.length < 300 && hint !== undefined && hint.length < 300,
    );
  });
});
