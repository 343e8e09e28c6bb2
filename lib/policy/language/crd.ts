/**
 * Generates the CustomResourceDefinitions of Kubernetes from the table that the walker uses. The API server checks what a
 * structural schema can say. It keeps unknown fields, so that the agent can report them with their place and a remedy.
 */
import { policyShape } from './policy.js';
import type { Field, IntegerShape, ObjectShape, Shape, TextShape } from './shape.js';

type Json = { [key: string]: unknown };

const GROUP = 'cilium.io';
const VERSION = 'v1alpha1';
/** The label of our own definitions. Definitions of the same names that lack it belong to another program. */
const CRD_LABEL = { 'app.kubernetes.io/part-of': 'polytrace' } as const;

/** Most nodes in the status of a policy, and most characters of an error in it. */
const STATUS_NODES_MAX = 100;
const STATUS_ERROR_MAX = 1024;

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly scope: 'Cluster' | 'Namespaced';
}

/** Names as in Tetragon. */
const CRD_KINDS: readonly Kind[] = [
  { kind: 'TracingPolicy', plural: 'tracingpolicies', shortName: 'tgtp', scope: 'Cluster' },
  {
    kind: 'TracingPolicyNamespaced',
    plural: 'tracingpoliciesnamespaced',
    shortName: 'tgtpn',
    scope: 'Namespaced',
  },
];

/** The definitions, ready to be written as YAML. */
export function policyCrds(): object[] {
  return CRD_KINDS.map(({ kind, plural, shortName, scope }) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}`, labels: CRD_LABEL },
    spec: {
      group: GROUP,
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
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  }));
}

const condition = (type: string, field: string): string => `.status.conditions[?(@.type=="${type}")].${field}`;

const COLUMNS = [
  {
    name: 'Loaded',
    type: 'string',
    description: 'A node has loaded the policy.',
    jsonPath: condition('Loaded', 'status'),
  },
  { name: 'Failed', type: 'string', description: 'A node has not loaded it.', jsonPath: condition('Failed', 'status') },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  { name: 'Error', type: 'string', priority: 1, jsonPath: condition('Failed', 'message') },
];

function rootSchema(kind: string): Json {
  const { spec } = policyShape.fields;
  return {
    type: 'object',
    description: 'A policy says what is observed in the kernel and in programs, and what is filtered out.',
    required: ['metadata', 'spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the format.' },
      kind: { type: 'string', description: kind },
      metadata: { type: 'object' },
      spec: fieldSchema(spec as Field),
      status: STATUS,
    },
  };
}

function schemaOf(shape: Shape): Json {
  switch (shape.kind) {
    case 'object':
      return objectSchema(shape);
    case 'map':
      return { type: 'object', additionalProperties: schemaOf(shape.of) };
    case 'list':
      return {
        type: 'array',
        items: schemaOf(shape.of),
        ...(shape.minItems > 0 ? { minItems: shape.minItems } : {}),
        ...(shape.maxItems === undefined ? {} : { maxItems: shape.maxItems }),
      };
    case 'text':
      return textSchema(shape);
    case 'integer':
      return integerSchema(shape);
    case 'boolean':
      return { type: 'boolean' };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
  }
}

function objectSchema(shape: ObjectShape): Json {
  const fields = Object.entries(shape.fields);
  const required = fields.filter(([, field]) => field.required === true).map(([name]) => name);
  return {
    type: 'object',
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
    'x-kubernetes-preserve-unknown-fields': true,
  };
}

/**
 * An optional field may have no value. A default is part of the description: one in the schema would change what is stored.
 */
function fieldSchema({ shape, required, doc, default: byDefault }: Field): Json {
  return {
    description: byDefault === undefined || byDefault === '' ? doc : `${doc} Default: ${String(byDefault)}.`,
    ...schemaOf(shape),
    ...(required === true ? {} : { nullable: true }),
  };
}

function textSchema(shape: TextShape): Json {
  if (shape.enum !== undefined) return { type: 'string', enum: shape.enum };
  // Any value. With `x-kubernetes-int-or-string`, Kubernetes 1.20 merges no list of the resource in server-side apply.
  if (shape.mayBeBare === true) return { 'x-kubernetes-preserve-unknown-fields': true };
  return { type: 'string', ...(shape.mayBeEmpty === true ? {} : { minLength: 1 }) };
}

/** The API server compares limits as floating-point numbers, so limits of 64 bits are left to the agent. */
function integerSchema({ minimum, maximum }: IntegerShape): Json {
  const exact = (limit: bigint): boolean => BigInt.asIntN(53, limit) === limit;
  return {
    type: 'integer',
    format: 'int64',
    ...(exact(minimum) ? { minimum: Number(minimum) } : {}),
    ...(exact(maximum) ? { maximum: Number(maximum) } : {}),
  };
}

const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more });
const integer = (description: string): Json => ({ type: 'integer', format: 'int64', description });

/**
 * Agents write it. Each agent owns its entry in `nodes`; conditions are owned by all agents that have reported them. The API server
 * makes a list null when its last owner gives it up.
 */
const STATUS: Json = {
  type: 'object',
  description: 'State of the policy on the nodes.',
  properties: {
    conditions: {
      type: 'array',
      nullable: true,
      description: '`Loaded`: a node has loaded the policy. `Failed`: a node has not loaded it.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status'],
        properties: {
          type: text('Type of the condition.'),
          status: text('Whether the condition holds.', { enum: ['True', 'False', 'Unknown'] }),
          reason: text('Reason, as one word.'),
          message: text('Reason, for people.'),
          observedGeneration: integer('Generation of the policy that the condition is about.'),
          lastTransitionTime: text('When the condition began.', { format: 'date-time' }),
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
          name: text('Name of the node.'),
          state: text('State of the policy on the node.', { enum: ['enabled', 'disabled', 'failed'] }),
          generation: integer('Generation of the policy that the node has tried last.'),
          loadedGeneration: integer('Generation of the policy that runs on the node.'),
          mode: text('Mode of the policy.', { enum: ['enforce', 'monitor', 'monitor_only'] }),
          hooks: integer('Number of attached hooks.'),
          error: text('Why the last generation was not loaded.', { maxLength: STATUS_ERROR_MAX }),
        },
      },
    },
  },
};
