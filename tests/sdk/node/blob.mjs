// Files through @azure/storage-blob.
// in:  [{ url, size, single }]: the blob with its token, how many bytes to send, how many may go in one request
// out: [{ uploaded, size, same, again }]: status, length found, whether the content came back, and the error of a
//      second upload
import { answer, request, require } from './sdk.mjs';

const { BlockBlobClient } = require('@azure/storage-blob');

async function run({ url, size, single }) {
  const content = Buffer.alloc(size);
  for (let at = 0; at < size; at++) content[at] = (at * 7) % 251;
  const client = new BlockBlobClient(url);
  const options = { maxSingleShotSize: single, blockSize: 1 << 18, concurrency: 4, conditions: { ifNoneMatch: '*' } };
  const uploaded = await client.uploadData(content, options);
  const facts = await client.getProperties();
  const back = await client.downloadToBuffer(0, undefined, { blockSize: 1 << 19, concurrency: 4 });
  const again = await client.uploadData(content, options).then(
    () => 'stored',
    (error) => error.code,
  );
  return { uploaded: uploaded._response.status, size: facts.contentLength, same: back.equals(content), again };
}

const answers = [];
for (const one of request()) answers.push(await run(one));
answer(answers);
process.exit(0);
