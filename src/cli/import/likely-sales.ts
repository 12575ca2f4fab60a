/**
 * How many cancellations a sale in the file could explain, each looked at by itself: a sale of the same customer, code and price, not
 * later, of as many pieces or more. A figure of the file, which others can count, too; to which sale each then goes is matching.ts's.
 */
import type { Line } from './lines.ts';

interface Event {
  readonly at: string;
  readonly quantity: number;
}

export interface LikelySales {
  add(line: Line): void;
  /** `exactly`: as many pieces, no more. */
  count(): { readonly matched: number; readonly exactly: number };
}

export function startLikelySales(): LikelySales {
  const sales = new Map<string, Event[]>();
  const cancellations: { readonly key: string; readonly event: Event }[] = [];

  return {
    add({ invoice, sku, quantity, unit_price, customer, at }) {
      if (customer === '' || invoice.startsWith('A')) return;
      const key = `${customer}\n${sku}\n${unit_price}`;
      if (invoice.startsWith('C')) cancellations.push({ key, event: { at, quantity: -quantity } });
      else sales.set(key, [...(sales.get(key) ?? []), { at, quantity }]);
    },
    count() {
      const explains = (fits: (sold: Event, gone: Event) => boolean): number =>
        cancellations.filter(({ key, event }) => (sales.get(key) ?? []).some((sold) => sold.at <= event.at && fits(sold, event))).length;
      return {
        matched: explains((sold, gone) => sold.quantity >= gone.quantity),
        exactly: explains((sold, gone) => sold.quantity === gone.quantity),
      };
    },
  };
}
