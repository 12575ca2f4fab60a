/**
 * What customers read: a shop's own template for the topic in the customer's language, else plain English of ours. Pure.
 *
 * A template is text with `{{variable}}` in it and nothing else: no conditions, no loops, no code. So whoever may write one can do no harm with it,
 * and a variable that does not exist is found when it is written, not when a customer should hear.
 */
import type { DataOf } from '../contracts/messages.ts';
import { Refusal } from '../kernel/errors.ts';
import { formatMoney } from '../kernel/money.ts';
import type { Occasion, Text, Topic } from './domain.ts';

/** A row of `notification_template`. */
export interface Template extends Text {
  readonly topic: Topic;
  /** BCP 47, e.g. `de` or `de-AT`. */
  readonly locale: string;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** What every text may speak of. */
const COMMON = ['order_number', 'order_id', 'customer_name', 'customer_id', 'total'] as const;
/** And what only some may. */
const MORE: Readonly<Record<Topic, readonly string[]>> = {
  'order.confirmed': [],
  'order.backordered': ['pieces'],
  'order.cancelled': ['reason'],
  'order.part_shipped': ['tracking_number', 'pieces'],
  'order.shipped': ['tracking_number'],
  'order.delivered': [],
};
export const variablesOf = (topic: Topic): readonly string[] => [...COMMON, ...MORE[topic]];

// Whatever is between braces, taken as it is: a pattern that looks for blanks and for anything takes minutes over many blanks.
const VARIABLE = /\{\{([^{}]*)\}\}/g;

/** Throws the Refusal `invalid_request` for variables the topic does not have, and for braces that are none. */
export function checkTemplate(topic: Topic, text: Text): void {
  const known = variablesOf(topic);
  const errors = (['subject', 'body'] as const).flatMap((field) => {
    const named = [...text[field].matchAll(VARIABLE)].map(([, name]) => name!.trim());
    const strange = named.filter((name) => !known.includes(name)).map((name) => `{{${name}}}`);
    const loose = /\{\{|\}\}/.test(text[field].replaceAll(VARIABLE, '')) ? ['braces that are not closed'] : [];
    const rule = [...strange, ...loose].join(', ');
    return rule === '' ? [] : [{ field, rule: `has ${rule}`, remedy: `use ${known.map((name) => `{{${name}}}`).join(', ')}` }];
  });
  if (errors.length > 0) throw new Refusal('invalid_request', `the template speaks of what ${topic} does not have`, errors);
}

/** The locales a text is looked for in: `de-AT`, `de`, then English. */
export function localesOf(locale: string | null | undefined): string[] {
  const parts = (locale ?? 'en').split('-');
  const own = parts.map((_, i) => parts.slice(0, parts.length - i).join('-'));
  return own.at(-1) === 'en' ? own : [...own, 'en'];
}

export type Templates = ReadonlyMap<string, Text>;
export const templateKey = (topic: Topic, locale: string): string => `${topic} ${locale.toLowerCase()}`;

/** What is said of an event to somebody who reads `locale`. */
export function textOf(occasion: Occasion, templates: Templates = new Map(), locale: string | null = null): Text {
  for (const one of localesOf(locale)) {
    const template = templates.get(templateKey(occasion.type, one));
    if (template !== undefined) return filledIn(template, occasion);
  }
  return plainEnglish(occasion);
}

function filledIn({ subject, body }: Text, occasion: Occasion): Text {
  const values = valuesOf(occasion);
  const fill = (text: string): string => text.replaceAll(VARIABLE, (_, name: string) => values[name.trim()] ?? '');
  return { subject: fill(subject), body: fill(body) };
}

function valuesOf({ type, data }: Occasion): Readonly<Record<string, string>> {
  const { order_id, number, customer, total, currency } = data;
  const common = {
    order_id,
    order_number: number,
    customer_id: customer.id,
    customer_name: customer.name ?? customer.email ?? customer.id,
    total: formatMoney(total, currency),
  };
  switch (type) {
    case 'order.cancelled':
      return { ...common, reason: (data as DataOf<'order.cancelled'>).reason };
    case 'order.shipped':
      return { ...common, tracking_number: (data as DataOf<'order.shipped'>).tracking_number };
    case 'order.part_shipped':
      return {
        ...common,
        tracking_number: (data as DataOf<'order.part_shipped'>).tracking_number,
        pieces: piecesOf(data as DataOf<'order.part_shipped'>),
      };
    case 'order.backordered':
      return { ...common, pieces: piecesOf(data as DataOf<'order.backordered'>) };
    default:
      return common;
  }
}

/** e.g. `2 × TEA-1, 1 × CUP` */
const piecesOf = ({ lines }: { readonly lines: DataOf<'order.backordered'>['lines'] }): string =>
  lines.map(({ quantity, sku }) => `${quantity} × ${sku}`).join(', ');

/** Why an order was cancelled, for the customer. */
const REASONS: Readonly<Record<string, string>> = {
  customer: 'as you asked.',
  out_of_stock: 'because we do not have everything you ordered. Nothing was charged.',
  payment_declined: 'because the payment was declined. Nothing was charged.',
  timeout: 'because we could not complete it in time. Nothing stays charged.',
  operator: 'by us. Nothing stays charged.',
};

function plainEnglish({ type, data }: Occasion): Text {
  const order = `Your order ${data.number}`;
  const [happened, details] = happening(type, data);
  const greeting = data.customer.name === undefined ? 'Hello,' : `Hello ${data.customer.name},`;
  return { subject: `${order} ${happened}`, body: `${greeting}\n\nyour order ${data.number} ${happened}${details}\n` };
}

/** What happened, as a predicate of "your order", and how the sentence goes on. */
function happening(topic: Topic, data: Occasion['data']): [string, string] {
  switch (topic) {
    case 'order.confirmed':
      return ['is confirmed', `. The total is ${formatMoney(data.total, data.currency)}; we are packing it.`];
    case 'order.backordered':
      return ['has to wait for goods', `: ${piecesOf(data as DataOf<'order.backordered'>)}. It will be sent as soon as they arrive.`];
    case 'order.part_shipped':
      return [
        'is partly on its way',
        `: ${piecesOf(data as DataOf<'order.part_shipped'>)}. The tracking number is ${(data as DataOf<'order.part_shipped'>).tracking_number}; the rest follows.`,
      ];
    case 'order.cancelled':
      return ['was cancelled', ` ${REASONS[(data as DataOf<'order.cancelled'>).reason] ?? 'by us.'}`];
    case 'order.shipped':
      return ['is on its way', `. Its tracking number is ${(data as DataOf<'order.shipped'>).tracking_number}.`];
    case 'order.delivered':
      return ['was delivered', '. Thank you for ordering with us.'];
  }
}
