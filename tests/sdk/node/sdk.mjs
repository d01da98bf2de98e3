// The SDKs from the cache directory, and JSON on standard input and output.
import { createRequire } from 'node:module';
import { readFileSync, writeSync } from 'node:fs';

export const require = createRequire(process.env.IRONHUB_SDK + '/node/');

export const request = () => JSON.parse(readFileSync(0, 'utf8'));

export function answer(value) {
  const bytes = Buffer.from(JSON.stringify(value));
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

// A condition with a limit, as waiting.py has it.
export async function until(condition, what, limit = 60000) {
  const end = Date.now() + limit;
  for (;;) {
    const result = condition();
    if (result) return result;
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
