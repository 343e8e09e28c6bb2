/** Policies on sockets and addresses that share a program report the same calls as with programs of their own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { HookStatus, PolicySource, ProcessKprobeEvent } from '../../types/index.js';
import { randomPick } from '../random.js';
import { prepareWorkload, kprobePolicy, onKernelWithGroups, Recording, WORKLOAD } from './support.js';

const POLICIES = 12;

/** Destinations and their ports. The kernel takes the mapped address for one of IPv4. */
const CALLS: readonly (readonly [source: string, destination: string, port: number])[] = [
  ['127.0.0.1', '127.0.0.1', 80],
  ['127.0.0.1', '127.0.0.2', 443],
  ['127.0.0.2', '127.1.0.1', 8080],
  ['127.0.0.3', '127.1.2.3', 443],
  ['::1', '::1', 80],
  ['::1', '::1', 443],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.2', 443],
  ['::ffff:127.0.0.2', '::ffff:127.1.0.1', 8080],
];
const FIRST_SOURCE_PORT = 40_000;

interface Kind {
  readonly title: string;
  readonly call: string;
  readonly args: string;
  /** Which filters a selector can have. */
  readonly filters: readonly string[];
}

const NETWORKS: readonly string[] = [
  '{index: 0, operator: DAddr, values: [127.0.0.0/16]}',
  '{index: 0, operator: DAddr, values: [127.1.0.0/16, "::1"]}',
  '{index: 0, operator: DAddr, values: [127.1.2.3, 127.1.2.0/23]}',
  '{index: 0, operator: DAddr, values: ["::/3", 0.0.0.0/0]}',
  '{index: 0, operator: NotDAddr, values: [127.0.0.2, "::/0"]}',
  '{index: 0, operator: SAddr, values: [127.0.0.2/31]}',
  '{index: 0, operator: NotSAddr, values: [127.0.0.1, "::1"]}',
];

const KINDS: readonly Kind[] = [
  { title: 'networks of sockets', call: 'tcp_connect', args: '[{index: 0, type: sock}]', filters: NETWORKS },
  {
    title: 'sockets',
    call: 'tcp_connect',
    args: '[{index: 0, type: sock}]',
    filters: [
      ...NETWORKS,
      '{index: 0, operator: DPort, values: ["443"]}',
      '{index: 0, operator: DPort, values: ["80", "8080"]}',
      '{index: 0, operator: NotDPort, values: ["443"]}',
      '{index: 0, operator: DPort, values: ["400:9000"]}',
      '{index: 0, operator: SPort, values: ["40001", "40005", "40006"]}',
      '{index: 0, operator: Family, values: [AF_INET6]}',
      '{index: 0, operator: Protocol, values: [IPPROTO_TCP]}',
    ],
  },
  // each rule can be looked up, so the port or address of a socket ends most calls before the socket is described
  {
    title: 'destination ports',
    call: 'tcp_connect',
    args: '[{index: 0, type: sock}]',
    filters: ['["443"]', '["8080", "81"]'].map((ports) => `{index: 0, operator: DPort, values: ${ports}}`),
  },
  {
    title: 'source ports',
    call: 'tcp_connect',
    args: '[{index: 0, type: sock}]',
    filters: ['["40001", "40006"]', '["40004"]'].map((ports) => `{index: 0, operator: SPort, values: ${ports}}`),
  },
  {
    title: 'destinations',
    call: 'tcp_connect',
    args: '[{index: 0, type: sock}]',
    filters: ['[127.1.0.0/16]', '["::/3"]', '["::1", 127.1.2.3]'].map(
      (networks) => `{index: 0, operator: DAddr, values: ${networks}}`,
    ),
  },
  {
    title: 'sources',
    call: 'security_socket_connect',
    args: '[{index: 0, type: socket}, {index: 1, type: sockaddr}, {index: 2, type: int}]',
    filters: ['[127.0.0.2/31]', '["::1"]'].map((networks) => `{index: 0, operator: SAddr, values: ${networks}}`),
  },
  {
    title: 'addresses',
    call: 'security_socket_connect',
    args: '[{index: 0, type: socket}, {index: 1, type: sockaddr}, {index: 2, type: int}]',
    filters: [
      '{index: 1, operator: SPort, values: ["443"]}',
      '{index: 1, operator: NotSPort, values: ["443", "80"]}',
      '{index: 1, operator: SAddr, values: [127.0.0.0/16]}',
      '{index: 1, operator: SAddr, values: ["::1/128"]}',
      '{index: 1, operator: NotSAddr, values: [127.1.0.0/16]}',
      '{index: 1, operator: Family, values: [AF_INET]}',
      '{index: 0, operator: Family, values: [AF_INET6]}',
      '{index: 2, operator: Equal, values: ["16"]}',
    ],
  },
];

