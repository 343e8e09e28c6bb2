/** The policies of several sources: who holds a name, what is tried again, and who waits for whom. */
import assert from 'node:assert/strict';
import { PolicyExists } from '../../../lib/policies/reconciler.js';
import { PolicyHeld } from '../../../lib/policies/client-changes.js';
import { hashText, Journal, type ReportedChange } from '../../../lib/policies/journal.js';
import { PolicyStore, type PolicyEntry } from '../../../lib/policies/store.js';
import { FakeLog, FakeTracer, policyText } from './support.js';

describe('the policies of all sources', () => {
  let fake: FakeTracer;
  let output: FakeLog;
  let store: PolicyStore;
  let reported: ReportedChange[];

  beforeEach(() => {
    fake = new FakeTracer();
    output = new FakeLog();
    reported = [];
    const journal = new Journal(output.log, (change) => reported.push(change));
    store = new PolicyStore(fake.tracer, output.log, undefined, journal);
  });
  afterEach(() => store.stop());

  const setFiles = (files: Record<string, string | Error>, problems: Record<string, Error> = {}): Promise<void> =>
    store.setFiles({ files: new Map(Object.entries(files)), problems: new Map(Object.entries(problems)) });
  const listErrors = (): (string | undefined)[] => store.list().map(({ error }) => error);
  const findFile = (name: string): PolicyEntry | undefined =>
    store.list().find((each) => each.name === name && each.status !== undefined);

  it('a copy of a file takes nothing from it, and its removal changes nothing', async () => {
    await setFiles({ '/p/guard.yaml': policyText('guard') });
    // the name of the copy sorts before that of the file
    await setFiles({ '/p/guard-old.yaml': policyText('guard'), '/p/guard.yaml': policyText('guard') });
    assert.match(listErrors().join(), /guard is loaded already, from \/p\/guard\.yaml/);
    assert.ok(store.isDegraded);
    await setFiles({ '/p/guard.yaml': policyText('guard') });
    assert.deepEqual(fake.calls, ['add guard']);
    assert.equal(findFile('guard')?.file, '/p/guard.yaml');
    assert.ok(!store.isDegraded);
  });

  it('a renamed file keeps its policy, and a file that waits for a name gets it without a gap', async () => {
    await setFiles({ '/p/a.yaml': policyText('guard') });
    await setFiles({ '/p/b.yaml': policyText('guard') });
    assert.equal(findFile('guard')?.file, '/p/b.yaml');
    await setFiles({ '/p/b.yaml': policyText('guard'), '/p/c.yaml': policyText('guard', '/other') });
    await setFiles({ '/p/c.yaml': policyText('guard', '/other') });
    assert.deepEqual(fake.calls, ['add guard', 'replace guard']);
    assert.deepEqual(listErrors(), [undefined]);
  });

  it('two files exchange their names', async () => {
    await setFiles({ '/p/a.yaml': policyText('one'), '/p/b.yaml': policyText('two', '/2') });
    await setFiles({ '/p/a.yaml': policyText('two', '/3'), '/p/b.yaml': policyText('one', '/4') });
    assert.deepEqual(listErrors(), [undefined, undefined]);
    assert.deepEqual(fake.calls, ['add one', 'add two', 'replace two', 'replace one']);
    assert.deepEqual([findFile('one')?.file, findFile('two')?.file], ['/p/b.yaml', '/p/a.yaml']);
  });

  it('a file whose policy gets another name removes the policy with the earlier name last', async () => {
    await setFiles({ '/p/a.yaml': policyText('one') });
    await setFiles({ '/p/a.yaml': policyText('two') });
    assert.deepEqual(fake.calls, ['add one', 'add two', 'remove one']);
  });

  it('a resource of the cluster waits for the name of a file, and a client cannot take or remove either', async () => {
    await setFiles({ '/p/a.yaml': policyText('guard') });
    const error = await store.setPolicy('kubernetes:guard', policyText('guard', '/other'), String);
    assert.match(error ?? '', /guard is loaded already, from \/p\/a\.yaml/);
    await assert.rejects(store.add(policyText('guard')), PolicyExists);
    await assert.rejects(store.add(policyText('guard'), { replace: true }), PolicyExists);
    await assert.rejects(store.remove('guard'), PolicyHeld);
    await setFiles({});
    assert.equal(store.policyError('kubernetes:guard'), undefined);
    assert.deepEqual(fake.calls, ['add guard', 'replace guard']);
    assert.equal(store.policyStatus('kubernetes:guard')?.state, 'enabled');
  });

  it('a name that a client gives up goes to the file that waits for it', async () => {
    await store.add(policyText('guard'));
    await setFiles({ '/p/a.yaml': policyText('guard', '/other') });
    assert.match(listErrors().join(), /from a client/);
    await store.remove('guard');
    await setFiles({ '/p/a.yaml': policyText('guard', '/other') });
    assert.deepEqual(fake.calls, ['add guard', 'remove guard', 'add guard']);
    assert.deepEqual(listErrors(), [undefined]);
  });

  it('what cannot be read changes nothing, and is in the log once', async () => {
    await setFiles({ '/p/a.yaml': policyText('guard') });
    for (let i = 0; i < 3; i++) {
      await setFiles({ '/p/a.yaml': new Error('EACCES') }, { '/q': new Error('/q: PATH_AWAY') });
    }
    assert.deepEqual(fake.calls, ['add guard']);
    assert.deepEqual([store.failedCount, store.unreadableCount, store.isDegraded], [1, 1, true]);
    assert.deepEqual([output.count('EACCES'), output.count('PATH_AWAY'), output.count('is degraded')], [1, 1, 1]);
    assert.deepEqual(listErrors(), ['EACCES', '/q: PATH_AWAY']);
    await setFiles({ '/p/a.yaml': policyText('guard') });
    assert.deepEqual([store.isDegraded, output.count('good again')], [false, 1]);
    assert.deepEqual(fake.calls, ['add guard']);
  });

  it('a policy that the kernel refuses is tried again by itself, and its error is in the log once', async function () {
    this.timeout(20_000);
    fake.refused.add('late');
    await setFiles({ '/p/late.yaml': policyText('late') });
    assert.match(listErrors().join(), /no such function/);
    await store.retry();
    assert.equal(output.count('no such function'), 1);
    fake.refused.clear();
    const loaded = new Promise<void>((resolve) => (fake.beforeChange = () => Promise.resolve(resolve())));
    await loaded;
    await setFiles({ '/p/late.yaml': policyText('late') });
    assert.deepEqual(listErrors(), [undefined]);
  });

  it('knows which names a source may want whose policy is not loaded', async () => {
    const missing = (): (string | undefined)[] =>
      ['good', 'late', 'other', undefined].filter((name) => store.isMissing(name));
    fake.refused.add('late');
    const good = { '/p/good.yaml': policyText('good') };
    await setFiles(good);
    assert.deepEqual(missing(), []);
    await setFiles({ ...good, '/p/late.yaml': policyText('late') });
    assert.deepEqual(missing(), ['late', undefined]);
    await setFiles({ ...good, '/p/late.yaml': 'kind: [TracingPolicy' });
    assert.deepEqual(missing(), ['late', 'other', undefined]);
    await setFiles({ ...good, '/p/late.yaml': new Error('it is a FIFO') });
    assert.deepEqual(missing(), ['late', 'other', undefined]);
    // the loaded version stays
    await setFiles({ '/p/good.yaml': 'kind: [TracingPolicy' });
    assert.deepEqual(missing(), []);
    await setFiles({});
    assert.deepEqual(missing(), []);
  });

  it('a policy that cannot be removed is still listed, and removed later', async () => {
    await setFiles({ '/p/a.yaml': policyText('guard') });
    fake.refused.add('guard');
    await setFiles({});
    assert.match(listErrors().join(), /no such function/);
    fake.refused.clear();
    await store.retry();
    assert.deepEqual([store.list(), [...fake.loaded]], [[], []]);
  });

  it('a request of a client comes before the files that wait', async () => {
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`/p/${i}.yaml`, policyText(`f${i}`)]));
    const all = setFiles(files);
    await store.add(policyText('urgent'));
    assert.ok(fake.calls.length <= 3, fake.calls.join());
    await store.configure('urgent', { enable: false });
    assert.ok(fake.calls.length <= 5, fake.calls.join());
    await all;
    assert.equal(fake.calls.length, 52);
  });

  it('a new version is enabled, and the same version in another file stays as a client has set it', async () => {
    await setFiles({ '/p/a.yaml': policyText('guard') });
    await store.configure('guard', { enable: false });
    await setFiles({ '/p/b.yaml': policyText('guard') });
    assert.equal(findFile('guard')?.status?.state, 'disabled');
    await setFiles({ '/p/b.yaml': policyText('guard', '/new') });
    assert.equal(findFile('guard')?.status?.state, 'enabled');
  });

  it('the log and an event say what changed, from which text to which, and who did it', async () => {
    const [first, second] = [policyText('p', '/1'), policyText('p', '/2')];
    const by = { address: 'unix', pid: 7, uid: 1000, execId: 'id', binary: '/usr/bin/tetra' };
    await setFiles({ '/p/p.yaml': first });
    await setFiles({ '/p/p.yaml': second });
    await store.configure('p', { mode: 'monitor' }, by);
    await setFiles({});
    await store.add(first, { by });
    await store.add(second, { replace: true, by });
    await store.configure('p', { enable: false }, by);
    await store.remove('p', by);
    const [before, after] = [hashText(first), hashText(second)];
    const file = '/p/p.yaml';
    const policy = 'p';
    assert.deepEqual(
      output.lines.map((line) => JSON.parse(`[${line.replace('} "', '}, "')}]`) as unknown),
      [
        [{ policy, file, after: before }, 'a policy was loaded'],
        [{ policy, file, before, after }, 'a policy was replaced'],
        [{ policy, by, before: after, after, mode: 'monitor' }, 'a client changed a policy'],
        [{ policy, file, before: after }, 'a policy was removed'],
        [{ policy, by, after: before }, 'a client added a policy'],
        [{ policy, by, before, after }, 'a client replaced a policy'],
        [{ policy, by, before: after, after, enable: false }, 'a client changed a policy'],
        [{ policy, by, before: after }, 'a client removed a policy'],
      ],
    );
    const common = { policyName: 'p', policyNamespace: '' };
    const byFile = { ...common, way: 'file', source: file };
    const byClient = { ...common, way: 'client', source: '', client: by };
    assert.deepEqual(reported, [
      { ...byFile, operation: 'policy_add', after: before },
      { ...byFile, operation: 'policy_replace', before, after },
      { ...byClient, operation: 'policy_configure', before: after, after, mode: 'monitor' },
      { ...byFile, operation: 'policy_remove', before: after },
      { ...byClient, operation: 'policy_add', after: before },
      { ...byClient, operation: 'policy_replace', before, after },
      { ...byClient, operation: 'policy_configure', before: after, after, enabled: false },
      { ...byClient, operation: 'policy_remove', before: after },
    ]);
  });
});
