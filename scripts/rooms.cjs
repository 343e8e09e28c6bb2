// The rooms of the sources, and the rooms that each of them may import. .dependency-cruiser.cjs uses this table.
// `node scripts/rooms.cjs` prints it.

/**
 * The rooms, the lowest first. `may` lists rooms or prefixes of file paths. A room may always import itself and types/.
 * `packages` lists npm packages. A `pure` room imports, directly or through other rooms, no module of Node.js that
 * reaches outside the process. So it runs on any operating system.
 */
const rooms = [
  { room: 'lib/errors.ts', may: [], pure: true },
  { room: 'lib/cooperative.ts', may: [], pure: true },
  { room: 'lib/names/', may: [], pure: true },
  { room: 'lib/chain/', may: [] },
  { room: 'lib/compiled/', may: ['lib/names/'], pure: true },
  { room: 'lib/elf/', may: ['lib/cooperative.ts'], pure: true },
  { room: 'lib/wire/', may: ['lib/errors.ts', 'lib/compiled/', 'lib/names/'], pure: true },
  {
    room: 'lib/policy/',
    may: ['lib/errors.ts', 'lib/cooperative.ts', 'lib/compiled/', 'lib/names/', 'lib/elf/'],
    packages: ['yaml'],
    pure: true,
  },
  { room: 'lib/containers/', may: ['lib/errors.ts'], packages: ['@bufbuild/protobuf'] },
  { room: 'lib/process/', may: ['lib/cooperative.ts', 'lib/containers/', 'lib/names/', 'lib/wire/'] },
  {
    room: 'lib/native/',
    may: ['lib/errors.ts', 'lib/cooperative.ts', 'lib/names/', 'lib/wire/layout.gen.ts'],
    packages: ['node-gyp-build'],
  },
  { room: 'lib/elf-files/', may: ['lib/errors.ts', 'lib/cooperative.ts', 'lib/elf/', 'lib/native/'] },
  {
    room: 'lib/events/',
    may: [
      'lib/cooperative.ts',
      'lib/compiled/',
      'lib/names/',
      'lib/elf/',
      'lib/elf-files/',
      'lib/wire/',
      'lib/process/',
      'lib/native/file-reader.ts',
    ],
  },
  {
    room: 'lib/output/',
    may: ['lib/errors.ts', 'lib/names/', 'lib/wire/surrogate-escape.ts', 'lib/process/'],
    packages: ['re2js'],
  },
  {
    room: 'lib/lines/',
    may: ['lib/compiled/', 'lib/wire/', 'lib/process/', 'lib/events/', 'lib/output/', 'lib/native/binding.ts'],
  },
  // the protocol of agents, which is loaded when something needs it
  { room: 'lib/proto/', may: [], packages: ['@bufbuild/protobuf'], pure: true },
  {
    room: 'lib/encode/',
    may: [
      'lib/names/network.ts',
      'lib/output/environment.ts',
      'lib/output/export-fields.ts',
      'lib/output/json.ts',
      'lib/proto/',
      'lib/wire/surrogate-escape.ts',
    ],
    packages: ['@bufbuild/protobuf'],
  },
  {
    room: 'lib/filters/',
    may: ['lib/names/', 'lib/proto/', 'lib/encode/'],
    packages: ['@bufbuild/protobuf', '@bufbuild/cel', 're2js'],
  },
  {
    room: 'lib/protocol/',
    may: [
      'lib/chain/index.ts',
      'lib/events/made-events.ts',
      'lib/names/severity.ts',
      'lib/output/escape.ts',
      'lib/output/export-fields.ts',
      'lib/proto/',
      'lib/encode/',
      'lib/filters/',
    ],
    packages: ['@bufbuild/protobuf'],
  },
  { room: 'lib/grpc/', may: ['lib/protocol/index.ts'], packages: ['@bufbuild/protobuf', '@grpc/grpc-js'] },
  {
    room: 'lib/evaluate/',
    may: ['lib/compiled/', 'lib/names/', 'lib/wire/', 'lib/policy/index.ts'],
    pure: true,
  },
  {
    room: 'lib/recording/',
    may: [
      'lib/errors.ts',
      'lib/compiled/',
      'lib/names/',
      'lib/wire/',
      'lib/policy/index.ts',
      'lib/events/',
      'lib/output/escape.ts',
      'lib/protocol/index.ts',
      'lib/protocol/load.ts',
      'lib/evaluate/',
    ],
  },
  {
    room: 'lib/testing/',
    may: ['lib/errors.ts', 'lib/process/clock.ts', 'lib/process/process.ts', 'lib/events/made-events.ts'],
  },
  { room: 'lib/rules/', may: ['lib/errors.ts'] },
  { room: 'lib/tracers/', may: ['lib/names/', 'lib/rules/recent-map.ts'], pure: true },
  {
    room: 'lib/attach/',
    may: [
      'lib/errors.ts',
      'lib/cooperative.ts',
      'lib/compiled/',
      'lib/names/',
      'lib/elf/',
      'lib/elf-files/',
      'lib/wire/',
      'lib/policy/index.ts',
      'lib/process/',
      'lib/native/',
    ],
  },
  {
    room: 'lib/stream/',
    may: ['lib/names/', 'lib/wire/', 'lib/process/', 'lib/native/', 'lib/events/', 'lib/output/'],
  },
  {
    room: 'lib/tracer/',
    may: [
      'lib/errors.ts',
      'lib/cooperative.ts',
      'lib/compiled/',
      'lib/names/',
      'lib/elf-files/',
      'lib/wire/',
      'lib/policy/index.ts',
      'lib/containers/',
      'lib/process/',
      'lib/native/',
      'lib/events/',
      'lib/attach/',
      'lib/recording/plain-json.ts',
      'lib/stream/',
    ],
  },
  {
    room: 'lib/client/',
    may: [
      'lib/errors.ts',
      'lib/policy/index.ts',
      'lib/events/made-events.ts',
      'lib/output/filters.ts',
      'lib/protocol/index.ts',
      'lib/protocol/load.ts',
      'lib/grpc/client.ts',
      'lib/grpc/load.ts',
      'lib/tracer/bad-option.ts',
      'lib/tracer/options.ts',
      'lib/tracer/policy-files.ts',
      'lib/tracer/policy-source.ts',
    ],
  },
  {
    room: 'lib/run/',
    may: ['lib/errors.ts', 'lib/names/', 'lib/native/', 'lib/tracer/host-gaps.ts', 'lib/tracer/tracer.ts'],
    packages: ['yaml'],
  },
  {
    room: 'lib/index.ts',
    may: [
      'lib/client/connect.ts',
      'lib/errors.ts',
      'lib/native/btf.ts',
      'lib/native/preflight.ts',
      'lib/native/peer.ts',
      'lib/native/service.ts',
      'lib/policy/index.ts',
      'lib/output/index.ts',
      'lib/lines/json-lines.ts',
      'lib/recording/',
      'lib/rules/',
      'lib/run/',
      'lib/testing/',
      'lib/tracer/',
    ],
  },
  { room: 'lib/index.mjs', may: ['dist/index.js'] },
  { room: 'lib/report/', may: ['lib/index.ts'] },
  {
    room: 'lib/cli/',
    may: [
      'lib/index.ts',
      'lib/chain/index.ts',
      'lib/protocol/index.ts',
      'lib/protocol/load.ts',
      'lib/grpc/client.ts',
      'lib/grpc/load.ts',
      'lib/report/index.ts',
      'lib/report/load.ts',
      'lib/recording/lines.ts',
      'lib/tracers/index.ts',
      'lib/containers/identify.ts',
      'lib/errors.ts',
      'lib/names/event-types.ts',
      'lib/names/network.ts',
      'lib/names/policy-library.ts',
      'lib/output/escape.ts',
    ],
    packages: ['commander'],
  },
  // the package polytrace-agent: of the library, it uses the public API and `polytrace/protocol`
  { room: 'agent/lib/log/', may: [], packages: ['pino', 'pino-pretty'] },
  {
    room: 'agent/lib/config/',
    may: ['lib/protocol/index.ts', 'agent/lib/log/'],
    packages: ['commander', 'fastest-levenshtein', 'yaml'],
  },
  { room: 'agent/lib/policies/', may: ['agent/lib/log/', 'agent/lib/make-folder.ts'], packages: ['polytrace'] },
  { room: 'agent/lib/streams/', may: ['lib/protocol/index.ts'], packages: ['polytrace', '@bufbuild/protobuf'] },
  {
    room: 'agent/lib/grpc/',
    may: [
      'lib/protocol/index.ts',
      'agent/lib/make-folder.ts',
      'agent/lib/log/',
      'agent/lib/policies/',
      'agent/lib/streams/',
    ],
    packages: ['polytrace', '@bufbuild/protobuf', '@grpc/grpc-js', '@grpc/reflection', 'grpc-health-check'],
  },
  // runs in a browser: of the library, it knows the types of the rows only
  {
    room: 'agent/page/',
    may: ['lib/report/row.ts'],
    packages: ['uplot', '@tanstack/virtual-core'],
    pure: true,
  },
  { room: 'agent/lib/kubernetes/', may: [], packages: ['polytrace', '@kubernetes/client-node', 'yaml'] },
  {
    room: 'agent/lib/export/',
    may: [
      'lib/protocol/index.ts',
      'agent/lib/make-folder.ts',
      'agent/lib/log/',
      'agent/lib/config/',
      'agent/lib/streams/',
    ],
    packages: ['polytrace', '@bufbuild/protobuf'],
  },
  { room: 'agent/lib/delivery/', may: ['agent/lib/make-folder.ts', 'agent/lib/log/'] },
  {
    room: 'agent/lib/otlp/',
    may: ['lib/protocol/index.ts', 'agent/lib/delivery/', 'agent/lib/log/'],
    packages: [
      'polytrace',
      '@opentelemetry/api',
      '@opentelemetry/sdk-logs',
      '@opentelemetry/resources',
      '@opentelemetry/exporter-logs-otlp-proto',
      '@opentelemetry/exporter-logs-otlp-grpc',
      '@grpc/grpc-js',
      '@opentelemetry/otlp-exporter-base',
    ],
  },
  {
    room: 'agent/lib/alerts/',
    may: ['lib/protocol/index.ts', 'agent/lib/config/', 'agent/lib/delivery/', 'agent/lib/log/'],
    packages: ['polytrace'],
  },
  {
    room: 'agent/lib/metrics/',
    may: [
      'agent/lib/log/',
      'agent/lib/config/',
      'agent/lib/policies/',
      'agent/lib/streams/',
      'agent/lib/export/',
      'agent/lib/delivery/',
    ],
    packages: ['polytrace', 'prom-client'],
  },
  {
    room: 'agent/lib/main/',
    may: [
      'agent/lib/alerts/',
      'agent/lib/config/',
      'agent/lib/delivery/',
      'agent/lib/export/',
      'agent/lib/metrics/',
      'agent/lib/otlp/',
      'agent/lib/grpc/',
      'agent/lib/kubernetes/',
      'agent/lib/log/',
      'agent/lib/policies/',
      'agent/lib/streams/',
    ],
    packages: ['polytrace', 'commander'],
  },
  { room: 'agent/lib/make-folder.ts', may: [] },
  { room: 'agent/lib/version.ts', may: [] },
  { room: 'agent/lib/index.ts', may: ['agent/lib/version.ts', 'agent/lib/main/'] },
  { room: 'types/', may: [], pure: true },
  { room: 'examples/', may: ['lib/index.mjs', 'lib/index.ts'], packages: ['polytrace'] },
];

module.exports = { rooms };

if (require.main === module) {
  const width = Math.max(...rooms.map(({ room }) => room.length));
  for (const { room, may, packages = [], pure } of rooms) {
    const list = [...may, ...packages.map((name) => `the package ${name}`)].join(', ') || 'nothing';
    console.log(`${room.padEnd(width)}  may import ${list}${pure ? '; pure' : ''}`);
  }
}
