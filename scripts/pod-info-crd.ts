/** The CustomResourceDefinition of PodInfo, which agents write with `--enable-pod-info`. Its names are those of Tetragon. */
const text = (description: string): object => ({ type: 'string', description });

const object = (description: string, properties: object): object => ({ type: 'object', description, properties });

const SCHEMA = {
  type: 'object',
  description: 'The node, the addresses and the workload of a pod.',
  required: ['metadata', 'spec'],
  properties: {
    apiVersion: text('Version of the format.'),
    kind: text('PodInfo'),
    metadata: { type: 'object' },
    spec: object('Where the pod runs.', {
      hostNetwork: { type: 'boolean', description: 'The pod uses the network of its node.' },
      nodeName: text('The node of the pod.'),
    }),
    status: object('The addresses of the pod.', {
      podIP: text('The first address.'),
      podIPs: {
        type: 'array',
        description: 'All addresses.',
        items: object('An address.', { IP: text('An IPv4 or IPv6 address.') }),
      },
    }),
    workloadType: object('The kind of the workload that made the pod.', {
      kind: text('Such as Deployment.'),
      apiVersion: text('Group and version of the kind, such as apps/v1.'),
    }),
    workloadObject: object('The workload that made the pod.', {
      name: text('Its name.'),
      namespace: text('Its namespace.'),
    }),
  },
};

const COLUMNS = [
  { name: 'IP', type: 'string', jsonPath: '.status.podIP' },
  { name: 'Workload', type: 'string', jsonPath: '.workloadObject.name' },
  { name: 'Kind', type: 'string', jsonPath: '.workloadType.kind' },
  { name: 'Node', type: 'string', jsonPath: '.spec.nodeName', priority: 1 },
];

/** An agent writes all parts of an object with one request, so the status is no resource of its own. */
export const POD_INFO_CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'podinfo.cilium.io', labels: { 'app.kubernetes.io/part-of': 'polytrace' } },
  spec: {
    group: 'cilium.io',
    scope: 'Namespaced',
    names: {
      kind: 'PodInfo',
      listKind: 'PodInfoList',
      plural: 'podinfo',
      singular: 'podinfo',
      categories: ['polytrace'],
    },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        additionalPrinterColumns: COLUMNS,
        schema: { openAPIV3Schema: SCHEMA },
      },
    ],
  },
};
