// rates-library.cjs [POLICY]: counts events until it is killed.
const { openTracer } = require('polytrace');

async function count() {
  const policies = process.argv.slice(2);
  const tracer = await openTracer({ policies });
  const batches = tracer.batches();
  console.log('ready');
  let total = 0;
  for await (const batch of batches) total += batch.length;
  return total;
}

void count();
