/**
 * Stock against a model of plain maps: the same random commands to both, the same answers, the same balances, and a ledger from
 * which every balance can be recomputed.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/kernel/errors.ts';
import { databases } from '../support/databases.ts';
import { type TestInventory, openInventory } from './inventory.ts';

const SKUS = ['a', 'b', 'c'] as const;
const WAREHOUSES = 2;
const ORDERS = 8;
/** Of each sku in each warehouse, to begin with: enough for some orders and not for all. */
const STOCK = 4;

type OrderCommand = { do: 'reserve'; order: number; lines: Record<string, number> } | { do: 'release' | 'commit'; order: number };
type Command = { do: 'receive' | 'adjust' | 'count'; warehouse: number; sku: string; quantity: number } | { do: 'batch'; commands: OrderCommand[] };

const sku = fc.constantFrom(...SKUS);
const warehouse = fc.nat(WAREHOUSES - 1);
const order = fc.nat(ORDERS - 1);
const lines = fc.dictionary(sku, fc.integer({ min: 1, max: 5 }), { minKeys: 1, maxKeys: 2 }).map((given) => ({ ...given }));
const orderCommand: fc.Arbitrary<OrderCommand> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reserve' as const), order, lines }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'commit' as const), order }) },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant('receive' as const), warehouse, sku, quantity: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ do: fc.constant('adjust' as const), warehouse, sku, quantity: fc.integer({ min: -6, max: 3 }).filter((n) => n !== 0) }),
  fc.record({ do: fc.constant('count' as const), warehouse, sku, quantity: fc.nat(12) }),
  { weight: 4, arbitrary: fc.record({ do: fc.constant('batch' as const), commands: fc.array(orderCommand, { minLength: 1, maxLength: 6 }) }) },
);

class Model {
  /** [available, reserved] */
  readonly cells = new Map<string, [number, number]>();
  readonly orders = new Map<number, { status: string; warehouse: number; lines: Record<string, number>; released: boolean }>();

  cell(warehouseIndex: number, skuName: string): [number, number] {
    const key = `${warehouseIndex} ${skuName}`;
    if (!this.cells.has(key)) this.cells.set(key, [STOCK, 0]);
    return this.cells.get(key)!;
  }

  /** The code of the refusal, or undefined. */
  byHand({ do: what, warehouse: at, sku: name, quantity }: Exclude<Command, { do: 'batch' }>): string | undefined {
    const cell = this.cell(at, name);
    const difference = what === 'count' ? quantity - cell[0] - cell[1] : quantity;
    if (cell[0] + difference < 0) return 'stock_insufficient';
    cell[0] += difference;
    return undefined;
  }

  /** The answer, or undefined for silence; 'fault' for goods that leave unreserved. */
  order(asked: OrderCommand): string | undefined {
    const known = this.orders.get(asked.order);
    if (asked.do === 'reserve') {
      if (known) return undefined;
      for (let at = 0; at < WAREHOUSES; at += 1) {
        if (!Object.entries(asked.lines).every(([name, quantity]) => this.cell(at, name)[0] >= quantity)) continue;
        for (const [name, quantity] of Object.entries(asked.lines)) this.shift(at, name, quantity);
        this.orders.set(asked.order, { status: 'held', warehouse: at, lines: asked.lines, released: false });
        return 'stock.reserved';
      }
      this.orders.set(asked.order, { status: 'rejected', warehouse: -1, lines: {}, released: false });
      return 'stock.rejected';
    }
    if (asked.do === 'release') {
      if (known?.released) return undefined;
      if (known?.status === 'held') for (const [name, quantity] of Object.entries(known.lines)) this.shift(known.warehouse, name, -quantity);
      const status = known === undefined || known.status === 'held' ? 'released' : known.status;
      this.orders.set(asked.order, { warehouse: -1, lines: {}, ...known, status, released: true });
      return 'stock.released';
    }
    if (known?.status === 'committed') return undefined;
    if (known?.status !== 'held') return 'fault';
    for (const [name, quantity] of Object.entries(known.lines)) this.cell(known.warehouse, name)[1] -= quantity;
    known.status = 'committed';
    return 'stock.committed';
  }

  shift(at: number, name: string, quantity: number): void {
    const cell = this.cell(at, name);
    cell[0] -= quantity;
    cell[1] += quantity;
  }
}

