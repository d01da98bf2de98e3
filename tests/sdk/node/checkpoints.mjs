// Consumers of @azure/event-hubs that share the partitions by @azure/eventhubs-checkpointstore-blob.
// in:  { connectionString, storage, container, consumers }: reads from the checkpoints, or from the beginning, to the end of
//      every partition as it is now, and checkpoints every batch
// out: { shares, bodies, errors }: how many partitions each consumer had in the end
import { answer, request, require, until } from './sdk.mjs';

const { EventHubConsumerClient, earliestEventPosition } = require('@azure/event-hubs');
const { BlobCheckpointStore } = require('@azure/eventhubs-checkpointstore-blob');
const { ContainerClient } = require('@azure/storage-blob');

const wanted = request();
const store = new BlobCheckpointStore(new ContainerClient(wanted.storage, wanted.container));
const bodies = [];
const errors = [];
const clients = [];
const subscriptions = [];

for (let number = 0; number < wanted.consumers; number++) {
  const client = new EventHubConsumerClient('$Default', wanted.connectionString, store, {
    loadBalancingOptions: {
      strategy: 'balanced',
      updateIntervalInMs: 500,
      partitionOwnershipExpirationIntervalInMs: 5000,
    },
  });
  clients.push(client);
  subscriptions.push(
    client.subscribe(
      {
        processEvents: async (batch, context) => {
          if (batch.length === 0) return;
          for (const event of batch) bodies.push(event.body);
          await context.updateCheckpoint(batch[batch.length - 1]);
        },
        // Losing a partition to the other consumer is no failure.
        processError: async (error) => {
          if (error.code !== 'ReceiverDisconnectedError') errors.push(`${error.code ?? error.name}: ${error.message}`);
        },
      },
      { startPosition: earliestEventPosition, maxBatchSize: 10, maxWaitTimeInSeconds: 1 },
    ),
  );
}

const [client] = clients;
const { fullyQualifiedNamespace: namespace, eventHubName: entity } = client;
const last = {};
for (const id of await client.getPartitionIds()) {
  const properties = await client.getPartitionProperties(id);
  if (!properties.isEmpty) last[id] = properties.lastEnqueuedSequenceNumber;
}

let shares = [];
let checkpoints = {};
let looking = false;
async function look() {
  const owners = {};
  for (const one of await store.listOwnership(namespace, entity, '$Default')) {
    if (one.ownerId) owners[one.ownerId] = (owners[one.ownerId] ?? 0) + 1;
  }
  shares = Object.values(owners).sort();
  const found = await store.listCheckpoints(namespace, entity, '$Default');
  checkpoints = Object.fromEntries(found.map((one) => [one.partitionId, one.sequenceNumber]));
  looking = false;
}
await until(
  () => {
    if (!looking) {
      looking = true;
      look().catch((error) => errors.push(error.message));
    }
    const even = shares.length === wanted.consumers && shares[shares.length - 1] - shares[0] <= 1;
    return even && Object.entries(last).every(([id, number]) => checkpoints[id] === number);
  },
  `${wanted.consumers} consumers share the partitions and reach their ends`,
);
for (const subscription of subscriptions) await subscription.close();
for (const one of clients) await one.close();
answer({ shares, bodies, errors });
process.exit(0);
