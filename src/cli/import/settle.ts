/**
 * Waits until every order has come as far as it can without a person: its parcel is ready to leave, or it was cancelled or put on
 * hold. Of orders that are to be delivered it also plays the warehouse and the carrier's driver: hands their parcels over and delivers them.
 */
import type { World } from '../../kernel/world.ts';
import type { Order, Explanation, Shipment } from '../answers.ts';
import type { Client } from '../client.ts';
import type { Progress } from '../progress.ts';
import { forEach } from './pool.ts';

export interface PlacedOrder {
  readonly id: string;
  readonly external_id: string;
  /** What the file says, pennies. */
  readonly total: number;
  /** Its parcel is to be handed over and delivered. */
  readonly deliver: boolean;
}

export interface SettledOrder extends PlacedOrder {
  readonly number: string;
  /** What the server says, pennies; what was given back since is not taken off. */
  readonly charged: number;
  readonly units: number;
  /** As it stood when it was last looked at. */
  readonly stands: Standing;
  readonly status: string;
  /** Why it is not where it should be, from explain; null when it is. */
  readonly why: string | null;
}

/** `moving`: an answer is awaited. `ready`: a person is. `over`: cancelled. `held`: a person must mend something. */
export type Standing = 'moving' | 'ready' | 'shipped' | 'delivered' | 'over' | 'held';

export interface SettleOptions {
  readonly client: Client;
  readonly world: World;
  readonly width: number;
  readonly progress: Progress;
  readonly patience: number;
}

/** Between two looks at orders that are still moving. */
export const LOOK_MS = 500;

/** Where an order stands. Pure. */
export function standingOf({ status, stops }: Pick<Order, 'status' | 'stops'>): Standing {
  if (status === 'cancelled') return 'over';
  if (status === 'on_hold') return 'held';
  if (status === 'shipped' || status === 'delivered') return status;
  const last = stops.at(-1);
  return last !== undefined && (last.state === 'done' || last.state === 'settled') ? 'ready' : 'moving';
}

export async function settle(placed: readonly PlacedOrder[], options: SettleOptions): Promise<SettledOrder[]> {
  const { client, width, progress, world, patience } = options;
  const settled: SettledOrder[] = [];
  let moving: readonly PlacedOrder[] = placed;
  let movedAt = world.now();
  progress.step('fulfilling', placed.length);
  while (moving.length > 0) {
    const still: PlacedOrder[] = [];
    await forEach(moving, width, async (order) => {
      const seen = await look(client, order);
      const stands = order.deliver ? await handOn(client, seen) : seen.stands;
      const isThere = stands === 'delivered' || stands === 'over' || stands === 'held' || (!order.deliver && stands !== 'moving');
      if (!isThere) return void still.push(order);
      settled.push(seen);
      movedAt = world.now();
      progress.advance();
    });
    moving = still;
    if (moving.length === 0) break;
    if (world.now() - movedAt > patience) {
      await forEach(moving, width, async (order) => void settled.push(await look(client, order)));
      break;
    }
    await world.sleep(LOOK_MS);
  }
  const late = settled.filter(({ stands }) => stands === 'moving' || stands === 'over' || stands === 'held');
  const reasons = new Map<string, string>();
  await forEach(late, width, async (order) => void reasons.set(order.id, await reasonOf(client, order)));
  const byFile = new Map(placed.map(({ id }, i) => [id, i]));
  return settled.map((order) => ({ ...order, why: reasons.get(order.id) ?? null })).sort((a, b) => byFile.get(a.id)! - byFile.get(b.id)!);
}

async function look(client: Client, placed: PlacedOrder): Promise<SettledOrder> {
  const order = await client.get<Order>(`/v1/orders/${placed.id}`);
  const units = order.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const { number, total, charges, status } = order;
  return { ...placed, number, charged: total + creditedOf(charges), units, stands: standingOf(order), status, why: null };
}

/** What was given back, pennies. */
export const creditedOf = (charges: Order['charges']): number =>
  charges.reduce((sum, { kind, amount }) => (kind === 'credit' ? sum - amount : sum), 0);

/** The next step of a parcel, if it is the warehouse's or the driver's turn. */
async function handOn(client: Client, { id, stands }: SettledOrder): Promise<Standing> {
  if (stands !== 'ready' && stands !== 'shipped') return stands;
  const { items } = await client.get<{ items: Shipment[] }>('/v1/shipments', { order_id: id });
  const [shipment] = items;
  const step = stands === 'ready' ? 'dispatch' : 'deliver';
  // The key makes asking again, while the order is still deciding, the same request.
  if (shipment !== undefined) await client.post(`/v1/shipments/${shipment.id}/${step}`, {}, `import:${shipment.id}:${step}`);
  return 'moving';
}

async function reasonOf(client: Client, { id, status }: SettledOrder): Promise<string> {
  if (status === 'cancelled') {
    const { status_reason: reason } = await client.get<Order>(`/v1/orders/${id}`);
    return `cancelled: ${reason ?? 'no reason given'}`;
  }
  const { blockers } = await client.get<Explanation>(`/v1/orders/${id}/explain`);
  return blockers.map(({ blocker, owner, deadline }) => `${blocker}, waits for ${owner} until ${deadline}`).join('; ') || 'nothing blocks it';
}
