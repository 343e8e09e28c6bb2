/** The format of policy tests (kind PolicyTest) in one table, as language/policy.ts has the format of policies. */
import {
  booleanShape,
  filterValueShape,
  index32Shape,
  listShape,
  mapShape,
  objectShape,
  enumShape,
  optionalField,
  requiredField,
  textShape,
  uint64Shape,
} from '../language/shape.js';
import type { ObjectShape } from '../language/shape.js';

const TEST_VERSION = 'polytrace/v1';
const TEST_KIND = 'PolicyTest';

const eventPatternShape = objectShape({
  type: optionalField(textShape, 'Type of the event, such as process_kprobe. Default: any event of a hook.'),
  policy: optionalField(textShape, 'Name of the policy.'),
  function: optionalField(textShape, 'Function or LSM hook, as in the event; for a tracepoint SUBSYSTEM/EVENT.'),
  message: optionalField(textShape, 'Message of the hook.'),
  messageMatches: optionalField(textShape, 'Regular expression for the message.'),
  selector: optionalField(index32Shape, 'Index of the selector that matched.'),
  action: optionalField(textShape, 'Action that the selector has, such as sigkill.'),
  mark: optionalField(textShape, 'Mark of the process that the event names, because a filter tests it.'),
  binary: optionalField(textShape, 'Executable of the process.'),
  binaryMatches: optionalField(textShape, 'Regular expression for it.'),
  path: optionalField(textShape, 'Path that the event is about.'),
  pathMatches: optionalField(textShape, 'Regular expression for it.'),
  count: optionalField(index32Shape, 'Number of such events. Default: at least one.'),
});

const metricPatternShape = objectShape({
  metric: requiredField(textShape, 'Name of the metric.'),
  policy: optionalField(textShape, 'Name of the policy. Needed if several policies have the metric.'),
  labels: optionalField(mapShape(filterValueShape), 'Texts of labels. Default: all calls.'),
  other: optionalField(booleanShape, 'Only the calls whose labels found no room (maxKeys).', false),
  calls: optionalField(uint64Shape, 'Number of calls, exactly.'),
  sum: optionalField(uint64Shape, 'Sum of their values, exactly.'),
});

const scenarioShape = objectShape({
  name: requiredField(textShape, 'Name of the scenario.'),
  run: optionalField(textShape, 'Lines for sh. Their processes and all descendants are observed.'),
  recording: optionalField(
    textShape,
    'Recording of getevents --record, in place of commands; the path is relative to this file.',
  ),
  status: optionalField(index32Shape, 'Exit status that the commands must have. Default: any.'),
  timeout: optionalField(index32Shape, 'Seconds that the commands have.', 60),
  expect: optionalField(listShape(eventPatternShape), 'Events that must come.'),
  never: optionalField(listShape(eventPatternShape), 'Events that must not come. `{}` is any event of a hook.'),
  metrics: optionalField(listShape(metricPatternShape), 'What the policies must have counted.'),
  exact: optionalField(booleanShape, 'No event of a hook may come that `expect` does not have.', false),
});

export const policyTestShape: ObjectShape = objectShape({
  apiVersion: requiredField(enumShape([TEST_VERSION]), 'Version of this format.'),
  kind: requiredField(enumShape([TEST_KIND]), 'Kind of the file.'),
  policies: requiredField(
    listShape(textShape, { minItems: 1 }),
    'Policies that are tested: paths relative to this file, or polytrace:NAME.',
  ),
  before: optionalField(textShape, 'Lines for sh that run before the policies are loaded. They must succeed.'),
  after: optionalField(textShape, 'Lines for sh that run at the end, also after failures.'),
  scenarios: requiredField(listShape(scenarioShape, { minItems: 1 }), 'Scenarios, which run one after the other.'),
});
