/** Container images from programs of this machine, without a registry. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface ImageOptions {
  /** Name with a tag, such as `test.invalid/tools:1`. */
  readonly name: string;
  /** Programs of this machine. The image has them at the same paths, with their libraries. */
  readonly programs: readonly string[];
  /** Text files by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly env?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** Writes an archive in the format of `docker save`, which containerd, Docker and Podman read. */
export function writeImage(
  archive: string,
  { name, programs, files = {}, command, env = [], labels = {} }: ImageOptions,
): void {
  const work = mkdtempSync(join(tmpdir(), 'polytrace-image-'));
  try {
    const root = join(work, 'root');
    for (const folder of [
      'bin',
      'sbin',
      'usr/bin',
      'usr/sbin',
      'lib',
      'lib64',
      'usr/lib',
      'etc',
      'tmp',
      'proc',
      'sys',
      'dev',
    ])
      mkdirSync(join(root, folder), { recursive: true });
    for (const file of new Set(programs.flatMap((program) => [program, ...listLibraries(program)])))
      copyIntoRoot(root, file);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const out = join(work, 'out');
    mkdirSync(out);
    execFileSync('tar', ['--sort=name', '--numeric-owner', '-cf', join(out, 'layer.tar'), '-C', root, '.']);
    const digest = createHash('sha256')
      .update(readFileSync(join(out, 'layer.tar')))
      .digest('hex');
    const config = {
      architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string],
      os: 'linux',
      config: { Cmd: command, Env: ['PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', ...env], Labels: labels },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    };
    writeFileSync(join(out, 'config.json'), JSON.stringify(config));
    const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
    writeFileSync(join(out, 'manifest.json'), JSON.stringify(manifest));
    execFileSync('tar', ['-cf', archive, '-C', out, 'manifest.json', 'config.json', 'layer.tar']);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Lists the libraries that a program loads, and its loader. */
function listLibraries(program: string): string[] {
  const text = execFileSync('sh', ['-c', 'ldd "$0" 2>/dev/null || true', program], { encoding: 'utf8' });
  return [...text.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] as string);
}

function copyIntoRoot(root: string, file: string): void {
  const target = join(root, file);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(realpathSync(file), target);
}
