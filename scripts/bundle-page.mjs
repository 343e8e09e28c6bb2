// Bundles agent/page into one script and one style sheet, for reports.
// The script begins with the licences of its libraries, so that every report contains them.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LIBRARIES = ['uplot', '@tanstack/virtual-core'];

function licenceNotice(name) {
  const folder = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const text = readFileSync(join(folder, 'LICENSE'), 'utf8').trim();
  if (license !== 'MIT' || text.includes('*/')) throw new Error(`the licence of ${name} has to be looked at`);
  return `${name} ${version}\n\n${text}`;
}

/** Bundles the page. Returns what esbuild says about its inputs. */
export async function bundlePage() {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { report: 'agent/page/main.ts' },
    outdir: 'dist/page',
    tsconfig: 'agent/page/tsconfig.json',
    bundle: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    // ASCII, so that a page is the same in every encoding
    charset: 'ascii',
    target: ['chrome110', 'firefox115', 'safari16.4'],
    legalComments: 'none',
    banner: { js: `/*!\n${LIBRARIES.map(licenceNotice).join('\n\n')}\n*/` },
    logLevel: 'warning',
    metafile: true,
  });
  return metafile;
}
