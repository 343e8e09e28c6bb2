/** The part of the language table that selects pods, containers and nodes by their labels. */
import {
  listShape,
  mapShape,
  objectShape,
  enumShape,
  optionalField,
  requiredField,
  textShape,
  textOrEmptyShape,
} from './shape.js';
import { LABEL_OPERATORS } from './vocabulary.js';

export const labelExpressionShape = objectShape({
  key: requiredField(textShape, 'Name of the label.'),
  operator: requiredField(enumShape(LABEL_OPERATORS), 'How the label is compared.'),
  values: optionalField(listShape(textOrEmptyShape), 'Values of the label, for In and NotIn.'),
});

export const labelSelectorShape = objectShape({
  matchLabels: optionalField(mapShape(textOrEmptyShape), 'Labels that must all be present with the given values.'),
  matchExpressions: optionalField(listShape(labelExpressionShape), 'Conditions on labels. All of them must be true.'),
});
