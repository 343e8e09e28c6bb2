// The use of the package in a server of Next.js.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeConfiguration } from './bundles.mjs';
import { addModules, runCommand } from './commands.mjs';

/** Builds a server of Next.js with `output: 'standalone'`, and asks it for an event in a folder without the sources. */
export function buildNext(folder) {
  const source = join(folder, 'next');
  mkdirSync(join(source, 'app/api'), { recursive: true });
  writeFileSync(join(source, 'package.json'), '{"name":"app","version":"1.0.0","private":true}');
  writeConfiguration(source, 'next.config.mjs');
  writeFileSync(join(source, 'app/layout.js'), 'export default ({ children }) => children;\n');
  writeFileSync(join(source, 'app/api/route.js'), NEXT_ROUTE);
  addModules(source, 'next@15', 'react@19', 'react-dom@19');
  cpSync(join(folder, 'node_modules/polytrace'), join(source, 'node_modules/polytrace'), { recursive: true });
  for (const name of ['node-gyp-build', 'yaml', 're2js', 'commander', '@bufbuild'])
    cpSync(join(folder, 'node_modules', name), join(source, 'node_modules', name), { recursive: true });
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
  const next = join(source, 'node_modules/next/dist/bin/next');
  const { status, stdout, stderr } = spawnSync('node', [next, 'build'], { cwd: source, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`next build: ${stdout}${stderr}`);
  const away = mkdtempSync(join(tmpdir(), 'polytrace-next-'));
  cpSync(join(source, '.next/standalone'), away, { recursive: true });
  try {
    runCommand(away, 'node', '--input-type=module', '-e', ASK_NEXT);
  } finally {
    rmSync(away, { recursive: true });
  }
}

const NEXT_ROUTE = `import { openTracer, policyLibrary } from 'polytrace';
import { spawnSync } from 'node:child_process';
export const dynamic = 'force-dynamic';
export async function GET() {
  const tracer = await openTracer();
  const next = tracer.events({ types: ['process_exec'] }).next();
  spawnSync('/bin/true');
  await next;
  await tracer.close();
  return new Response(policyLibrary().length === 0 ? 'no policies' : 'TRACED');
}
`;

/** Starts the server, and fails unless it answers TRACED. */
const ASK_NEXT = `import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
const probe = createServer().listen(0, '127.0.0.1');
await new Promise((resolve) => probe.once('listening', resolve));
const { port } = probe.address();
await new Promise((resolve) => probe.close(resolve));
const env = { ...process.env, PORT: String(port), HOSTNAME: '127.0.0.1' };
const server = spawn('node', ['server.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
const isReady = new Promise((resolve) => server.stdout.on('data', (text) => /Ready/.test(text) && resolve()));
await Promise.race([isReady, new Promise((resolve, reject) => server.once('exit', reject))]);
const answer = await (await fetch('http://127.0.0.1:' + port + '/api')).text();
server.kill();
if (answer !== 'TRACED') throw new Error(answer);
`;
