/** The start and the end of the connection to a cluster, also with an API server that hangs. */
import assert from 'node:assert/strict';
import { ApiError, type Api, type CallOptions } from '../../../lib/kubernetes/client.js';
import type { Log, PolicyTarget } from '../../../lib/kubernetes/dependencies.js';
import { ClusterError, Kubernetes } from '../../../lib/kubernetes/kubernetes.js';
import { FakeApi } from './fake-api.js';

const OPTIONS = { nodeName: 'worker-1', policies: true, annotations: false, podInfo: false, startMs: 50 };

/** Accepts requests and answers none of them, until `answer()`. */
class HangingApi implements Api {
  readonly fake = new FakeApi();
  pending = 0;
  #onAnswer: () => void = () => undefined;
  readonly #answered = new Promise<void>((resolve) => (this.#onAnswer = resolve));
  readonly streamLines = this.fake.streamLines.bind(this.fake) as Api['streamLines'];

  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    this.pending++;
    try {
      await Promise.race([
        this.#answered,
        new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(new Error('aborted')))),
      ]);
    } finally {
      this.pending--;
    }
    return this.fake.call(method, path, options);
  }

  answer(): void {
    this.#onAnswer();
  }
}

describe('kubernetes: the start of the agent', () => {
  let log: Log;
  let messages: string[];
  let loaded: string[];
  let target: PolicyTarget;

  beforeEach(() => {
    messages = [];
    loaded = [];
    const add = (_: object, message: string): void => void messages.push(message);
    log = { info: add, warn: add, debug: () => undefined };
    target = {
      setPolicy: (origin) => {
        loaded.push(origin);
        return Promise.resolve(undefined);
      },
      dropPolicy: () => Promise.resolve(),
      policyStatus: () => undefined,
      policyError: () => undefined,
      setNodeLabels: () => Promise.resolve(),
    };
  });

  const metadata = { name: 'one', uid: 'u1', generation: 1, resourceVersion: '1' };
  const answer = ({ path }: { path: string }): object =>
    path.startsWith('/apis/apiextensions')
      ? { metadata: { name: 'crd', labels: {} } }
      : {
          metadata: { resourceVersion: '1' },
          items: path.endsWith('/tracingpolicies') ? [{ metadata, spec: {} }] : [],
        };

  it('does not wait for an API server that hangs, and takes its policies later', async () => {
    const api = new HangingApi();
    api.fake.answer = answer;
    const kubernetes = await Kubernetes.connect(OPTIONS, log, api);
    assert.match(messages.join('\n'), /the labels of this node are not known/);
    await kubernetes.start(target);
    assert.match(messages.join('\n'), /the policies of the cluster come later/);
    // the policies of an earlier agent have to stay
    assert.equal(kubernetes.isLoaded, false);
    assert.deepEqual(loaded, []);
    api.answer();
    await kubernetes.whenLoaded;
    assert.equal(kubernetes.isLoaded, true);
    assert.deepEqual(loaded, ['kubernetes:tracingpolicies/one']);
    await kubernetes.stop();
  });

  it('ends while the API server hangs', async () => {
    const api = new HangingApi();
    const kubernetes = await Kubernetes.connect(OPTIONS, log, api);
    await kubernetes.start(target);
    assert.notEqual(api.pending, 0);
    await kubernetes.stop();
    // that of connect() has no end of its own here
    assert.equal(api.pending, 1);
  });

  it('names the setting when the node does not exist', async () => {
    const api = new FakeApi();
    api.answer = () => new ApiError(404, 'NotFound', 'nodes "worker-1" not found');
    await assert.rejects(Kubernetes.connect(OPTIONS, log, api), (error: unknown) => {
      assert.ok(error instanceof ClusterError);
      assert.equal(error.setting, 'nodeName');
      assert.match(error.message, /no node 'worker-1': use a name of `kubectl get nodes`/);
      return true;
    });
  });

  it('says that this is no pod when there is no service account', async () => {
    const { KUBERNETES_SERVICE_HOST: host } = process.env;
    delete process.env['KUBERNETES_SERVICE_HOST'];
    try {
      const message = /service account .* KUBERNETES_SERVICE_HOST is not set .*name a kubeconfig/;
      await assert.rejects(
        Kubernetes.connect(OPTIONS, log),
        (error: Error) => error instanceof ClusterError && message.test(error.message),
      );
    } finally {
      if (host !== undefined) process.env['KUBERNETES_SERVICE_HOST'] = host;
    }
  });

  it('names the setting when the configuration cannot be read', async () => {
    await assert.rejects(Kubernetes.connect({ ...OPTIONS, kubeconfig: '/nowhere/config' }, log), (error: unknown) => {
      assert.ok(error instanceof ClusterError);
      assert.equal(error.setting, 'k8sKubeconfigPath');
      assert.match(error.message, /\/nowhere\/config.*name a kubeconfig/);
      return true;
    });
  });
});
