// Telemetry through azure-iot-device and azure-iot-device-mqtt.
// in:  [{ connectionString, messages: [{ body, messageId, …, app: [[name, value]] }] }], body in base64
// out: { sent }
import { answer, request, require } from './sdk.mjs';

const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const names = ['messageId', 'correlationId', 'userId', 'contentType', 'contentEncoding', 'expiryTimeUtc'];

async function run(device) {
  const client = Client.fromConnectionString(device.connectionString, Mqtt);
  await client.open();
  for (const wanted of device.messages) {
    const message = new Message(Buffer.from(wanted.body, 'base64'));
    for (const name of names) if (wanted[name] !== undefined) message[name] = wanted[name];
    for (const [name, value] of wanted.app) message.properties.add(name, value);
    await client.sendEvent(message);
  }
  await client.close();
  return device.messages.length;
}

const counts = await Promise.all(request().map(run));
answer({ sent: counts.reduce((sum, count) => sum + count, 0) });
process.exit(0);
