/** The manifests for Kubernetes are up to date. test/kubernetes/chart.test.ts renders the chart. */
import assert from 'node:assert/strict';
import { deployFiles } from '../../../scripts/deploy-files.js';
import { readProjectFile } from '../../project.js';

describe('deployment: manifests', () => {
  it('are up to date', () => {
    for (const [file, text] of deployFiles()) assert.equal(readProjectFile(file), text, `${file}: run \`npm run gen\``);
  });
});
