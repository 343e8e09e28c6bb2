/** Generates the JSON Schema of the format for editors and other tools, from the table that the walker uses. */
import { ACTION_TABLE, mayHave, type ActionField } from './actions.js';
import { argument, policyShape } from './policy.js';
import { labelExpression, labelSelector } from './labels.js';
import { actionShape, selector, valueFilter } from './selectors.js';
import type { Field, IntegerShape, ObjectShape, Shape, TextShape } from './shape.js';
import {
  ACTIONS,
  HOOK_KINDS,
  NOT_IN_MACROS,
  OPERATORS,
  OPERATORS_WITHOUT_VALUES,
  type HookKind,
} from './vocabulary.js';

type Json = { [key: string]: unknown };

/** Shapes that appear in several places are defined once. */
const DEFINITIONS: readonly (readonly [string, ObjectShape])[] = [
  ['argument', argument],
  ['labelExpression', labelExpression],
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
  limitMacros(root);
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
    properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
  };
}

/** An optional field may have no value, which is the same as if it were not there. */
function fieldSchema({ shape, required, doc, default: byDefault }: Field): Json {
  const notes = { description: doc, ...(byDefault === undefined ? {} : { default: byDefault }) };
  const schema = schemaOf(shape);
  if (shape.kind === 'any') return { ...notes, ...schema };
  // Draft 7 ignores all other keys next to `$ref`, so a reference is wrapped.
  if (required === true) return '$ref' in schema ? { ...notes, allOf: [schema] } : { ...notes, ...schema };
  if (typeof schema['type'] !== 'string') return { ...notes, anyOf: [...alternatives(schema), { type: 'null' }] };
  const values = schema['enum'] as readonly unknown[] | undefined;
  return { ...notes, ...schema, type: [schema['type'], 'null'], ...(values && { enum: [...values, null] }) };
}

const alternatives = (schema: Json): readonly Json[] => (schema['anyOf'] as Json[] | undefined) ?? [schema];

function textSchema(shape: TextShape): Json {
  if (shape.enum !== undefined) return { type: 'string', enum: shape.enum };
  const text = { type: 'string', ...(shape.mayBeEmpty === true ? {} : { minLength: 1 }) };
  return shape.mayBeBare === true ? { anyOf: [text, { type: 'number' }] } : text;
}

/** Readers of JSON round a limit of 64 bits up to a power of two. So the next number after the largest one passes. */
function integerSchema({ minimum, maximum }: IntegerShape): Json {
  return { type: 'integer', minimum: Number(minimum), maximum: Number(maximum) };
}

/** The fields that must appear together with an operator or an action. */
function conditions(shape: ObjectShape): Json {
  if (shape === valueFilter) {
    const alone = [...OPERATORS_WITHOUT_VALUES, 'CapabilitiesGained'];
    const compares = OPERATORS.filter((operator) => !alone.includes(operator));
    const values = { type: 'array', minItems: 1 };
    return { allOf: [when('operator', compares, { required: ['values'], properties: { values } })] };
  }
  if (shape === labelExpression) {
    return {
      allOf: [
        when('operator', ['In', 'NotIn'], {
          required: ['values'],
          properties: { values: { type: 'array', minItems: 1 } },
        }),
        when('operator', ['Exists', 'DoesNotExist'], {
          properties: { values: { type: ['array', 'null'], maxItems: 0 } },
        }),
      ],
    };
  }
  if (shape !== actionShape) return {};
  return {
    allOf: ACTIONS.flatMap((action) =>
      ACTION_TABLE[action].needs.map((field) => when('action', [action], present([field]))),
    ),
  };
}

/** At least one of the fields is there, and has a value. */
function present(fields: readonly ActionField[]): Json {
  const each = fields.map((field) => ({ required: [field], properties: { [field]: { not: { type: 'null' } } } }));
  return each.length === 1 ? { ...each[0] } : { anyOf: each };
}

function when(field: string, values: readonly string[], then: Json): Json {
  return {
    if: { type: 'object', required: [field], properties: { [field]: { enum: values } } },
    then: { type: 'object', ...then },
  };
}

/** Limits the actions of each kind of hook to those that it supports. */
function limitActions(root: Json): void {
  const spec = property(root, 'spec');
  for (const kind of HOOK_KINDS) {
    const hook = property(spec, kind)['items'] as Json;
    const selectors = property(hook, 'selectors');
    const actions = { type: ['array', 'null'], items: { type: 'object', ...actionLimits(kind) } };
    const limits = { type: 'object', properties: { matchActions: actions, matchReturnActions: actions } };
    selectors['items'] = { allOf: [selectors['items'], limits] };
  }
}

/** A macro contains filters only. */
function limitMacros(root: Json): void {
  const macros = property(property(root, 'spec'), 'selectorsMacros');
  const without = Object.fromEntries(NOT_IN_MACROS.map((field) => [field, { type: 'null' }]));
  macros['additionalProperties'] = { allOf: [macros['additionalProperties'], { type: 'object', properties: without }] };
}

function actionLimits(kind: HookKind): Json {
  const possible = ACTIONS.filter((action) => ACTION_TABLE[action].hooks.includes(kind));
  const choices = possible.flatMap((action) => {
    const fields = ACTION_TABLE[action].needsOneOf.filter((field) => mayHave(kind, field));
    return fields.length > 0 ? [when('action', [action], present(fields))] : [];
  });
  return { properties: { action: { enum: possible } }, ...(choices.length > 0 ? { allOf: choices } : {}) };
}

function property(schema: Json, name: string): Json {
  return (schema['properties'] as Json)[name] as Json;
}