describe.each(databases())('stock and its model on $name', (database) => {
  let inventory: TestInventory;
  let run = 0;
  beforeAll(async () => {
    inventory = await openInventory(database);
  });
  afterAll(() => inventory.open.drop());

  it('agree', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25, size: 'max' }), async (commands) => {
        run += 1;
        const model = new Model();
        const name = (plain: string): string => `${plain}-${run}`;
        const orderId = (n: number): string => `ord_${run}_${n}`;
        const warehouses: string[] = [];
        for (let i = 0; i < WAREHOUSES; i += 1)
          warehouses.push(await inventory.stocked(Object.fromEntries(SKUS.map((plain) => [name(plain), STOCK]))));

        for (const one of commands) {
          if (one.do === 'batch') await batch(model, one.commands, { name, orderId });
          else await byHand(model, plausible(model, one), warehouses[one.warehouse]!, name(one.sku));
        }
        for (const [at, warehouse_id] of warehouses.entries()) {
          for (const plain of SKUS) {
            const [available, reserved] = model.cell(at, plain);
            expect(await inventory.levelOf(warehouse_id, name(plain))).toEqual([available + reserved, reserved, available]);
          }
        }
        expect(await violations()).toEqual([]);
      }),
      { numRuns: database.name === 'sqlite' ? 60 : 30 },
    );
    // Agreement about nothing would prove nothing: every kind of posting was made, and every end of a reservation reached.
    const seen = await inventory.open.db.read.raw('select distinct reason as what from stock_posting union select distinct status from reservation');
    expect(new Set(seen.map(({ what }) => what))).toEqual(
      new Set(['committed', 'counted', 'held', 'model', 'received', 'rejected', 'released', 'reserved']),
    );
  });

  /** Nothing vanishes here that was promised: that is for parted-model.test.ts. */
  const plausible = (model: Model, one: Exclude<Command, { do: 'batch' }>): typeof one =>
    one.do === 'count' ? { ...one, quantity: Math.max(one.quantity, model.cell(one.warehouse, one.sku)[1]) } : one;

  async function byHand(model: Model, one: Exclude<Command, { do: 'batch' }>, warehouse_id: string, skuName: string): Promise<void> {
    const refused = model.byHand(one);
    const line = one.do === 'count' ? { sku: skuName, counted: one.quantity } : { sku: skuName, quantity: one.quantity };
    const path = { receive: '/v1/stock/receipts', adjust: '/v1/stock/adjustments', count: '/v1/stock/counts' }[one.do];
    const body = { warehouse_id, lines: [line], ...(one.do === 'adjust' && { reason: 'model' }) };
    const outcome = await inventory.send('POST', path, body).then(() => undefined, codeOf);
    expect(outcome).toBe(refused);
  }

  async function batch(
    model: Model,
    commands: OrderCommand[],
    { name, orderId }: { name(plain: string): string; orderId(n: number): string },
  ): Promise<void> {
    // A commit of what is not held would be a fault of the whole batch (see reservations.test.ts): it is left out.
    const expected: string[] = [];
    const messages = [];
    for (const one of commands) {
      const id = orderId(one.order);
      const message =
        one.do === 'reserve'
          ? inventory.reserve(id, Object.fromEntries(Object.entries(one.lines).map(([plain, quantity]) => [name(plain), quantity])))
          : one.do === 'release'
            ? inventory.release(id)
            : inventory.commit(id);
      const answer = model.order(one);
      if (answer === 'fault') continue;
      messages.push(message);
      if (answer !== undefined) expected.push(`${answer} ${id}`);
    }
    // Packs hold one type each, so that only the order within a type is kept.
    expect((await inventory.tell(...messages)).sort()).toEqual(expected.sort());
  }

  /** What an auditor would find, over everything every run has left behind. */
  async function violations(): Promise<unknown[]> {
    const { read } = inventory.open.db;
    const balances = await read.raw(`
      select sku, warehouse_id, account, cast(sum(quantity) as bigint) as quantity from (
        select sku, warehouse_id, to_account as account, quantity from stock_posting
        union all select sku, warehouse_id, from_account, -quantity from stock_posting
        union all select sku, warehouse_id, 'available', -available from stock_level
        union all select sku, warehouse_id, 'reserved', -reserved from stock_level
        union all select sku, warehouse_id, 'unavailable', -unavailable from stock_level) as movement
      where account not like 'outside:%' group by sku, warehouse_id, account having sum(quantity) <> 0`);
    const negative = await read.raw('select * from stock_level where available < 0 or reserved < 0 or unavailable < 0');
    const held = await read.raw(`
      select sku, warehouse_id, cast(sum(quantity) as bigint) as quantity from (
        select sku, warehouse_id, reserved as quantity from stock_level
        union all select reservation_line.sku, reservation.warehouse_id, -reservation_line.quantity
        from reservation join reservation_line on reservation_line.order_id = reservation.order_id where reservation.status = 'held') as claim
      group by sku, warehouse_id having sum(quantity) <> 0`);
    return [...balances, ...negative, ...held];
  }
});
