// A receiver that stays: one JSON line per happening on standard output, until standard input ends.
// argument: { connectionString, group, partition, options }
import { require } from './sdk.mjs';

const { EventHubConsumerClient, earliestEventPosition, latestEventPosition } = require('@azure/event-hubs');

const wanted = JSON.parse(process.argv[2]);
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const client = new EventHubConsumerClient(wanted.group ?? '$Default', wanted.connectionString, {
  retryOptions: { maxRetries: 0 },
});
const subscription = client.subscribe(
  wanted.partition,
  {
    processInitialize: async () => say({ initialized: true }),
    processEvents: async (events) => {
      if (!events.length) say({ idle: true });
      for (const event of events) say({ event: event.sequenceNumber, device: event.systemProperties['iothub-connection-device-id'] });
    },
    processError: async (error) => say({ error: error.code ?? error.name, message: error.message }),
    processClose: async (reason) => say({ closed: reason }),
  },
  {
    startPosition: wanted.latest ? latestEventPosition : earliestEventPosition,
    maxWaitTimeInSeconds: 1,
    skipParsingBodyAsJson: true,
    ...wanted.options,
  },
);
process.stdin.resume();
process.stdin.on('end', async () => {
  await subscription.close().catch(() => {});
  await client.close().catch(() => {});
  process.exit(0);
});
