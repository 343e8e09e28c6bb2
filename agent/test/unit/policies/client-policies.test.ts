/** The policies of clients that outlive the agent. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientPolicies } from '../../../lib/policies/client-policies.js';
import { PolicyStore } from '../../../lib/policies/store.js';
import { FakeLog, FakeTracer, policyText } from './support.js';

describe('policies of clients that persist', () => {
  let root: string;
  let folder: string;
  let fake: FakeTracer;
  let store: PolicyStore;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'polytrace-records-'));
    folder = join(root, 'grpc-policies');
  });
  afterEach(() => {
    store.stop();
    chmodSync(root, 0o700);
    rmSync(root, { recursive: true, force: true });
  });

  /** The agent ends, and the next one starts. */
  async function restart(): Promise<void> {
    store?.stop();
    fake = new FakeTracer();
    store = new PolicyStore(fake.tracer, new FakeLog().log, new ClientPolicies(folder));
    await store.restore();
  }
  const listStates = (): unknown[] => store.list().map(({ name, status }) => [name, status?.state]);
  const recordFile = (): string => join(folder, readdirSync(folder)[0] ?? '');

  it('are loaded again with their mode and state, until a client removes them', async () => {
    await restart();
    await store.add(policyText('kept'), { mode: 'monitor' });
    await store.add(policyText('other'));
    await store.configure('kept', { enable: false });
    await restart();
    assert.deepEqual(listStates().sort(), [
      ['kept', 'disabled'],
      ['other', 'enabled'],
    ]);
    await store.remove('kept');
    await store.remove('other');
    await restart();
    assert.deepEqual([store.list(), readdirSync(folder)], [[], []]);
  });

  it('have records with the members of the facts, for nobody else to read', async () => {
    await restart();
    await store.add(policyText('kept'));
    const record = JSON.parse(readFileSync(recordFile(), 'utf8')) as object;
    assert.deepEqual(record, { domain: '', name: 'kept', namespace: '', yaml: policyText('kept'), enabled: true });
  });

  it('that are replaced are loaded in their last version, and a version that fails changes nothing', async () => {
    await restart();
    await store.add(policyText('kept', '/1'));
    await store.add(policyText('kept', '/2'), { replace: true });
    fake.refused.add('kept');
    await assert.rejects(store.add(policyText('kept', '/3'), { replace: true }), /no such function/);
    const { yaml } = JSON.parse(readFileSync(recordFile(), 'utf8')) as { readonly yaml: string };
    assert.match(yaml, /"\/2"/);
    await assert.rejects(
      store.add(policyText('new')).then(() => store.remove('nobody')),
      /there is no policy nobody/,
    );
  });

  it('that cannot be kept are not loaded', async () => {
    await restart();
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file in the place of the folder');
    await assert.rejects(store.add(policyText('lost')), /FILE_UNREADABLE: EEXIST/);
    assert.deepEqual(fake.calls, []);
  });

  it('keep their name before a file that comes later, and a damaged record is reported', async () => {
    await restart();
    await store.add(policyText('kept'));
    writeFileSync(join(folder, 'bad.json'), '{"name":');
    await restart();
    await store.setFiles({ files: new Map([['/p/a.yaml', policyText('kept', '/other')]]), problems: new Map() });
    assert.match(
      store
        .list()
        .map(({ error }) => error)
        .join('\n'),
      /loaded already, from a client\n.*FILE_DAMAGED/s,
    );
    assert.equal(store.unreadableCount, 1);
    assert.deepEqual(fake.calls, ['add kept']);
  });

  it('that the kernel refuses now are listed with the reason, and can be removed', async () => {
    await restart();
    await store.add(policyText('kept'));
    store.stop();
    fake = new FakeTracer();
    fake.refused.add('kept');
    store = new PolicyStore(fake.tracer, new FakeLog().log, new ClientPolicies(folder));
    await store.restore();
    assert.deepEqual(
      store.list().map(({ name, error }) => [name, error]),
      [['kept', 'no such function']],
    );
    await assert.rejects(store.add(policyText('kept')), /is loaded already|no such function/);
    await store.remove('kept');
    assert.deepEqual([store.list(), readdirSync(folder)], [[], []]);
  });
});
