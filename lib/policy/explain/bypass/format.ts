/** Formats the ways around a policy for a terminal. */
import type { BypassNeed, PolicyBypass } from '../../../../types/bypass.js';

const NEEDS: Readonly<Record<BypassNeed, string>> = {
  nothing: 'every process can do this',
  'file-access': 'needs the right to write to the file or its folder',
  'earlier-start': 'needs a start before the policy was loaded',
};

export function formatBypasses(bypasses: readonly PolicyBypass[]): string {
  if (bypasses.length === 0) return 'No way around this policy is known.\n';
  const lines = bypasses.flatMap((bypass, i) => {
    const before = bypasses[i - 1];
    const isSameHook = before?.kind === bypass.kind && before.hook === bypass.hook;
    return [
      ...(isSameHook ? [] : [...(i === 0 ? [] : ['']), `${bypass.kind}: ${bypass.hook}`]),
      ...formatBypass(bypass),
    ];
  });
  return `${lines.join('\n')}\n`;
}

function formatBypass({ code, selectors, way, remedy, needs, certain, danger, line, column }: PolicyBypass): string[] {
  const which = `selector${selectors.length === 1 ? '' : 's'} ${selectors.join(', ')}`;
  const warning = danger === undefined ? '' : ` [${danger}]`;
  return [
    `  ${code}${warning} at ${line}:${column}, ${which}`,
    `    ${certain ? '' : 'unless the kernel does not allow it: '}${way}`,
    `    ${NEEDS[needs]}`,
    `    closed by: ${remedy}`,
  ];
}
