/** Shipping without a running worker: what orders tells it is made here, and `work` is one round of calls to the carrier. */
import { createTelemetry } from '../../src/kernel/telemetry.ts';
import type { World } from '../../src/kernel/world.ts';
import { LEASE_MS } from '../../src/messaging/tasks.ts';
import type { Carrier } from '../../src/shipping/carrier.ts';
import { shippingService } from '../../src/shipping/service.ts';
import { shippingUseCases } from '../../src/shipping/use-cases.ts';
import { labelDesk } from '../../src/shipping/use-cases-labels.ts';
import type { OpenDatabase } from '../support/databases.ts';
import { call, deliver, messageOf, openTestMailbox, requestContext } from '../support/mailbox.ts';
import { testWorld } from '../support/world.ts';

export const migrations = new URL('../../src/shipping/migrations/', import.meta.url);
export const telemetry = createTelemetry({ level: 'silent' });

export interface Prepared {
  readonly ship_to?: Record<string, string>;
  readonly shipment_id?: string;
  readonly lines?: { line_id: string; sku: string; quantity: number }[];
}
export const prepare = (world: World, order_id: string, { ship_to = { city: 'Bern' }, ...given }: Prepared = {}) =>
  messageOf(world, 'shipment.prepare', order_id, {
    order_id,
    number: `NUMBER-${order_id}`,
    warehouse_id: 'whs_1',
    customer: { id: 'cus_1' },
    ship_to,
    lines: [{ line_id: 'lin_1', sku: 'A', quantity: 2 }],
    ...given,
  });
type Named = { readonly shipment_id?: string };
export const dispatch = (world: World, order_id: string, named: Named = {}) =>
  messageOf(world, 'shipment.dispatch', order_id, { order_id, ...named });
export const refuse = (world: World, order_id: string, named: Named = {}) =>
  messageOf(world, 'shipment.refuse_dispatch', order_id, { order_id, reason: 'capture_failed', ...named });
export const cancel = (world: World, order_id: string, named: Named = {}) =>
  messageOf(world, 'shipment.cancel', order_id, { order_id, reason: 'customer', ...named });
export const hold = (world: World, order_id: string, hold_id: string, named: Named = {}) =>
  messageOf(world, 'shipment.hold', order_id, { order_id, hold_id, reason: 'fraud', ...named });
export const release = (world: World, order_id: string, hold_id: string, named: Named = {}) =>
  messageOf(world, 'shipment.release_hold', order_id, { order_id, hold_id, ...named });

/** A carrier that does nothing but register, unless told otherwise. */
export const carrierThat = (given: Partial<Carrier> = {}): Carrier => ({
  name: 'test',
  register: async ({ id }) => ({ label_ref: `label ${id}`, estimated_delivery: 1_800_000_000_000 }),
  buyLabel: async ({ id }) => ({ result: 'bought', carrier_ref: `ref ${id}`, content_type: 'application/pdf', content: Buffer.from(id) }),
  findLabel: async () => ({ result: 'absent' }),
  voidLabel: async () => ({ result: 'voided' }),
  ...given,
});

export async function openByHand({ db }: OpenDatabase, carrier: Carrier = carrierThat()) {
  const world = testWorld();
  const test = await openTestMailbox(db, { service: 'shipping', migrations, world });
  const context = { mailbox: test.mailbox, telemetry, carrier };
  const { registrations } = shippingUseCases(context);
  const { labels: buying } = labelDesk(context);
  const service = shippingService(context);
  const heard = new Set<string>();
  const claim = () => test.mailbox.write((unit) => registrations.claim(unit, { limit: 200, leaseUntil: unit.now + LEASE_MS }));
  const tell = (...messages: Parameters<typeof deliver>[2][number][]) => deliver(test.mailbox, service, messages, heard);
  async function work() {
    world.advance(LEASE_MS);
    const tasks = await claim();
    const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await registrations.perform(task) })));
    await test.mailbox.write((unit) => registrations.conclude(unit, done));
  }
  const claimLabels = () => test.mailbox.write((unit) => buying.claim(unit, { limit: 200, leaseUntil: unit.now + LEASE_MS }));
  /** One round of calls about labels. */
  async function workOnLabels() {
    world.advance(LEASE_MS);
    const tasks = await claimLabels();
    const done = await Promise.all(tasks.map(async (task) => ({ task, outcome: await buying.perform(task) })));
    await test.mailbox.write((unit) => buying.conclude(unit, done));
    return done.map(({ outcome }) => outcome.result);
  }
  return {
    ...test,
    world,
    service,
    registrations,
    buying,
    claim,
    types: () => test.said.map(({ type }) => type),
    tell,
    work,
    claimLabels,
    workOnLabels,
    /** `POST /v1/shipments/{id}/…` */
    post: (id: string, act: string, { body = {}, context = requestContext() } = {}) =>
      call(service, 'POST', `/v1/shipments/{shipment_id}/${act}`, { params: { shipment_id: id }, body, context }),
    get: (id: string) => call(service, 'GET', '/v1/shipments/{shipment_id}', { params: { shipment_id: id } }),
    list: (query: object) =>
      call(service, 'GET', '/v1/shipments', { query }) as Promise<{ items: { order_id: string }[]; next_cursor: string | null }>,
    /** Prepares the shipment of an order and lets the carrier know of it. */
    async ready(order_id: string, given: Prepared = {}) {
      await tell(prepare(world, order_id, given));
      await work();
    },
  };
}
