/** Writes output of the program into the pages that show it. `npm run gen` runs it, and tests compare the result. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withSettings } from './agent-settings.js';
import { createCaptures, withCaptures } from './captures.js';
import { manualText } from './command-help.js';
import { withAnswers } from './tutorial-answers.js';

async function main(): Promise<void> {
  writeFileSync(join(__dirname, '../man/polytrace.1'), manualText());
  const settings = join(__dirname, '../docs/agent-configuration.md');
  writeFileSync(settings, await withSettings(readFileSync(settings, 'utf8')));
  const tutorial = join(__dirname, '../docs/tutorial.md');
  writeFileSync(tutorial, withAnswers(readFileSync(tutorial, 'utf8')));
  const recipes = join(__dirname, '../docs/recipes.md');
  writeFileSync(recipes, await withCaptures(readFileSync(recipes, 'utf8')));
  for (const { path, text } of await createCaptures()) writeFileSync(path, text);
}

void main();
