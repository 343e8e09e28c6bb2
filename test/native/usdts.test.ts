/** Static probes of programs and libraries on this machine's kernel: arguments in each encoding, filters, counters. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessUsdtEvent } from '../../types/index.js';
import { argumentValue, assertRefused, collectEvents, isUsdt, needsRoot, openTracer, polytrace, startHidden, tracePolicy, Workshop } from './support.js';

const SOURCE = join(__dirname, 'programs', 'probes.c');
/** The register with the address of the instruction, and the size of the instruction that is a probe. */
const [COUNTER, NOP_BYTES] = process.arch === 'arm64' ? ['pc', 4n] : ['rip', 1n];

function usdtPolicy(...hooks: readonly string[]): { yaml: string } {
  const items = hooks.map((hook) => `\n    - ${hook.replaceAll('\n', '\n      ')}`).join('');
  return {
    yaml: `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: probes }
spec:
  usdts:${items}`,
  };
}

/** The events of the hooks that `run` causes. */
const traceHooks = (run: () => unknown, ...hooks: readonly string[]): Promise<ProcessUsdtEvent[]> =>
  tracePolicy(usdtPolicy(...hooks), isUsdt, run);

/** The variants of the program, with the flags of the compiler. */
const BUILDS: readonly (readonly [kind: string, flags: readonly string[]])[] = [
  ['pie', ['-O1', '-fPIE', '-pie']],
  ['no-pie', ['-O1', '-fno-pie', '-no-pie']],
  ['pie, not optimised', ['-O0', '-fPIE', '-pie']],
  ['library', ['-O1']],
];

interface Built {
  readonly program: string;
  /** The file that contains the probes. */
  readonly path: string;
}

function build(folder: string, kind: string, flags: readonly string[]): Built {
  const program = join(folder, kind.replaceAll(/\W+/g, '-'));
  if (kind !== 'library') {
    execFileSync('cc', [...flags, '-o', program, SOURCE]);
    return { program, path: program };
  }
  const path = join(folder, 'libprobes.so');
  execFileSync('cc', [...flags, '-shared', '-fPIC', '-DLIBRARY', '-o', path, SOURCE]);
  execFileSync('cc', ['-DCALLER', '-o', program, SOURCE, path]);
  return { program, path };
}

for (const [kind, flags] of BUILDS) {
  describe(`static probes (${kind})`, function () {
    this.timeout(60_000);
    before(needsRoot);
    let shop: Workshop;
    let built: Built;
    const runProgram = (name = 'somebody'): string => execFileSync(built.program, [name], { encoding: 'utf8' });
    const probe = (name: string, more = ''): string => `path: ${built.path}\nprovider: app\nname: ${name}${more}`;
    before(() => {
      shop = new Workshop();
      built = build(shop.folder, kind, flags);
    });
    after(() => shop?.remove());

    it('numbers of every width in registers, in memory and in the note', async () => {
      const types = ['int8', 'uint16', 'int32', 'int64', 'int32', 'uint8', 'int64', 'int32', 'uint64'];
      const numbersProbe = (indexes: readonly number[]): string =>
        probe('numbers', `\nargs: [${indexes.map((index) => `{ index: ${index}, type: ${types[index]} }`).join(', ')}]`);
      const events = await traceHooks(runProgram, numbersProbe([0, 1, 2, 3, 4, 5, 6, 7]), numbersProbe([8]));
      const reported = events.map((e) => e.args.map(argumentValue)).sort((a, b) => b.length - a.length);
      const tera = 2n ** 40n;
      assert.deepEqual(reported, [[-5, 50000, -70000, tera, -140000, 200, -tera, -9], [77n]]);
    });

    it('strings and buffers of the program, filtered; the event names the probe', async () => {
      const hook = probe(
        'text',
        `
message: named
tags: [text]
args:
  - { index: 0, type: string, label: name }
  - { index: 2, type: char_buf, sizeArgIndex: 2 }
  - { index: 1, type: size_t }
selectors:
  - matchArgs:
      - { args: [0], operator: Prefix, values: [some] }
      - { args: [2], operator: LessThan, values: ["8"] }
    matchBinaries: [{ operator: In, values: ["${built.program}"] }]`,
      );
      const [event, ...others] = await traceHooks(() => ['somebody', 'nobody', 'someone'].forEach(runProgram), hook);
      assert.deepEqual(others, []);
      assert.ok(event);
      const { policyName, path, provider, name, message, tags, selector, args } = event;
      assert.deepEqual(
        { policyName, path, provider, name, message, tags, selector, args: args.map(argumentValue) },
        {
          policyName: 'probes', path: built.path, provider: 'app', name: 'text', message: 'named', tags: ['text'], selector: 0,
          args: ['someone', 'someone', 7n],
        },
      ); // prettier-ignore
      const json = JSON.parse(polytrace.toJson(event)) as Record<string, Record<string, unknown>>;
      const reported = json['process_usdt'] ?? {};
      assert.deepEqual(
        [reported['path'], reported['provider'], reported['name'], reported['message'], reported['tags'], reported['action']],
        [built.path, 'app', 'text', 'named', ['text'], 'KPROBE_ACTION_POST'],
      );
      assert.match(polytrace.formatCompact(event), new RegExp(`^🕵️ usdt .* ${built.path} app text name=someone someone 7 # named$`));
    });

    it('a probe at several locations', async () => {
      const events = await traceHooks(runProgram, probe('places', '\nargs: [{ index: 0, type: int32 }]'));
      assert.deepEqual(
        events.map((e) => e.args.map(argumentValue)),
        [[1], [2], [3]],
      );
    });

    it('a probe that the program passes only while a tracer uses it', async () => {
      const outputs = [runProgram()];
      const events = await traceHooks(() => outputs.push(runProgram()), probe('guarded', '\nargs: [{ index: 0, type: uint32 }]'));
      outputs.push(runProgram());
      assert.deepEqual(outputs, ['0\n', '1\n', '0\n']);
      assert.deepEqual(
        events.map((e) => e.args.map(argumentValue)),
        [[1]],
      );
    });
  });
}

