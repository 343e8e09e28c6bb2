// Generates TypeScript from the .proto files: node scripts/gen-proto.mjs [--check]. With --check, it only checks that
// the files are up to date. It needs protoc (Debian: protobuf-compiler, libprotobuf-dev).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(fileURLToPath(import.meta.url), '../..');

/** Folders with .proto files, and the folders of the generated code: FILE.proto becomes FILE.gen.ts. */
const FOLDERS = [
  { from: 'lib/containers/proto', to: 'lib/containers/proto' },
  { from: 'agent/proto', to: 'lib/proto' },
];

/** Returns the names and texts of the generated files. */
function generateFiles(folder, work) {
  const protos = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.proto'));
  const args = [
    `--proto_path=${folder}`,
    `--plugin=${join(root, 'node_modules/.bin/protoc-gen-es')}`,
    `--es_out=${work}`,
    '--es_opt=target=ts,import_extension=js',
    ...protos,
  ];
  const { status, stderr, error } = spawnSync('protoc', args, { encoding: 'utf8' });
  if (error?.code === 'ENOENT') throw new Error('protoc is missing: install protobuf-compiler and libprotobuf-dev');
  if (status !== 0) throw new Error(`protoc: ${stderr}`);
  return protos.map((proto) => {
    const name = proto.slice(0, -'.proto'.length);
    const text = readFileSync(join(work, `${name}_pb.ts`), 'utf8');
    return { name: `${name}.gen.ts`, text: text.replaceAll(/(from "\.\/[^"]*)_pb\.js"/g, '$1.gen.js"') };
  });
}

const check = process.argv.includes('--check');
for (const { from, to } of FOLDERS) {
  const work = mkdtempSync(join(tmpdir(), 'polytrace-proto-'));
  try {
    for (const { name, text } of generateFiles(join(root, from), work)) {
      const file = join(root, to, name);
      if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
      if (check) throw new Error(`${to}/${name} is out of date: npm run gen`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
