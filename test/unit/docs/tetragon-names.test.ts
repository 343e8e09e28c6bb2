/** docs/from-tetragon.md has each name of Tetragon's agent and protocol that does not work here. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DescFile, DescMessage, DescMethod } from '@bufbuild/protobuf';
import { MESSAGES } from '../../../lib/output/export-fields.js';
import { file_tetragon_eventlog } from '../../../lib/proto/tetragon/eventlog.gen.js';
import { file_tetragon_events } from '../../../lib/proto/tetragon/events.gen.js';
import { file_tetragon_sensors } from '../../../lib/proto/tetragon/sensors.gen.js';
import { file_tetragon_tetragon } from '../../../lib/proto/tetragon/tetragon.gen.js';
import { readProjectFile, ROOT } from '../../project.js';
import { FLAGS, METRICS } from './tetragon-names.js';

/** The names in the page. One that ends in `*` stands for all names with this beginning. */
const named = new Set(
  [...readProjectFile('docs/from-tetragon.md').matchAll(/`([^`\n]+)`/g)].map(([, name]) => name ?? ''),
);
const beginnings = [...named].filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
const isOnPage = (name: string): boolean =>
  named.has(name) || named.has(`--${name}`) || beginnings.some((beginning) => name.startsWith(beginning));

function readSources(folder: string): string {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.gen.ts'))
    .map((name) => readProjectFile(`${folder}/${name}`))
    .join('\n');
}

const FILES: readonly DescFile[] = [file_tetragon_tetragon, file_tetragon_events, file_tetragon_sensors, file_tetragon_eventlog]; // prettier-ignore
/** Fields with numbers from here on are extensions of polytrace. */
const OWN_FIELDS_FROM = 1900;
/** The code that reads and makes messages. The export of events has a table of its own, MESSAGES. */
const handlers = ['agent/lib', 'lib/encode', 'lib/filters', 'lib/protocol'].map(readSources).join('\n');
const words = new Set(handlers.match(/\w+/g));

function listMessages(messages: readonly DescMessage[]): DescMessage[] {
  return messages.flatMap((message) => [message, ...listMessages(message.nestedMessages)]);
}

/** True if some code makes the field, or reads it. The agent adds fields to the event itself. */
function isHandled({ name: message }: DescMessage, { name, localName }: DescMessage['fields'][number]): boolean {
  const exported = MESSAGES[message];
  if (exported === undefined) return words.has(localName);
  return exported[name] !== undefined || (message === 'GetEventsResponse' && words.has(localName));
}

/** True if the agent has a handler for the call that does more than refuse it. */
function isServed({ localName }: DescMethod): boolean {
  const [, handler] = new RegExp(`^ +${localName}(?::|\\() ?(.*)$`, 'm').exec(handlers) ?? [];
  return handler !== undefined && !handler.includes('reject');
}

describe('docs/from-tetragon.md: names that do not work here', () => {
  it('flags of the agent', () => {
    const settings = new Set([...readProjectFile('docs/agent-configuration.md').matchAll(/^- `([a-z0-9-]+)`/gm)].map(([, name]) => name ?? '')); // prettier-ignore
    assert.ok(settings.size > 40);
    assert.deepEqual(
      FLAGS.filter((name) => !settings.has(name) && !isOnPage(name)),
      [],
    );
  });

  it('metrics', () => {
    const sources = readSources('agent/lib/metrics');
    assert.deepEqual(
      METRICS.filter((name) => !sources.includes(`'${name}'`) && !isOnPage(name)),
      [],
    );
  });

  it('calls of the protocol', () => {
    const methods = FILES.flatMap(({ services }) => services).flatMap((service) => service.methods);
    assert.ok(methods.filter(isServed).length > 10);
    assert.deepEqual(
      methods.filter((method) => !isServed(method) && !isOnPage(method.name)).map(({ name }) => name),
      [],
    );
  });

  for (const message of FILES.flatMap(({ messages }) => listMessages(messages))) {
    it(`fields of ${message.name}`, () => {
      const missing = message.fields.filter((field) => field.number < OWN_FIELDS_FROM && !isHandled(message, field));
      assert.deepEqual(
        missing.map(({ name }) => name).filter((name) => !isOnPage(name)),
        [],
      );
    });
  }

  it('names nothing that does not exist', () => {
    const known = new Set([
      ...FLAGS,
      ...METRICS,
      ...FILES.flatMap(({ messages }) => listMessages(messages)).flatMap(({ fields }) =>
        fields.map(({ name }) => name),
      ),
      ...FILES.flatMap(({ services }) => services).flatMap(({ methods }) => methods.map(({ name }) => name)),
    ]);
    const [, section = ''] = readProjectFile('docs/from-tetragon.md').split('## Names of the agent\n');
    const cells = [...section.matchAll(/^- ((?:`[^`]+`,?\s+)*`[^`]+`)/gm)].map(([, names]) => names ?? '');
    const written = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ''));
    assert.ok(written.length > 50);
    assert.deepEqual(
      written.filter(
        (name) =>
          !known.has(name) && ![...known].some((each) => name.endsWith('*') && each.startsWith(name.slice(0, -1))),
      ),
      [],
    );
  });
});
