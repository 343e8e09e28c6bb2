/**
 * Functions of programs and libraries on this machine's kernel: by symbol, offset and address, with their return
 * values.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessUprobeEvent } from '../../types/index.js';
import { EMULATED, argumentValue, assertRefused, collectEvents, isUprobe, needsRoot, openTracer, polytrace, startHidden, tracePolicy, Workshop } from './support.js';


function uprobePolicy(hook: string): { yaml: string } {
  const yaml = `apiVersion: cilium.io/v1alpha1
kind: TracingPolicy
metadata: { name: places }
spec:
  uprobes:
    - ${hook.replaceAll('\n', '\n      ')}`;
  return { yaml };
}

/** The events of the hook that `run` causes. */
const traceHook = (hook: string, run: () => unknown): Promise<ProcessUprobeEvent[]> =>
  tracePolicy(uprobePolicy(hook), isUprobe, run);

/** The offset of an address in the file, from the program headers. */
function fileOffset(path: string, address: bigint): bigint {
  const text = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
  for (const [, offset = '', start = '', size = ''] of text.matchAll(/^ +LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+)/gm)) {
    const from = BigInt(start);
    if (address >= from && address < from + BigInt(size)) return BigInt(offset) + address - from;
  }
  throw new Error(`${path} has nothing at ${address}`);
}

/** The address that nm shows for the function. */
function functionAddress(program: string, symbol: string): bigint {
  const text = execFileSync('nm', [program], { encoding: 'utf8' });
  return BigInt(`0x${new RegExp(`^([0-9a-f]+) [TD] ${symbol}$`, 'm').exec(text)?.[1] ?? 'none'}`);
}

for (const kind of ['pie', 'no-pie'] as const) {
  describe(`uprobes on a program (${kind})`, function () {
    this.timeout(60_000);
    before(needsRoot);
    let shop: Workshop;
    let program: string;
    const runProgram = (name = 'somebody'): number | undefined => {
      const { status, pid } = spawnSync(program, [name]);
      assert.equal(status, 0);
      return pid;
    };
    before(() => {
      shop = new Workshop();
      program = join(shop.folder, 'places');
      const source = join(__dirname, 'programs', 'places.c');
      execFileSync('cc', ['-O1', kind === 'pie' ? '-pie' : '-no-pie', ...(kind === 'pie' ? ['-fPIE'] : []), '-o', program, source]);
    });
    after(() => shop?.remove());

    it('numbers, return values, and the attach point in the event and in JSON', async () => {
      let pid: number | undefined;
      const hook = `path: ${program}
symbols: [add]
message: added
tags: [sum]
return: true
args: [{ index: 0, type: int32 }, { index: 1, type: int64, label: second }]
returnArg: { index: 0, type: int64 }`;
      const [event, ...others] = await traceHook(hook, () => (pid = runProgram()));
      assert.deepEqual(others, []);
      assert.ok(event);
      const { policyName, path, symbol, offset, address, refCtrOffset, message, tags, args, data, selector } = event;
      assert.deepEqual(
        { policyName, path, symbol, offset, address, refCtrOffset, message, tags, args, data, selector },
        {
          policyName: 'places', path: program, symbol: 'add', offset: 0n, address: undefined, refCtrOffset: 0n,
          message: 'added', tags: ['sum'], data: [], selector: 0,
          args: [{ type: 'int32', index: 0, value: -7 }, { type: 'int64', index: 1, label: 'second', value: 5000000000n }],
        },
      ); // prettier-ignore
      assert.deepEqual([event.return, event.process.pid], [{ type: 'int64', index: 0, value: 4999999993n }, pid]);
      const json = JSON.parse(polytrace.toJson(event)) as Record<string, Record<string, unknown>>;
      const reported = json['process_uprobe'] ?? {};
      assert.deepEqual(
        [reported['path'], reported['symbol'], reported['args'], reported['return'], reported['offset']],
        // as in Tetragon, the return value is also the last of the arguments
        [program, 'add', [{ int_arg: -7 }, { long_arg: '5000000000', label: 'second' }, { long_arg: '4999999993' }], { long_arg: '4999999993' }, undefined],
      );
    });

    it('strings and buffers of the program, filtered', async () => {
      const hook = `path: ${program}
symbols: [greet]
return: true
args:
  - { index: 0, type: string }
  - { index: 1, type: char_buf, returnCopy: true, sizeArgIndex: 3 }
  - { index: 2, type: size_t }
returnArg: { index: 0, type: size_t }
selectors:
  - matchArgs: [{ index: 0, operator: Prefix, values: [some] }]
    matchReturnArgs: [{ index: 0, operator: LessThan, values: ["16"] }]`;
      const events = await traceHook(hook, () => ['somebody', 'nobody', 'something-long', 'someone'].forEach(runProgram));
      assert.deepEqual(
        events.map((e) => [...e.args.map(argumentValue), argumentValue(e.return)]),
        ['somebody', 'someone'].map((name) => [name, `hello ${name}`, 64n, BigInt(6 + name.length)]),
      );
    });

    it('a buffer whose length is in a parameter', async () => {
      const hook = `path: ${program}
symbols: [measure]
args: [{ index: 0, type: char_buf, sizeArgIndex: 2 }, { index: 1, type: size_t }]`;
      const events = await traceHook(hook, runProgram);
      assert.deepEqual(
        events.map((e) => e.args.map(argumentValue)),
        [['\x01\x02\x03', 3n]],
      );
    });

    it('a recursive function: each call with its own return', async () => {
      const hook = `path: ${program}
symbols: [down]
return: true
args: [{ index: 0, type: int }]
returnArg: { index: 0, type: int }`;
      const events = await traceHook(hook, runProgram);
      assert.deepEqual(
        events.map((e) => [...e.args, e.return].map(argumentValue)),
        [
          [0, 100],
          [1, 101],
          [2, 102],
        ],
      );
    });

    it('by offset and by address, several at once', async () => {
      const places = ['add', 'greet'].map((symbol) => functionAddress(program, symbol));
      const [add = 0n, greet = 0n] = places;
      const offset = fileOffset(program, greet);
      const hook = `path: ${program}
symbols: [measure, down+0]
offsets: [${offset}]
addrs: [${add}]`;
      const events = await traceHook(hook, runProgram);
      assert.deepEqual(
        events.map((e) => [e.symbol, e.offset, e.address]),
        [
          ['', 0n, add],
          ['', offset, undefined],
          ['measure', 0n, undefined],
          ['down', 0n, undefined],
          ['down', 0n, undefined],
          ['down', 0n, undefined],
        ],
      );
    });

    it('members of the running task, and filters on the process', async () => {
      const hook = `path: ${program}
symbols: [add]
data: [{ index: 0, type: string, source: current_task, resolve: comm }]
selectors:
  - matchBinaries: [{ operator: In, values: ["${program}"] }]
    matchData: [{ index: 0, operator: Equal, values: [places] }]`;
      const events = await traceHook(hook, runProgram);
      assert.deepEqual(
        events.map((e) => e.data.map(argumentValue)),
        [['places']],
      );
    });
  });
}