/** The policies are the same in each run. */
const SEED = 1;

function randomPolicies({ call, args, filters }: Kind): PolicySource[] {
  const pick = randomPick(SEED);
  const hooks = Array.from({ length: POLICIES }, () => {
    const selectors = Array.from({ length: pick([1, 2]) }, () => {
      // two filters with the same operator on one argument are an error
      const own = new Map(
        Array.from({ length: pick([1, 2, 3]) }, () => pick(filters)).map((filter) => [
          filter.split(',', 2).join(),
          filter,
        ]),
      );
      return `- matchArgs: [${[...own.values()].join(', ')}]`;
    });
    return `call: ${call}\nsyscall: false\nargs: ${args}\nselectors:\n${selectors.join('\n')}`;
  });
  // each of them twice, because one hook alone, of those that look the same value up, has a program of its own
  return hooks.flatMap((hook, i) => ['a', 'b'].map((twin) => ({ yaml: kprobePolicy(`random-${i}-${twin}`, hook) })));
}

function describeEvent({ policyName, selector, args }: ProcessKprobeEvent): string {
  return JSON.stringify([policyName, selector, args], (key, value: unknown) =>
    // they differ from run to run
    ['cookie', 'address', 'hash'].includes(key) ? undefined : typeof value === 'bigint' ? String(value) : value,
  );
}

async function run(
  policies: readonly PolicySource[],
  groupPolicies: boolean,
): Promise<{ readonly hooks: readonly HookStatus[]; readonly events: readonly string[]; readonly counts: unknown }> {
  const recording = await Recording.open(undefined, { groupPolicies });
  try {
    for (const policy of policies) await recording.tracer.addPolicy(policy);
    const events = await recording.hooksDuring(() => {
      const lines = CALLS.map((call, i) =>
        ['call', 'tcp', call[0], FIRST_SOURCE_PORT + i, call[1], call[2]].join('\t'),
      );
      execFileSync(WORKLOAD, ['batch'], { input: `${lines.join('\n')}\n` });
    });
    const statuses = recording.tracer.policies();
    const counts = statuses.map(({ name, matched, posted, lost }) => ({ name, matched, posted, lost }));
    return { hooks: statuses.flatMap(({ hooks }) => hooks), events: events.map(describeEvent).sort(), counts };
  } finally {
    await recording.close();
  }
}

if (onKernelWithGroups())
  describe('policies on the network that share one program', () => {
    before(prepareWorkload);

    for (const kind of KINDS)
      it(`${POLICIES} random policies on ${kind.title} report the same as separate programs`, async () => {
        const policies = randomPolicies(kind);
        const separate = await run(policies, false);
        const grouped = await run(policies, true);
        for (const hook of grouped.hooks) assert.equal(hook.grouped, true, hook.separate);
        assert.ok(separate.hooks.every((hook) => hook.grouped === undefined));
        assert.deepEqual(grouped.events, separate.events);
        assert.deepEqual(grouped.counts, separate.counts);
        const all = 2 * POLICIES * CALLS.length;
        assert.ok(separate.events.length > all / 8 && separate.events.length < all, `${separate.events.length} events`);
      });
  });
