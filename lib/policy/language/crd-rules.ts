/**
 * What the API server checks beyond types: filters without values by alternatives of the schema, which every version of
 * Kubernetes knows, and fields that depend on each other by rules in CEL, since Kubernetes 1.25. Older versions drop the
 * rules; the agent then reports these mistakes in the status.
 *
 * The API server limits the estimated cost of rules. Lists around a rule therefore have a maximum length.
 */
import { SIGNALS_MAX } from '../../names/signals.js';
import { ACTION_TABLE, canHaveField, type ActionField } from './actions.js';
import { labelExpressionShape } from './labels.js';
import { HOOK_SELECTORS_MAX } from './limits.js';
import type { JsonSchema } from './schema.js';
import { actionShape, valueFilterShape } from './selectors.js';
import type { Field, ObjectShape } from './shape.js';
import { HOOK_KINDS, NOT_IN_MACROS, OPERATORS, operatorRule, POLICY_ACTIONS, type HookKind } from './vocabulary.js';

/** Maximum number of hooks of one kind in a resource, and of actions in one list. */
const RESOURCE_HOOKS_MAX = 128;
const RESOURCE_ACTIONS_MAX = 16;

interface CrdRule {
  readonly rule: string;
  readonly message: string;
}

/**
 * Returns the alternatives of a shape, one of which has to hold. The API server reports the errors of the alternative
 * that fits best: the one with the operator of the filter.
 */
export function crdAlternatives(shape: ObjectShape): JsonSchema {
  if (shape === valueFilterShape) {
    const compares = OPERATORS.filter((operator) => operatorRule(operator).values === 'required');
    return { anyOf: [withValues(compares), hasOperator(OPERATORS.filter((each) => !compares.includes(each)))] };
  }
  if (shape === labelExpressionShape) {
    const withoutValues = hasOperator(['Exists', 'DoesNotExist'], { values: { maxItems: 0 } });
    return { anyOf: [withValues(['In', 'NotIn']), withoutValues] };
  }
  return {};
}

const hasOperator = (operators: readonly string[], more: object = {}): JsonSchema => ({
  properties: { operator: { enum: operators }, ...more },
});
const withValues = (operators: readonly string[]): JsonSchema => ({
  required: ['values'],
  ...hasOperator(operators, { values: { minItems: 1 } }),
});

/** Adds the limits and rules of hooks to the schema of `spec`. */
export function addSpecRules(spec: JsonSchema): void {
  for (const kind of HOOK_KINDS) addHookRules(kind, findProperty(spec, kind));
  const macro = findProperty(spec, 'selectorsMacros')['additionalProperties'] as JsonSchema;
  for (const name of NOT_IN_MACROS) findProperty(macro, name)['maxItems'] = 0;
  const list = findProperty(spec, 'lists')['items'] as JsonSchema;
  list['x-kubernetes-validations'] = [
    {
      rule: "!has(self.type) || self.type != 'generated_ftrace' || (has(self.pattern) && self.pattern != '')",
      message: 'generated_ftrace needs a pattern: add `pattern`, a regular expression',
    },
  ];
  findProperty(spec, 'lists')['maxItems'] = RESOURCE_HOOKS_MAX;
}

function addHookRules(kind: HookKind, hooks: JsonSchema): void {
  hooks['maxItems'] = RESOURCE_HOOKS_MAX;
  const hook = hooks['items'] as JsonSchema;
  const selectors = findProperty(hook, 'selectors');
  selectors['maxItems'] = HOOK_SELECTORS_MAX;
  for (const name of ['matchActions', 'matchReturnActions']) {
    const actions = findProperty(selectors['items'] as JsonSchema, name);
    actions['maxItems'] = RESOURCE_ACTIONS_MAX;
    const action = actions['items'] as JsonSchema;
    action['x-kubernetes-validations'] = actionRules(kind);
    findProperty(action, 'action')['enum'] = POLICY_ACTIONS.filter((each) => ACTION_TABLE[each].hooks.includes(kind));
  }
  const rules = hookRules(hook, kind);
  if (rules.length > 0) hook['x-kubernetes-validations'] = rules;
}

/** Rules about the fields that an action needs. */
function actionRules(kind: HookKind): CrdRule[] {
  return POLICY_ACTIONS.filter((action) => ACTION_TABLE[action].hooks.includes(kind)).flatMap((action) => {
    const { needs, needsAny } = ACTION_TABLE[action];
    const isOther = `self.action != '${action}'`;
    const possible = needsAny.filter((field) => canHaveField(kind, field));
    const rules = needs.map((field) => ({
      rule: `${isOther} || ${hasValue(field)}`,
      message: `${action} needs ${field}: add it${field === 'argSig' ? `, a number from 1 to ${SIGNALS_MAX}` : ''}`,
    }));
    if (possible.length > 0)
      rules.push({
        rule: `${isOther} || ${possible.map((field) => `(${hasValue(field)})`).join(' || ')}`,
        message: `${action} needs one of ${possible.join(', ')}: add ${possible[0]}`,
      });
    return rules;
  });
}

/** A condition that a field of the action has a value that does not count as absent. */
function hasValue(field: ActionField): string {
  const { shape } = actionShape.fields[field] as Field;
  const value = `self.${field}`;
  if (field === 'argSig') return `has(${value}) && ${value} >= 1 && ${value} <= ${SIGNALS_MAX}`;
  if (shape.kind === 'text') return `has(${value}) && ${value} != ''`;
  if (shape.kind === 'list') return `has(${value}) && size(${value}) > 0`;
  return shape.kind === 'integer' && shape.zeroIsAbsent === true ? `has(${value}) && ${value} != 0` : `has(${value})`;
}

/** CEL writes the field `return` as `__return__`, because it is a reserved word. */
function hookRules(hook: JsonSchema, kind: HookKind): CrdRule[] {
  const rules: CrdRule[] = [];
  if ('return' in (hook['properties'] as JsonSchema)) {
    rules.push({
      rule: '!has(self.__return__) || !self.__return__ || has(self.returnArg)',
      message: '`return: true` needs a returnArg: add one with index 0 and the type of the return value, such as int',
    });
  }
  const ofReturn = ['matchReturnArgs', 'matchReturnActions'];
  const isWithout = ofReturn.map((name) => `(!has(s.${name}) || size(s.${name}) == 0)`).join(' && ');
  const reads = 'return' in (hook['properties'] as JsonSchema) ? '(has(self.__return__) && self.__return__) || ' : '';
  rules.push({
    rule: `${reads}!has(self.selectors) || self.selectors.all(s, ${isWithout})`,
    message: `${ofReturn.join(' and ')} need the return value: ${
      reads === '' ? `remove them, because ${kind} do not read it` : 'add `return: true` and a returnArg to the hook'
    }`,
  });
  if (kind === 'uprobes') {
    const places = ['symbols', 'offsets', 'addrs'].map((name) => `(has(self.${name}) && size(self.${name}) > 0)`);
    rules.push({
      rule: places.join(' || '),
      message: 'the uprobe names no place in the file: add symbols, offsets or addrs',
    });
  }
  return rules;
}

function findProperty(schema: JsonSchema, name: string): JsonSchema {
  return (schema['properties'] as JsonSchema)[name] as JsonSchema;
}
