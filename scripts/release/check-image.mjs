// Checks the published image: its list of manifests, its hashes, and for each architecture the configuration and each ELF file.
// Then Node.js of each image loads the addon, for another architecture under QEMU's user-mode emulation.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readSync,
  rmSync,
} from 'node:fs';
import { arch as hostArch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { prebuiltFile, TARGETS } from '../prebuilds/targets.mjs';

/** e_machine of ELF files, and the name of the architecture in QEMU. */
const MACHINES = { x64: { machine: 62, qemu: 'x86_64' }, arm64: { machine: 183, qemu: 'aarch64' } };
const NODE = '/usr/local/bin/node';
const COMMAND = '/opt/polytrace/dist/cli/main.js';
const NOTICES = 'opt/polytrace/THIRD-PARTY-NOTICES';

/** Returns e_machine of an ELF file, and undefined for another file. */
function elfMachine(file) {
  const head = Buffer.alloc(20);
  const descriptor = openSync(file, 'r');
  try {
    return readSync(descriptor, head) === 20 && head.readUInt32BE(0) === 0x7f454c46 ? head.readUInt16LE(18) : undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** Lists the ELF files below a folder, with their machines. */
function listElfFiles(folder, prefix = '') {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return listElfFiles(folder, name);
    const machine = entry.isFile() ? elfMachine(join(folder, name)) : undefined;
    return machine === undefined ? [] : [{ name, machine }];
  });
}

/** Reads a blob as JSON, after it was compared with its hash. */
function blobReader(layout) {
  const fileOf = ({ digest }) => join(layout, 'blobs', digest.replace(':', '/'));
  const check = (descriptor) => {
    const bytes = readFileSync(fileOf(descriptor));
    const hash = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (hash !== descriptor.digest || bytes.length !== descriptor.size)
      throw new Error(`${descriptor.digest} has the hash ${hash}`);
    return bytes;
  };
  return { fileOf, check, parse: (descriptor) => JSON.parse(check(descriptor)) };
}

/** The problems of the configuration of one image. */
function configProblems(platform, config) {
  const { architecture, os, config: run = {} } = config;
  return [
    ...(architecture === platform.architecture && os === platform.os
      ? []
      : [`its configuration is for ${os}/${architecture}`]),
    ...(JSON.stringify(run.Entrypoint) === '["/usr/local/bin/polytrace"]' ? [] : ['its entry point is not polytrace']),
    ...(JSON.stringify(run.Cmd) === '["agent"]' ? [] : ['its command is not the agent']),
    ...(run.Healthcheck === undefined ? ['it has no health check'] : []),
  ];
}

/** The problems of the files of one image. Each ELF file has to be for its architecture. */
function fileProblems(folder, arch) {
  const files = listElfFiles(folder);
  const needed = [NODE, `/opt/polytrace/${prebuiltFile(arch)}`];
  const { length } = readFileSync(join(folder, NOTICES));
  return [
    ...needed.filter((name) => !files.some((file) => file.name === name)).map((name) => `${name} is missing`),
    ...files
      .filter(({ machine }) => machine !== MACHINES[arch].machine)
      .map(({ name, machine }) => `${name} is for the machine ${machine}, not for ${MACHINES[arch].machine}`),
    ...(length > 0 ? [] : [`${NOTICES} is empty`]),
  ];
}

/** Runs the command and loads the addon in the root of the image. Returns what they print. */
function tryImage(folder, arch) {
  const runner = arch === hostArch() ? [] : ['/qemu'];
  if (runner.length > 0) copyFileSync(`/usr/bin/qemu-${MACHINES[arch].qemu}`, join(folder, 'qemu'));
  const load = `process.dlopen(module = { exports: {} }, '/opt/polytrace/${prebuiltFile(arch)}')
console.log(process.arch, 'Node.js', process.version, 'addon with', Object.keys(module.exports).length, 'functions')`;
  const inRoot = (...args) => execFileSync('chroot', [folder, ...runner, NODE, ...args], { encoding: 'utf8' }).trim();
  return [inRoot(COMMAND, '--version'), inRoot('-e', load)].join(', ');
}

function checkOne(blobs, work, arch, descriptor, tries) {
  const { config, layers } = blobs.parse(descriptor);
  const problems = configProblems(descriptor.platform, blobs.parse(config));
  const folder = join(work, arch);
  mkdirSync(folder);
  for (const layer of layers) {
    blobs.check(layer);
    execFileSync('tar', ['-xzf', blobs.fileOf(layer), '-C', folder]);
  }
  problems.push(...fileProblems(folder, arch));
  if (problems.length === 0 && tries) {
    const bytes = layers.reduce((sum, { size }) => sum + size, 0);
    const count = listElfFiles(folder).length;
    console.log(`image: linux/${TARGETS[arch].debian}: ${bytes} bytes, ${count} ELF files, ${tryImage(folder, arch)}`);
  }
  return problems.map((each) => `linux/${TARGETS[arch].debian}: ${each}`);
}

/** Returns the problems of an image in the layout of OCI. With `tries`, programs of each architecture run, too. */
export function imageProblems(file, { tries = true } = {}) {
  const work = mkdtempSync(join(tmpdir(), 'polytrace-check-'));
  try {
    const layout = join(work, 'layout');
    mkdirSync(layout);
    execFileSync('tar', ['-xf', file, '-C', layout]);
    const blobs = blobReader(layout);
    const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
    if (manifests.length !== 1) return [`it has ${manifests.length} images`];
    const list = blobs.parse(manifests[0]).manifests;
    const platforms = list.map(({ platform: { os, architecture } }) => `${os}/${architecture}`);
    const wanted = Object.values(TARGETS).map(({ debian }) => `linux/${debian}`);
    if (platforms.join() !== wanted.join()) return [`it is for ${platforms.join(', ')}, not for ${wanted.join(', ')}`];
    return Object.keys(TARGETS).flatMap((arch, index) => checkOne(blobs, work, arch, list[index], tries));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
