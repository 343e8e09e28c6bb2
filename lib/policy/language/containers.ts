/** The keys of containerSelector and podSelector that are no labels of Kubernetes. */

/** Fields of a container. The first two are Tetragon's. */
export const CONTAINER_FIELDS = ['name', 'repo', 'image', 'runtime', 'id'] as const;

/** Begins the key for a label of the container itself. No label of Kubernetes has a colon in its name. */
export const CONTAINER_LABEL = 'label:';
/** The namespace of a pod, as Cilium and Tetragon write it. */
export const POD_NAMESPACE = 'k8s:io.kubernetes.pod.namespace';
