/** CMake names what is too old to build the addon, before the compiler fails. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../project.js';

const hasPrograms = (...names: readonly string[]): boolean =>
  names.every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);

describe('configuration of the build', function () {
  this.timeout(60_000);
  let folder: string;

  before(function () {
    if (!hasPrograms('cmake', 'pkg-config', 'clang-19', 'bpftool', 'c++')) this.skip();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-cmake-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function configure(env: Readonly<Record<string, string>>): string {
    const { stderr } = spawnSync('cmake', ['-S', ROOT, '-B', join(folder, 'build'), '-DCMAKE_JS_INC=/headers'], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    return stderr.replaceAll(/\s+/g, ' ');
  }

  it('names all that is too old on Debian 12 and Ubuntu 22.04 at once', () => {
    const lines = ['Name: libbpf', 'Description: a library', 'Version: 1.1.2', 'Libs: -lbpf', ''];
    writeFileSync(join(folder, 'libbpf.pc'), lines.join('\n'));
    mkdirSync(join(folder, 'linux'));
    writeFileSync(join(folder, 'linux/bpf.h'), 'struct bpf_link_info { int type; };\n');
    assert.match(
      configure({ PKG_CONFIG_PATH: folder, CFLAGS: `-isystem ${folder}` }),
      /polytrace cannot be built here: libbpf 1\.1\.2 is too old: 1\.3 or later is needed\. linux\/bpf\.h is too old: that of Linux 6\.6 or later is needed \(linux-libc-dev\)\. Debian 13 and Ubuntu 24\.04 have/,
    );
    rmSync(join(folder, 'libbpf.pc'));
    rmSync(join(folder, 'linux'), { recursive: true });
    assert.doesNotMatch(configure({}), /too old/, 'what was installed since is not seen');
  });

  it('names all packages that are missing at once', () => {
    assert.match(
      configure({ PKG_CONFIG_LIBDIR: folder, PKG_CONFIG_PATH: '' }),
      /Missing: libbpf-dev libelf-dev libzstd-dev \(Debian: apt-get install libbpf-dev libelf-dev libzstd-dev\)/,
    );
  });

  it('refuses an old compiler', () => {
    // says what GCC 10 would say when CMake asks for its version
    const compiler = join(folder, 'g++');
    writeFileSync(
      compiler,
      `#!/bin/sh\ncase " $* " in *CMakeCXXCompilerId*) exec c++ -U__GNUC__ -D__GNUC__=10 -w "$@" ;; esac\nexec c++ "$@"\n`,
      { mode: 0o755 },
    );
    assert.match(configure({ CXX: compiler }), /g\+\+ is GNU 10\.[\d.]+, too old: 11 or later is needed/);
  });
});
