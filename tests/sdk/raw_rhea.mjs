// A device by rhea alone: an AMQP library that knows nothing of hubs.
// in:  { device, token, sasl: 'none' | 'ANONYMOUS' | 'PLAIN' | 'EXTERNAL', websocket, messages, commands, cert, key }
// out: { outcomes, commands: [[body, deliveryCount]], twin: { status, version, body } }; of each two commands one is released once
import { readFileSync } from 'node:fs';
import { answer, request, require, until } from './node/sdk.mjs';

const rhea = require('rhea');
const WebSocket = require('ws');
const wanted = request();
const container = rhea.create_container();
const options = {
  host: 'localhost', hostname: 'localhost', port: 5671, transport: 'tls', reconnect: false,
  ca: [readFileSync(process.env.NODE_EXTRA_CA_CERTS)],
};
if (wanted.sasl === 'PLAIN') Object.assign(options, { username: `${wanted.device}@sas.localhost`, password: wanted.token });
if (wanted.sasl === 'ANONYMOUS') options.username = 'anonymous';
if (wanted.cert) Object.assign(options, { cert: readFileSync(wanted.cert), key: readFileSync(wanted.key) });
if (wanted.sasl === 'EXTERNAL') options.enable_sasl_external = true;
if (wanted.websocket) {
  const dial = container.websocket_connect(WebSocket);
  options.connection_details = dial('wss://localhost:443/$iothub/websocket', ['AMQPWSB10'], {});
}
let fault;
const failed = (context) => {
  const error = context.connection?.error ?? context.sender?.error ?? context.receiver?.error ?? context.session?.error ?? context.error;
  fault = new Error(`${error?.condition ?? ''} ${error?.description ?? error?.message ?? 'closed'}`);
};
for (const name of ['connection_error', 'session_error', 'sender_error', 'receiver_error', 'error', 'disconnected']) container.on(name, failed);
const check = (condition, what) => until(() => {
  if (fault) throw fault;
  return condition();
}, what);
const connection = container.connect(options);
const address = (rest) => `/devices/${wanted.device}/${rest}`;

if (['none', 'ANONYMOUS'].includes(wanted.sasl)) {
  const replies = connection.open_receiver({ source: '$cbs' });
  let status;
  replies.on('message', (context) => (status = context.message.application_properties['status-code']));
  const requests = connection.open_sender({ target: '$cbs' });
  await check(() => requests.sendable(), 'credit on $cbs');
  requests.send({
    message_id: rhea.generate_uuid(), to: '$cbs', reply_to: 'cbs', body: wanted.token,
    application_properties: {
      operation: 'put-token', type: 'servicebus.windows.net:sastoken', name: `localhost/devices/${wanted.device}`,
    },
  });
  await check(() => status === 200, 'status 200');
}

const outcomes = { accepted: 0, rejected: 0, released: 0 };
const sender = connection.open_sender({ target: address('messages/events'), autosettle: true });
for (const name of Object.keys(outcomes)) sender.on(name, () => (outcomes[name] += 1));
for (let number = 0; number < wanted.messages; number += 1) {
  await check(() => sender.sendable(), 'credit for telemetry');
  sender.send({ message_id: `m${number}`, application_properties: { n: `${number}` }, body: rhea.message.data_section(Buffer.from(`${number}`)) });
}
await check(() => outcomes.accepted + outcomes.rejected + outcomes.released === wanted.messages, 'all outcomes');

const commands = [];
const seen = new Set();
// One at a time: rhea 3.0 sends the outcome of the first of two deliveries for both when they are settled in one turn.
const receiver = connection.open_receiver({ source: address('messages/devicebound'), autoaccept: false, credit_window: 1 });
receiver.on('message', ({ message, delivery }) => {
  const body = message.body.content.toString();
  commands.push([body, message.message_annotations['iothub-deliverycount']]);
  if (Number(body) % 2 && !seen.has(body)) {
    seen.add(body);
    delivery.release({ undeliverable_here: false });
  } else {
    delivery.accept();
  }
});
await check(() => commands.length >= wanted.commands + Math.floor(wanted.commands / 2), 'all commands').catch((error) => {
  throw new Error(`${error.message}; there are ${JSON.stringify(commands)}`);
});

const twin = {};
const properties = { 'com.microsoft:channel-correlation-id': `twin:${rhea.generate_uuid()}`, 'com.microsoft:api-version': '2021-04-12' };
const answers = connection.open_receiver({ source: address('twin'), properties });
answers.on('message', ({ message }) => Object.assign(twin, {
  status: message.message_annotations.status, version: message.message_annotations.version, body: message.body.content.toString(),
}));
const questions = connection.open_sender({ target: address('twin'), properties });
await check(() => questions.sendable(), 'credit for the twin');
questions.send({
  correlation_id: 'r1', message_annotations: { operation: 'PATCH', resource: '/properties/reported' },
  body: rhea.message.data_section(Buffer.from('{"by": "rhea"}')),
});
await check(() => twin.status !== undefined, 'an answer about the twin');
answer({ outcomes, commands, twin });
process.exit(0);
