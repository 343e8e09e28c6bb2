/** The status of policies: what one node writes, when, and when it does not. */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import { RESOURCES, type NodeState, type PolicyObject, type Resource } from '../../../lib/kubernetes/resources.js';
import { GOOD_NODES_MAX, NODES_MAX, roomFor, StatusWriter } from '../../../lib/kubernetes/status.js';
import { FakeApi } from './fake-api.js';

const [CLUSTER, NAMESPACED] = RESOURCES as [Resource, Resource];
const noLog = { info: () => undefined, warn: () => undefined, debug: () => undefined };

const policy = (nodes: readonly NodeState[] = [], namespace?: string): PolicyObject => ({
  metadata: { name: 'p', uid: 'u', generation: 3, ...(namespace && { namespace }) },
  status: { nodes },
});
const good = (name: string): NodeState => ({ name, state: 'enabled', generation: 3, loadedGeneration: 3 });
const bad = (name: string): NodeState => ({ name, state: 'failed', generation: 3, error: 'no such function' });

interface Body {
  readonly metadata: object;
  readonly status: {
    nodes?: NodeState[];
    conditions?: { type: string; message: string; lastTransitionTime: string }[];
  };
}

describe('kubernetes: status', () => {
  let api: FakeApi;
  let writer: StatusWriter;
  let failures: number;
  beforeEach(() => {
    api = new FakeApi();
    failures = 0;
    writer = new StatusWriter({ api, nodeName: 'n1', log: noLog, nodes: () => 1, random: () => 0 });
  });
  afterEach(() => writer.stop());

  const set = (state: NodeState, object = policy(), resource = CLUSTER): void => {
    writer.seen('o', object);
    writer.set('o', resource, object, state, () => {
      failures++;
      return Promise.resolve();
    });
  };
  const bodies = (): Body[] => api.calls.map(({ body }) => body as Body);

  it('is applied by a field manager of the node, with the uid of the object', async () => {
    set(good('n1'), policy([], 'team-a'), NAMESPACED);
    await api.until(() => api.calls.length === 1);
    const [call] = api.calls;
    assert.equal(call?.method, 'PATCH');
    assert.equal(call?.path, '/apis/cilium.io/v1alpha1/namespaces/team-a/tracingpoliciesnamespaced/p/status');
    assert.deepEqual(call?.query, { fieldManager: 'polytrace-n1', force: 'true' });
    assert.equal(call?.contentType, 'application/apply-patch+yaml');
    const [body] = bodies();
    assert.deepEqual(body?.metadata, { name: 'p', namespace: 'team-a', uid: 'u' });
    assert.deepEqual(body?.status.nodes, [good('n1')]);
    assert.deepEqual(
      body?.status.conditions?.map(({ type }) => type),
      ['Loaded'],
    );
  });

  it('makes one write of changes that come together', async () => {
    for (let hooks = 0; hooks < 50; hooks++) set({ ...good('n1'), hooks });
    await api.until(() => api.calls.length === 1);
    await writer.stop();
    assert.equal(api.calls.length, 1);
    assert.equal(bodies()[0]?.status.nodes?.[0]?.hooks, 49);
  });

  it('does not write what is there already, as after a restart of the agent', async () => {
    set(good('n1'), policy([good('n1')]));
    set({ ...good('n1'), hooks: 2 }, policy([good('n1')]));
    await api.until(() => api.calls.length === 1);
    assert.equal(bodies()[0]?.status.nodes?.[0]?.hooks, 2);
  });

  it('reports a failure once it is written, and takes over the condition of another node', async () => {
    const condition = {
      type: 'Failed',
      status: 'True',
      message: 'n0: no such function',
      observedGeneration: 3,
      lastTransitionTime: 'T',
    };
    const object: PolicyObject = { ...policy(), status: { conditions: [condition] } };
    set(bad('n1'), object);
    await api.until(() => api.calls.length === 1);
    await writer.stop();
    assert.equal(failures, 1);
    assert.deepEqual(bodies()[0]?.status.conditions, [condition]);
  });

  const others = (count: number): NodeState[] => Array.from({ length: count }, (_, i) => good(`other${i}`));

  it('a good node stays out of a list that has enough; one with an error does not', async () => {
    set(good('n1'), policy(others(GOOD_NODES_MAX)));
    set(bad('n1'), policy(others(GOOD_NODES_MAX)));
    await api.until(() => api.calls.length === 1);
    assert.equal(bodies()[0]?.status.nodes?.[0]?.state, 'failed');
  });

  const failed = { type: 'Failed', status: 'True', observedGeneration: 3 };
  const withConditions = (nodes: readonly NodeState[], conditions: object[]): PolicyObject =>
    ({ ...policy(nodes), status: { nodes, conditions } }) as PolicyObject;

  it('a full list gets no more nodes, and a failure is in its conditions only once', async () => {
    const full = others(NODES_MAX);
    const two = new StatusWriter({ api, nodeName: 'n2', log: noLog, nodes: () => 1, random: () => 0 });
    two.seen('o', withConditions(full, [failed]));
    two.set('o', CLUSTER, policy(), bad('n2'), () => Promise.resolve());
    set(bad('n1'), policy(full));
    await api.until(() => api.calls.length === 1);
    await Promise.all([writer.stop(), two.stop()]);
    assert.deepEqual(
      api.calls.map(({ query }) => query?.['fieldManager']),
      ['polytrace-n1'],
    );
    const [{ status } = {} as Body] = bodies();
    assert.equal(status.nodes, undefined);
    assert.deepEqual(
      status.conditions?.map(({ type }) => type),
      ['Failed'],
    );
  });

  it('a node in a full list changes its entry', async () => {
    set(bad('n1'), policy([...others(NODES_MAX - 1), good('n1')]));
    await api.until(() => api.calls.length === 1);
    assert.deepEqual(bodies()[0]?.status.nodes, [bad('n1')]);
  });

  it('a failure that is only in the conditions goes when it is mended, also after a restart of the agent', async () => {
    const metadata = { ...policy().metadata, managedFields: [{ manager: 'polytrace-n1' }] };
    set(good('n1'), { ...withConditions(others(NODES_MAX), [failed]), metadata });
    await api.until(() => api.calls.length === 1);
    assert.deepEqual(bodies()[0]?.status, {});
  });

  it('an entry that the server refuses is not tried again; the failure is', async () => {
    api.answer = () => (api.calls.length === 1 ? new ApiError(422, 'Invalid', 'must have at most 100 items') : {});
    set(bad('n1'), policy(others(3)));
    await api.until(() => api.calls.length === 2);
    await writer.stop();
    assert.deepEqual(
      bodies().map(({ status }) => [status.nodes?.length, status.conditions?.length]),
      [
        [1, 1],
        [undefined, 1],
      ],
    );
    assert.equal(failures, 1);
  });

  for (const [nodes, ofGood, ofFailed] of [
    [1, 50, 100],
    [500, 50, 100],
    [1000, 25, 50],
    [5000, 5, 10],
    [100_000, 5, 10],
  ] as const) {
    it(`of ${nodes} nodes, ${ofGood} without and ${ofFailed} with errors write`, () => {
      assert.deepEqual([roomFor(good('n'), nodes), roomFor(bad('n'), nodes)], [ofGood, ofFailed]);
    });
  }

  it('in a large cluster, few nodes write, whoever they are; the others see that there is no room', async () => {
    const NODES = 2000;
    const room = roomFor(good('n'), NODES);
    const writers = Array.from({ length: NODES }, (_, i) => {
      const nodeName = `node${i}`;
      // those of the second turn come 20 seconds later
      const each = new StatusWriter({ api, nodeName, log: noLog, nodes: () => NODES, random: () => 0 });
      each.seen('o', policy());
      each.set('o', CLUSTER, policy(), good(nodeName), () => Promise.resolve());
      return each;
    });
    await api.until(() => api.calls.length >= room / 4);
    await Promise.all(writers.map(async (each) => each.stop()));
    assert.ok(api.calls.length < room * 4, `${api.calls.length} writes for a room of ${room}`);
  });

  it('tries again after a conflict with the writes of other nodes', async function () {
    this.timeout(10_000);
    api.answer = () => (api.calls.length === 1 ? new ApiError(409, 'Conflict', 'the object has been modified') : {});
    set(good('n1'));
    await api.until(() => api.calls.length === 2);
    await writer.stop();
    assert.deepEqual(
      bodies().map(({ status }) => status.nodes),
      [[good('n1')], [good('n1')]],
    );
  });

  it('removes its entry when the policy is for other nodes', async () => {
    const object = policy([good('n1')]);
    writer.seen('o', object);
    writer.withdraw('o', CLUSTER, object);
    await api.until(() => api.calls.length === 1);
    assert.deepEqual(bodies()[0]?.status, {});
  });

  it('tries again after a failure of the server, and not after a refusal', async function () {
    this.timeout(10_000);
    api.answer = () => (api.calls.length === 1 ? new ApiError(503, '', 'busy') : {});
    set(good('n1'));
    await api.until(() => api.calls.length === 2);
    api.answer = () => new ApiError(422, 'Invalid', 'must have at most 100 items');
    set({ ...good('n1'), hooks: 7 });
    await api.until(() => api.calls.length === 3);
    // what the status says about the node is not true any more
    await api.until(() => api.calls.length === 4);
    assert.deepEqual(bodies()[3]?.status, {});
    set({ ...good('n1'), hooks: 7 });
    await writer.stop();
    assert.equal(api.calls.length, 4);
  });
});
