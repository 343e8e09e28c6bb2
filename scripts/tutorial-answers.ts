/** Writes output of the command about the policies of docs/tutorial.md into this page. */
import { formatDiagnostic } from '../lib/errors.js';
import { explainPolicy, formatExplanation, validatePolicy } from '../lib/policy/index.js';

/** Finds the policies of the page. The first one has an error, so it is also returned in a corrected form. */
export function findPolicies(page: string): { wrong: string; corrected: string; protect: string } {
  const [wrong = '', protect = ''] = [...page.matchAll(/^```yaml\n([^]*?)^```/gm)].map(([, yaml]) => yaml ?? '');
  return { wrong, corrected: wrong.replace('Prefx', 'Prefix'), protect };
}

/** Returns the page with the current diagnostic and explanation. The kernel that the page names stays. */
export function withAnswers(page: string): string {
  const { wrong, corrected } = findPolicies(page);
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
