/** What customers want, all of it out of the seed: the n-th wish of a seed is the same in every run, whatever happens around it. */
import { seededChance } from '../support/proxy.ts';
import type { Placement } from './history.ts';

export const TEA = 'TEA';
export const CUP = 'CUP';
const PRICES: Readonly<Record<string, number>> = { [TEA]: 450, [CUP]: 1_200 };
const SALE_PRICE = 999;
export const priceOf = (sku: string): number => PRICES[sku] ?? SALE_PRICE;

/** Something of which there is less than is asked for. */
export const saleSku = (n: number): string => `SALE-${n}`;

/** How far a customer goes, and what the warehouse does with the parcel. */
export type Plan = 'leave' | 'cancel_early' | 'cancel_late' | 'dispatch' | 'deliver';

export interface Wish extends Placement {
  readonly token: string;
  /** What the carrier does with it, where it misbehaves. */
  readonly simulate: string | undefined;
  readonly plan: Plan;
  /** The key is sent twice at once. */
  readonly doubled: boolean;
  /** The key is sent again when the order has long been answered. */
  readonly repeated: boolean;
  /** Without an answer the client goes away. */
  readonly fleeting: boolean;
}

// Weights; what is left to a hundred is the first.
// oxfmt-ignore
const TOKENS = { tok_ok: 0, tok_declined: 4, tok_slow: 4, tok_error_twice: 4, tok_unknown: 6, tok_capture_fails: 3 } as const;
const CARRIER = { '': 0, slow: 3 } as const; // its failures are counted in memory: with each restart they would begin anew
const PLANS = { leave: 0, cancel_early: 8, cancel_late: 10, dispatch: 20, deliver: 25 } as const satisfies Record<Plan, number>;

function draw<Name extends string>(weights: Readonly<Record<Name, number>>, chance: number): Name {
  const names = Object.keys(weights) as Name[];
  let left = chance * 100;
  for (const name of names.slice(1)) if ((left -= weights[name]) < 0) return name;
  return names[0]!;
}

/** `sale`: the scarce thing this wish is for, where it is for one. */
export function wishOf(seed: number, n: number, sale: number | undefined): Wish {
  const key = `wish-${seed}-${n}`;
  const chance = seededChance(hashOf(key));
  const lines =
    sale === undefined
      ? [{ sku: TEA, quantity: 1 + Math.floor(chance() * 3) }, ...(chance() < 0.5 ? [{ sku: CUP, quantity: 1 + Math.floor(chance() * 2) }] : [])]
      : [{ sku: saleSku(sale), quantity: 1 + Math.floor(chance() * 3) }];
  return {
    key,
    lines,
    total: lines.reduce((sum, { sku, quantity }) => sum + quantity * priceOf(sku), 0),
    token: draw(TOKENS, chance()),
    simulate: draw(CARRIER, chance()) || undefined,
    plan: draw(PLANS, chance()),
    doubled: chance() < 0.05,
    repeated: chance() < 0.05,
    fleeting: chance() < 0.05,
  };
}

/** FNV-1a. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
