/** All ways around policies, and their part of docs/policy-library.md. */
import { DESCRIPTORS, HANDLES, PROGRAM_MOUNT } from './policy-evasion-mounts.js';
import { IA32_CALLS, LATE_POLICIES, LEADERS, PID_NAMESPACES } from './policy-evasion-processes.js';
import type { Way } from './policy-evasion-rows.js';

export const WAYS: readonly Way[] = [
  HANDLES,
  DESCRIPTORS,
  PROGRAM_MOUNT,
  PID_NAMESPACES,
  LATE_POLICIES,
  LEADERS,
  IA32_CALLS,
];

/** Returns whether the policy reports the attacks of this way, or undefined if no attack names the policy. */
export function judgeWay({ attacks, excluded }: Way, policy: string): 'yes' | 'in part' | 'no' | '-' | undefined {
  const isOpen = attacks.some(({ open }) => open?.[policy] !== undefined);
  const isReported = attacks.some(({ reports }) => reports?.[policy] !== undefined);
  if (isOpen) return isReported ? 'in part' : 'no';
  if (isReported) return 'yes';
  return excluded?.[policy] === undefined ? undefined : '-';
}

/** The lines of the table: a policy each, and its result for each way. */
export function formatTable(policies: readonly string[]): string[][] {
  const rows = policies.map((policy) => [`\`${policy}\``, ...WAYS.map((way) => judgeWay(way, policy) ?? '')]);
  return [['policy', ...WAYS.map(({ name }) => name)], ...rows];
}

/** An item for each remedy: the attacks that policies do not report, and then the remedy. */
export function listOpenWays(policies: readonly string[]): string[] {
  const attacks = WAYS.flatMap((way) => way.attacks);
  const remedies = new Set(policies.flatMap((policy) => attacks.flatMap(({ open }) => open?.[policy] ?? [])));
  return [...remedies].map((remedy) => {
    const policiesByText = new Map<string, string[]>();
    for (const policy of new Set(policies)) {
      const titles = attacks.filter(({ open }) => open?.[policy] === remedy).map(({ title }) => title);
      if (titles.length === 0) continue;
      const text = titles.join('; ');
      policiesByText.set(text, [...(policiesByText.get(text) ?? []), `\`${policy}\``]);
    }
    return `${[...policiesByText].map(([text, names]) => `${names.join(', ')}: ${text}.`).join(' ')} ${remedy}`;
  });
}
