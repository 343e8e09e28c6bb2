/** `polytrace preflight`: prints what this kernel and these privileges allow. */
import { GOOD, KERNEL, type Context } from './context.js';
import { print } from './output.js';
import { safe, table } from './text.js';

export async function preflight({ api, stdout }: Context): Promise<number> {
  const report = api.preflight();
  const gaps = api.hostGaps().map(({ meaning, remedy }) => `warning: ${meaning}: ${remedy}\n`);
  const rows = report.features.map((f) => [f.name, f.available ? 'yes' : 'no', f.detail, f.meaning]);
  const can = (ability: boolean): string => (ability ? 'can' : 'cannot');
  await print(
    stdout,
    safe(
      `kernel ${report.kernel}\n\n${table([['FEATURE', 'HERE', 'DETAIL', 'WHAT IT MEANS'], ...rows])}\n` +
        `The base sensor (exec, exit, fork) ${can(report.canTrace)} run here.\n` +
        `Policies with kprobes ${can(report.canAttachKprobes)} run here.\n${gaps.join('')}`,
    ),
  );
  return report.canTrace ? GOOD : KERNEL;
}
