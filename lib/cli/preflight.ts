/** `polytrace preflight`: prints the features of this kernel, and tries which hooks work with these privileges. */
import type { PreemptionModel } from '../../types/kernel.js';
import { escapeUnsafeJson } from '../output/escape.js';
import { KERNEL, SUCCESS, type Context } from './context.js';
import { print } from './output.js';
import { escapeControls, formatTable } from '../output/terminal-text.js';

export interface PreflightOptions {
  readonly output: 'text' | 'json';
  readonly btf?: string;
}

export async function printPreflight({ output, btf }: PreflightOptions, { api, stdout }: Context): Promise<number> {
  const options = btf === undefined ? {} : { btf };
  const { kernel, preemption, features, problem } = api.preflight(options);
  const gaps = api.hostGaps();
  const trial = await api.tryTracing(options);
  const { canTrace, hooks, ways, remedies, problems } = trial;
  if (output === 'json') {
    await print(
      stdout,
      `${escapeUnsafeJson(JSON.stringify({ kernel, preemption, features, problem, ...trial, gaps }, null, 2))}\n`,
    );
    return canTrace ? SUCCESS : KERNEL;
  }
  if (problem !== undefined) {
    // the table would have no answers
    await print(stdout, escapeControls(`kernel ${kernel}\n\nNothing can be traced here: ${problem}.\n`));
    return KERNEL;
  }
  const rows = features.map((f) => [f.name, f.available ? 'yes' : 'no', f.detail, f.meaning]);
  const formatAbility = (ability: boolean): string => (ability ? 'can' : 'cannot');
  await print(
    stdout,
    escapeControls(
      `kernel ${kernel}\n\n${formatTable([['FEATURE', 'HERE', 'DETAIL', 'WHAT IT MEANS'], ...rows])}\n` +
        `${describePreemption(preemption)}\n` +
        `The base sensor (exec, exit, fork) ${formatAbility(canTrace)} run here.\n` +
        `Policies with these hooks can run here: ${listNames(hooks, true)}; cannot: ${listNames(hooks, false)}.\n` +
        Object.entries(remedies)
          .map(([hook, remedy]) => `  ${hook}: ${remedy}\n`)
          .join('') +
        `Hooks can be attached by: ${listNames(ways, true)}; cannot: ${listNames(ways, false)}.\n` +
        problems.map((problem) => `problem: ${problem}\n`).join('') +
        gaps.map(({ meaning, remedy }) => `warning: ${meaning}: ${remedy}\n`).join(''),
    ),
  );
  return canTrace ? SUCCESS : KERNEL;
}

function listNames(hooks: Readonly<Record<string, boolean>>, wanted: boolean): string {
  const names = Object.keys(hooks).filter((name) => hooks[name] === wanted);
  return names.length === 0 ? 'none' : names.join(', ');
}

/** Describes what the preemption model means for hooks. */
function describePreemption(model: PreemptionModel): string {
  const consequence =
    model === 'none' || model === 'voluntary'
      ? 'the kernel does not suspend programs'
      : 'the kernel can suspend programs, so functions are hooked by kprobes, which it does not suspend';
  return `The preemption model is ${model}: ${consequence}.`;
}
