// Prints the costs of the readings of the short benchmark on this version of Node.js, as JSON.
import { readingCosts } from './short.mjs';

console.log(JSON.stringify(await readingCosts()));
