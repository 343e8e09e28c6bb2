/** The sockets of container runtimes. */
import assert from 'node:assert/strict';
import { listSockets } from '../../../lib/tracer/container-sockets.js';

describe('sockets of container runtimes', () => {
  it('are the usual ones, also of k3s and MicroK8s', () => {
    const paths = listSockets('cri', undefined, { DOCKER_HOST: 'unix:///x.sock' });
    assert.equal(paths[0], '/run/containerd/containerd.sock');
    for (const part of ['/k3s/', '/microk8s/', '/crio/'])
      assert.ok(
        paths.some((path) => path.includes(part)),
        part,
      );
  });

  it('are those that clients of the engine use', () => {
    const env = { DOCKER_HOST: 'unix:///run/user/1000/docker.sock', CONTAINER_HOST: 'unix:///p.sock' };
    assert.equal(listSockets('docker', undefined, env)[0], '/run/user/1000/docker.sock');
    assert.deepEqual(listSockets('podman', undefined, env), ['/p.sock', '/run/podman/podman.sock']);
  });

  it('are not those of other machines', () => {
    for (const address of ['tcp://127.0.0.1:2375', 'ssh://host', 'unix://relative', '']) {
      assert.deepEqual(listSockets('docker', undefined, { DOCKER_HOST: address }), [
        '/run/docker.sock',
        '/var/run/docker.sock',
      ]);
    }
  });

  it('are only the one that the user names', () => {
    assert.deepEqual(listSockets('docker', '/own.sock', { DOCKER_HOST: 'unix:///x.sock' }), ['/own.sock']);
  });
});
