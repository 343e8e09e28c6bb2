/** Filters that leave fields out of the JSON. */
import assert from 'node:assert/strict';
import { fieldFilter } from '../../../lib/output/field-filter.js';
import { toJson } from '../../../lib/output/json.js';
import { fileArgument, intArgument } from './arguments.js';
import { execEvent, kprobeEvent, lostEvent, plainProcess } from './events.js';

const event = kprobeEvent('f', [fileArgument('/a', 0, { label: 'one' }), fileArgument('/b'), intArgument(4, 1)], {
  process: plainProcess({ arguments: 'a\u202eb', pod: { namespace: 'n', name: 'p', labels: { app: 'x', tier: 'y' } } }),
  parent: plainProcess({ pid: 9 }),
});

type Fields = Record<string, unknown>;

function filterFields(options: Parameters<typeof fieldFilter>[0]): Fields {
  const { process_kprobe: fields, ...outer } = JSON.parse(toJson(event, { fields: fieldFilter(options) })) as Fields;
  assert.deepEqual(outer, { node_name: 'node', time: event.time });
  return fields as Fields;
}

describe('field filters', () => {
  it('include: only these fields, in each element of a list', () => {
    assert.deepEqual(filterFields({ include: ['process.pid', 'process.pod.pod_labels.app', 'args.file_arg.path'] }), {
      process: { pid: 210, pod: { pod_labels: { app: 'x' } } },
      args: [{ file_arg: { path: '/a' } }, { file_arg: { path: '/b' } }, {}],
    });
  });

  it('include: a message with all its fields, even if one of its fields is included as well', () => {
    const all = JSON.parse(toJson(event)) as { process_kprobe: Fields };
    for (const include of [
      ['args', 'args.label'],
      ['args.label', 'args'],
    ]) {
      assert.deepEqual(filterFields({ include }), { args: all.process_kprobe['args'] });
    }
  });

  it('exclude: all but these fields', () => {
    const { process, args, ...others } = filterFields({
      exclude: ['parent', 'process.pod', 'args.file_arg.permission'],
    });
    assert.deepEqual(Object.keys(others), ['function_name', 'action', 'policy_name', 'return_action']);
    assert.ok(!('pod' in (process as Fields)) && 'pid' in (process as Fields));
    assert.deepEqual(args, [{ file_arg: { path: '/a' }, label: 'one' }, { file_arg: { path: '/b' } }, { int_arg: 4 }]);
  });

  it('exclude wins over include', () => {
    const fields = filterFields({ include: ['process'], exclude: ['process.arguments', 'process.pod'] });
    assert.deepEqual(Object.keys(fields), ['process']);
    assert.ok(!('arguments' in (fields['process'] as Fields)) && 'pid' in (fields['process'] as Fields));
  });

  it('an empty include leaves the message empty; without a filter, it is complete', () => {
    assert.deepEqual(filterFields({ include: [] }), {});
    assert.equal(toJson(event, { fields: fieldFilter({}) }), toJson(event));
  });

  it('an event without the fields is empty, and a loss is always complete', () => {
    const fields = fieldFilter({ include: ['function_name'] });
    assert.deepEqual((JSON.parse(toJson(execEvent(), { fields })) as Fields)['process_exec'], {});
    assert.equal(toJson(lostEvent(), { fields }), toJson(lostEvent()));
  });

  it('the output stays safe for a terminal', () => {
    assert.match(toJson(event, { fields: fieldFilter({ exclude: ['parent'] }) }), /"arguments":"a\\u202eb"/);
  });

  for (const path of ['proces', 'process.pids', 'pid', 'process_exec.process', 'args.path', '', '__proto__']) {
    it(`a path that no event has is refused: '${path}'`, () => {
      for (const options of [{ include: [path] }, { exclude: ['process', path] }]) {
        assert.throws(() => fieldFilter(options), {
          code: 'FIELD_UNKNOWN',
          message: `no event has the field '${path}'`,
        });
      }
    });
  }
});
