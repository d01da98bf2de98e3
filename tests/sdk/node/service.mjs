// What a back end does through azure-iothub.
import { require } from './sdk.mjs';
import { makeMessage, readMessage } from './device.mjs';

const { Amqp, AmqpWs, Client, Registry } = require('azure-iothub');
// The service SDK has a Message class of its own, inside.
const { Message } = require('azure-iothub/dist/common-core/message.js');

const transports = { amqp: Amqp, 'amqp-ws': AmqpWs };

export function services(say) {
  const clients = new Map();

  // Tells of each message; the first `abandon` of them are given back once, all others completed.
  function listen(name, event, receiver, abandon) {
    receiver.on('message', async (message) => {
      const outcome = abandon-- > 0 ? 'abandon' : 'complete';
      const data = message.getData();
      say({ event, client: name, outcome, records: JSON.parse(Buffer.from(data).toString()), message: readMessage(message) });
      await receiver[outcome](message).catch((error) => say({ event: 'error', client: name, message: `${error}` }));
    });
    receiver.on('errorReceived', (error) => say({ event: 'error', client: name, message: `${error}` }));
  }

  return {
    async service({ client: name, transport, connectionString }) {
      const client = Client.fromConnectionString(connectionString, transports[transport]);
      client.on('disconnect', () => say({ event: 'disconnect', client: name }));
      clients.set(name, { client, registry: Registry.fromConnectionString(connectionString) });
      await client.open();
    },
    async feedback({ client: name, abandon }) {
      const found = await clients.get(name).client.getFeedbackReceiver();
      listen(name, 'feedback', found.result ?? found, abandon ?? 0);
    },
    async files({ client: name, abandon }) {
      const found = await clients.get(name).client.getFileNotificationReceiver();
      listen(name, 'file', found.result ?? found, abandon ?? 0);
    },
    async serviceSend({ client, device, message }) {
      await clients.get(client).client.send(device, makeMessage(message, { Type: Message }));
    },
    async invoke({ client, device, module, method }) {
      const service = clients.get(client).client;
      const found = module ? await service.invokeDeviceMethod(device, module, method) : await service.invokeDeviceMethod(device, method);
      return found.result ?? found;
    },
    // Any operation of the registry, twins included.
    async registry({ client, method, args }) {
      const found = await clients.get(client).registry[method](...args);
      const body = found?.responseBody ?? found;
      // Twins hold a reference to the registry.
      return JSON.parse(JSON.stringify(body ?? null, (key, value) => (key === '_registry' ? undefined : value)));
    },
    // Every page of a query.
    async query({ client: name, text, size, twins }) {
      const query = clients.get(name).registry.createQuery(text, size);
      const pages = [];
      while (query.hasMoreResults) {
        const page = twins ? await query.nextAsTwin() : await query.next(query.continuationToken);
        pages.push(twins ? page.result.map((twin) => twin.deviceId) : page.result);
      }
      return pages;
    },
    async serviceClose({ client }) {
      const { client: open } = clients.get(client);
      clients.delete(client);
      await open.close();
    },
  };
}
