/** The image is built from all that it contains. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readProjectFile } from '../../project.js';

describe('deployment: Dockerfile', () => {
  it('copies all sources of the files of the image into the stage that makes them', () => {
    const [, list = ''] =
      /for \(const name of \[([^\]]+)\]\)\s+copy\(name\)/.exec(readProjectFile('scripts/stage-image.mjs')) ?? [];
    const names = [...list.matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
    const sources = names.filter((name) => !/^(?:dist|build)/.test(name));
    assert.ok(sources.includes('policies') && sources.every((name) => existsSync(join(ROOT, name))));
    const [, stage = ''] = /AS compiled\n([\s\S]*?)\nFROM /.exec(readProjectFile('deploy/Dockerfile')) ?? [];
    const copied = [...stage.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, words = '']) => words.split(' '));
    for (const name of sources) assert.ok(copied.includes(name), `COPY ${name} is missing`);
  });

  it('has everything that it copies in the context of the build', () => {
    const rules = readProjectFile('.dockerignore').split('\n');
    const lines = readProjectFile('deploy/Dockerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm);
    const copied = [...lines].flatMap(([, words = '']) => words.split(' ')).filter((name) => !name.startsWith('$'));
    assert.ok(copied.includes('policies'));
    const isIncluded = (name: string): boolean =>
      rules.some((rule) => rule.startsWith('!') && `${name}/`.startsWith(`${rule.slice(1)}/`));
    for (const name of copied) assert.ok(isIncluded(name), `.dockerignore leaves ${name} out`);
  });
});
