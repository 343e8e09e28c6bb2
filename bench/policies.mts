// Instructions of a call with many policies on its function, as separate programs and in groups.
import { countInVm } from './count.mjs';
import {
  ACTING_MAX,
  type Calls,
  callsOf,
  growthLimits,
  KPROBE_GROWTH,
  policyActions,
  policyNumbers,
  type PolicyCosts,
  TWO_KINDS_GROWTH,
} from './policies-cases.mjs';
import { formatNumber, type Rows } from './table.mjs';

const subjectNames: Readonly<Record<PolicyCosts['subject'], readonly string[]>> = {
  reads: [],
  exclusions: ['exclusions'],
  others: ['all others'],
  ports: ['ports'],
  networks: ['networks'],
  both: ['both in turn'],
  tracked: ['TrackSock'],
  renames: ['renames'],
};

export interface PolicyTables {
  readonly rows: Rows;
  /** A message for each number of policies that costs more than its limit. */
  readonly tooMany: readonly string[];
}

export async function policyTables(kernel: string): Promise<PolicyTables> {
  const { nothing, costs } = JSON.parse(await countInVm(kernel, 'guest-policies.mts /run/vm', 'policies.json')) as {
    readonly nothing: Readonly<Record<Calls, Readonly<Record<string, number>>>>;
    readonly costs: readonly PolicyCosts[];
  };
  const added = ({ counts, subject }: PolicyCosts, step: string): number =>
    (counts[step] ?? NaN) - (nothing[callsOf(subject)][step] ?? NaN);
  const rows = costs.map((each) => [
    [
      formatNumber(each.policies),
      each.grouped ? 'in groups' : 'separate',
      ...subjectNames[each.subject],
      ...(each.does === 'an event' ? [] : [each.does]),
      ...(each.byKprobes ? ['kprobes'] : []),
    ].join(', '),
    ...['hot', 'first', 'match'].map((step) => (step in each.counts ? formatNumber(added(each, step)) : '')),
    each.addMs.toFixed(0),
    each.removeMs.toFixed(0),
    each.descriptors.toFixed(1),
    formatNumber(each.memory),
  ]);
  const onReads = { subject: 'reads', byKprobes: false } as const;
  const kinds = [
    ...(Object.keys(policyActions) as (keyof typeof policyActions)[]).map((does) => ({ does, ...onReads })),
    { does: 'an event', ...onReads, byKprobes: true } as const,
    { does: 'an event', ...onReads, subject: 'exclusions' } as const,
    { does: 'an event', ...onReads, subject: 'others' } as const,
    { does: 'an event', ...onReads, subject: 'ports' } as const,
    { does: 'an event', ...onReads, subject: 'networks' } as const,
    { does: 'an event', ...onReads, subject: 'both' } as const,
    { does: 'an event', ...onReads, subject: 'tracked' } as const,
    { does: 'an event', ...onReads, subject: 'renames' } as const,
  ];
  const tooMany = kinds.flatMap(({ does, byKprobes, subject }) => {
    const grouped = costs.filter(
      (each) => each.grouped && each.does === does && each.byKprobes === byKprobes && each.subject === subject,
    );
    const least = byKprobes ? KPROBE_GROWTH : subject === 'both' ? TWO_KINDS_GROWTH : 1;
    const hasAll = does === 'an event' && !byKprobes && subject === 'reads';
    return policyNumbers
      .filter((policies) => hasAll || policies <= ACTING_MAX)
      .flatMap((policies, i) => {
        const [one, here] = [grouped[0], grouped[i]];
        const what = `${policies} policies on ${subject} with ${does}${byKprobes ? ' by kprobes' : ''}`;
        if (one === undefined || here === undefined) return [`${what} were not measured`];
        const times = added(here, 'hot') / added(one, 'hot');
        const limit = policies === 1 ? 1 : Math.max(least, growthLimits[policies]);
        return times <= limit ? [] : [`${what}: a call costs ${times.toFixed(2)} times one; limit ${limit}`];
      });
  });
  return {
    rows: [
      ['Policies', 'hot file', 'first read', 'match', 'add (ms)', 'remove (ms)', 'descriptors', 'bytes a hook'],
      ...rows,
    ],
    tooMany,
  };
}
