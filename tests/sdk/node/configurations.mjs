// Configurations through azure-iothub's Registry.
// in:  { connectionString, steps: [[method, ...arguments]] }
// out: the answer of each step, or { error: class, message }
import { answer, request, require } from './sdk.mjs';

const { Registry } = require('azure-iothub');
const { connectionString, steps } = request();
const registry = Registry.fromConnectionString(connectionString);

const answers = [];
for (const [method, ...args] of steps) {
  try {
    const found = await registry[method](...args);
    const body = found?.responseBody ?? found;
    answers.push(body && 'statusCode' in body ? null : body ?? null);
  } catch (error) {
    answers.push({ error: error.constructor.name, message: error.message });
  }
}
answer(answers);
process.exit(0);
