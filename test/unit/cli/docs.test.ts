/** docs/cli.md has every command, and the manual page its options. */
import assert from 'node:assert/strict';
import { commandNames, manualText } from '../../../scripts/command-help.js';
import { readProjectFile } from '../../project.js';

const page = readProjectFile('docs/cli.md');

describe('docs/cli.md', () => {
  it('has a section for every command, and lists it', () => {
    const names = commandNames();
    assert.ok(names.includes('getevents') && names.length >= 7);
    assert.deepEqual([...page.matchAll(/^## (.*)$/gm)].map(([, name]) => name).sort(), [...names].sort());
    for (const name of names) assert.ok(page.includes(`[${name}](#${name})`), name);
  });

  it('names every exit status', () => {
    for (const status of [0, 1, 2, 3, 4, 130]) assert.match(page, new RegExp(`^\\| ${status}(,[ 0-9,]+)? +\\|`, 'm'));
  });
});

describe('man/polytrace.1', () => {
  const text = readProjectFile('man/polytrace.1');

  it('has the current options', () => {
    assert.equal(manualText(), text, 'run npm run gen');
  });

  it('has every command, its options and the exit statuses', () => {
    for (const name of commandNames()) assert.match(text, new RegExp(`^\\.SS .*${name}`, 'm'));
    assert.match(text, /^\.B .*\\-\\-event\\-types/m);
    assert.match(text, /^\.SH EXIT STATUS$/m);
  });

  it('begins no line of text with a dot or a quote, because man would read a request', () => {
    const requests = new Set(['TH', 'SH', 'SS', 'TP', 'B', 'PP', 'EX', 'EE', 'RS', 'RE']);
    for (const [, name = ''] of text.matchAll(/^[.'](\S*)/gm)) assert.ok(requests.has(name), name);
  });
});