describe('uprobes', function () {
  this.timeout(60_000);
  before(needsRoot);
  let shop: Workshop;
  let program: string;
  let libc: string;
  before(() => {
    shop = new Workshop();
    program = join(shop.folder, 'places');
    execFileSync('cc', ['-O1', '-o', program, join(__dirname, 'programs', 'places.c')]);
    libc = /libc\.so\.6 => (\S+)/.exec(execFileSync('ldd', [program], { encoding: 'utf8' }))?.[1] ?? '';
  });
  after(() => shop?.remove());

  it('a function of a library that every program calls, filtered by its parameter', async () => {
    const hook = `path: ${libc}
symbols: [setenv]
args: [{ index: 0, type: string }, { index: 1, type: string }, { index: 2, type: int }]
selectors: [{ matchArgs: [{ index: 0, operator: Equal, values: [PLACES_NAME] }] }]`;
    const events = await traceHook(hook, () => spawnSync(program, ['libc']));
    assert.deepEqual(
      events.map((e) => [e.path, e.symbol, e.process.binary, ...e.args.map(argumentValue)]),
      [[libc, 'setenv', program, 'PLACES_NAME', 'libc', 1]],
    );
  });

  it('an event with two buffers of the greatest length is read whole', async () => {
    const most = 32767;
    const long = join(shop.folder, 'long');
    execFileSync('cc', ['-O1', '-o', long, join(__dirname, 'programs', 'long.c')]);
    const buffer = 'type: char_buf, sizeArgIndex: 3, maxData: true';
    const hook = `path: ${long}
symbols: [compare]
args: [{ index: 0, ${buffer} }, { index: 1, ${buffer} }, { index: 2, type: size_t }]`;
    const events = await traceHook(hook, () => spawnSync(long, [String(most)]));
    assert.deepEqual(
      events.map(({ args }) => args.map(argumentValue)),
      [['a'.repeat(most), 'b'.repeat(most), BigInt(most)]],
    );
  });

  it('a file in another mount namespace, by a path through its process', async () => {
    const hidden = await startHidden(program);
    const hook = `path: ${hidden.path}\nsymbols: [greet]\nargs: [{ index: 0, type: string }]`;
    const events = await traceHook(hook, hidden.go);
    assert.deepEqual(
      events.map((e) => [e.path, e.process.binary, ...e.args.map(argumentValue)]),
      [[hidden.path, hidden.inside, 'hidden']],
    );
  });

  for (const mode of ['exe', 'pie'] as const) {
    it(`functions of a stripped Go program (${mode})`, async function () {
      if (EMULATED) this.skip(); // compiling Go's library takes minutes there
      this.timeout(180_000); // Go compiles its library first
      const program = join(shop.folder, `go-${mode}`);
      const source = join(__dirname, 'programs', 'traced.go');
      const env = { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'off', GOCACHE: join(shop.folder, 'go-cache') };
      execFileSync('go', ['build', `-buildmode=${mode}`, '-ldflags=-s -w', '-o', program, source], { env });
      const run = (): unknown => execFileSync(program);
      const one = await traceHook(`{path: ${program}, symbols: [main.traced]}`, run);
      assert.deepEqual(one.map(({ symbol }) => symbol), ['main.traced']);
      const several = await traceHook(`{path: ${program}, symbols: [main.main, main.traced]}`, run);
      assert.deepEqual(several.map(({ symbol }) => symbol), ['main.main', 'main.traced']);
      await assertRefused(uprobePolicy(`{path: ${program}, symbols: [main.none]}`), 'HOOK_NOT_FOUND', /main\.none/);
    });
  }

  it('a counter in the program shows that a tracer is active', async () => {
    const counter = fileOffset(program, functionAddress(program, 'traced'));
    const readCounter = (): string => execFileSync(program, { encoding: 'utf8' });
    const outputs = [readCounter()];
    const events = await traceHook(`path: ${program}\nsymbols: [add]\nrefCtrOffsets: [${counter}]`, () => outputs.push(readCounter()));
    outputs.push(readCounter());
    assert.deepEqual(outputs, ['0\n', '1\n', '0\n']);
    assert.deepEqual(
      events.map((e) => e.refCtrOffset),
      [counter],
    );
  });

  it('only a file that has one of the digests', async () => {
    const bytes = readFileSync(program);
    const hash = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex');
    const id = /Build ID: ([0-9a-f]+)/.exec(execFileSync('readelf', ['-n', program], { encoding: 'utf8' }))?.[1] ?? '';
    const wrong = '0'.repeat(64);
    const hook = (digests: readonly string[], more = ''): string =>
      `path: ${program}\nsymbols: [add]\nbinaryDigests: [${digests.map((each) => `"${each}"`).join(', ')}]${more}`;
    const named = ['sha1', 'sha256', 'sha384', 'sha512'].map((algorithm) => `${algorithm}:${hash(algorithm)}`);
    for (const digest of [hash('sha256').toUpperCase(), ...named, `build-id:${id}`]) {
      const events = await traceHook(hook([wrong, digest]), () => spawnSync(program));
      assert.deepEqual(
        events.map((e) => [e.path, e.symbol]),
        [[program, 'add']],
        digest,
      );
    }
    const none = hook([wrong, 'build-id:00']);
    await assert.rejects(openTracer({ policies: [uprobePolicy(none)] }), { code: 'DIGEST_MISMATCH', message: /places:add/ });
    const missing = none.replace(program, `${program}.none`);
    await assert.rejects(openTracer({ policies: [uprobePolicy(missing)] }), { code: 'HOOK_NOT_FOUND', message: /none cannot be/ });
    const ignored = hook([wrong], '\nignore: { digestVerificationFailure: true }');
    const tracer = await openTracer({ policies: [uprobePolicy(ignored)] });
    const [status] = tracer.policies();
    await tracer.close();
    assert.deepEqual([status?.hooks, status?.skipped], [[], ['add']]);
  });

  for (const single of [false, true]) {
    it(`several attach points have one program: ${single ? 'a link for each' : 'attached at once'}`, async () => {
      const counter = fileOffset(program, functionAddress(program, 'traced'));
      const hook = `path: ${program}
symbols: [add, down, absent]
offsets: [${fileOffset(program, functionAddress(program, 'greet'))}]
refCtrOffsets: [${counter}, 0, 0, 0]
optional: true
return: true
args: [{ index: 0, type: int32 }]
returnArg: { index: 0, type: int64 }`;
      const { yaml } = uprobePolicy(hook);
      const options = `spec:\n  options: [{ name: disable-uprobe-multi, value: "${Number(single)}" }]`;
      const tracer = await openTracer({ policies: [{ yaml: yaml.replace('spec:', options) }] });
      try {
        const [status] = tracer.policies();
        const way = single ? 'uprobe+uretprobe' : 'uprobe.multi+uretprobe.multi';
        const offset = fileOffset(program, functionAddress(program, 'greet'));
        const places = ['add', 'down', `0x${offset.toString(16)}`].map((place) => `${program}:${place}`);
        assert.deepEqual(
          [status?.hooks.map(({ call, functions, attach }) => [call, functions, attach]), status?.skipped],
          [[['add and 3 more', places, way]], ['absent']],
        );
        let output = '';
        const events = await collectEvents(tracer, () => (output = execFileSync(program, { encoding: 'utf8' })));
        assert.equal(output, '1\n');
        assert.deepEqual(
          events.filter(isUprobe).map((e) => [e.symbol, e.offset, e.refCtrOffset, argumentValue(e.return)]),
          [
            ['add', 0n, counter, 4999999993n],
            ['', offset, 0n, 12n],
            ['down', 0n, 0n, 100n],
            ['down', 0n, 0n, 101n],
            ['down', 0n, 0n, 102n],
          ],
        );
      } finally {
        await tracer.close();
      }
    });
  }

  // The kernel removes 50 uprobes that are perf events in five seconds, and links of the newer kind in a quarter of one.
  it('a function of a program, and of a library without a symbol table, takes no perf event', async function () {
    if (polytrace.preflight().features.find(({ name }) => name === 'uprobe_multi')?.available !== true) return this.skip();
    const events = (): number =>
      Number(execFileSync('sh', ['-c', `ls -l /proc/${process.pid}/fd | grep -c perf_event || true`], { encoding: 'utf8' }));
    for (const [path, symbol] of [
      [program, 'add'],
      [libc, 'setenv'],
    ]) {
      const tracer = await openTracer({ policies: [uprobePolicy(`path: ${path}\nsymbols: [${symbol}]`)] });
      try {
        assert.equal(events(), 0, path);
      } finally {
        await tracer.close();
      }
    }
  });

  it('the status reports the mechanism; missing targets are refused with their positions', async () => {
    const tracer = await openTracer({ policies: [uprobePolicy(`path: ${program}\nsymbols: [add]`)] });
    const [status] = tracer.policies();
    await tracer.close();
    const functionName = `${program}:add`;
    assert.deepEqual(
      status?.hooks.map(({ call, functionName: name, functions, attach }) => [call, name, functions, attach]),
      [['add', functionName, [functionName], 'uprobe']],
    );
    const optional = await openTracer({ policies: [uprobePolicy(`path: ${program}\nsymbols: [add, substract]\noptional: true`)] });
    const [half] = optional.policies();
    await optional.close();
    assert.deepEqual([half?.hooks.map(({ functions }) => functions), half?.skipped], [[[functionName]], ['substract']]);
    await assertRefused(uprobePolicy(`path: ${program}\nsymbols: [substract]`), 'HOOK_NOT_FOUND', /:6:13: .*places:substract/);
    await assertRefused(uprobePolicy(`path: ${program}.none\nsymbols: [add]`), 'HOOK_NOT_FOUND', /places\.none:add/);
    await assertRefused(uprobePolicy(`path: ${program}\naddrs: [0x7fffffffffff, 0x1]`), 'HOOK_NOT_FOUND', /places:0x7fffffffffff does not exist/);
    await assertRefused(uprobePolicy(`path: ${program}\naddrs: [0x7fffffffffff]`), 'HOOK_NOT_FOUND', /0x7fffffffffff/);
    await assertRefused(uprobePolicy(`path: ${program}\nsymbols: [add]\nargs: [{ index: 0, type: file }]`), 'UNSUPPORTED_ARG_TYPE', /file/);
  });
});
