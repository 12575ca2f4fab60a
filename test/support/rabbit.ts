/**
 * RabbitMQ for tests: the one at WAYBILL_TEST_AMQP_URL, else on this machine, shared by all under names of their own; or a private one,
 * which may be starved, frozen and killed.
 */
import { randomBytes } from 'node:crypto';
import { type ChannelModel, connect } from 'amqplib';
import { namesOf } from '../../src/messaging/rabbit-topology.ts';

async function findRabbit(): Promise<string | undefined> {
  const told = process.env['WAYBILL_TEST_AMQP_URL'];
  const url = told ?? 'amqp://guest:guest@127.0.0.1:5672';
  const answers = await withRabbit(url, async () => undefined).then(
    () => true,
    () => false,
  );
  if (answers) return url;
  if (process.env['CI'] === 'true') throw new Error(`no RabbitMQ at ${url}, and CI=true: start one, or set WAYBILL_TEST_AMQP_URL`);
  return undefined;
}

/** Does something on a connection of its own. */
export async function withRabbit<T>(url: string, work: (model: ChannelModel) => Promise<T>): Promise<T> {
  const model = await connect(url, { noDelay: true, timeout: 2_000 });
  model.on('error', () => undefined);
  try {
    return await work(model);
  } finally {
    await model.close().catch(() => undefined);
  }
}

/** Where RabbitMQ answers, asked once; undefined when nowhere. */
export const rabbitUrl = await findRabbit();
// One line for each test file, because a suite that silently ran on less than it seems proves less than it seems.
if (rabbitUrl === undefined) process.stderr.write('transports: the embedded one only; NO RABBITMQ FOUND (set WAYBILL_TEST_AMQP_URL)\n');

/** Begins the names of what a test makes in a shared broker. */
export const throwAwayPrefix = (): string => `waybill_test_${randomBytes(6).toString('hex')}`;

/** Removes everything a transport with this prefix may have made. */
export async function removeTopology(url: string, prefix: string, services: Iterable<string>): Promise<void> {
  const names = namesOf(prefix);
  await withRabbit(url, async (model) => {
    const channel = await model.createChannel();
    for (const service of services)
      for (const queue of [names.queue(service), `${names.queue(service)}~2`, names.dead(service)]) await channel.deleteQueue(queue);
    for (const name of [names.parking, names.unrouted]) await channel.deleteQueue(name);
    for (const name of [names.events, names.commands, names.dlx, names.parking, names.unrouted]) await channel.deleteExchange(name);
  });
}
