/** The setting `alerts`: what a receiver can be, mistakes with their place, and secrets that no output shows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { checkReceivers } from '../../../lib/alerts/alerts.js';
import { loadConfiguration, printableOptions, type Configuration } from '../../../lib/config/load.js';
import { formatConfiguration } from '../../../lib/config/print.js';
import { ConfigError } from '../../../lib/config/problems.js';
import { splitAddress } from '../../../lib/config/receivers.js';
import { configSchema } from '../../../lib/config/schema.js';

const ALL = `alerts:
  - name: oncall
    type: alertmanager
    url: https://alertmanager:9093
    min-severity: high
    policies: [container-*, kernel]
    tags: mitre.*
    token-file: /run/secrets/token
    ca: /etc/ca.pem
    cert: /etc/cert.pem
    key: /etc/key.pem
  - { name: sidekick, type: falcosidekick, url: "http://sidekick:2801" }
  - { name: chat, type: webhook, url-file: /run/secrets/url }
  - { name: log, type: syslog, address: "tls://log:6514", facility: local3, ca: /etc/ca.pem }
  - { name: journal, type: journald }
alerts-spool-dir: /var/lib/polytrace/alerts
`;

describe('the receivers of alerts', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'polytrace-receivers-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function load(text: string, env: NodeJS.ProcessEnv = {}): Configuration {
    const file = join(folder, 'agent.yaml');
    writeFileSync(file, text);
    return loadConfiguration({ env, flags: {}, file, folders: [folder].slice(1) });
  }
  function findProblems(text: string): string[] {
    try {
      load(text);
    } catch (error) {
      if (error instanceof ConfigError) return error.message.replaceAll(`${folder}/`, '').split('\n');
      throw error;
    }
    return [];
  }

  it('of each type have their defaults', () => {
    const { options } = load(ALL);
    assert.deepEqual(
      options.alerts.map(({ name, type, minSeverity }) => [name, type, minSeverity]),
      [
        ['oncall', 'alertmanager', 'high'],
        ['sidekick', 'falcosidekick', 'info'],
        ['chat', 'webhook', 'info'],
        ['log', 'syslog', 'info'],
        ['journal', 'journald', 'info'],
      ],
    );
    assert.deepEqual(options.alerts[0]?.tags, ['mitre.*']);
    assert.deepEqual(options.alerts[2], {
      name: 'chat',
      type: 'webhook',
      urlFile: '/run/secrets/url',
      format: 'slack',
      minSeverity: 'info',
      policies: [],
      tags: [],
    });
    assert.deepEqual(options.alerts[4], {
      name: 'journal',
      type: 'journald',
      socket: '/run/systemd/journal/socket',
      minSeverity: 'info',
      policies: [],
      tags: [],
    });
    assert.deepEqual(options.alertsDeduplicate, '5m');
    const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(configSchema());
    assert.ok(validate(parse(ALL)), JSON.stringify(validate.errors));
  });

  it('can be JSON objects in the environment', () => {
    const one = '{"name":"a","type":"journald"}';
    const { options } = load('', { POLYTRACE_ALERTS: `${one}\n{"name":"b","type":"syslog"}` });
    assert.deepEqual(
      options.alerts.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.throws(
      () => load('', { POLYTRACE_ALERTS: '{"name":"a","type":"x"}' }),
      /POLYTRACE_ALERTS: CONFIG_VALUE: alerts: receiver 1 \(a\): type: it has to be one of/,
    );
  });

  const mistakes: readonly (readonly [title: string, receiver: string, message: RegExp])[] = [
    [
      'an unknown member',
      '{ name: a, type: journald, min-severty: low }',
      /^agent\.yaml:3:32: CONFIG_VALUE: alerts: receiver 2 \(a\): there is no 'min-severty' \(did you mean 'min-severity'\?\)$/,
    ],
    [
      'an unknown severity',
      '{ name: a, type: journald, min-severity: hgih }',
      /^agent\.yaml:3:32: .*min-severity: it has to be one of critical, high, .*did you mean 'high'/,
    ],
    [
      'an unknown type',
      '{ name: a, type: slack }',
      /^agent\.yaml:3:16: .*type: it has to be one of alertmanager, falcosidekick/,
    ],
    ['no type', '{ name: a }', /^agent\.yaml:3:5: .*it needs 'type'/],
    ['no name', '{ type: journald }', /^agent\.yaml:3:5: .*receiver 2: it needs 'name'/],
    ['a bad name', '{ name: A/b, type: journald }', /^agent\.yaml:3:7: .*name: it has to be 1 to 63 small letters/],
    ['a name twice', '{ name: first, type: journald }', /^agent\.yaml:3:7: .*receiver 1 has this name already/],
    ['no URL', '{ name: a, type: webhook }', /^agent\.yaml:3:5: .*it needs 'url' or 'url-file'/],
    [
      'two URLs',
      '{ name: a, type: webhook, url: "http://x", url-file: /y }',
      /^agent\.yaml:3:48: .*there is 'url' already/,
    ],
    [
      'a URL of another kind',
      '{ name: a, type: webhook, url: "ftp://secret" }',
      /^agent\.yaml:3:31: .*url: it has to be http:\/\/… or https:\/\/…$/,
    ],
    [
      'a member of another type',
      '{ name: a, type: journald, url: "http://x" }',
      /^agent\.yaml:3:32: .*url: a receiver of the type journald has none/,
    ],
    ['a relative file', '{ name: a, type: webhook, url-file: x }', /^agent\.yaml:3:31: .*absolute path/],
    [
      'a certificate without a key',
      '{ name: a, type: webhook, url: "https://x", cert: /c }',
      /^agent\.yaml:3:49: .*cert: it needs 'key'/,
    ],
    [
      'a certificate without encryption',
      '{ name: a, type: webhook, url: "http://x", ca: /c }',
      /^agent\.yaml:3:48: .*not encrypted: use https/,
    ],
    [
      'a token in the clear',
      '{ name: a, type: webhook, url: "http://x", token-file: /c }',
      /^agent\.yaml:3:48: .*sent in the clear/,
    ],
    [
      'a bad address',
      '{ name: a, type: syslog, address: "log:514" }',
      /^agent\.yaml:3:30: .*it has to be unix:\/\/\/PATH, udp/,
    ],
    [
      'a bad facility',
      '{ name: a, type: syslog, facility: local8 }',
      /^agent\.yaml:3:30: .*facility: it has to be one of kern/,
    ],
    ['an empty list', '{ name: a, type: journald, tags: [] }', /^agent\.yaml:3:32: .*the list is empty/],
    ['a number for a pattern', '{ name: a, type: journald, tags: [1] }', /^agent\.yaml:3:32: .*it has to be a text/],
    ['a text', 'a', /^agent\.yaml:1:1: .*it has to be JSON objects/],
  ];
  for (const [title, receiver, message] of mistakes) {
    it(`mistake: ${title}`, () => {
      const problems = findProblems(`alerts:\n  - { name: first, type: journald }\n  - ${receiver}\n`);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', message);
    });
  }

  it('have all mistakes at once, each with its line', () => {
    const problems = findProblems('alerts:\n  - name: a\n    type: x\n    url: y\n  - type: journald\n    nmae: b\n');
    assert.deepEqual(
      problems.map((each) => /^agent\.yaml:(\d+)/.exec(each)?.[1]),
      ['3', '4', '6', '5'],
    );
  });

  it('are at most 16, and needed for a spool', () => {
    const one = (i: number): string => `  - { name: r${i}, type: journald }\n`;
    const many = Array.from({ length: 17 }, (_, i) => one(i)).join('');
    assert.match(findProblems(`alerts:\n${many}`).join(), /more than 16 receivers/);
    assert.match(findProblems('alerts-spool-dir: /x\n').join(), /CONFIG_CONFLICT: alerts-spool-dir needs alerts/);
  });

  it('are printed without what can be a secret', () => {
    const given = [
      '{ name: a, type: webhook, url: "https://hooks.slack.com/services/T0/B0/sEcret1" }',
      '{ name: b, type: webhook, url: "https://user:sEcret2@x:81/" }',
      '{ name: c, type: webhook, url: "https://x/?token=sEcret3" }',
      '{ name: d, type: alertmanager, url: "http://am:9093/prefix" }',
    ];
    const configuration = load(`alerts:\n${given.map((each) => `  - ${each}\n`).join('')}`);
    const text = formatConfiguration(configuration);
    assert.ok(
      !text.includes('sEcret') && !JSON.stringify([...printableOptions(configuration.options)]).includes('sEcret'),
    );
    for (const shown of [
      'https://hooks.slack.com/*****',
      'https://x:81/*****',
      'https://x/*****',
      '"http://am:9093/prefix"',
    ]) {
      assert.ok(text.includes(shown), text);
    }
    // the printed form is a configuration again
    assert.equal(findProblems(text).length, 0);
  });

  it('have files that are checked before the agent starts', async () => {
    const token = join(folder, 'token');
    writeFileSync(token, 'x\n', { mode: 0o644 });
    writeFileSync(join(folder, 'good'), 'x\n', { mode: 0o600 });
    writeFileSync(join(folder, 'url'), 'http://example.com/\n', { mode: 0o600 });
    const { options, sources } = load(
      `alerts:
  - { name: a, type: webhook, url: "https://x", token-file: ${token} }
  - { name: b, type: webhook, url: "https://x", ca: ${folder}/none.pem }
  - { name: c, type: webhook, url-file: ${folder}/none }
  - { name: d, type: webhook, url-file: ${folder}/url, token-file: ${folder}/good }
`,
    );
    await assert.rejects(checkReceivers(options, sources), (error: ConfigError) => {
      assert.deepEqual(
        error.problems.map(({ code, source }) => [code, source.replace(folder, '')]),
        Array(4).fill(['CONFIG_FILE', '/agent.yaml:1:1']),
      );
      assert.match(error.message, /a: others may read or change .*token \(chmod 0600/);
      assert.match(error.message, /b: the certificates cannot be used: .*none\.pem: ENOENT/);
      assert.match(error.message, /c: ENOENT/);
      assert.match(error.message, /d: a token would be sent in the clear/);
      return true;
    });
  });

  it('of syslog have addresses with and without a port', () => {
    assert.deepEqual(splitAddress('udp://log'), { protocol: 'udp', host: 'log', port: 514 });
    assert.deepEqual(splitAddress('tcp://[::1]:9'), { protocol: 'tcp', host: '::1', port: 9 });
    assert.deepEqual(splitAddress('tls://log.example'), { protocol: 'tls', host: 'log.example', port: 6514 });
    assert.deepEqual(splitAddress('unix:///dev/log'), { protocol: 'unix', host: '/dev/log', port: 0 });
    for (const wrong of [
      'unix://dev/log',
      'tcp://',
      'tcp://[x]:1',
      'tcp://[1:2]:1',
      'udp://a:0',
      'udp://a:65536',
      'http://a',
      'udp://a b',
    ]) {
      assert.throws(() => splitAddress(wrong), /it has to be unix/, wrong);
    }
  });
});
