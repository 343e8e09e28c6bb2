/**
 * Builds the page of a report: one HTML document that needs no network. Its content security policy allows nothing
 * else.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The build makes the script and the style from agent/page. */
const FOLDER = join(__dirname, '../../dist/page');

interface Page {
  /** The rows stand between head and tail, as base64. */
  readonly head: string;
  readonly tail: string;
  /** The value of the header Content-Security-Policy. The page also has it as an element. */
  readonly csp: string;
}

/** A live page requests rows from its server. */
export function createReportPage(isLive: boolean): Page {
  const script = readAsset('report.js');
  const style = readAsset('report.css');
  const csp = [
    "default-src 'none'",
    `script-src ${cspHash(script)}`,
    `style-src ${cspHash(style)}`,
    ...(isLive ? ["connect-src 'self'"] : []),
    "base-uri 'none'",
    "form-action 'none'",
    // with this, no script can turn a string into markup
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
<p id="reading">Reading…</p>
<noscript>This report needs JavaScript. It is in the page itself; nothing is loaded.</noscript>
<script id="rows" type="text/plain">`;
  return { head, tail: `</script>\n<script>${script}</script>\n</body>\n</html>\n`, csp };
}

/** Throws when a file could end its element. */
function readAsset(name: string): string {
  const text = readFileSync(join(FOLDER, name), 'utf8');
  if (/<\/(script|style)|<!--/i.test(text)) throw new Error(`${name} cannot be part of a page`);
  return text;
}

function cspHash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
