/** docs/cli.md shows the program's own help. */
import assert from 'node:assert/strict';
import { commandNames, manualText, withHelp } from '../../../scripts/command-help.js';
import { readProjectFile } from '../../project.js';

const page = readProjectFile('docs/cli.md');

describe('docs/cli.md', () => {
  it('has a section with the help of every command', async () => {
    const names = await commandNames();
    assert.ok(names.includes('getevents') && names.length >= 7);
    for (const name of ['polytrace', ...names]) assert.ok(page.includes(`<!-- help ${name} -->`), name);
  });

  it('shows the current help', async () => {
    assert.equal(await withHelp(page), page, 'run npm run gen');
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

  it('has every command, its options and the exit statuses', async () => {
    for (const name of await commandNames()) assert.match(text, new RegExp(`^\\.SS .*${name}`, 'm'));
    assert.match(text, /^\.B .*\\-\\-event\\-types/m);
    assert.match(text, /^\.SH EXIT STATUS$/m);
  });

  it('begins no line of text with a dot or a quote, because man would read a request', () => {
    const requests = new Set(['TH', 'SH', 'SS', 'TP', 'B', 'PP', 'EX', 'EE', 'RS', 'RE']);
    for (const [, name = ''] of text.matchAll(/^[.'](\S*)/gm)) assert.ok(requests.has(name), name);
  });
});
