/** The status of policies: what one node writes, and when. */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import { RESOURCES, type NodeState, type PolicyObject, type Resource } from '../../../lib/kubernetes/resources.js';
import { GOOD_NODES_MAX, NODES_MAX, nodesLimit, StatusWriter } from '../../../lib/kubernetes/status.js';
import { FakeApi } from './fake-api.js';

const [CLUSTER, NAMESPACED] = RESOURCES as [Resource, Resource];
const noLog = { info: () => undefined, warn: () => undefined, debug: () => undefined };

const createPolicy = (nodes: readonly NodeState[] = [], namespace?: string): PolicyObject => ({
  metadata: { name: 'p', uid: 'u', generation: 3, ...(namespace && { namespace }) },
  status: { nodes },
});
const createGood = (name: string): NodeState => ({ name, state: 'enabled', generation: 3, loadedGeneration: 3 });
const createBad = (name: string): NodeState => ({ name, state: 'failed', generation: 3, error: 'no such function' });

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

  const setState = (state: NodeState, object = createPolicy(), resource = CLUSTER): void => {
    writer.observe('o', object);
    writer.setState('o', resource, object, state, () => {
      failures++;
      return Promise.resolve();
    });
  };
  const requestBodies = (): Body[] => api.calls.map(({ body }) => body as Body);

  it('is applied by a field manager of the node, with the uid of the object', async () => {
    setState(createGood('n1'), createPolicy([], 'team-a'), NAMESPACED);
    await api.waitUntil(() => api.calls.length === 1);
    const [call] = api.calls;
    assert.equal(call?.method, 'PATCH');
    assert.equal(call?.path, '/apis/cilium.io/v1alpha1/namespaces/team-a/tracingpoliciesnamespaced/p/status');
    assert.deepEqual(call?.query, { fieldManager: 'polytrace-n1', force: 'true' });
    assert.equal(call?.contentType, 'application/apply-patch+yaml');
    const [body] = requestBodies();
    assert.deepEqual(body?.metadata, { name: 'p', namespace: 'team-a', uid: 'u' });
    assert.deepEqual(body?.status.nodes, [createGood('n1')]);
    assert.deepEqual(
      body?.status.conditions?.map(({ type }) => type),
      ['Loaded'],
    );
  });

  it('has no condition `Loaded` of a generation that failed, also if an earlier one runs', async () => {
    setState({ ...createBad('n1'), loadedGeneration: 2 });
    await api.waitUntil(() => api.calls.length === 1);
    const [body] = requestBodies();
    assert.deepEqual(
      body?.status.conditions?.map(({ type }) => type),
      ['Failed'],
    );
    assert.equal(body?.status.nodes?.[0]?.loadedGeneration, 2);
  });

  it('makes one write of changes that come together', async () => {
    for (let hooks = 0; hooks < 50; hooks++) setState({ ...createGood('n1'), hooks });
    await api.waitUntil(() => api.calls.length === 1);
    await writer.stop();
    assert.equal(api.calls.length, 1);
    assert.equal(requestBodies()[0]?.status.nodes?.[0]?.hooks, 49);
  });

  it('does not write what is there already, as after a restart of the agent', async () => {
    setState(createGood('n1'), createPolicy([createGood('n1')]));
    setState({ ...createGood('n1'), hooks: 2 }, createPolicy([createGood('n1')]));
    await api.waitUntil(() => api.calls.length === 1);
    assert.equal(requestBodies()[0]?.status.nodes?.[0]?.hooks, 2);
  });

  it('reports a failure once it is written, and takes over the condition of another node', async () => {
    const condition = {
      type: 'Failed',
      status: 'True',
      message: 'n0: no such function',
      observedGeneration: 3,
      lastTransitionTime: 'T',
    };
    const object: PolicyObject = { ...createPolicy(), status: { conditions: [condition] } };
    setState(createBad('n1'), object);
    await api.waitUntil(() => api.calls.length === 1);
    await writer.stop();
    assert.equal(failures, 1);
    assert.deepEqual(requestBodies()[0]?.status.conditions, [condition]);
  });

  const createOthers = (count: number): NodeState[] => Array.from({ length: count }, (_, i) => createGood(`other${i}`));

  it('a good node stays out of a list that has enough; one with an error does not', async () => {
    setState(createGood('n1'), createPolicy(createOthers(GOOD_NODES_MAX)));
    setState(createBad('n1'), createPolicy(createOthers(GOOD_NODES_MAX)));
    await api.waitUntil(() => api.calls.length === 1);
    assert.equal(requestBodies()[0]?.status.nodes?.[0]?.state, 'failed');
  });

  const failed = { type: 'Failed', status: 'True', observedGeneration: 3 };
  const withConditions = (nodes: readonly NodeState[], conditions: object[]): PolicyObject =>
    ({ ...createPolicy(nodes), status: { nodes, conditions } }) as PolicyObject;

  it('a full list gets no more nodes, and a failure is in its conditions only once', async () => {
    const full = createOthers(NODES_MAX);
    const two = new StatusWriter({ api, nodeName: 'n2', log: noLog, nodes: () => 1, random: () => 0 });
    two.observe('o', withConditions(full, [failed]));
    two.setState('o', CLUSTER, createPolicy(), createBad('n2'), () => Promise.resolve());
    setState(createBad('n1'), createPolicy(full));
    await api.waitUntil(() => api.calls.length === 1);
    await Promise.all([writer.stop(), two.stop()]);
    assert.deepEqual(
      api.calls.map(({ query }) => query?.['fieldManager']),
      ['polytrace-n1'],
    );
    const [{ status } = {} as Body] = requestBodies();
    assert.equal(status.nodes, undefined);
    assert.deepEqual(
      status.conditions?.map(({ type }) => type),
      ['Failed'],
    );
  });

  it('a node in a full list changes its entry', async () => {
    setState(createBad('n1'), createPolicy([...createOthers(NODES_MAX - 1), createGood('n1')]));
    await api.waitUntil(() => api.calls.length === 1);
    assert.deepEqual(requestBodies()[0]?.status.nodes, [createBad('n1')]);
  });

  it('a failure that is only in the conditions goes when it is mended, also after a restart of the agent', async () => {
    const metadata = { ...createPolicy().metadata, managedFields: [{ manager: 'polytrace-n1' }] };
    setState(createGood('n1'), { ...withConditions(createOthers(NODES_MAX), [failed]), metadata });
    await api.waitUntil(() => api.calls.length === 1);
    assert.deepEqual(requestBodies()[0]?.status, {});
  });

  it('an entry that the server refuses is not tried again; the failure is', async () => {
    api.answer = () => (api.calls.length === 1 ? new ApiError(422, 'Invalid', 'must have at most 100 items') : {});
    setState(createBad('n1'), createPolicy(createOthers(3)));
    await api.waitUntil(() => api.calls.length === 2);
    await writer.stop();
    assert.deepEqual(
      requestBodies().map(({ status }) => [status.nodes?.length, status.conditions?.length]),
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
      assert.deepEqual([nodesLimit(createGood('n'), nodes), nodesLimit(createBad('n'), nodes)], [ofGood, ofFailed]);
    });
  }

  it('in a large cluster, few nodes write, whoever they are; the others see that there is no room', async () => {
    const NODES = 2000;
    const limit = nodesLimit(createGood('n'), NODES);
    const writers = Array.from({ length: NODES }, (_, i) => {
      const nodeName = `node${i}`;
      // the late writers follow 20 seconds later
      const each = new StatusWriter({ api, nodeName, log: noLog, nodes: () => NODES, random: () => 0 });
      each.observe('o', createPolicy());
      each.setState('o', CLUSTER, createPolicy(), createGood(nodeName), () => Promise.resolve());
      return each;
    });
    await api.waitUntil(() => api.calls.length >= limit / 4);
    await Promise.all(writers.map(async (each) => each.stop()));
    assert.ok(api.calls.length < limit * 4, `${api.calls.length} writes for a limit of ${limit}`);
  });

  it('tries again after a conflict with the writes of other nodes', async function () {
    this.timeout(10_000);
    api.answer = () => (api.calls.length === 1 ? new ApiError(409, 'Conflict', 'the object has been modified') : {});
    setState(createGood('n1'));
    await api.waitUntil(() => api.calls.length === 2);
    await writer.stop();
    assert.deepEqual(
      requestBodies().map(({ status }) => status.nodes),
      [[createGood('n1')], [createGood('n1')]],
    );
  });

  it('removes its entry when the policy is for other nodes', async () => {
    const object = createPolicy([createGood('n1')]);
    writer.observe('o', object);
    writer.withdraw('o', CLUSTER, object);
    await api.waitUntil(() => api.calls.length === 1);
    assert.deepEqual(requestBodies()[0]?.status, {});
  });

  it('tries again after a failure of the server, and not after a refusal', async function () {
    this.timeout(10_000);
    api.answer = () => (api.calls.length === 1 ? new ApiError(503, '', 'busy') : {});
    setState(createGood('n1'));
    await api.waitUntil(() => api.calls.length === 2);
    api.answer = () => new ApiError(422, 'Invalid', 'must have at most 100 items');
    setState({ ...createGood('n1'), hooks: 7 });
    await api.waitUntil(() => api.calls.length === 3);
    // the status of the node is no longer true
    await api.waitUntil(() => api.calls.length === 4);
    assert.deepEqual(requestBodies()[3]?.status, {});
    setState({ ...createGood('n1'), hooks: 7 });
    await writer.stop();
    assert.equal(api.calls.length, 4);
  });
});
