// Azure IoT Explorer's way to telemetry: from the hub's connection string through the redirect to the event hub.
// in:  { connectionString, device, after }: reads from `after` (ms) on until an event of the device came
// out: { hostname, address, event: { body, properties, device } }
import { createHmac } from 'node:crypto';
import { answer, request, require, until } from './sdk.mjs';

const { Connection } = require('rhea-promise');
const { EventHubConsumerClient } = require('@azure/event-hubs');

const wanted = request();
const parts = Object.fromEntries(wanted.connectionString.split(';').map((part) => part.split(/=(.*)/s)));
const { HostName: host, SharedAccessKeyName: policy, SharedAccessKey: key } = parts;
const resource = encodeURIComponent(`${host}/messages/events`);
const expiry = Math.ceil(Date.now() / 1000) + 300;
const digest = createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n${expiry}`).digest('base64');
const connection = new Connection({
  transport: 'tls', host, hostname: host, port: 5671, reconnect: false,
  username: `${policy}@sas.root.${host.split('.')[0]}`,
  password: `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(digest)}&se=${expiry}&skn=${policy}`,
});
await connection.open();
const receiver = await connection.createReceiver({ source: { address: `amqps://${host}/messages/events/$management` } });
// Only now, as the tool does it: a redirect that came together with the attach would be missed.
let error;
receiver.on('receiver_error', (context) => (error = context.receiver.error));
await until(() => error, 'the redirect');
if (error.condition !== 'amqp:link:redirect') throw new Error(`${error.condition}: ${error.description}`);
const { hostname, address } = error.info;
await connection.close();

const entity = /:\d+\/(.*)\/\$management/i.exec(address)[1];
const client = new EventHubConsumerClient(
  '$Default', `Endpoint=sb://${hostname}/;EntityPath=${entity};SharedAccessKeyName=${policy};SharedAccessKey=${key}`);
let event;
let failed;
const subscription = client.subscribe(
  {
    processEvents: async (events) => {
      event ??= events.find((found) => found.systemProperties?.['iothub-connection-device-id'] === wanted.device);
    },
    processError: async (fault) => (failed = fault),
  },
  { startPosition: { enqueuedOn: new Date(wanted.after) } },
);
await until(() => event ?? failed, 'an event of the device');
if (failed) throw failed;
await subscription.close();
await client.close();
answer({
  hostname, address,
  event: { body: event.body, properties: event.properties, device: event.systemProperties['iothub-connection-device-id'] },
});
