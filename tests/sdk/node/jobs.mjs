// Jobs through azure-iothub's JobClient.
// in:  { connectionString, steps: [[method, ...arguments] | ['all', type, status, pageSize] | ['wait', id]] }
// out: the answer of each step, or { error: class, message }; times are given as milliseconds from now
import { answer, request, require } from './sdk.mjs';

const { JobClient } = require('azure-iothub');
const { connectionString, steps } = request();
const client = JobClient.fromConnectionString(connectionString);

async function body(call) {
  const found = await call;
  return found.jobStatus ?? found.result ?? found;
}

// Every page of a query; without a callback the SDK does not pass the token on by itself.
async function all(type, status, pageSize) {
  const query = client.createQuery(type, status, pageSize);
  const pages = [];
  while (query.hasMoreResults) pages.push((await query.next(query.continuationToken)).result);
  return pages;
}

async function wait(id) {
  for (const end = Date.now() + 60000; ; ) {
    const job = await body(client.getJob(id));
    if (['completed', 'failed', 'cancelled'].includes(job.status)) return job;
    if (Date.now() > end) throw new Error(`job ${id} does not end: ${JSON.stringify(job)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function run([method, ...args]) {
  if (method === 'all') return all(...args);
  if (method === 'wait') return wait(...args);
  if (method.startsWith('schedule')) args[3] = new Date(Date.now() + (args[3] ?? 0));
  return body(client[method](...args));
}

const answers = [];
for (const step of steps) {
  answers.push(await run(step).catch((error) => ({ error: error.constructor.name, message: `${error.message} ${error.responseBody ?? ''}` })));
}
answer(answers);
process.exit(0);
