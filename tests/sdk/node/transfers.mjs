// An import or export through azure-iothub's registry.
// in:  { hub, call, args }: the connection string, importDevicesFromBlob or exportDevicesToBlob, and its arguments
// out: { job, listed, cancelled }: the job when it has ended, whether the list has it, and what a late cancel gets
import { answer, request, require } from './sdk.mjs';

const { Registry } = require('azure-iothub');

const wanted = request();
const registry = Registry.fromConnectionString(wanted.hub);
const body = (found) => found?.responseBody ?? found?.result ?? found;
const end = Date.now() + 60000;

let job = body(await registry[wanted.call](...wanted.args));
while (!['completed', 'failed', 'cancelled'].includes(job.status)) {
  if (Date.now() > end) throw new Error(`it does not end: ${JSON.stringify(job)}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  job = body(await registry.getJob(job.jobId));
}
const listed = body(await registry.listJobs()).some((one) => one.jobId === job.jobId);
const cancelled = await registry.cancelJob(job.jobId).then(() => 200, (error) => error.response?.statusCode ?? `${error}`);
answer({ job, listed, cancelled });
