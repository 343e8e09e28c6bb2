/** The keys of containerSelector and podSelector that are not labels of Kubernetes. */

/** Fields of a container. The first two are those of Tetragon. */
export const CONTAINER_FIELDS = ['name', 'repo', 'image', 'runtime', 'id'] as const;

/** Prefix of a key that names a label of the container itself. Kubernetes labels have no colon in their names. */
export const CONTAINER_LABEL = 'label:';
/** The key for the namespace of a pod, as in Cilium and Tetragon. */
export const POD_NAMESPACE = 'k8s:io.kubernetes.pod.namespace';
