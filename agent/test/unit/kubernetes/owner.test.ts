/** The DaemonSet of the agent: whether it is gone. */
import assert from 'node:assert/strict';
import { ApiError } from '../../../lib/kubernetes/client.js';
import { Owner } from '../../../lib/kubernetes/owner.js';
import { FakeApi } from './fake-api.js';

describe('kubernetes: the DaemonSet of the agent', () => {
  let api: FakeApi;
  let owner: Owner;
  let warnings: string[];
  const { signal } = new AbortController();
  const refuse = (status: number): void => void (api.answer = () => new ApiError(status, '', String(status)));

  beforeEach(() => {
    api = new FakeApi();
    api.answer = () => ({ metadata: { name: 'polytrace' } });
    warnings = [];
    const warn = (_: object, message: string): void => void warnings.push(message);
    owner = new Owner(api, 'kube-system/polytrace', { info: () => undefined, debug: () => undefined, warn });
  });

  it('is there during an update', async () => {
    await owner.confirm(signal);
    assert.equal(await owner.isGone(), false);
    assert.equal(api.calls[0]?.path, '/apis/apps/v1/namespaces/kube-system/daemonsets/polytrace');
  });

  it('is gone when it is deleted, also together with the rights of the agent', async () => {
    await owner.confirm(signal);
    for (const status of [404, 403, 401]) {
      refuse(status);
      assert.equal(await owner.isGone(), true, String(status));
    }
    api.answer = () => ({ metadata: { name: 'polytrace', deletionTimestamp: '2026-01-01T00:00:00Z' } });
    assert.equal(await owner.isGone(), true);
  });

  it('is not gone when the API server does not answer', async () => {
    await owner.confirm(signal);
    for (const status of [500, 503, 429]) {
      refuse(status);
      assert.equal(await owner.isGone(), false, String(status));
    }
    api.answer = () => new Error('the connection was refused');
    assert.equal(await owner.isGone(), false);
  });

  it('cannot be gone if the agent has never seen it', async () => {
    refuse(403);
    await owner.confirm(signal);
    assert.deepEqual(warnings, ['policies stay active when the DaemonSet of the agent is deleted']);
    refuse(404);
    assert.equal(await owner.isGone(), false);
  });
});
