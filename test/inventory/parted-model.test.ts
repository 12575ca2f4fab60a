/**
 * Everything that can happen to stock, at random and in any order, mistakes included: after each step the books must add up, and nobody may wait
 * for goods that lie free.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataOf, MessageType } from '../../src/contracts/messages.ts';
import { Fault, Refusal } from '../../src/kernel/errors.ts';
import type { AnyMessage } from '../../src/messaging/service.ts';
import { databases } from '../support/databases.ts';
import { violationsIn } from './books.ts';
import { type TestInventory, linesOf, openInventory } from './inventory.ts';

const SKUS = ['a', 'b'] as const;
const WAREHOUSES = 3;
const ORDERS = 3;
const HOUR = 3_600_000;

const pieces = fc.dictionary(fc.constantFrom(...SKUS), fc.integer({ min: 1, max: 4 }), { minKeys: 1, maxKeys: 2 }).map((given) => ({ ...given }));
const few = fc.record({ sku: fc.constantFrom(...SKUS), n: fc.integer({ min: 1, max: 2 }) }).map(({ sku, n }) => ({ [sku]: n }));
const allocation = fc.record(
  {
    strategy: fc.constantFrom('priority' as const, 'fewest_parcels' as const, 'nearest' as const),
    split: fc.boolean(),
    backorder: fc.boolean(),
    expires: fc.constant(true),
  },
  { requiredKeys: [] },
);
const order = fc.nat(ORDERS - 1);
const warehouse = fc.nat(WAREHOUSES - 1);
const disposition = fc.constantFrom('restock' as const, 'quarantine' as const, 'scrap' as const);
const is = <Name extends string>(name: Name) => fc.constant(name);

const orderCommand = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: is('reserve'), order, pieces, allocation: fc.option(allocation, { nil: undefined }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: is('change'),
      order,
      pieces,
      revision: fc.integer({ min: 1, max: 4 }),
      allocation: fc.option(allocation, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: is('release'), order }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: is('commit'),
      order,
      shipment: fc.nat(2),
      part: fc.option(fc.record({ warehouse, pieces: few }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: is('expire'), order }) },
  { weight: 1, arbitrary: fc.record({ do: is('renew'), order, expires: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: is('short'), order, warehouse, pieces: few }) },
  { weight: 3, arbitrary: fc.record({ do: is('take back'), order, id: fc.nat(2), warehouse, pieces: few, disposition }) },
);
type OrderCommand = typeof orderCommand extends fc.Arbitrary<infer Command> ? Command : never;
const byHand = fc.record({
  do: fc.constantFrom('receive' as const, 'adjust' as const, 'count' as const),
  warehouse,
  sku: fc.constantFrom(...SKUS),
  quantity: fc.integer({ min: 1, max: 6 }),
});
const again = fc.record({ do: is('again'), nth: fc.nat(50) });
const step = fc.oneof(
  { weight: 1, arbitrary: again },
  { weight: 3, arbitrary: fc.array(orderCommand, { minLength: 1, maxLength: 2 }) },
  { weight: 2, arbitrary: byHand },
);

type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;
/** A run in which everything happens that the others may miss. */
const waits = { split: true, backorder: true, expires: true as const };
const EXAMPLE: Step[] = [
  [{ do: 'reserve', order: 0, pieces: { a: 2 }, allocation: undefined }],
  [{ do: 'commit', order: 0, shipment: 0, part: undefined }],
  [{ do: 'take back', order: 0, id: 0, warehouse: 0, pieces: { a: 1 }, disposition: 'restock' }],
  [{ do: 'reserve', order: 1, pieces: { a: 6 }, allocation: waits }],
  { do: 'receive', warehouse: 2, sku: 'a', quantity: 6 },
  [{ do: 'short', order: 1, warehouse: 2, pieces: { a: 1 } }],
  [{ do: 'change', order: 1, revision: 1, pieces: { a: 1 }, allocation: undefined }],
  [{ do: 'change', order: 1, revision: 2, pieces: { a: 99 }, allocation: undefined }],
  [{ do: 'expire', order: 1 }],
];

