import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainFailure } from '../../../lib/fleet/errors.js';
import { ownLabels, parseLabels, readLabelsFile, type Labels } from '../../../lib/fleet/nodes/labels.js';
import { parseNodeSelector } from '../../../lib/fleet/nodes/selector.js';

describe('labels of a node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-labels-'));
  const file = (text: string): string => {
    const path = join(folder, 'labels');
    writeFileSync(path, text);
    return path;
  };
  const invalid = (message: RegExp): { readonly code: string; readonly message: RegExp } => ({
    code: 'LABELS_INVALID',
    message,
  });

  it('come from the configuration', () => {
    assert.deepEqual(parseLabels(['role=web', 'x.io/zone=', 'role=db']), { role: 'db', 'x.io/zone': '' });
    for (const text of ['role', '=web', '-a=b', 'a b=c', 'a=b c', 'a=b=c']) {
      assert.throws(() => parseLabels([text]), invalid(/'.*': the (name|value)/), text);
    }
    const many = Array.from({ length: 257 }, (_, i) => `l${i}=`);
    assert.throws(() => parseLabels(many), invalid(/more than 256 labels/));
  });

  it('come from a file in YAML or JSON', () => {
    assert.deepEqual(readLabelsFile(file('labels: { role: web, racks: 3, spot: true }')), { role: 'web', racks: '3', spot: 'true' }); // prettier-ignore
    assert.deepEqual(readLabelsFile(file('{"role": "web"}')), { role: 'web' });
    const wrong: [string, RegExp][] = [
      ['labels: [web]', /labels is not an object/],
      ['role: [web]', /the value of role is not a text/],
      ['- role', /it is not an object with labels/],
      ['role: "a b"', /labels: role: the value has other characters/],
      ['{', /labels: /],
    ];
    for (const [text, message] of wrong) assert.throws(() => readLabelsFile(file(text)), invalid(message), text);
    assert.throws(() => readLabelsFile(join(folder, 'none')), invalid(/none: ENOENT/));
  });

  it('are the plain values of cloud-init', () => {
    const text = JSON.stringify({ v1: { region: 'eu-1', tags: ['a'], 'bad key': 'x', public: 'a b' }, ds: {} });
    assert.deepEqual(readLabelsFile(file(text)), { 'cloud/region': 'eu-1' });
  });

  it('select nodes; each node has its own', () => {
    const labels: Labels = { ...ownLabels('web 1'), role: 'web' };
    assert.equal(labels['polytrace.io/node'], 'web_1');
    const selects = (text: string): boolean => parseNodeSelector(text)(labels);
    assert.deepEqual(['', 'role=web', 'role!=web', '!gpu', 'polytrace.io/node=web_1,gpu'].map(selects), [
      true,
      true,
      false,
      true,
      false,
    ]);
    assert.throws(() => parseNodeSelector('role in'), { code: 'LABELS_INVALID' });
  });

  it('a missing bucket has its remedy in the log', () => {
    const text = explainFailure(new Error('jetstream is not enabled'), 'bucket polytrace-nodes');
    assert.match(text, /^jetstream is not enabled: .*bucket polytrace-nodes yet; `polytrace fleet init` makes it$/);
    assert.equal(explainFailure(new Error('timeout'), 'bucket'), 'timeout');
  });
});
