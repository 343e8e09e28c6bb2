/** `polytrace hooks`: the lines that people see, JSON, policies, and errors. */
import assert from 'node:assert/strict';
import { KernelError, type PolytraceError } from '../../../lib/errors.js';
import type { AvailableHook, PolicyStatus } from '../../../types/index.js';
import { fakeKernel } from '../policy/fake-kernel.js';
import { FakeCommand } from './fake.js';

let command: FakeCommand;
const asked: (string | undefined)[] = [];

beforeEach(() => {
  command = new FakeCommand();
  asked.length = 0;
  command.api = {
    ...command.api,
    loadKernelInfo: (btf) => {
      asked.push(btf);
      return fakeKernel;
    },
  };
});

const run = async (...args: string[]): Promise<string> => {
  assert.equal(await command.run('hooks', ...args), 0, command.stderr.text);
  return command.stdout.text;
};

describe('polytrace hooks', () => {
  it('prints a row for each hook', async () => {
    assert.equal(
      await run('truncate'),
      `KIND      OVERRIDE  POLICIES                                     HOOK
function  yes       file-integrity,file-monitoring,log-clearing  int security_file_truncate(struct file *file)
function  yes       file-integrity,file-monitoring,log-clearing  int security_path_truncate(struct path *path)
`,
    );
    assert.equal(command.stderr.text, '');
  });

  it('fits a narrow terminal: prototypes lose parameters, and names are complete', async () => {
    command.env = { COLUMNS: '60' };
    const lines = (await run('security_')).trimEnd().split('\n');
    assert.ok(
      lines.some((line) => line.includes('security_file_permission') && !line.includes('mask')),
      lines.join('\n'),
    );
    for (const line of lines.filter((each) => each.includes('('))) assert.ok(line.length <= 60, line);
  });

  it('prints at most 50 rows, or those of --limit, and says so', async () => {
    assert.equal((await run('security', '--limit', '2')).trimEnd().split('\n').length, 3);
    assert.match(command.stderr.text, /^\d+ hooks match, 2 are shown: --limit 0 shows all\n$/);
    assert.equal(await command.run('hooks', 'security', '--limit', 'x'), 2);
  });

  it('prints JSON and names', async () => {
    const [first] = JSON.parse(await run('chown', '-o', 'json')) as AvailableHook[];
    assert.deepEqual(first?.parameters?.[0], { index: 0, name: 'path', cType: 'struct path *', type: 'path' });
    command.stdout.text = '';
    assert.equal(await run('list', 'security_path_*', '-o', 'names'), 'security_path_chown\nsecurity_path_truncate\n');
  });

  it('uses the kernel of a BTF file', async () => {
    await run('chown', '--btf', '/some/vmlinux');
    assert.deepEqual(asked, ['/some/vmlinux']);
    assert.equal(await command.run('hooks', 'chown', '--btf', 'x', '--count', '1'), 2);
  });

  it('says on standard error when the functions that can be probed are not known', async () => {
    command.api = { ...command.api, loadKernelInfo: () => ({ ...fakeKernel, attachableNames: () => undefined }) };
    await run('chown');
    assert.match(
      command.stderr.text,
      /^note: which functions can be probed is not known here: .*(this kernel has no|only root can read) available_filter_functions/,
    );
  });

  it('names the nearest hooks for an unknown name', async () => {
    assert.equal(await command.run('hooks', 'security_path_chwon'), 1);
    assert.equal(
      command.stderr.text,
      'polytrace: error HOOK_NOT_FOUND: Linux test has no hook "security_path_chwon"\n    hint: did you mean security_path_chown?\n',
    );
  });

  it('without types of the kernel, ends with status 3 and the code', async () => {
    command.api = {
      ...command.api,
      loadKernelInfo: () => {
        throw new KernelError('BTF_UNREADABLE', 'no types', 'a kernel with BTF');
      },
    };
    assert.equal(await command.run('hooks', 'x'), 3);
    assert.match(command.stderr.text, /error BTF_UNREADABLE: no types/);
  });

  it('lists the functions of a program without any kernel', async () => {
    command.api = { ...command.api, loadKernelInfo: () => assert.fail('not needed') };
    assert.match(await run('malloc', '--file', process.execPath, '--kind', 'uprobe', '--limit', '1'), /\nuprobe /);
    assert.equal(await command.run('hooks', 'x', '--file', '/no/such/file'), 1);
    assert.match(command.stderr.text, /PROGRAM_NOT_FOUND/);
  });

  it('escapes names that could control the terminal', async () => {
    command.api = {
      ...command.api,
      listHooks: () => [{ kind: 'uprobe', name: 'a\u001b[2J', file: '/x', policies: [] }],
    };
    assert.ok(!(await run('a', '--file', '/x')).includes('\u001b'));
  });
});

describe('polytrace hooks show', () => {
  it('describes a hook', async () => {
    assert.equal(
      await run('show', 'security_path_chown'),
      `int security_path_chown(struct path *path, struct kuid_t uid, struct cred *cred)

kind      function
override  yes
policies  file-integrity

INDEX   NAME  TYPE    TYPE IN C
0       path  path    struct path *
1       uid   uint32  struct kuid_t
2       cred  cred    struct cred *
return  -     int     int

polytrace hooks show security_path_chown --policy prints a policy for it.
`,
    );
  });

  it('prints a policy', async () => {
    assert.match(await run('show', 'file_open', '--policy'), /\n {2}lsmhooks:\n {4}- hook: file_open\n/);
  });
});

describe('polytrace hooks --count', () => {
  /** Counts of the first and the second look. */
  const counts = [10, 110];
  let added: string[] = [];

  beforeEach(() => {
    added = [];
    let looks = 0;
    command.tracer.policies = () => {
      const matched = counts[looks++] ?? 0;
      return added.map((_, i) => ({ name: `count-${i}`, matched })) as PolicyStatus[];
    };
    command.tracer.addPolicy = ((source: { readonly yaml: string }) => {
      if (source.yaml.includes('security_path_truncate')) throw refused;
      added.push(source.yaml);
      return Promise.resolve();
    }) as never;
  });
  const refused: PolytraceError = new KernelError('HOOK_ATTACH', 'the kernel refuses it', '');

  it('prints calls per second, and the code for a hook that cannot be attached', async () => {
    const [first, second] = JSON.parse(await run('truncate', '--count', '0.05', '-o', 'json')) as {
      readonly callsPerSecond?: number;
      readonly notCounted?: string;
    }[];
    const rate = first?.callsPerSecond ?? 0;
    // a timer of Node may end 1 ms before its time
    assert.ok(rate > 0 && rate <= 100 / 0.049, String(rate));
    assert.equal(second?.notCounted, 'HOOK_ATTACH');
    assert.match(added[0] ?? '', /NoPost/);
    assert.equal(command.tracer.closes, 1);
  });

  it('has a column in the table', async () => {
    assert.match(await run('truncate', '--count', '0.05'), /^KIND +OVERRIDE +CALLS\/S +POLICIES +HOOK\n/);
  });

  it('counts at most 32 hooks', async () => {
    const hook = { kind: 'function', name: 'f', policies: [] } as const;
    command.api = { ...command.api, listHooks: () => Array.from({ length: 33 }, () => hook) };
    assert.equal(await command.run('hooks', 'f', '--count', '1'), 2);
    assert.match(command.stderr.text, /at most 32 hooks, and 33 are listed: use --limit/);
  });
});
