/**
 * Generates the CustomResourceDefinitions of Kubernetes from the table that the walker uses. The API server checks a
 * policy against their structural schema and their rules. The schema is closed: clients report unknown fields.
 */
import { policyShape } from './policy.js';
import { addSpecRules, crdAlternatives } from './crd-rules.js';
import type { JsonSchema } from './schema.js';
import { emptyIsAbsent } from './shape.js';
import type { Field, IntegerShape, ObjectShape, Shape, TextShape } from './shape.js';

const CRD_GROUP = 'cilium.io';
const CRD_VERSION = 'v1alpha1';
/** The label of our own definitions. Definitions with the same names but without it belong to another program. */
const CRD_LABEL = { 'app.kubernetes.io/part-of': 'polytrace' } as const;

/** Maximum number of nodes in the status of a policy, and of characters in an error. */
const STATUS_NODES_MAX = 100;
const STATUS_ERROR_MAX = 1024;

interface CrdKind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly scope: 'Cluster' | 'Namespaced';
}

/** The names are those of Tetragon. */
const CRD_KINDS: readonly CrdKind[] = [
  { kind: 'TracingPolicy', plural: 'tracingpolicies', shortName: 'tgtp', scope: 'Cluster' },
  {
    kind: 'TracingPolicyNamespaced',
    plural: 'tracingpoliciesnamespaced',
    shortName: 'tgtpn',
    scope: 'Namespaced',
  },
];

/** Returns the definitions as plain data. */
export function policyCrds(): object[] {
  return CRD_KINDS.map(({ kind, plural, shortName, scope }) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${CRD_GROUP}`, labels: CRD_LABEL },
    spec: {
      group: CRD_GROUP,
      scope,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ['polytrace'],
      },
      versions: [
        {
          name: CRD_VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: PRINTER_COLUMNS,
          schema: { openAPIV3Schema: crdRootSchema(kind) },
        },
      ],
    },
  }));
}

const conditionPath = (type: string, field: string): string => `.status.conditions[?(@.type=="${type}")].${field}`;

const PRINTER_COLUMNS = [
  {
    name: 'Loaded',
    type: 'string',
    description: 'A node has loaded the newest generation of the policy.',
    jsonPath: conditionPath('Loaded', 'status'),
  },
  {
    name: 'Failed',
    type: 'string',
    description: 'A node has not loaded it.',
    jsonPath: conditionPath('Failed', 'status'),
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Error', type: 'string', priority: 1, jsonPath: conditionPath('Failed', 'message') },
];

function crdRootSchema(kind: string): JsonSchema {
  const spec = crdFieldSchema(policyShape.fields['spec'] as Field);
  addSpecRules(spec);
  return {
    type: 'object',
    description: 'A policy says what is observed in the kernel and in programs, and what is filtered out.',
    required: ['metadata', 'spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the format.' },
      kind: { type: 'string', description: kind },
      metadata: { type: 'object' },
      spec,
      status: STATUS_SCHEMA,
    },
  };
}

function crdSchema(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'object':
      return crdObjectSchema(shape);
    case 'map':
      return { type: 'object', additionalProperties: crdSchema(shape.of) };
    case 'list':
      return {
        type: 'array',
        items: crdSchema(shape.of),
        ...(shape.minItems > 0 ? { minItems: shape.minItems } : {}),
        ...(shape.maxItems === undefined ? {} : { maxItems: shape.maxItems }),
      };
    case 'text':
      return crdTextSchema(shape);
    case 'integer':
      return crdIntegerSchema(shape);
    case 'boolean':
      return { type: 'boolean' };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
  }
}

function crdObjectSchema(shape: ObjectShape): JsonSchema {
  const fields = Object.entries(shape.fields);
  const required = fields.filter(([, field]) => field.required === true).map(([name]) => name);
  return {
    type: 'object',
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(fields.map(([name, field]) => [name, crdFieldSchema(field)])),
    ...crdAlternatives(shape),
  };
}

/**
 * The API server drops a null of a field that is not nullable. Nullable fields would have no type in the form of the
 * schema that clients read. The description names the default, because a default in the schema would change the stored
 * resource.
 */
function crdFieldSchema(field: Field): JsonSchema {
  const { shape, doc, default: byDefault } = field;
  return {
    description: byDefault === undefined || byDefault === '' ? doc : `${doc} Default: ${String(byDefault)}.`,
    ...(shape.kind === 'text' ? crdTextSchema(shape, emptyIsAbsent(field) || shape.canBeEmpty) : crdSchema(shape)),
  };
}

function crdTextSchema(shape: TextShape, canBeEmpty = shape.canBeEmpty): JsonSchema {
  if (shape.enum !== undefined) return { type: 'string', enum: canBeEmpty === true ? [...shape.enum, ''] : shape.enum };
  // Any value is accepted: with `x-kubernetes-int-or-string`, server-side apply of Kubernetes 1.20 merges no list.
  if (shape.canBeUnquoted === true) return { 'x-kubernetes-preserve-unknown-fields': true };
  return { type: 'string', ...(canBeEmpty === true ? {} : { minLength: 1 }) };
}

/** The API server compares limits as floating-point numbers, so the agent checks limits of 64 bits. */
function crdIntegerSchema({ minimum, maximum }: IntegerShape): JsonSchema {
  const isExact = (limit: bigint): boolean => BigInt.asIntN(53, limit) === limit;
  return {
    type: 'integer',
    format: 'int64',
    ...(isExact(minimum) ? { minimum: Number(minimum) } : {}),
    ...(isExact(maximum) ? { maximum: Number(maximum) } : {}),
  };
}

const textProperty = (description: string, more: JsonSchema = {}): JsonSchema => ({
  type: 'string',
  description,
  ...more,
});
const integerProperty = (description: string): JsonSchema => ({ type: 'integer', format: 'int64', description });

/**
 * The schema of the status, which agents write. Each agent owns its entry in `nodes`. All agents that reported a
 * condition own it. The API server makes a list null when its last owner releases it.
 */
const STATUS_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'State of the policy on the nodes.',
  properties: {
    conditions: {
      type: 'array',
      nullable: true,
      description: '`Loaded`: a node has loaded the newest generation. `Failed`: a node has not loaded it.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status'],
        properties: {
          type: textProperty('Type of the condition.'),
          status: textProperty('Whether the condition holds.', { enum: ['True', 'False', 'Unknown'] }),
          reason: textProperty('Reason, as one word.'),
          message: textProperty('Reason, for people.'),
          observedGeneration: integerProperty('Generation of the policy that the condition is about.'),
          lastTransitionTime: textProperty('When the condition began.', { format: 'date-time' }),
        },
      },
    },
    nodes: {
      type: 'array',
      nullable: true,
      description: `At most ${STATUS_NODES_MAX} nodes. In larger clusters, nodes with an error come first.`,
      maxItems: STATUS_NODES_MAX,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name', 'state'],
        'x-kubernetes-map-type': 'atomic',
        properties: {
          name: textProperty('Name of the node.'),
          state: textProperty('State of the policy on the node.', { enum: ['enabled', 'disabled', 'failed'] }),
          generation: integerProperty('Generation of the policy that the node has tried last.'),
          loadedGeneration: integerProperty('Generation of the policy that runs on the node.'),
          mode: textProperty('Mode of the policy.', { enum: ['enforce', 'monitor', 'monitor_only'] }),
          hooks: integerProperty('Number of attached hooks.'),
          error: textProperty('Why the last generation was not loaded.', { maxLength: STATUS_ERROR_MAX }),
        },
      },
    },
  },
};
