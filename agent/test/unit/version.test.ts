/** The agent and the library have one version. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findVersionProblem, readVersions } from '../../lib/version.js';

describe('the versions of the packages', () => {
  it('are the same, and the agent requires exactly this version of the library', () => {
    const { agent, library } = readVersions();
    assert.equal(agent, library);
    const text = readFileSync(join(__dirname, '../../package.json'), 'utf8');
    const { peerDependencies } = JSON.parse(text) as { readonly peerDependencies: Readonly<Record<string, string>> };
    assert.equal(peerDependencies['polytrace'], agent);
    assert.equal(findVersionProblem(readVersions()), undefined);
  });

  it('that differ are an error with the remedy', () => {
    assert.equal(
      findVersionProblem({ agent: '0.2.0', library: '0.1.9', libraryFile: '/app/node_modules/polytrace/package.json' }),
      'AGENT_VERSION: polytrace-agent 0.2.0 needs polytrace 0.2.0, and /app/node_modules/polytrace/package.json has version 0.1.9: run `npm install polytrace@0.2.0 polytrace-agent@0.2.0`',
    );
  });
});
