/** What the command says about the policies of docs/tutorial.md. */
import { formatDiagnostic } from '../lib/errors.js';
import { explainPolicy, formatExplanation, validatePolicy } from '../lib/policy/index.js';

/** The policies of the page in their order, and the first one without its mistake. */
export function policiesOf(page: string): { wrong: string; corrected: string; protect: string } {
  const [wrong = '', protect = ''] = [...page.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, yaml]) => yaml ?? '');
  return { wrong, corrected: wrong.replace('Prefx', 'Prefix'), protect };
}

/** The page with the diagnostic and the explanation of now. The kernel that the page names stays. */
export function withAnswers(page: string): string {
  const { wrong, corrected } = policiesOf(page);
  const diagnostics = validatePolicy(wrong, { file: 'watch-etc.yaml' }).map(formatDiagnostic).join('\n');
  const [kernel = ''] = /; security_file_permission of Linux \S+/.exec(page) ?? [];
  const explanation = formatExplanation(explainPolicy(corrected)).replace(/^ +attached by .*/m, `$&${kernel}`);
  return page
    .replace(
      /(# npx polytrace validate watch-etc\.yaml\n)[^]*?\n```/,
      (_, command) => `${command}${diagnostics}\n\`\`\``,
    )
    .replace(/(# npx polytrace explain watch-etc\.yaml\n)[^]*?```/, (_, command) => `${command}${explanation}\`\`\``);
}
