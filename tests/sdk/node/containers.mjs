// A container's life through @azure/storage-blob.
// in:  { storage, container }: the connection string, and the name of a container that does not exist
// out: what each step gave: a status, the code of an error, or what was found
import { answer, request, require } from './sdk.mjs';

const { BlobServiceClient } = require('@azure/storage-blob');

const wanted = request();
const account = BlobServiceClient.fromConnectionString(wanted.storage);
const container = account.getContainerClient(wanted.container);
const code = (promise) => promise.then((done) => done._response.status, (error) => error.code ?? error.details?.errorCode);
const all = async (iterator) => {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
};
const said = {};

said.made = (await container.create({ metadata: { purpose: 'test' } }))._response.status;
said.again = await code(container.create());
said.properties = (await container.getProperties()).metadata;
said.containers = (await all(account.listContainers())).some((one) => one.name === wanted.container);
for (const name of ['ä', 'a/2', 'a b', 'a/1']) {
  await container.getBlockBlobClient(name).upload(name, Buffer.byteLength(name), { metadata: { ownerid: 'x' } });
}
const pages = await all(container.listBlobsFlat().byPage({ maxPageSize: 2 }));
said.pages = pages.map((page) => page.segment.blobItems.map((blob) => blob.name));
said.prefixed = (await all(container.listBlobsFlat({ prefix: 'a/' }))).map((blob) => blob.name);
said.levels = (await all(container.listBlobsByHierarchy('/'))).map((entry) => entry.name);
const blob = container.getBlockBlobClient('a/1');
const old = (await blob.getProperties()).etag;
await blob.setMetadata({ ownerid: '' }, { conditions: { ifMatch: old } });
const listed = await all(container.listBlobsFlat({ includeMetadata: true }));
said.metadata = listed.flatMap((one) => Object.entries(one.metadata));
said.stale = await code(blob.setMetadata({ ownerid: 'y' }, { conditions: { ifMatch: old } }));
said.missing = await code(container.getBlockBlobClient('nothing').setMetadata({}));
said.existing = await code(blob.upload('', 0, { conditions: { ifNoneMatch: '*' } }));
said.content = (await container.getBlockBlobClient('ä').downloadToBuffer()).toString();
said.deleted = (await container.delete())._response.status;
said.gone = await code(container.delete());
answer(said);
process.exit(0);
