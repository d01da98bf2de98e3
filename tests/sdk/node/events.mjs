// Events through @azure/event-hubs.
// in:  { connectionString, group, partitions: { id: { position, last } } }: reads each from its position up to and with
//      sequence number `last`. Without `last` the script stops at the end of the partition as it is now. With
//      `websocket: true` over port 443.
// out: { events: { id: [event] }, properties, partitionProperties: { id: … } }
import { answer, request, require, until } from './sdk.mjs';

const { EventHubConsumerClient, earliestEventPosition, latestEventPosition } = require('@azure/event-hubs');

const wanted = request();
const client = new EventHubConsumerClient(wanted.group ?? '$Default', wanted.connectionString, {
  retryOptions: { maxRetries: 0 },
  ...(wanted.websocket ? { webSocketOptions: { webSocket: require('ws') } } : {}),
});

function position(given) {
  if (given === undefined || given === 'earliest') return earliestEventPosition;
  if (given === 'latest') return latestEventPosition;
  return given.enqueuedOn === undefined ? given : { ...given, enqueuedOn: new Date(given.enqueuedOn) };
}

// Binary values, such as the user id, as text. The SDK has made plain objects with numbers for names of them.
const plain = (value) => (value !== null && typeof value === 'object' ? Buffer.from(Object.values(value)).toString() : value);
const plainAll = (map) => Object.fromEntries(Object.entries(map ?? {}).map(([name, value]) => [name, plain(value)]));

function record(event, partition) {
  return {
    partition,
    sequence: event.sequenceNumber,
    offset: event.offset,
    enqueued: event.enqueuedTimeUtc.getTime(),
    key: event.partitionKey,
    body: event.body.toString('base64'),
    app: plainAll(event.properties),
    system: plainAll(event.systemProperties),
    device: event.systemProperties['iothub-connection-device-id'],
  };
}

const properties = await client.getEventHubProperties();
const partitionProperties = {};
for (const id of properties.partitionIds) partitionProperties[id] = await client.getPartitionProperties(id);

const events = {};
const errors = [];
await Promise.all(
  Object.entries(wanted.partitions ?? Object.fromEntries(properties.partitionIds.map((id) => [id, {}]))).map(
    async ([id, { position: from, last }]) => {
      const found = (events[id] = []);
      const end = last ?? (partitionProperties[id].isEmpty ? -1 : partitionProperties[id].lastEnqueuedSequenceNumber);
      if (end < 0) return;
      const subscription = client.subscribe(
        id,
        {
          processEvents: async (batch) => {
            for (const event of batch) if (event.sequenceNumber <= end) found.push(record(event, id));
          },
          processError: async (error) => errors.push(`${error.code ?? error.name}: ${error.message}`),
        },
        { startPosition: position(from), maxBatchSize: 100, maxWaitTimeInSeconds: 1, skipParsingBodyAsJson: true },
      );
      await until(
        () => errors.length || (found.length && found[found.length - 1].sequence >= end),
        `event ${end} of partition ${id}; ${found.length} came`,
      );
      await subscription.close();
    },
  ),
);
await client.close();
answer({ events, errors, properties, partitionProperties });
process.exit(0);
