/** The status of policies: what one node writes, when, and when it does not. */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import { RESOURCES, type NodeState, type PolicyObject, type Resource } from '../../../lib/kubernetes/resources.js';
import { GOOD_NODES_MAX, NODES_MAX, StatusWriter } from '../../../lib/kubernetes/status.js';
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

  it('nothing is written into a full list, except by a node that is in it', async () => {
    const full = others(NODES_MAX - 1);
    const two = new StatusWriter({ api, nodeName: 'n2', log: noLog, nodes: () => 1, random: () => 0 });
    const object = policy([...full, good('n2')]);
    set(bad('n1'), object);
    two.seen('o', object);
    two.set('o', CLUSTER, object, bad('n2'), () => Promise.resolve());
    await api.until(() => api.calls.length === 1);
    await Promise.all([writer.stop(), two.stop()]);
    assert.deepEqual(
      api.calls.map(({ query }) => query?.['fieldManager']),
      ['polytrace-n2'],
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
    set({ ...good('n1'), hooks: 7 });
    await writer.stop();
    assert.equal(api.calls.length, 3);
  });
});
