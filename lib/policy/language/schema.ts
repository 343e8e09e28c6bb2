/** Generates the JSON Schema of the format for editors and other tools, from the table that the walker uses. */
import { ACTION_TABLE, PROGRAM_ONLY } from './actions.js';
import { argument, policyShape } from './policy.js';
import { labelSelector } from './labels.js';
import { actionShape, selector, valueFilter } from './selectors.js';
import type { IntegerShape, ObjectShape, Shape, TextShape } from './shape.js';
import { ACTIONS, HOOK_KINDS, OPERATORS, OPERATORS_WITHOUT_VALUES, type HookKind } from './vocabulary.js';

type Json = { [key: string]: unknown };

/** Shapes that appear in several places are defined once. */
const DEFINITIONS: readonly (readonly [string, ObjectShape])[] = [
  ['argument', argument],
  ['labelSelector', labelSelector],
  ['valueFilter', valueFilter],
  ['action', actionShape],
  ['selector', selector],
];

/** Uses draft 7, which most editors support. */
export function policySchema(): object {
  const definitions: Json = {};
  for (const [name, shape] of DEFINITIONS) definitions[name] = { ...objectSchema(shape), ...conditions(shape) };
  const root = objectSchema(policyShape);
  limitActions(root);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'TracingPolicy',
    description: 'A policy says what is observed in the kernel and in programs, and what is filtered out.',
    ...root,
    definitions,
  };
}

function schemaOf(shape: Shape): Json {
  switch (shape.kind) {
    case 'object': {
      const named = DEFINITIONS.find(([, definition]) => definition === shape);
      return named === undefined ? objectSchema(shape) : { $ref: `#/definitions/${named[0]}` };
    }
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
      return {};
  }
}

function objectSchema(shape: ObjectShape): Json {
  const fields = Object.entries(shape.fields);
  const required = fields.filter(([, field]) => field.required === true).map(([name]) => name);
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(
      fields.map(([name, field]) => [name, described(schemaOf(field.shape), field.doc, field.default)]),
    ),
  };
}

/** Draft 7 ignores all other keys next to `$ref`, so a reference is wrapped. */
function described(schema: Json, description: string, byDefault: unknown): Json {
  const notes = { description, ...(byDefault === undefined ? {} : { default: byDefault }) };
  return '$ref' in schema ? { ...notes, allOf: [schema] } : { ...notes, ...schema };
}

function textSchema(shape: TextShape): Json {
  if (shape.enum !== undefined) return { type: 'string', enum: shape.enum };
  return {
    type: shape.mayBeBare === true ? ['string', 'number'] : 'string',
    ...(shape.mayBeEmpty === true ? {} : { minLength: 1 }),
  };
}

/** Omits limits that JSON numbers cannot express exactly. */
function integerSchema({ minimum, maximum }: IntegerShape): Json {
  const exact = (value: bigint): boolean => value >= -(2n ** 53n) && value <= 2n ** 53n;
  return {
    type: 'integer',
    ...(exact(minimum) ? { minimum: Number(minimum) } : {}),
    ...(exact(maximum) ? { maximum: Number(maximum) } : {}),
  };
}

/** The fields that must appear together with an operator or an action. */
function conditions(shape: ObjectShape): Json {
  if (shape === valueFilter) {
    const alone = [...OPERATORS_WITHOUT_VALUES, 'CapabilitiesGained'];
    return {
      allOf: [
        when(
          'operator',
          OPERATORS.filter((operator) => !alone.includes(operator)),
          { required: ['values'], properties: { values: { minItems: 1 } } },
        ),
      ],
    };
  }
  if (shape !== actionShape) return {};
  const needs = ACTIONS.flatMap((action) => {
    const { needs: all, needsOneOf } = ACTION_TABLE[action];
    return [
      ...(all.length > 0 ? [when('action', [action], { required: all })] : []),
      ...(needsOneOf.length > 0
        ? [when('action', [action], { anyOf: needsOneOf.map((field) => ({ required: [field] })) })]
        : []),
    ];
  });
  return { allOf: needs };
}

function when(field: string, values: readonly string[], then: Json): Json {
  return { if: { required: [field], properties: { [field]: { enum: values } } }, then };
}

/** Limits the actions of each kind of hook to those that it supports. */
function limitActions(root: Json): void {
  const spec = property(root, 'spec');
  for (const kind of HOOK_KINDS) {
    const hook = property(spec, kind)['items'] as Json;
    const selectors = property(hook, 'selectors');
    const action = { properties: actionLimits(kind) };
    const limits = { matchActions: { items: action }, matchReturnActions: { items: action } };
    selectors['items'] = { allOf: [selectors['items'], { properties: limits }] };
  }
}

function actionLimits(kind: HookKind): Json {
  const possible = ACTIONS.filter((action) => ACTION_TABLE[action].hooks.includes(kind));
  const without = [...(kind === 'uprobes' ? [] : PROGRAM_ONLY), ...(kind === 'lsmhooks' ? [] : ['imaHash'])];
  return {
    action: { enum: possible },
    ...Object.fromEntries(without.map((field) => [field, field === 'imaHash' ? { const: false } : false])),
  };
}

function property(schema: Json, name: string): Json {
  return (schema['properties'] as Json)[name] as Json;
}