describe.each(databases())('stock at random on $name', (database) => {
  let inventory: TestInventory;
  let run = 0;
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterAll(() => inventory.open.drop());

  it('adds up after each step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }), async (steps) => {
        run += 1;
        await empty();
        const skuOf = (plain: string): string => `${plain}-${run}`;
        const warehouses: string[] = [];
        for (let i = 0; i < WAREHOUSES; i += 1)
          warehouses.push(await inventory.stocked(Object.fromEntries(SKUS.map((plain) => [skuOf(plain), 3 * (1 - (i % 2))]))));
        for (const plain of SKUS)
          await inventory.send(
            'PATCH',
            '/v1/products/{product_id}',
            { backorder_limit: 12, safety_stock: 1 },
            { params: { product_id: skuOf(plain) } },
          );
        const handled: AnyMessage<MessageType>[] = [];
        for (const one of steps) {
          inventory.world.advance(HOUR / 2);
          if (Array.isArray(one)) {
            const messages = messagesOf(one, skuOf, warehouses);
            if (await attempt(() => inventory.tell(...messages))) handled.push(...messages);
          } else if (one.do === 'again') await redeliver(handled[one.nth % Math.max(1, handled.length)]);
          else await attempt(() => move(one, skuOf(one.sku), warehouses[one.warehouse]!));
          expect(await violationsIn(inventory.open.db)).toEqual([]);
        }
      }),
      { numRuns: database.name === 'sqlite' ? 40 : 15, examples: [[EXAMPLE]] },
    );
    // Agreement about nothing would prove nothing.
    const kinds = new Set(inventory.said.map(({ type }) => type));
    for (const type of ['filled', 'shorted', 'expired', 'changed', 'change_rejected', 'committed', 'taken_back', 'out', 'back'])
      expect(kinds).toContain(`stock.${type}`);
  }, 120_000);

  /** Each run has the tables to itself: so what must hold is quickly asked, and what one run has spoilt is not found by the next. */
  const empty = (): Promise<void> =>
    inventory.open.db.script(
      ['stock_queue', 'reservation_part', 'reservation_departure', 'stock_return', 'reservation_detail', 'reservation_line', 'reservation']
        .concat('stock_posting', 'stock_level', 'timer')
        .map((table) => `delete from ${table};`)
        .join('\n'),
    );

  /** What is refused or at fault changes nothing; anything else is a bug of the program or of this test. */
  async function attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      const expected = error instanceof Refusal ? 'stock_insufficient' : 'reservation_state';
      if (!(error instanceof Refusal || error instanceof Fault) || error.code !== expected) throw error;
      return false;
    }
  }

  /** A message that was handled comes again, however late: it changes nothing. (A short pick is told apart by the inbox, a timer by the clock.) */
  async function redeliver(message: AnyMessage<MessageType> | undefined): Promise<void> {
    if (message === undefined || message.type === 'shipment.shorted' || message.type === 'stock.expire') return;
    const levels = () =>
      inventory.open.db.read.raw('select sku, warehouse_id, available, reserved, unavailable from stock_level order by sku, warehouse_id');
    const before = await levels();
    const answers = await inventory.tell(message);
    expect(await levels()).toEqual(before);
    if (message.type !== 'stock.change') expect(answers).toEqual([]);
  }

  function move(one: typeof byHand extends fc.Arbitrary<infer Move> ? Move : never, sku: string, warehouse_id: string): Promise<unknown> {
    const path = { receive: '/v1/stock/receipts', adjust: '/v1/stock/adjustments', count: '/v1/stock/counts' }[one.do];
    const line = one.do === 'count' ? { sku, counted: one.quantity - 1 } : { sku, quantity: one.do === 'adjust' ? -one.quantity : one.quantity };
    return inventory.send('POST', path, { warehouse_id, lines: [line], ...(one.do === 'adjust' && { reason: 'model' }) });
  }

  function messagesOf(commands: readonly OrderCommand[], skuOf: (plain: string) => string, warehouses: readonly string[]): AnyMessage<MessageType>[] {
    const { world, message } = inventory;
    const lines = (given: Record<string, number>) => linesOf(Object.fromEntries(Object.entries(given).map(([plain, n]) => [skuOf(plain), n])));
    const later = (): string => new Date(world.now() + HOUR).toISOString();
    const asked = ({ expires, ...given }: { expires?: true } & NonNullable<DataOf<'stock.reserve'>['allocation']>) => ({
      ...given,
      ...(expires && { expires_at: later() }),
    });
    const messageOf = (one: OrderCommand): AnyMessage<MessageType> => {
      const order_id = `ord_${run}_${one.order}`;
      switch (one.do) {
        case 'reserve':
          return message('stock.reserve', { order_id, lines: lines(one.pieces), ...(one.allocation && { allocation: asked(one.allocation) }) });
        case 'change':
          return message('stock.change', {
            order_id,
            revision: one.revision,
            lines: lines(one.pieces),
            ...(one.allocation && { allocation: asked(one.allocation) }),
          });
        case 'release':
          return message('stock.release', { order_id, reason: 'customer' });
        case 'commit': {
          const part = one.part && { warehouse_id: warehouses[one.part.warehouse]!, lines: lines(one.part.pieces) };
          return message('stock.commit', { order_id, shipment_id: `shp_${run}_${one.shipment}`, ...part });
        }
        case 'expire':
          return message('stock.expire', { order_id });
        case 'renew':
          return message('stock.renew', { order_id, ...(one.expires && { expires_at: later() }) });
        case 'short':
          return message('shipment.shorted', {
            order_id,
            shipment_id: 'shp',
            tracking_number: 'T',
            warehouse_id: warehouses[one.warehouse]!,
            lines: lines(one.pieces),
            left: [],
            reason: 'model',
          });
        case 'take back':
          return message('stock.take_back', {
            order_id,
            return_id: `ret_${run}_${one.id}`,
            warehouse_id: warehouses[one.warehouse]!,
            lines: lines(one.pieces).map((line) => ({ ...line, disposition: one.disposition })),
          });
      }
    };
    return commands.map(messageOf);
  }
});
