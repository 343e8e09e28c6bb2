/** The part of the language table that selects pods, containers and nodes by their labels. */
import { list, map, object, oneOf, optional, required, text, textOrEmpty } from './shape.js';
import { LABEL_OPERATORS } from './vocabulary.js';

export const labelExpression = object({
  key: required(text, 'Name of the label.'),
  operator: required(oneOf(LABEL_OPERATORS), 'How the label is compared.'),
  values: optional(list(textOrEmpty), 'Values of the label, for In and NotIn.'),
});

export const labelSelector = object({
  matchLabels: optional(map(textOrEmpty), 'Labels that must all be present with the given values.'),
  matchExpressions: optional(list(labelExpression), 'Conditions on labels. All of them must be true.'),
});
