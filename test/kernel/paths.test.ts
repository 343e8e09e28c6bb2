/** Paths are correct for a file on any mount, opened by any technique, and after any change of the path. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ProcessKprobeEvent } from '../../types/index.js';
import {
  prepareWorkload,
  fileHook,
  fileArgument,
  MECHANISMS,
  kprobePolicy,
  onPath,
  Recording,
  WORKLOAD,
  runWorkload,
} from './support.js';

const READS = `- matchArgs:
  - index: 1
    operator: Equal
    values: ["4"]
  matchBinaries:
  - operator: In
    values: ["${WORKLOAD}"]`;

for (const attach of MECHANISMS) {
  describe(`paths by ${attach}`, () => {
    let recording: Recording;

    before(async () => {
      prepareWorkload();
      mkdirSync('/srv/paths/target', { recursive: true });
      mkdirSync('/srv/paths/root/etc', { recursive: true });
      writeFileSync('/srv/paths/root/etc/inside', 'x');
      writeFileSync('/srv/paths/plain', 'x');
      recording = await Recording.open(kprobePolicy('paths', fileHook(READS)), { attach });
    });
    after(async () => {
      await recording?.close();
      execFileSync('rm', ['-rf', '/srv/paths']);
    });

    /** The last read. Earlier reads come from loading the program itself. */
    async function lastRead(...command: readonly (string | number)[]): Promise<ProcessKprobeEvent> {
      const event = (await recording.hooksDuring(() => runWorkload(...command))).at(-1);
      assert.ok(event !== undefined, 'no read was seen');
      return event;
    }
    async function lastPath(...command: readonly (string | number)[]): Promise<string> {
      return fileArgument(await lastRead(...command)).path;
    }

    it('a plain file', async () => {
      assert.equal(await lastPath('read', '/srv/paths/plain', 1), '/srv/paths/plain');
    });

    it('across a mount, and its inode and permission', async () => {
      writeFileSync('/dev/shm/on-another-file-system', 'x', { mode: 0o640 });
      const file = fileArgument(await lastRead('read', '/dev/shm/on-another-file-system', 1));
      assert.equal(file.path, '/dev/shm/on-another-file-system');
      assert.equal(file.permission, '-rw-r-----');
      assert.ok(file.inode > 0n);
      assert.deepEqual(file.flags, []);
    });

    it('through a bind mount in a mount namespace of its own', async () => {
      const path = '/srv/paths/target/etc/inside';
      assert.equal(await lastPath('namespace', '/srv/paths/root', '/srv/paths/target', path), path);
    });

    it('relative to the root of a process in a chroot', async () => {
      assert.equal(await lastPath('chroot', '/srv/paths/root', '/etc/inside'), '/etc/inside');
    });

    it('a file outside the root of its reader: from the root of the mount tree', async () => {
      const file = fileArgument(await lastRead('outside', '/srv/paths/root', '/srv/paths/plain'));
      assert.equal(file.path, '/srv/paths/plain');
      // not the file that this path names in the jail
      assert.deepEqual(file.flags, ['unreachable']);
    });

    it('a file that was unlinked: its old name, flagged', async () => {
      writeFileSync('/srv/paths/removed', 'x');
      const file = fileArgument(await lastRead('unlinked', '/srv/paths/removed'));
      assert.equal(file.path, '/srv/paths/removed');
      assert.deepEqual(file.flags, ['deleted']);
    });

    it('a file on a detached mount: from the top of the mount, flagged', async () => {
      const file = fileArgument(await lastRead('detached', '/srv/paths/target', '/srv/paths/target/kept'));
      assert.equal(file.path, '/kept');
      assert.deepEqual(file.flags, ['unreachable']);
    });

    it('200 folders deep', async () => {
      mkdirSync('/srv/paths/deep', { recursive: true });
      const path = await lastPath('deep', '/srv/paths/deep', 'folder', 200, 'file');
      assert.equal(path, `/srv/paths/deep${'/folder'.repeat(200)}/file`);
    });

    it('2,000 folders deep', async () => {
      mkdirSync('/srv/paths/deep', { recursive: true });
      const path = await lastPath('deep', '/srv/paths/deep', 'a', 2000, 'file');
      assert.equal(path, `/srv/paths/deep${'/a'.repeat(2000)}/file`);
    });

    it('names of 255 bytes, 4,095 bytes in total', async () => {
      const name = 'n'.repeat(255);
      const folder = '/srv/paths/long';
      mkdirSync(folder, { recursive: true });
      const last = 4095 - folder.length - 15 * 256 - 1;
      const path = await lastPath('deep', folder, name, 15, 'f'.repeat(last));
      assert.equal(path.length, 4095);
      assert.equal(path, `${folder}${`/${name}`.repeat(15)}/${'f'.repeat(last)}`);
    });

    it('longer than 4,095 bytes: its end, flagged', async () => {
      const name = 'n'.repeat(255);
      mkdirSync('/srv/paths/longer', { recursive: true });
      const file = fileArgument(await lastRead('deep', '/srv/paths/longer', name, 20, 'file'));
      assert.deepEqual(file.flags, ['truncated']);
      assert.ok(file.path.endsWith(`/${name}/file`) && file.path.length > 3800, String(file.path.length));
    });

    it('files without a path: pipes, sockets, memfds', async () => {
      assert.match(await lastPath('pseudo', 'pipe'), /^pipe:\[\d+\]$/);
      assert.match(await lastPath('pseudo', 'memfd'), /^\/memfd:secret$/);
    });

    it('with spaces and any other bytes', async () => {
      const path = '/srv/paths/a b\tc\u{1f4da}';
      writeFileSync(path, 'x');
      assert.equal(await lastPath('read', path, 1), path);
      rmSync(path);
    });

    it('with bytes that are not UTF-8: different names stay different', async () => {
      const paths: string[] = [];
      for (const octal of ['376', '377']) {
        const script = `f=$(printf '/srv/paths/n\\${octal}'); : > "$f"; ${WORKLOAD} read "$f" 1; rm "$f"`;
        const events = await recording.hooksDuring(() => void execFileSync('sh', ['-c', script]));
        paths.push(
          ...events.map((event) => fileArgument(event).path).filter((path) => path.startsWith('/srv/paths/n')),
        );
      }
      assert.deepEqual(paths, ['/srv/paths/n\udcfe', '/srv/paths/n\udcff']);
    });
  });
}

