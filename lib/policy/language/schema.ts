/** Generates the JSON Schema of the policy format, for editors and other tools, from the table that the walker uses. */
import { ACTION_TABLE, canHaveField, type ActionField } from './actions.js';
import { argumentShape, policyShape } from './policy.js';
import { labelExpressionShape, labelSelectorShape } from './labels.js';
import { actionShape, selectorShape, valueFilterShape } from './selectors.js';
import { emptyIsAbsent } from './shape.js';
import type { Field, IntegerShape, ObjectShape, Shape, TextShape } from './shape.js';
import { POLICY_ACTIONS, HOOK_KINDS, NOT_IN_MACROS, OPERATORS, operatorRule, type HookKind } from './vocabulary.js';

export type JsonSchema = { [key: string]: unknown };

/** Shapes that appear in several places are defined once. */
const DEFINITIONS: readonly (readonly [string, ObjectShape])[] = [
  ['argument', argumentShape],
  ['labelExpression', labelExpressionShape],
  ['labelSelector', labelSelectorShape],
  ['valueFilter', valueFilterShape],
  ['action', actionShape],
  ['selector', selectorShape],
];

/** Returns a schema of draft 7, which most editors support. */
export function policySchema(): object {
  const definitions: JsonSchema = {};
  for (const [name, shape] of DEFINITIONS) definitions[name] = { ...objectSchema(shape), ...shapeConditions(shape) };
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

function shapeSchema(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'object': {
      const named = DEFINITIONS.find(([, definition]) => definition === shape);
      return named === undefined ? objectSchema(shape) : { $ref: `#/definitions/${named[0]}` };
    }
    case 'map':
      return { type: 'object', additionalProperties: shapeSchema(shape.of) };
    case 'list':
      return {
        type: 'array',
        items: shapeSchema(shape.of),
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

function objectSchema(shape: ObjectShape): JsonSchema {
  const fields = Object.entries(shape.fields);
  const required = fields.filter(([, field]) => field.required === true).map(([name]) => name);
  return {
    type: 'object',
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
  };
}

/** An optional field may have no value, or an empty one. It counts as absent then. */
function fieldSchema(field: Field): JsonSchema {
  const { shape, required, doc, default: byDefault } = field;
  const notes = { description: doc, ...(byDefault === undefined ? {} : { default: byDefault }) };
  const schema =
    shape.kind === 'text' ? textSchema(shape, emptyIsAbsent(field) || shape.canBeEmpty) : shapeSchema(shape);
  if (shape.kind === 'any') return { ...notes, ...schema };
  // Draft 7 ignores all other keys beside `$ref`, so a reference is wrapped.
  if (required === true) return '$ref' in schema ? { ...notes, allOf: [schema] } : { ...notes, ...schema };
  if (typeof schema['type'] !== 'string') return { ...notes, anyOf: [...schemaAlternatives(schema), { type: 'null' }] };
  const values = schema['enum'] as readonly unknown[] | undefined;
  return { ...notes, ...schema, type: [schema['type'], 'null'], ...(values && { enum: [...values, null] }) };
}

const schemaAlternatives = (schema: JsonSchema): readonly JsonSchema[] =>
  (schema['anyOf'] as JsonSchema[] | undefined) ?? [schema];

function textSchema(shape: TextShape, canBeEmpty = shape.canBeEmpty): JsonSchema {
  if (shape.enum !== undefined) return { type: 'string', enum: canBeEmpty === true ? [...shape.enum, ''] : shape.enum };
  const text = { type: 'string', ...(canBeEmpty === true ? {} : { minLength: 1 }) };
  return shape.canBeUnquoted === true ? { anyOf: [text, { type: 'number' }] } : text;
}

/** JSON parsers round a limit of 64 bits up to a power of two, so the number after the largest one passes. */
function integerSchema({ minimum, maximum }: IntegerShape): JsonSchema {
  return { type: 'integer', minimum: Number(minimum), maximum: Number(maximum) };
}

/** Returns the conditions of a shape: the fields that an operator or an action requires. */
function shapeConditions(shape: ObjectShape): JsonSchema {
  if (shape === valueFilterShape) {
    const compares = OPERATORS.filter((operator) => operatorRule(operator).values === 'required');
    const values = { type: 'array', minItems: 1 };
    return { allOf: [ifThenSchema('operator', compares, { required: ['values'], properties: { values } })] };
  }
  if (shape === labelExpressionShape) {
    return {
      allOf: [
        ifThenSchema('operator', ['In', 'NotIn'], {
          required: ['values'],
          properties: { values: { type: 'array', minItems: 1 } },
        }),
        ifThenSchema('operator', ['Exists', 'DoesNotExist'], {
          properties: { values: { type: ['array', 'null'], maxItems: 0 } },
        }),
      ],
    };
  }
  if (shape !== actionShape) return {};
  return {
    allOf: POLICY_ACTIONS.flatMap((action) =>
      ACTION_TABLE[action].needs.map((field) => ifThenSchema('action', [action], requireFields([field]))),
    ),
  };
}

/** Requires that at least one of the fields is present and has a value. */
function requireFields(fields: readonly ActionField[]): JsonSchema {
  const each = fields.map((field) => {
    const { shape } = actionShape.fields[field] as Field;
    const isAbsent = { enum: [null, '', [], ...(shape.kind === 'integer' && shape.zeroIsAbsent === true ? [0] : [])] };
    return { required: [field], properties: { [field]: { not: isAbsent } } };
  });
  return each.length === 1 ? { ...each[0] } : { anyOf: each };
}

function ifThenSchema(field: string, values: readonly string[], then: JsonSchema): JsonSchema {
  return {
    if: { type: 'object', required: [field], properties: { [field]: { enum: values } } },
    then: { type: 'object', ...then },
  };
}

/** Limits the actions of each kind of hook to those that it supports. */
function limitActions(root: JsonSchema): void {
  const spec = getProperty(root, 'spec');
  for (const kind of HOOK_KINDS) {
    const hook = getProperty(spec, kind)['items'] as JsonSchema;
    const selectors = getProperty(hook, 'selectors');
    const actions = { type: ['array', 'null'], items: { type: 'object', ...actionLimits(kind) } };
    const limits = { type: 'object', properties: { matchActions: actions, matchReturnActions: actions } };
    selectors['items'] = { allOf: [selectors['items'], limits] };
  }
}

/** A macro contains filters only. */
function limitMacros(root: JsonSchema): void {
  const macros = getProperty(getProperty(root, 'spec'), 'selectorsMacros');
  const without = Object.fromEntries(NOT_IN_MACROS.map((field) => [field, { type: ['array', 'null'], maxItems: 0 }]));
  macros['additionalProperties'] = { allOf: [macros['additionalProperties'], { type: 'object', properties: without }] };
}

function actionLimits(kind: HookKind): JsonSchema {
  const possible = POLICY_ACTIONS.filter((action) => ACTION_TABLE[action].hooks.includes(kind));
  const choices = possible.flatMap((action) => {
    const fields = ACTION_TABLE[action].needsAny.filter((field) => canHaveField(kind, field));
    return fields.length > 0 ? [ifThenSchema('action', [action], requireFields(fields))] : [];
  });
  return { properties: { action: { enum: possible } }, ...(choices.length > 0 ? { allOf: choices } : {}) };
}

function getProperty(schema: JsonSchema, name: string): JsonSchema {
  return (schema['properties'] as JsonSchema)[name] as JsonSchema;
}
