/** Compares the versions of this package and of the library, whose internal parts it uses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Versions {
  readonly agent: string;
  readonly library: string;
  /** The package.json of the library. */
  readonly libraryFile: string;
}

export function readVersions(): Versions {
  const libraryFile = require.resolve('polytrace/package.json');
  return {
    agent: readVersion(join(__dirname, '../package.json')),
    library: readVersion(libraryFile),
    libraryFile,
  };
}

function readVersion(file: string): string {
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

/** Returns a message, or undefined if the versions are the same. */
export function findVersionProblem({ agent, library, libraryFile }: Versions): string | undefined {
  if (agent === library) return undefined;
  return `AGENT_VERSION: polytrace-agent ${agent} needs polytrace ${agent}, and ${libraryFile} has version ${library}: run \`npm install polytrace@${agent} polytrace-agent@${agent}\``;
}
