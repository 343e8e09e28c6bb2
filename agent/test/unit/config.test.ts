/** The configuration: sources and their order, errors, and what is generated from the settings. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import { format, resolveConfig } from 'prettier';
import { parse } from 'yaml';
import { withSettings } from '../../../scripts/agent-settings.js';
import { createAgentCommand } from '../../lib/config/command.js';
import { printableOptions, type Configuration } from '../../lib/config/load.js';
import { formatConfiguration } from '../../lib/config/print.js';
import { ConfigError } from '../../lib/config/problems.js';
import { parseHeaders } from '../../lib/config/setting-kinds.js';
import { configSchema } from '../../lib/config/schema.js';
import { settingName, SETTING_KEYS, variableName } from '../../lib/config/settings.js';

const ROOT = join(__dirname, '../../..');

describe('the configuration of the agent', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'polytrace-config-'));
    file = join(folder, 'agent.yaml');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function loadFromArguments(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Configuration> {
    let result: Configuration | undefined;
    const keep = (configuration: Configuration): Promise<void> => {
      result = configuration;
      return Promise.resolve();
    };
    const command = createAgentCommand({ run: keep, check: keep, installCrds: () => Promise.resolve() }, env);
    await command
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .parseAsync(args, { from: 'user' });
    assert.ok(result !== undefined);
    return result;
  }

  function loadFile(text: string, ...args: readonly string[]): Promise<Configuration> {
    writeFileSync(file, text);
    return loadFromArguments(['--config-file', file, ...args]);
  }

  /** Creates a folder like a mounted ConfigMap: links to files of a folder that can be swapped. */
  function createConfigMap(files: Readonly<Record<string, string>>): string {
    const map = join(folder, 'map');
    const data = join(map, '..2026');
    mkdirSync(data, { recursive: true });
    symlinkSync('..2026', join(map, '..data'));
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(data, name), text);
      symlinkSync(join('..data', name), join(map, name));
    }
    return map;
  }

  it('a later source wins: default, file, folder, environment, flag', async () => {
    writeFileSync(file, 'log-level: error\nlog-format: json\nnode-name: from-file\ncluster-name: from-file\n');
    const map = createConfigMap({
      'log-format': 'pretty\n',
      'node-name': 'from-folder\n',
      'cluster-name': 'from-folder',
    });
    const env = {
      POLYTRACE_CONFIG_FILE: file,
      POLYTRACE_CONFIG_DIR: map,
      POLYTRACE_NODE_NAME: 'from-env',
      POLYTRACE_CLUSTER_NAME: 'from-env',
    };
    const { options, sources } = await loadFromArguments(['--cluster-name', 'from-flag'], env);
    const valueAndSource = (
      key: 'group' | 'logLevel' | 'logFormat' | 'nodeName' | 'clusterName' | 'eventQueueBytes',
    ): unknown[] => [options[key], sources[key]];
    assert.deepEqual(valueAndSource('eventQueueBytes'), [4_194_304, 'default']);
    assert.deepEqual(valueAndSource('logLevel'), ['error', `${file}:1:1`]);
    assert.deepEqual(valueAndSource('logFormat'), ['pretty', join(map, 'log-format')]);
    assert.deepEqual(valueAndSource('nodeName'), ['from-env', 'POLYTRACE_NODE_NAME']);
    assert.deepEqual(valueAndSource('clusterName'), ['from-flag', '--cluster-name']);
  });

  it('cgroup-rate is a number of events in a time', async () => {
    for (const given of ['1000,1s', '1,1ms', '999999999,24h', '10000,1h30m'])
      assert.equal((await loadFile('', '--cgroup-rate', given)).options.cgroupRate, given);
    for (const given of ['1000', '0,1s', '1000,1', '1000,25h', '1000,0s', ',1s', '-1,1s', '1000,1s,'])
      await assert.rejects(loadFile('', '--cgroup-rate', given), /EVENTS,TIME such as 1000,1s/);
  });

  it('each kind of value can come from each source', async () => {
    const text = 'policy: [a, "b"]\nenforcement: true\ncontainers: false\nevent-queue-bytes: 65536\n';
    const fromFile = await loadFile(text);
    const env = {
      POLYTRACE_POLICY: 'a,b',
      POLYTRACE_ENFORCEMENT: '1',
      POLYTRACE_CONTAINERS: 'false',
      POLYTRACE_EVENT_QUEUE_BYTES: '65536',
    };
    const fromEnv = await loadFromArguments([], env);
    const args = ['--policy', 'a', '--policy', 'b', '--enforcement', '--no-containers', '--event-queue-bytes', '65536'];
    const fromFlags = await loadFromArguments(args);
    const map = createConfigMap({
      policy: 'a\nb\n',
      enforcement: 'true',
      containers: 'false',
      'event-queue-bytes': '65536',
    });
    const fromFolder = await loadFromArguments(['--config-dir', map]);
    for (const { options } of [fromEnv, fromFlags, fromFolder]) assert.deepEqual(options, fromFile.options);
    const { policy, enforcement, containers, eventQueueBytes } = fromFile.options;
    assert.deepEqual([policy, enforcement, containers, eventQueueBytes], [['a', 'b'], true, false, 65_536]);
    const off = await loadFromArguments(['--no-enforcement', '--containers'], env);
    assert.deepEqual([off.options.enforcement, off.options.containers], [false, true]);
  });

  const mistakes: readonly (readonly [string, string, RegExp])[] = [
    [
      'an unknown name',
      'log-levl: info',
      /agent\.yaml:1:1: CONFIG_UNKNOWN: .*'log-levl' \(did you mean 'log-level'\?\)/,
    ],
    ['a name far from all', 'x: 1', /agent\.yaml:1:1: CONFIG_UNKNOWN: there is no setting 'x'$/],
    ['an unknown name without a value', '\nfoo-bar:', /agent\.yaml:2:1: CONFIG_UNKNOWN: .*'foo-bar'/],
    ['a choice', 'log-level: loud', /:1:1: CONFIG_VALUE: log-level: it has to be one of fatal, error/],
    ['a number', 'event-queue-bytes: 1', /CONFIG_VALUE: event-queue-bytes: .* from 65,536 to 268,435,456/],
    ['a switch', 'enforcement: maybe', /CONFIG_VALUE: enforcement: it has to be true or false/],
    ['a list for one value', 'group: [a, b]', /CONFIG_VALUE: group: it has to be a text/],
    ['a mapping for a list', 'policy: {a: b}', /CONFIG_VALUE: policy: it has to be a text, or a list/],
    ['an empty text', 'group: ""', /CONFIG_VALUE: group: it is empty/],
    ['a name twice', 'group: a\ngroup: b', /agent\.yaml:2:1: CONFIG_YAML: .*unique/],
    ['no YAML', 'group: [a', /agent\.yaml:\d+:\d+: CONFIG_YAML/],
    [
      'an alias without its anchor',
      'node-name: a\ngroup: *b',
      /agent\.yaml:2:8: CONFIG_YAML: an alias .*write its value/,
    ],
    [
      'an alias without its anchor, after other stars and a good alias',
      'policy: ["/a/*.yaml", &b /b]\nnode-name: *b\ncluster-name: x # *y\ngroup:\n  - *missing',
      /agent\.yaml:5:5: CONFIG_YAML: an alias .*missing.*write its value/,
    ],
    [
      'too many aliases',
      `policy: &a [x, x]\nserver-address: &b [${Array(11).fill('*a').join()}]\nread-only-address: [${Array(11).fill('*b').join()}]`,
      /agent\.yaml:3:51: CONFIG_YAML: an alias .*count.*write its value/,
    ],
    [
      'a socket of another kind',
      'docker-endpoint: "tcp://10.0.0.1:2375"',
      /:1:1: CONFIG_VALUE: docker-endpoint: .*path of a socket/,
    ],
    ['a socket without a folder', 'cri-endpoint: crio.sock', /:1:1: CONFIG_VALUE: cri-endpoint: .*path of a socket/],
    ['no mapping', '- group', /CONFIG_YAML: it has to be a mapping/],
    [
      'a setting that needs another',
      'keep-sensors-on-exit: true',
      /:1:1: CONFIG_CONFLICT: keep-sensors-on-exit needs persist/,
    ],
    ['PodInfo without a cluster', 'enable-pod-info: true', /CONFIG_CONFLICT: enable-pod-info needs enable-k8s-api/],
    [
      'PodInfo without pods',
      'enable-pod-info: true\nenable-k8s-api: true\ncontainers: false',
      /CONFIG_CONFLICT: enable-pod-info needs containers/,
    ],
    [
      'administrators by certificate without certificates',
      'tls-admins: [a]\nserver-token-file: /b',
      /:1:1: CONFIG_CONFLICT: tls-admins needs tls-client-ca/,
    ],
    ['TLS without a key', 'tls-client-ca: a', /CONFIG_CONFLICT: tls-client-ca needs tls-cert and tls-key/],
  ];
  for (const [title, text, message] of mistakes) {
    it(`a mistake in the file: ${title}`, async () => {
      await assert.rejects(
        loadFile(text),
        (error: Error) => error instanceof ConfigError && message.test(error.message),
      );
    });
  }

  it('reports all mistakes of all sources at once', async () => {
    const map = createConfigMap({ 'node-nam': 'x' });
    writeFileSync(file, 'log-level: loud\nfoo: 1\n');
    const env = {
      POLYTRACE_CONFIG_FILE: file,
      POLYTRACE_LOG_LEVLE: 'info',
      POLYTRACE_X: '1',
      POLYTRACE_ENFORCEMENT: 'x',
    };
    await assert.rejects(
      loadFromArguments(['--config-dir', map, '--event-queue-bytes', 'many'], env),
      (error: ConfigError) => {
        const shown = error.problems.map(({ code, source }) => [code, source.replace(`${folder}/`, '')]);
        assert.deepEqual(shown, [
          ['CONFIG_VALUE', 'agent.yaml:1:1'],
          ['CONFIG_UNKNOWN', 'agent.yaml:2:1'],
          ['CONFIG_UNKNOWN', 'map/node-nam'],
          ['CONFIG_UNKNOWN', 'environment'],
          ['CONFIG_UNKNOWN', 'environment'],
          ['CONFIG_VALUE', 'POLYTRACE_ENFORCEMENT'],
          ['CONFIG_VALUE', '--event-queue-bytes'],
        ]);
        // the common prefix of all variables must not make names similar
        assert.match(error.message, /'POLYTRACE_X'$/m);
        assert.match(error.message, /'POLYTRACE_LOG_LEVLE' \(did you mean 'POLYTRACE_LOG_LEVEL'\?\)/);
        return true;
      },
    );
  });

  it('a file that is named and missing, and an unknown flag, are mistakes', async () => {
    await assert.rejects(loadFromArguments(['--config-file', join(folder, 'no')]), /CONFIG_FILE: it cannot be read/);
    await assert.rejects(loadFromArguments(['--config-dir', join(folder, 'no')]), /CONFIG_FILE: it cannot be read/);
    await assert.rejects(loadFromArguments(['--log-levl', 'info']), /Did you mean --log-level/);
  });

  it('variables of the client and of services of Kubernetes are not settings', async () => {
    const service = [
      'SERVICE_HOST',
      'SERVICE_PORT',
      'SERVICE_PORT_GRPC',
      'PORT',
      'PORT_54321_TCP',
      'PORT_54321_TCP_ADDR',
    ];
    const env = Object.fromEntries(service.map((name) => [`POLYTRACE_${name}`, 'x']));
    await loadFromArguments([], { ...env, POLYTRACE_SOCKET: '/x' });
  });

  it('prints what it would read again, with the source of each value', async () => {
    const configuration = await loadFile('policy: [a, "b: c"]\nnode-name: "1"\n', '--enforcement');
    const printed = formatConfiguration(configuration);
    assert.match(printed, /^node-name: "1" # .*agent\.yaml:2:1$/m);
    assert.match(printed, /^enforcement: true # --enforcement$/m);
    assert.match(printed, /^log-level: info # default$/m);
    assert.match(printed, /^# group is not set$/m);
    assert.deepEqual((await loadFile(printed)).options, configuration.options);
  });

  it('prints no secret, and knows the form of headers', async () => {
    const headers = 'authorization=Bearer x=, x-scope=a';
    const configuration = await loadFile('export-otlp-endpoint: http://c:4318\n', '--export-otlp-headers', headers);
    const printed = formatConfiguration(configuration);
    assert.match(printed, /^export-otlp-headers: "\*{5}" # --export-otlp-headers$/m);
    assert.ok(!printed.includes('Bearer'));
    assert.ok(![...printableOptions(configuration.options).values()].some((value) => String(value).includes('Bearer')));
    assert.deepEqual(parseHeaders(headers), { authorization: 'Bearer x=', 'x-scope': 'a' });
    assert.deepEqual(parseHeaders(''), {});
    await assert.rejects(
      loadFromArguments(['--export-otlp-headers', headers]),
      /CONFIG_CONFLICT: .* needs export-otlp-endpoint/,
    );
    const wrong = loadFromArguments(['--export-otlp-endpoint', 'http://c', '--export-otlp-headers', 'secret']);
    await assert.rejects(
      wrong,
      (error: Error) => /NAME=VALUE/.test(error.message) && !error.message.includes("'secret'"),
    );
    await assert.rejects(loadFromArguments(['--export-otlp-endpoint', 'c:4318']), /CONFIG_VALUE: .*http:/);
    await assert.rejects(loadFromArguments(['--metrics-server', 'c']), /CONFIG_VALUE: .*HOST:PORT/);
    await assert.rejects(
      loadFromArguments(['--metrics-label-filter', 'pod,uid']),
      /CONFIG_VALUE: .*'uid' is not one of/,
    );
  });

  it('the JSON Schema knows all settings, and accepts what the agent accepts', async () => {
    const path = join(ROOT, 'agent/schema/config.schema.json');
    const published = readFileSync(path, 'utf8');
    const style = await resolveConfig(path);
    const now = await format(JSON.stringify(configSchema()), { ...style, parser: 'json' });
    assert.equal(published, now, 'run npm run gen');
    const validate = new Ajv2020({ allowUnionTypes: true }).compile(configSchema());
    const valid = formatConfiguration(await loadFromArguments(['--policy', 'a', '--persist', '/sys/fs/bpf/x']));
    assert.ok(validate(parse(valid)), JSON.stringify(validate.errors));
    for (const text of ['log-levl: info', 'log-level: loud', 'enforcement: maybe', 'event-queue-bytes: 1']) {
      assert.equal(validate(parse(text)), false, text);
    }
  });

  it('something outside of the configuration reads each setting', () => {
    const lib = join(ROOT, 'agent/lib');
    const files = readdirSync(lib, { recursive: true, encoding: 'utf8' });
    const readers = files.filter((path) => path.endsWith('.ts') && !/^(config|proto)\//.test(path));
    const sources = readers.map((path) => readFileSync(join(lib, path), 'utf8')).join('\n');
    assert.deepEqual(
      SETTING_KEYS.filter((key) => !new RegExp(`\\b${key}\\b`).test(sources)),
      [],
    );
  });

  it('the documentation has the list of now, and names are unique', async () => {
    const page = readFileSync(join(ROOT, 'docs/agent-configuration.md'), 'utf8');
    assert.equal(await withSettings(page), page, 'run npm run gen');
    for (const key of SETTING_KEYS) assert.ok(page.includes(`- \`${settingName(key)}\` (`), key);
    assert.equal(new Set(SETTING_KEYS.map(variableName)).size, SETTING_KEYS.length);
  });
});
