// What a device or module program does through azure-iot-device, over any of its transports.
import { Readable } from 'node:stream';

import { require } from './sdk.mjs';

const { Client, Message, ModuleClient } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const mqtt = require('azure-iot-device-mqtt');
const amqp = require('azure-iot-device-amqp');
const http = require('azure-iot-device-http');

const transports = {
  mqtt: mqtt.Mqtt, 'mqtt-ws': mqtt.MqttWs, amqp: amqp.Amqp, 'amqp-ws': amqp.AmqpWs, http: http.Http,
};
const names = ['messageId', 'correlationId', 'userId', 'contentType', 'contentEncoding', 'expiryTimeUtc', 'to', 'ack'];

export function makeMessage(wanted, { Type = Message, transport = '' } = {}) {
  const message = new Type(Buffer.from(wanted.body ?? '', 'base64'));
  for (const name of names) if (wanted[name] !== undefined) message[name] = wanted[name];
  // The SDK hands it to its AMQP library as it is, which wants a time there.
  if (wanted.expiryTimeUtc && transport.startsWith('amqp')) message.expiryTimeUtc = Date.parse(wanted.expiryTimeUtc + 'Z');
  for (const [name, value] of wanted.app ?? []) message.properties.add(name, value);
  return message;
}

export function readMessage(message) {
  const properties = message.properties;
  const app = [];
  for (let at = 0; at < properties.count(); at++) app.push([properties.getItem(at).key, properties.getItem(at).value]);
  const data = message.getData();
  const found = { body: Buffer.from(data ?? '').toString('base64'), app };
  for (const name of names) {
    const value = message[name];
    if (value !== undefined && value !== null && value !== '') found[name] = Buffer.isBuffer(value) ? value.toString() : value;
  }
  return found;
}

const called = (start) => new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))));

export function devices(say) {
  const clients = new Map();
  const find = ({ client }) => clients.get(client) ?? (() => { throw new Error(`no client ${client}`); })();

  function watchMessages(name, client, tokens) {
    client.on('message', (message) => {
      const token = tokens.size;
      tokens.set(token, message);
      say({ event: 'c2d', client: name, token, message: readMessage(message) });
    });
  }

  return {
    async open({ client: name, kind, transport, connectionString, options, retry }) {
      const Type = kind === 'module' ? ModuleClient : Client;
      const client = Type.fromConnectionString(connectionString, transports[transport]);
      if (!retry) client.setRetryPolicy(new NoRetry());
      // Polled over HTTPS only; the other transports are told of a message.
      const polling = transport === 'http' ? { http: { receivePolicy: { interval: 0.1, drain: true } } } : {};
      if (options || transport === 'http') await client.setOptions({ ...options, ...polling });
      client.on('disconnect', () => say({ event: 'disconnect', client: name }));
      client.on('error', (error) => say({ event: 'error', client: name, message: `${error?.message ?? error}` }));
      clients.set(name, { client, transport, tokens: new Map() });
      await client.open();
    },
    async send(request) {
      const { client, transport } = find(request);
      await client.sendEvent(makeMessage(request.message, { transport }));
    },
    async batch(request) {
      await find(request).client.sendEventBatch(request.messages.map((one) => makeMessage(one)));
    },
    async output(request) {
      await find(request).client.sendOutputEvent(request.name, makeMessage(request.message));
    },
    async c2d(request) {
      const { client, tokens } = find(request);
      watchMessages(request.client, client, tokens);
    },
    async settle(request) {
      const { client, tokens } = find(request);
      await client[request.outcome](tokens.get(request.token));
    },
    async twin(request) {
      const twin = await find(request).client.getTwin();
      const { update, ...reported } = twin.properties.reported;
      return { desired: twin.properties.desired, reported };
    },
    async report(request) {
      const twin = await find(request).client.getTwin();
      await called((done) => twin.properties.reported.update(request.patch, done));
    },
    // Subscribes as the SDK does for its first handler, without the document being read before: the answer comes when
    // the subscription stands.
    async watch(request) {
      const transport = find(request).client._transport;
      transport.on('twinDesiredPropertiesUpdate', (patch) => say({ event: 'desired', client: request.client, patch }));
      await called((done) => transport.enableTwinDesiredPropertiesUpdates(done));
    },
    // The way applications do it: the document, then a handler for one property.
    async watchProperty(request) {
      const twin = await find(request).client.getTwin();
      twin.on(`properties.desired.${request.name}`, (value) => say({ event: 'property', client: request.client, value }));
    },
    async methods(request) {
      const { client } = find(request);
      const listen = client instanceof ModuleClient ? client.onMethod.bind(client) : client.onDeviceMethod.bind(client);
      for (const name of request.names) {
        listen(name, async (call, response) => {
          say({ event: 'method', client: request.client, name: call.methodName, payload: call.payload ?? null });
          if (name === 'silent') return;
          const payload = name === 'echo' ? call.payload : { method: call.methodName, got: call.payload ?? null };
          await response.send(call.payload?.status ?? 200, payload).catch((error) =>
            say({ event: 'error', client: request.client, message: `${error}` }));
        });
      }
    },
    async upload(request) {
      const bytes = Buffer.from(request.body, 'base64');
      await find(request).client.uploadToBlob(request.name, Readable.from([bytes], { objectMode: false }), bytes.length);
    },
    async close(request) {
      const { client } = find(request);
      clients.delete(request.client);
      await client.close();
    },
  };
}
