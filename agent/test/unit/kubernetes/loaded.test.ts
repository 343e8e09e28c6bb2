/**
 * The policies that the cluster has at the start: the policies of the previous agent stay active until they are
 * loaded.
 */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import type { Log, PolicyTarget } from '../../../lib/kubernetes/dependencies.js';
import { ClusterPolicies } from '../../../lib/kubernetes/policies.js';
import { FakeApi } from './fake-api.js';

const log: Log = { info: () => undefined, warn: () => undefined, debug: () => undefined };

describe('kubernetes: the policies of the cluster', () => {
  let api: FakeApi;
  let put: string[];
  let policies: ClusterPolicies;

  beforeEach(() => {
    api = new FakeApi();
    put = [];
    const target: PolicyTarget = {
      setPolicy: (origin) => {
        put.push(origin);
        return Promise.resolve(undefined);
      },
      dropPolicy: () => Promise.resolve(),
      policyStatus: () => undefined,
      policyError: () => undefined,
      setNodeLabels: () => Promise.resolve(),
    };
    policies = new ClusterPolicies({ api, nodeName: 'worker-1', target, status: undefined, log });
  });
  afterEach(() => policies.stop());

  const metadata = { name: 'one', uid: 'u1', generation: 1, resourceVersion: '1' };
  const emptyList = ({ path }: { path: string }): object => ({
    metadata: { resourceVersion: '1' },
    items: path.endsWith('/tracingpolicies') ? [{ metadata, spec: {} }] : [],
  });

  it('are loaded when start() resolves', async () => {
    api.answer = emptyList;
    assert.equal(policies.isLoaded, false);
    await policies.start();
    assert.equal(policies.isLoaded, true);
    assert.equal(put.length, 1);
    await policies.whenLoaded;
  });

  it('are loaded later, if the API server does not answer at first', async () => {
    const away = new ApiError(503, 'ServiceUnavailable', 'away');
    api.answer = () => away;
    await policies.start();
    assert.equal(policies.isLoaded, false);
    // one of the two kinds of policies is not enough
    api.answer = (call) => (call.path.endsWith('/tracingpolicies') ? emptyList(call) : away);
    await api.waitUntil(() => put.length === 1);
    assert.equal(policies.isLoaded, false);
    api.answer = emptyList;
    await policies.whenLoaded;
    assert.equal(policies.isLoaded, true);
  });
});
