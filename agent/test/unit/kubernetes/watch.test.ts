/** Lists and watches: the reports after each answer of the API server. */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import { Watch, type KubeObject } from '../../../lib/kubernetes/watch.js';
import { FakeApi, createGoneError } from './fake-api.js';

const createObject = (name: string, resourceVersion = '1'): KubeObject => ({ metadata: { name, resourceVersion } });

describe('kubernetes: watch', () => {
  let api: FakeApi;
  let seen: string[];
  let watch: Watch<KubeObject>;
  let note: () => void;

  beforeEach(() => {
    api = new FakeApi();
    seen = [];
    note = () => undefined;
    const joinNames = (objects: readonly KubeObject[]): string =>
      objects.map(({ metadata }) => metadata.name).join(',');
    const report = (text: string): void => {
      seen.push(text);
      note();
    };
    watch = new Watch<KubeObject>(
      api,
      '/things',
      { fieldSelector: 'a=b' },
      {
        replaceAll: (objects) => report(`all ${joinNames(objects)}`),
        set: ({ metadata }) => report(`set ${metadata.name}`),
        remove: ({ metadata }) => report(`remove ${metadata.name}`),
        setConnection: (error) => report(error === undefined ? 'connected' : `away: ${error.message}`),
      },
    );
  });
  afterEach(() => watch.stop());

  const waitForReport = async (text: string): Promise<void> => {
    while (!seen.includes(text)) await new Promise<void>((resolve) => (note = resolve));
  };
  const createList = (items: readonly KubeObject[], resourceVersion: string, next?: string): object => ({
    metadata: { resourceVersion, ...(next && { continue: next }) },
    items,
  });

  it('reads a list in pages, then follows changes from its version', async () => {
    api.answer = ({ query }) =>
      query?.['continue'] === undefined
        ? createList([createObject('a')], '7', 'more')
        : createList([createObject('b')], '7');
    await watch.start();
    await api.waitUntil(() => api.streams.length === 1);
    assert.deepEqual(seen.slice(0, 1), ['all a,b']);
    assert.equal(api.calls[0]?.query?.['fieldSelector'], 'a=b');
    const [stream] = api.streams;
    assert.equal(stream?.options.query['resourceVersion'], '7');
    assert.equal(stream?.options.query['allowWatchBookmarks'], 'true');
    stream?.push({ type: 'ADDED', object: createObject('c', '8') });
    stream?.push({ type: 'DELETED', object: createObject('a', '9') });
    await waitForReport('remove a');
    assert.deepEqual(seen, ['all a,b', 'connected', 'set c', 'remove a']);
  });

  it('goes on from a bookmark after the connection has ended, without a list', async () => {
    api.answer = () => createList([], '7');
    await watch.start();
    await api.waitUntil(() => api.streams.length === 1);
    api.streams[0]?.push({ type: 'BOOKMARK', object: { metadata: { name: '', resourceVersion: '50' } } });
    api.streams[0]?.end();
    await api.waitUntil(() => api.streams.length === 2);
    assert.equal(api.streams[1]?.options.query['resourceVersion'], '50');
    assert.equal(api.calls.length, 1);
  });

  for (const [title, end] of [
    ['as the status of an answer', (fake: FakeApi) => fake.streams[0]?.end(createGoneError())],
    [
      'as an event',
      (fake: FakeApi) =>
        fake.streams[0]?.push({ type: 'ERROR', object: { metadata: {}, code: 410, reason: 'Expired' } }),
    ],
  ] as const) {
    it(`lists again when the version is too old: 410 ${title}`, async () => {
      let version = 7;
      api.answer = () => createList([createObject(`at${version}`)], String(version));
      await watch.start();
      await api.waitUntil(() => api.streams.length === 1);
      version = 90;
      end(api);
      await api.waitUntil(() => api.streams.length === 2);
      assert.equal(api.streams[1]?.options.query['resourceVersion'], '90');
      assert.ok(seen.includes('all at90'));
      assert.ok(!seen.some((text) => text.startsWith('away')), seen.join('; '));
    });
  }

  it('reports nothing but the state while the server is away', async () => {
    api.answer = () => createList([createObject('a')], '7');
    await watch.start();
    await api.waitUntil(() => api.streams.length === 1);
    api.refuse = new Error('refused');
    api.streams[0]?.end(new Error('reset'));
    await waitForReport('away: refused');
    api.refuse = undefined;
    await api.waitUntil(() => api.streams.length === 2);
    assert.deepEqual(seen, ['all a', 'connected', 'away: reset', 'away: refused', 'connected']);
    assert.equal(api.streams[1]?.options.query['resourceVersion'], '7');
  });

  it('resolves the start when the server does not answer, and lists later', async () => {
    api.answer = () => new ApiError(503, '', 'starting', 0);
    await watch.start();
    assert.deepEqual(seen, ['away: starting']);
    api.answer = () => createList([createObject('a')], '7');
    await api.waitUntil(() => api.streams.length === 1);
    assert.deepEqual(seen.at(-2), 'all a');
  });

  it('does not ask again while it is stopped', async () => {
    api.answer = () => createList([], '7');
    await watch.start();
    await api.waitUntil(() => api.streams.length === 1);
    await watch.stop();
    assert.equal(api.calls.length, 1);
    assert.equal(api.streams.length, 1);
  });
});
