// Part of `npm run build:ts`: bundles what the agent uses of @kubernetes/client-node into one file. The package and its
// 40 dependencies would take 55 MB, and a program loads them for two seconds.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { writeBundledPackages } from './bundled-packages.mjs';

const { metafile } = await build({
  absWorkingDir: dirname(dirname(fileURLToPath(import.meta.url))),
  entryPoints: ['agent/lib/kubernetes/kube-config.ts'],
  outfile: 'agent/dist/kubernetes/kube-config.js',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minifySyntax: true,
  metafile: true,
  logLevel: 'warning',
});
writeBundledPackages([metafile], 'agent/dist');
