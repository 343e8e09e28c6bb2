/** Programs in Go that tests run: what Kubernetes and Helm do with a rule or a template, by the packages that they use. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

const CACHE =
  process.env['POLYTRACE_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'polytrace');
/** Where Debian's packages have the sources of libraries. */
const GOPATH = '/usr/share/gocode';

const PROGRAMS = {
  cel: 'github.com/google/cel-go',
  helm: 'github.com/Masterminds/sprig',
} as const;
type GoProgram = keyof typeof PROGRAMS;

/** Skips the tests if a program cannot be built here; with REQUIRE_ALL=1, fails. */
export function needsGo(this: Mocha.Context): void {
  const isThere = existsSync('/usr/bin/go') && Object.values(PROGRAMS).every((each) => existsSync(join(GOPATH, 'src', each))); // prettier-ignore
  if (isThere) return;
  if (process.env['REQUIRE_ALL'] === '1') throw new Error('these tests need Go: run `scripts/setup.sh --vm`');
  this.skip();
}

/** Builds a program, once for a version of its source, and returns its path. It takes up to a minute. */
async function buildGoProgram(name: GoProgram): Promise<string> {
  const folder = join(__dirname, 'go', name);
  const hash = createHash('sha256').update(readFileSync(join(folder, 'main.go')));
  const program = join(CACHE, `go-${name}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  const part = `${program}.${process.pid}`;
  await execFileAsync('go', ['build', '-o', part, '.'], {
    cwd: folder,
    env: { ...process.env, GO111MODULE: 'off', GOPATH, GOCACHE: join(CACHE, 'go-build'), CGO_ENABLED: '0' },
  });
  renameSync(part, program);
  return program;
}

/** Runs a program, and returns the lines that it prints, each one JSON. */
export async function runGoProgram<T>(name: GoProgram, ...args: readonly string[]): Promise<T[]> {
  const { stdout } = await execFileAsync(await buildGoProgram(name), [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as T); // prettier-ignore
}
