/** The page of a report: one HTML text that needs no network, with a policy that lets nothing else in. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The script and the style are made of agent/page by the build. */
const FOLDER = join(__dirname, '../../dist/page');

interface Page {
  /** The data of the report stands between the two, as base64. */
  readonly head: string;
  readonly tail: string;
  /** The value of the header Content-Security-Policy; the page has it as an element, too. */
  readonly csp: string;
}

/** A live page asks the server that it comes from for rows. */
export function reportPage(isLive: boolean): Page {
  const script = asset('report.js');
  const style = asset('report.css');
  const csp = [
    "default-src 'none'",
    `script-src ${source(script)}`,
    `style-src ${source(style)}`,
    ...(isLive ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
    // with this, no code of the page can make markup of a text
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  const head = `<!doctype html>
<html lang="en"${isLive ? ' data-live' : ''}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>polytrace report</title>
<style>${style}</style>
</head>
<body>
<noscript>This report needs JavaScript. It is in the page itself; nothing is loaded.</noscript>
<script id="rows" type="text/plain">`;
  return { head, tail: `</script>\n<script>${script}</script>\n</body>\n</html>\n`, csp };
}

/** Throws when a text could end its element. */
function asset(name: string): string {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`${name} cannot be part of a page`);
  return text;
}

function source(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
