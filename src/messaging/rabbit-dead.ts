/**
 * What RabbitMQ gave up of a service's queue, into the service's table of dead letters, where all the others are.
 *
 *   <p>.q.<service> ──20 deliveries, none settled──> <p>.dead.<service> ──> row ──commit──> ack
 *
 * A consumer that lives writes its dead letters itself; these are messages it could not: it died of them, or lost its connection with
 * them in hand, again and again. A message that has a row already is only acked, unless it was on its way again from that very row.
 */
import type { Message } from '../contracts/envelope.ts';
import { statement } from '../db/database.ts';
import { Fault } from '../kernel/errors.ts';
import { type Runnable, loop, runnable } from '../kernel/lifecycle.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import { undecodable } from './batch.ts';
import { bury } from './dead-letters.ts';
import type { Mailbox } from './mailbox.ts';
import { DELIVERY_LIMIT } from './rabbit-topology.ts';
import type { RabbitTransport } from './rabbit.ts';
import type { Consumption, Delivery } from './transport.ts';

const PREFETCH = 100;
const IDLE_MS = 60_000;

const knownRows = statement<{ message_id: string }, { message_id: string; status: string }>(
  { message_id: 'text' },
  (rows) => `select d.message_id, d.status from dead_letter d join ${rows} on d.message_id = row.message_id`,
);

export interface DeadIngesterOptions {
  readonly mailbox: Mailbox;
  readonly transport: RabbitTransport;
  readonly telemetry: Telemetry;
}

export function openDeadIngester({ mailbox, transport, telemetry }: DeadIngesterOptions): Runnable {
  const { service, world } = mailbox;
  const log = telemetry.log.child({ service, part: 'dead letters of the broker' });
  const waiting: Delivery[] = [];
  let consumption: Consumption | undefined;

  async function ingest(deliveries: readonly Delivery[]): Promise<void> {
    const messages = deliveries.flatMap((delivery) =>
      delivery.undecodable === undefined ? delivery.messages : [undecodable(delivery.undecodable, 'it is not JSON', delivery.about).message],
    );
    const buried = await mailbox.write(async (unit) => {
      const known = await unit.tx.run(
        knownRows,
        messages.map(({ id }) => ({ message_id: id })),
      );
      const done = new Set(known.filter(({ status }) => status !== 'redriving').map((row) => row.message_id));
      const fresh = messages.filter(({ id }) => !done.has(id));
      const fault = new Fault('delivery_limit', `handed out ${DELIVERY_LIMIT} times and never settled`);
      if (fresh.length > 0) await bury(unit, fresh, fault, { world, destination: service, attempts: DELIVERY_LIMIT, firstAt: unit.now });
      return fresh;
    });
    for (const delivery of deliveries) delivery.ack();
    for (const { id, type, correlationid } of buried) tell(id, type, correlationid);
  }

  function tell(message: Message['id'], type: string, correlation: string): void {
    log.error({ message, type, correlation }, 'the broker gave a message up; it is a dead letter');
  }

  const worker = loop({
    name: `${service} dead ingester`,
    world,
    failed: (error) => log.warn({ err: error }, 'what the broker gave up could not be kept yet; tried again'),
    async turn() {
      consumption ??= await transport.consumeDead(service, { prefetch: PREFETCH, deliver });
      const batch = waiting.slice(0, PREFETCH);
      if (batch.length > 0) await ingest(batch);
      waiting.splice(0, batch.length);
      return waiting.length > 0 ? 0 : IDLE_MS;
    },
  });

  function deliver(delivery: Delivery): void {
    waiting.push(delivery);
    worker.wake();
  }

  return runnable(
    `${service} dead ingester`,
    () => worker.start(),
    async () => {
      await worker.stop();
      await consumption?.cancel();
      for (const delivery of waiting.splice(0)) delivery.release();
    },
  );
}
