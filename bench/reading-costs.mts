// Prints what the readings of the short benchmark cost on this Node.js, as JSON.
import { readingCosts } from './short.mjs';

console.log(JSON.stringify(await readingCosts()));
