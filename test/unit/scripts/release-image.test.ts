/** The check of the published image, on images that are made here: each mistake of an image has its message. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const MACHINES = { amd64: 62, arm64: 183 };
type Architecture = keyof typeof MACHINES;

interface Plan {
  platforms: string[];
  /** The architecture of the configuration, and the machine of the addon. */
  config: Record<Architecture, string>;
  addon: Record<Architecture, number>;
  healthcheck: unknown;
  /** Runs before the files become the layout. */
  spoil: (folder: string) => void;
}

const GOOD: Plan = {
  platforms: ['amd64', 'arm64'],
  config: { amd64: 'amd64', arm64: 'arm64' },
  addon: MACHINES,
  healthcheck: { Test: ['CMD', 'polytrace', 'status'] },
  spoil: () => undefined,
};

function elfFile(machine: number): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32BE(0x7f454c46, 0);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

/** Writes a blob, and returns its descriptor. */
function writeBlob(folder: string, mediaType: string, bytes: Buffer, suffix = ''): object {
  const hash = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(folder, `${hash}${suffix}`), bytes);
  return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
}

function writeImage(folder: string, architecture: Architecture, plan: Plan): object {
  const root = mkdtempSync(join(tmpdir(), 'polytrace-root-'));
  const addon = `opt/polytrace/prebuilds/linux-${architecture === 'amd64' ? 'x64' : 'arm64'}/polytrace.node`;
  const files = {
    'usr/local/bin/node': elfFile(MACHINES[architecture]),
    [addon]: elfFile(plan.addon[architecture]),
    'opt/polytrace/THIRD-PARTY-NOTICES': 'notices',
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  const layer = execFileSync('tar', ['-czf', '-', '-C', root, '.']);
  rmSync(root, { recursive: true });
  const config = {
    os: 'linux',
    architecture: plan.config[architecture],
    config: { Entrypoint: ['/usr/local/bin/polytrace'], Cmd: ['agent'], Healthcheck: plan.healthcheck },
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: writeBlob(folder, 'application/vnd.docker.container.image.v1+json', Buffer.from(JSON.stringify(config))),
    layers: [writeBlob(folder, 'application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
  };
  const descriptor = writeBlob(folder, MANIFEST, Buffer.from(JSON.stringify(manifest)), '.manifest.json');
  return { ...descriptor, platform: { os: 'linux', architecture } };
}

/** Makes an image as the release does, and returns its problems. */
async function findProblems(change: Partial<Plan>): Promise<string[]> {
  const { imageProblems } = await import('../../../scripts/release/check-image.mjs');
  const { writeLayout } = await import('../../../scripts/release/image.mjs');
  const plan = { ...GOOD, ...change };
  const work = mkdtempSync(join(tmpdir(), 'polytrace-image-'));
  const [from, to, file] = ['dir', 'layout', 'image.tar'].map((name) => join(work, name)) as [string, string, string];
  try {
    mkdirSync(from);
    const manifests = plan.platforms.map((each) => writeImage(from, each as Architecture, plan));
    const mediaType = 'application/vnd.docker.distribution.manifest.list.v2+json';
    writeFileSync(join(from, 'manifest.json'), JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    plan.spoil(from);
    writeLayout(from, to, 'polytrace:1.2.3');
    execFileSync('tar', ['-cf', file, '-C', to, '.']);
    return imageProblems(file, { tries: false });
  } finally {
    rmSync(work, { recursive: true });
  }
}

describe('the published image', function () {
  this.timeout(30_000);

  it('has no problem', async () => {
    assert.deepEqual(await findProblems({}), []);
  });

  it('has both architectures', async () => {
    assert.deepEqual(await findProblems({ platforms: ['amd64'] }), [
      'it is for linux/amd64, not for linux/amd64, linux/arm64',
    ]);
  });

  it('has the configuration of its architecture', async () => {
    assert.deepEqual(await findProblems({ config: { amd64: 'amd64', arm64: 'amd64' } }), [
      'linux/arm64: its configuration is for linux/amd64',
    ]);
  });

  it('has only programs and libraries of its architecture', async () => {
    assert.deepEqual(await findProblems({ addon: { amd64: 62, arm64: 62 } }), [
      'linux/arm64: /opt/polytrace/prebuilds/linux-arm64/polytrace.node is for the machine 62, not for 183',
    ]);
  });

  it('has a health check', async () => {
    assert.deepEqual(await findProblems({ healthcheck: undefined }), [
      'linux/amd64: it has no health check',
      'linux/arm64: it has no health check',
    ]);
  });

  it('has the bytes of its hashes', async () => {
    const spoil = (folder: string): void => {
      const [layer = ''] = readdirSync(folder).filter((name) => !name.includes('.'));
      writeFileSync(join(folder, layer), 'other');
    };
    await assert.rejects(findProblems({ spoil }), /has the hash sha256:/);
  });
});
