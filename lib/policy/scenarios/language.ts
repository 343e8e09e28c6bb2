/** The format of files that test policies (kind PolicyTest) in one table, as language/policy.ts has that of policies. */
import { boolean, index32, list, object, oneOf, optional, required, text } from '../language/shape.js';
import type { ObjectShape } from '../language/shape.js';

const TEST_VERSION = 'polytrace/v1';
const TEST_KIND = 'PolicyTest';

const pattern = object({
  type: optional(text, 'Type of the event, such as process_kprobe. Default: any event of a hook.'),
  policy: optional(text, 'Name of the policy.'),
  function: optional(text, 'Function or LSM hook, as in the event; for a tracepoint SUBSYSTEM/EVENT.'),
  message: optional(text, 'Message of the hook.'),
  messageMatches: optional(text, 'Regular expression for the message.'),
  selector: optional(index32, 'Index of the selector that matched.'),
  action: optional(text, 'Action that the selector has, such as sigkill.'),
  binary: optional(text, 'Executable of the process.'),
  binaryMatches: optional(text, 'Regular expression for it.'),
  path: optional(text, 'Path that the event is about.'),
  pathMatches: optional(text, 'Regular expression for it.'),
  count: optional(index32, 'Number of such events. Default: at least one.'),
});

const scenario = object({
  name: required(text, 'Name of the scenario.'),
  run: optional(text, 'Lines for sh. Their processes and all descendants are observed.'),
  recording: optional(
    text,
    'Recording of getevents --record, in place of commands; the path is relative to this file.',
  ),
  status: optional(index32, 'Exit status that the commands must have. Default: any.'),
  timeout: optional(index32, 'Seconds that the commands have.', 60),
  expect: optional(list(pattern), 'Events that must come.'),
  never: optional(list(pattern), 'Events that must not come. `{}` is any event of a hook.'),
  exact: optional(boolean, 'No event of a hook may come that `expect` does not have.', false),
});

export const testShape: ObjectShape = object({
  apiVersion: required(oneOf([TEST_VERSION]), 'Version of this format.'),
  kind: required(oneOf([TEST_KIND]), 'Kind of the file.'),
  policies: required(
    list(text, { minItems: 1 }),
    'Policies that are tested: paths relative to this file, or polytrace:NAME.',
  ),
  before: optional(text, 'Lines for sh that run before the policies are loaded. They must succeed.'),
  after: optional(text, 'Lines for sh that run at the end, also after failures.'),
  scenarios: required(list(scenario, { minItems: 1 }), 'Scenarios, which run one after the other.'),
});
