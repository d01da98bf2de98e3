// Device and service programs, driven over standard input and output, one JSON document a line.
// in:  { id, op, client, … }; `client` names what an earlier `open` or `service` made
// out: { id, result } or { id, error, message } for each request, and { event, client, … } for what happens meanwhile
import { createInterface } from 'node:readline';

import { devices } from './device.mjs';
import { services } from './service.mjs';

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const operations = { ...devices(say), ...services(say) };

process.on('unhandledRejection', (error) => say({ event: 'unhandled', client: null, message: `${error?.stack ?? error}` }));
process.on('uncaughtException', (error) => say({ event: 'unhandled', client: null, message: `${error?.stack ?? error}` }));

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('line', async (line) => {
  const request = JSON.parse(line);
  try {
    say({ id: request.id, result: (await operations[request.op](request)) ?? null });
  } catch (error) {
    say({ id: request.id, error: error?.name ?? 'Error', message: `${error?.message ?? error}` });
  }
});
lines.on('close', () => process.exit(0));