/** A filter on the file of fileHook, only for the workload. The message of its hook is the filter. */
function pathHook(operator: string, ...values: readonly string[]): string {
  return `message: ${operator}\n${fileHook(onPath(operator, ...values))}
  - {index: 1, operator: Equal, values: ["4"]}
  matchBinaries:
  - {operator: In, values: ["${WORKLOAD}"]}`;
}

for (const attach of MECHANISMS) {
  describe(`files without a path and filters by ${attach}`, () => {
    let recording: Recording;
    before(async () => {
      prepareWorkload();
      const hooks = [
        pathHook('NotPrefix', '/usr/', '/etc/', '/lib'),
        pathHook('NotEqual', '/x'),
        pathHook('NotPostfix', 'x'),
        pathHook('Prefix', 'memfd:'),
        pathHook('FileType', 'pipe', 'socket'),
      ];
      recording = await Recording.open(kprobePolicy('no-path', ...hooks), { attach });
    });
    after(() => recording?.close());

    /** The filters that hold for the last file that the workload reads. */
    async function findMatches(...command: readonly (string | number)[]): Promise<string[]> {
      const events = await recording.hooksDuring(() => runWorkload(...command));
      const own = events.filter((event) => !/^\/(usr|etc|lib|tmp\/workload)/.test(fileArgument(event).path));
      return own.map(({ message = '' }) => message).sort();
    }

    for (const [kind, expected] of [
      ['pipe', ['FileType']],
      ['socket', ['FileType']],
      ['memfd', ['Prefix']],
    ] as const) {
      it(`${kind}: no negated filter holds`, async () => {
        assert.deepEqual(await findMatches('pseudo', kind), expected);
      });
    }

    it('a program that is executed from a memfd: negated filters hold', async () => {
      const hook = `call: security_bprm_check
syscall: false
args:
- {index: 0, type: linux_binprm}
selectors:
${onPath('NotPrefix', '/usr/', '/tmp/', '/lib')}`;
      await recording.tracer.addPolicy({ yaml: kprobePolicy('executed', hook) });
      const events = await recording.hooksDuring(() => {
        runWorkload('execmemfd', '/bin/true');
        execFileSync('/usr/bin/true');
      });
      await recording.tracer.removePolicy('executed');
      const own = events.filter(({ policyName }) => policyName === 'executed');
      assert.deepEqual(own.map((event) => fileArgument(event).path), ['/memfd:program']); // prettier-ignore
    });

    it('a file with a path: the negated filters hold', async () => {
      writeFileSync('/srv/with-a-path', 'y');
      assert.deepEqual(await findMatches('read', '/srv/with-a-path', 1), ['NotEqual', 'NotPostfix', 'NotPrefix']);
    });

    it('a path that is hidden: the negated filters hold', async () => {
      mkdirSync('/srv/hidden', { recursive: true });
      writeFileSync('/srv/hidden/file', 'y');
      const found = await findMatches('detached', '/srv/hidden', '/srv/hidden/file');
      assert.deepEqual(found, ['NotEqual', 'NotPostfix', 'NotPrefix']);
    });
  });
}
