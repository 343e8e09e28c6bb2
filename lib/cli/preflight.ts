/** `polytrace preflight`: prints what this kernel and these privileges allow, and tries it. */
import { safeJson } from '../output/escape.js';
import { GOOD, KERNEL, type Context } from './context.js';
import { print } from './output.js';
import { safe, table } from './text.js';

export interface PreflightOptions {
  readonly output: 'text' | 'json';
}

export async function preflight({ output }: PreflightOptions, { api, stdout }: Context): Promise<number> {
  const { kernel, features } = api.preflight();
  const gaps = api.hostGaps();
  const trial = await api.tryTracing();
  const { canTrace, hooks, ways, remedies, problems } = trial;
  if (output === 'json') {
    await print(stdout, `${safeJson(JSON.stringify({ kernel, features, ...trial, gaps }, null, 2))}\n`);
    return canTrace ? GOOD : KERNEL;
  }
  const rows = features.map((f) => [f.name, f.available ? 'yes' : 'no', f.detail, f.meaning]);
  const can = (ability: boolean): string => (ability ? 'can' : 'cannot');
  await print(
    stdout,
    safe(
      `kernel ${kernel}\n\n${table([['FEATURE', 'HERE', 'DETAIL', 'WHAT IT MEANS'], ...rows])}\n` +
        `The base sensor (exec, exit, fork) ${can(canTrace)} run here.\n` +
        `Policies with these hooks can run here: ${namesOf(hooks, true)}; cannot: ${namesOf(hooks, false)}.\n` +
        Object.entries(remedies)
          .map(([hook, remedy]) => `  ${hook}: ${remedy}\n`)
          .join('') +
        `Hooks can be attached by: ${namesOf(ways, true)}; cannot: ${namesOf(ways, false)}.\n` +
        problems.map((problem) => `problem: ${problem}\n`).join('') +
        gaps.map(({ meaning, remedy }) => `warning: ${meaning}: ${remedy}\n`).join(''),
    ),
  );
  return canTrace ? GOOD : KERNEL;
}

function namesOf(hooks: Readonly<Record<string, boolean>>, wanted: boolean): string {
  const names = Object.keys(hooks).filter((name) => hooks[name] === wanted);
  return names.length === 0 ? 'none' : names.join(', ');
}
