/** Many values and many selectors can be loaded, and each is decided correctly. */
import assert from 'node:assert/strict';
import type { NamedAction } from './matrix-policy.js';
import { runActions, prepareMatrix } from './matrix-setup.js';
import type { Action } from './matrix.js';
import { MECHANISMS, Recording } from './support.js';

interface Limit {
  readonly title: string;
  readonly hook: { readonly call: string; readonly args: readonly object[] };
  readonly selectors: readonly object[];
  /** Actions with the selector that must match; undefined if none may match. */
  readonly actions: readonly (readonly [Action, number | undefined])[];
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
const lseek = (fd: number, offset: number): Action => ['lseek', fd, offset, 0];
const openat = (path: string): Action => ['openat', path];
const NUMBERS = { call: 'sys_lseek', args: [{ index: 0, type: 'int' }, { index: 1, type: 'int64' }] }; // prettier-ignore
const PATHS = { call: 'sys_openat', args: [{ index: 1, type: 'string' }] };

const matchArg = (index: number, operator: string, values: readonly string[]): object => ({ index, operator, values });
const FOLDER = '/no/such/folder';

const LIMITS: readonly Limit[] = [
  {
    title: '5,000 numbers in one Equal',
    hook: NUMBERS,
    selectors: [{ matchArgs: [matchArg(1, 'Equal', range(5000).map((i) => `${7000000 + 3 * i}`))] }], // prettier-ignore
    actions: [0, 1, 2500, 4998, 4999].flatMap((i): [Action, number | undefined][] => [
      [lseek(4242, 7000000 + 3 * i), 0],
      [lseek(4242, 7000001 + 3 * i), undefined],
    ]),
  },
  {
    title: '5,000 numbers in one NotEqual',
    hook: NUMBERS,
    selectors: [
      { matchArgs: [matchArg(0, 'Equal', ['4242']), matchArg(1, 'NotEqual', range(5000).map((i) => `${-7000000 - 3 * i}`))] }, // prettier-ignore
    ],
    actions: [0, 2500, 4999].flatMap((i): [Action, number | undefined][] => [
      [lseek(4242, -7000000 - 3 * i), undefined],
      [lseek(4242, -7000001 - 3 * i), 0],
    ]),
  },
  {
    title: '5,000 texts in one Equal',
    hook: PATHS,
    selectors: [{ matchArgs: [matchArg(1, 'Equal', range(5000).map((i) => `${FOLDER}/${i}`))] }], // prettier-ignore
    actions: [0, 1, 2500, 4999].flatMap((i): [Action, number | undefined][] => [
      [openat(`${FOLDER}/${i}`), 0],
      [openat(`${FOLDER}/${i}x`), undefined],
    ]),
  },
  {
    title: '2,000 texts in one Prefix',
    hook: PATHS,
    selectors: [{ matchArgs: [matchArg(1, 'Prefix', range(2000).map((i) => `${FOLDER}/${i}/`))] }], // prettier-ignore
    actions: [0, 1000, 1999].flatMap((i): [Action, number | undefined][] => [
      [openat(`${FOLDER}/${i}/file`), 0],
      [openat(`${FOLDER}/x${i}/file`), undefined],
    ]),
  },
  {
    title: '64 selectors on one hook, the first that matches decides',
    hook: NUMBERS,
    selectors: range(64).map((i) => ({
      matchArgs: [
        matchArg(0, 'Equal', [`${5000 + i}`, '4999']),
        matchArg(1, i % 2 === 0 ? 'GreaterThan' : 'LessThan', [`${i}`]),
      ],
    })),
    actions: [
      ...range(64).flatMap((i): [Action, number | undefined][] => [
        [lseek(5000 + i, i % 2 === 0 ? i + 1 : i - 1), i],
        [lseek(5000 + i, i), undefined],
      ]),
      [lseek(4999, 0), 1],
      [lseek(4999, 1), 0],
    ],
  },
  {
    title: '64 selectors with texts of all kinds',
    hook: PATHS,
    selectors: range(64).map((i) => ({
      matchArgs: [
        matchArg(1, ['Equal', 'Prefix', 'Postfix', 'SubString'][i % 4] as string, [`/${i}-of-${FOLDER}-${i}`]),
      ],
    })),
    actions: range(64).flatMap((i): [Action, number | undefined][] => {
      const value = `/${i}-of-${FOLDER}-${i}`;
      const match = [value, `${value}/more`, `/before${value}`, `/before${value}/more`][i % 4] as string;
      return [
        [openat(match), i],
        [openat(match.replace('-of-', '-no-')), undefined],
      ];
    }),
  },
];

function limitPolicy({ hook, selectors }: Limit, number: number): string {
  return JSON.stringify({
    apiVersion: 'cilium.io/v1alpha1',
    kind: 'TracingPolicy',
    metadata: { name: `limit-${number}` },
    spec: {
      kprobes: [
        {
          ...hook,
          syscall: true,
          data: [{ index: 0, type: 'string', source: 'current_task', resolve: 'comm' }],
          selectors,
        },
      ],
    },
  });
}

for (const attach of MECHANISMS) {
  describe(`limits by ${attach}`, () => {
    let recording: Recording | undefined;
    before(async () => {
      prepareMatrix();
      recording = await Recording.open(undefined, { attach });
    });
    after(() => recording?.close());

    LIMITS.forEach((limit, number) => {
      it(limit.title, async () => {
        assert.ok(recording !== undefined);
        const { tracer } = recording;
        await tracer.addPolicy({ yaml: limitPolicy(limit, number) });
        const actions = limit.actions.map(([action], i): NamedAction => ({ name: `l${number}.${i}`, action }));
        const events = await recording.hooksDuring(() => runActions(actions));
        const seen = new Map<string, number[]>(actions.map(({ name }) => [name, []]));
        for (const { data, selector } of events)
          if (data[0]?.type === 'string') seen.get(data[0].value)?.push(selector);
        assert.deepEqual(
          [...seen.values()],
          limit.actions.map(([, selector]) => (selector === undefined ? [] : [selector])),
        );
        await tracer.removePolicy(`limit-${number}`);
      });
    });
  });
}
