/**
 * What the program must have become, in plain maps and the simplest arithmetic there is; it shares no code with the program. One warehouse,
 * two skus, orders that are answered at once: whatever is asked, `outcome` says how it ends and the maps say what there is then.
 */
export const SKUS = ['A', 'B'] as const;
export type Sku = (typeof SKUS)[number];
export const PRICES: Readonly<Record<Sku, number>> = { A: 1_250, B: 333 };

export type Command =
  | { readonly do: 'receive'; readonly sku: Sku; readonly quantity: number }
  | { readonly do: 'take away'; readonly sku: Sku; readonly quantity: number }
  | { readonly do: 'place'; readonly lines: readonly { readonly sku: Sku; readonly quantity: number }[]; readonly declined: boolean }
  | { readonly do: 'cancel' | 'cancel a piece' | 'dispatch' | 'deliver'; readonly order: number }
  | { readonly do: 'a piece more'; readonly order: number; readonly declined: boolean }
  | { readonly do: 'refund'; readonly order: number; readonly amount: number };

export type Outcome = 'done' | 'refused' | 'nothing to do';

export interface ModelOrder {
  status: 'confirmed' | 'cancelled' | 'shipped' | 'delivered';
  readonly lines: { readonly sku: Sku; quantity: number }[];
  /** Did the card say no when it was placed? */
  readonly declined: boolean;
  held: number;
  captured: number;
  refunded: number;
}

export class Model {
  readonly stock: Readonly<Record<Sku, { on_hand: number; reserved: number }>> = { A: { on_hand: 0, reserved: 0 }, B: { on_hand: 0, reserved: 0 } };
  readonly orders: ModelOrder[] = [];

  obey(command: Command): Outcome {
    switch (command.do) {
      case 'receive':
        this.stock[command.sku].on_hand += command.quantity;
        return 'done';
      case 'take away': {
        const cell = this.stock[command.sku];
        if (cell.on_hand - cell.reserved < command.quantity) return 'refused';
        cell.on_hand -= command.quantity;
        return 'done';
      }
      case 'place':
        return this.place(command);
      default: {
        const order = this.orders[command.order % Math.max(1, this.orders.length)];
        return order === undefined ? 'nothing to do' : this.ask(order, command);
      }
    }
  }

  private free(sku: Sku): number {
    return this.stock[sku].on_hand - this.stock[sku].reserved;
  }

  private place({ lines, declined }: Command & { do: 'place' }): Outcome {
    const asked = lines.map((line) => ({ ...line }));
    const short = SKUS.some((sku) => wanted({ lines: asked }, sku) > this.free(sku));
    const order: ModelOrder = { status: 'cancelled', lines: asked, declined: declined && !short, held: 0, captured: 0, refunded: 0 };
    this.orders.push(order);
    if (short || declined) return 'done';
    order.status = 'confirmed';
    order.held = totalOf(order);
    for (const sku of SKUS) this.stock[sku].reserved += wanted(order, sku);
    return 'done';
  }

  private ask(order: ModelOrder, command: Command): Outcome {
    switch (command.do) {
      case 'cancel':
        if (order.status === 'cancelled') return 'done'; // it is so already
        if (order.status !== 'confirmed') return 'refused';
        for (const sku of SKUS) this.stock[sku].reserved -= wanted(order, sku);
        order.status = 'cancelled';
        order.held = 0;
        return 'done';
      case 'cancel a piece': {
        const line = order.lines.find(({ quantity }) => quantity > 1);
        if (line === undefined || order.status !== 'confirmed') return 'nothing to do';
        line.quantity -= 1;
        this.stock[line.sku].reserved -= 1;
        order.held -= PRICES[line.sku];
        return 'done';
      }
      case 'a piece more': {
        const [line] = order.lines;
        if (order.status !== 'confirmed') return 'nothing to do';
        if (command.declined || this.free(line!.sku) < 1) return 'done'; // asked for, and not to be had: it stays as it was
        line!.quantity += 1;
        this.stock[line!.sku].reserved += 1;
        order.held += PRICES[line!.sku];
        return 'done';
      }
      case 'dispatch':
        if (order.status !== 'confirmed') return 'nothing to do';
        for (const sku of SKUS) {
          this.stock[sku].reserved -= wanted(order, sku);
          this.stock[sku].on_hand -= wanted(order, sku);
        }
        [order.status, order.captured, order.held] = ['shipped', order.held, 0];
        return 'done';
      case 'deliver':
        if (order.status !== 'shipped') return 'nothing to do';
        order.status = 'delivered';
        return 'done';
      case 'refund':
        if (command.amount > order.captured) return 'refused';
        order.captured -= command.amount;
        order.refunded += command.amount;
        return 'done';
      default:
        return 'nothing to do';
    }
  }
}

const wanted = ({ lines }: Pick<ModelOrder, 'lines'>, sku: Sku): number =>
  lines.reduce((sum, line) => sum + (line.sku === sku ? line.quantity : 0), 0);
const totalOf = ({ lines }: ModelOrder): number => lines.reduce((sum, { sku, quantity }) => sum + PRICES[sku] * quantity, 0);
