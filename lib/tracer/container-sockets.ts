/** The paths of the sockets of container runtimes. The first one that exists is used. */

export type SocketSourceName = 'nri' | 'cri' | 'docker' | 'podman';

const USUAL: Readonly<Record<SocketSourceName, readonly string[]>> = {
  nri: ['/run/nri/nri.sock', '/var/run/nri/nri.sock'],
  cri: [
    '/run/containerd/containerd.sock',
    '/run/crio/crio.sock',
    '/run/k3s/containerd/containerd.sock',
    '/run/k0s/containerd.sock',
    '/var/snap/microk8s/common/run/containerd.sock',
  ],
  docker: ['/run/docker.sock', '/var/run/docker.sock'],
  podman: ['/run/podman/podman.sock'],
};

/** The variables that the clients of these engines use. */
const VARIABLES: Readonly<Partial<Record<SocketSourceName, string>>> = {
  docker: 'DOCKER_HOST',
  podman: 'CONTAINER_HOST',
};

/** `own`: the path that the user has named. An address that is not a socket of this machine is ignored. */
export function listSockets(
  name: SocketSourceName,
  own: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (own !== undefined) return [own];
  const address = env[VARIABLES[name] ?? ''];
  const [, path] = /^unix:\/\/(\/.+)$/.exec(address ?? '') ?? [];
  return path === undefined ? USUAL[name] : [path, ...USUAL[name]];
}
