// Who may import whom: one rule for each room of scripts/rooms.cjs. Imports of types count like any other.
const { rooms } = require('./scripts/rooms.cjs');

const escape = (text) => text.replaceAll('.', '\\.');
const startsWith = (paths) => `^(${paths.map(escape).join('|')})`;

/** A room imports only what its row of the table allows. */
const roomRules = rooms.map(({ room, may }) => ({
  name: `room ${room}`,
  comment: `${room} may import ${may.join(', ') || 'nothing'}: see scripts/rooms.cjs and docs/architecture.md.`,
  severity: 'error',
  from: { path: startsWith([room]) },
  to: {
    path: '^(lib|agent/lib|agent/test|types|test|bench|scripts|examples|dist)/',
    pathNot: startsWith([room, ...may, ...(room === 'lib/index.mjs' ? [] : ['types/'])]),
  },
}));

const packageRules = rooms.map(({ room, packages = [] }) => ({
  name: `packages of ${room}`,
  comment: `${room} may use ${packages.join(', ') || 'no npm package'}.`,
  severity: 'error',
  from: { path: startsWith([room]) },
  to: {
    dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown', 'unknown'],
    ...(packages.length === 0 ? {} : { pathNot: `(^|node_modules/)(${packages.map(escape).join('|')})(/|$)` }),
  },
}));

/** Modules of Node.js that reach outside the process. */
const OUTSIDE = ['fs', 'child_process', 'cluster', 'dgram', 'dns', 'http', 'http2', 'https', 'tls', 'worker_threads'];

module.exports = {
  forbidden: [
    ...roomRules,
    ...packageRules,
    {
      name: 'pure rooms',
      comment:
        'These rooms work on data only, so that they run anywhere and are tested without files. No chain of imports leads outside.',
      severity: 'error',
      from: { path: startsWith(rooms.filter(({ pure }) => pure).map(({ room }) => room)) },
      to: { path: `^(node:)?(${OUTSIDE.join('|')})(/|$)`, reachable: true },
    },
    {
      name: 'no cycles',
      comment: 'Imports go in one direction; imports of types count.',
      severity: 'error',
      from: { path: '^(lib|agent|types|bench|scripts)/' },
      to: { circular: true },
    },
    {
      name: 'no orphans',
      comment: 'Every module is an entry point, or another module imports it.',
      severity: 'error',
      // package.json names lib/index.mjs; these import only what is built
      from: {
        orphan: true,
        path: '^(lib|agent/lib|types|bench)/',
        pathNot: '^(lib/index|bench/tracer|bench/rates-library)\\.(c|m)(js|ts)$',
      },
      to: {},
    },
    {
      name: 'everything resolves',
      comment: 'The imported module does not exist.',
      severity: 'error',
      from: {},
      to: {
        couldNotResolve: true,
        pathNot:
          'build/Release|^dist/|^\\.\\./dist/|^polytrace(-agent)?$|^@bufbuild/protobuf/|^typescript-eslint$|^@nats-io/(jetstream|kv)$|^@opentelemetry/(semantic-conventions|otlp-exporter-base)/',
      },
    },
    {
      name: 'tables of the kernel tests',
      comment: 'The documentation is made from these tables, so they load without the addon.',
      severity: 'error',
      from: { path: '^test/kernel/matrix' },
      to: {
        path: '^(lib|test)/',
        pathNot:
          '^(test/(kernel/|nightly\\.ts)|lib/index\\.ts|lib/policy/language/vocabulary\\.ts|lib/names/arg-types\\.ts)',
      },
    },
    {
      name: 'tests of the public interface',
      comment:
        'Tests in test/native and test/kernel use what users use. Those of the negative cache replace the locks that its entries depend on. Those of stacks have the kernel unwind them each time. That of running processes compares two ways to read them. Those of lines compare the addon with the formatters. That of the tracers runs all of them in one process, because a command takes long to start in a guest. That of preemption asks the kernel in the second way, too. Those of the policies of the package and of learning run scenarios of their tests in one tracer.',
      severity: 'error',
      from: {
        path: '^test/(native|kernel)/',
        pathNot:
          '^test/(kernel/(learn-live|matrix|negative-cache|policy-library|preemption|stacks|trace)|native/(compact-lines|json-lines|line-cases|line-iterator|message-frames|running-processes))',
      },
      to: { path: '^lib/', pathNot: '^lib/(index\\.(ts|mjs)|cli/main\\.ts)$' },
    },
    {
      name: 'sources import no tests',
      comment: 'No source imports a test.',
      severity: 'error',
      from: { path: '^(lib|agent/lib|types|examples)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(agent/)?(build|dist)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // lib/index.ts before lib/index.mjs
    enhancedResolveOptions: { extensions: ['.ts', '.d.ts', '.mts', '.d.mts', '.js', '.cjs', '.mjs', '.json'] },
  },
};