/** Compiles the types to an object that contains them as BTF. */
function makeTypes(folder: string): string {
  const path = join(folder, 'types.o');
  const file = join(folder, 'types.c');
  const source = readFileSync(SOURCE, 'utf8');
  const structs = source.slice(source.indexOf('struct inner {'), source.indexOf('__attribute__((noinline)) int described'));
  writeFileSync(file, `#include <stdint.h>\n${structs}\nstruct outer kept;\nstruct inner pointed;\n`);
  execFileSync('cc', ['-gbtf', '-c', file, '-o', path]);
  return path;
}

describe('static probes', function () {
  this.timeout(60_000);
  before(needsRoot);
  let shop: Workshop;
  let program: string;
  const runProgram = (): string => execFileSync(program, { encoding: 'utf8' });
  const probe = (name: string, more = ''): string => `path: ${program}\nprovider: app\nname: ${name}${more}`;
  before(() => {
    shop = new Workshop();
    ({ program } = build(shop.folder, 'pie', ['-O1', '-fno-omit-frame-pointer']));
  });
  after(() => shop?.remove());

  it('expressions, sets of numbers, the registers and the running task', async () => {
    const hook = probe(
      'places',
      `
args:
  - { index: 0, type: int32, label: n }
  - { index: 0, type: string, source: current_task, resolve: comm }
  - { index: 0, type: uint64, source: pt_regs, resolve: ${COUNTER} }
selectors:
  - matchArgs: [{ args: [0], operator: CelExpr, values: ["n == 2"] }]
  - matchArgs: [{ args: [0], operator: InRange, values: ["3:4"] }, { args: [1], operator: Equal, values: [pie] }]`,
    );
    const events = await traceHooks(runProgram, hook);
    assert.deepEqual(
      events.map((e) => [e.selector, ...e.args.slice(0, 2).map(argumentValue)]),
      [
        [0, 2, 'pie'],
        [1, 3, 'pie'],
      ],
    );
    // The locations are instructions that follow each other.
    const [first, second] = events.map((e) => argumentValue(e.args[2]) as bigint);
    assert.equal((second ?? 0n) - (first ?? 0n), NOP_BYTES);
  });

  it('members of the program’s structs, with types from a file; for a function and a probe', async () => {
    const types = makeTypes(shop.folder);
    const args = `
btfPath: ${types}
args:
  - { index: 0, type: int64, btfType: outer, resolve: first }
  - { index: 0, type: string, btfType: outer, resolve: label }
  - { index: 0, type: string, btfType: outer, resolve: inner.name }
  - { index: 0, type: int32, btfType: outer, resolve: "inner.numbers[2]" }
  - { index: 0, type: uint16, btfType: outer, resolve: high }
  - { index: 1, type: int32, btfType: outer, resolve: "inner.numbers[0]" }
selectors:
  - matchArgs: [{ args: [3], operator: Equal, values: ["30"] }, { args: [2], operator: Equal, values: [nobody] }]`;
    const probed = await traceHooks(runProgram, probe('described', args));
    const reported = [[-1n, 'outer', 'nobody', 30, 60000, 0]];
    assert.deepEqual(
      probed.map((e) => e.args.map(argumentValue)),
      reported,
    );
    const yaml = usdtPolicy(`path: ${program}\nsymbols: [described]${args}`).yaml.replace('usdts:', 'uprobes:');
    const tracer = await openTracer({ policies: [{ yaml }] });
    const events = await collectEvents(tracer, runProgram);
    const assertChangeRefused = async (from: string, to: string, code: string, message: RegExp): Promise<void> => {
      const other = yaml.replace('name: probes', 'name: other').replaceAll(from, to);
      await assert.rejects(tracer.addPolicy({ yaml: other }), { code, message });
    };
    await assertChangeRefused('btfType: outer', 'btfType: outr', 'BTF_TYPE_UNKNOWN', /types\.o has no struct "outr"/);
    await assertChangeRefused('resolve: label', 'resolve: labl', 'RESOLVE_NO_MEMBER', /"labl"/);
    await assertChangeRefused(types, program, 'BTF_UNREADABLE', /:6:13: cannot read BTF/);
    await assertChangeRefused(`btfPath: ${types}`, 'tags: []', 'RESOLVE_USER_MEMORY', /btfPath/);
    await assertChangeRefused('btfType: outer, ', '', 'RESOLVE_USER_MEMORY', /btfType/);
    await tracer.close();
    assert.deepEqual(
      events.flatMap((e) => (e.type === 'process_uprobe' ? [e.args.map(argumentValue)] : [])),
      reported,
    );
  });

  it('a file in another mount namespace, by a path through its process', async () => {
    const hidden = await startHidden(program);
    const hook = probe('text', '\nargs: [{ index: 0, type: string }]').replace(program, hidden.path);
    const events = await traceHooks(hidden.go, hook);
    assert.deepEqual(
      events.map((e) => [e.path, e.process.binary, ...e.args.map(argumentValue)]),
      [[hidden.path, hidden.inside, 'hidden']],
    );
  });

  it('a rate limit, and stack traces of the program', async () => {
    const rate = '{ action: Post, rateLimit: 1h, rateLimitScope: global, userStackTrace: true }';
    const hook = probe('places', `\nselectors: [{ matchActions: [${rate}] }]`);
    const tracer = await openTracer({ policies: [usdtPolicy(hook)] });
    const events = (await collectEvents(tracer, runProgram)).filter(isUsdt);
    const [status] = tracer.policies();
    await tracer.close();
    assert.deepEqual([events.length, status?.matched, status?.suppressed], [1, 3, 2]);
    assert.ok((events[0]?.userStack ?? []).length > 1);
  });

  it('the status reports the mechanism; missing targets are refused with their positions', async () => {
    const tracer = await openTracer({ policies: [usdtPolicy(probe('none'), probe('nothing', '\noptional: true'))] });
    const [status] = tracer.policies();
    await tracer.close();
    assert.deepEqual(
      status?.hooks.map(({ call, functionName, attach }) => [call, functionName, attach]),
      [['app:none', `${program}:app:none`, 'usdt']],
    );
    assert.deepEqual(status?.skipped, ['app:nothing']);
    await assertRefused(usdtPolicy(probe('nothing')), 'HOOK_NOT_FOUND', /:8:13: .* has no static probe app:nothing/);
    await assertRefused(usdtPolicy(probe('none').replace('app', 'other')), 'HOOK_NOT_FOUND', /other:none/);
    await assertRefused(usdtPolicy(probe('none').replace(program, `${program}.none`)), 'HOOK_NOT_FOUND', /pie\.none cannot be read/);
    await assertRefused(usdtPolicy(probe('none').replace(program, SOURCE)), 'HOOK_NOT_FOUND', /is not an ELF file/);
    const beyond = probe('places', '\nargs: [{ index: 0, type: int }, { index: 1, type: int }]');
    await assertRefused(usdtPolicy(beyond), 'ARG_BEYOND_PROTOTYPE', /:9:39: app:places has 1 arguments, so there is no index 1/);
    // libbpf supports only registers and offsets from registers.
    await assertRefused(usdtPolicy(probe('unreadable')), 'PROBE_ENCODING', /:8:13: .*app:unreadable cannot be read: unrecognized arg/);
    // libbpf would continue at an offset that depends on its stack
    await assertRefused(usdtPolicy(probe('unclosed')), 'PROBE_ENCODING', /:8:13: .*app:unclosed cannot be read: unrecognized arg #0 spec "8@[([]/);
    await assertRefused(usdtPolicy(probe('text', '\nargs: [{ index: 0, type: char_buf }]')), 'BUFFER_WITHOUT_SIZE', /char_buf/);
    await assertRefused(usdtPolicy(probe('text', '\nargs: [{ index: 12, type: int }]')), 'LIMIT_PARAMETER', /at most 12/);
    await assertRefused(usdtPolicy(probe('text', '\nargs: [{ index: 0, type: file }]')), 'UNSUPPORTED_ARG_TYPE', /file/);
  });
});
