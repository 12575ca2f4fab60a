/** What would come of a request, as clients see it. */
import { z } from 'zod';
import type { Order, Says } from './domain-order.ts';
import { becoming, effectsOf } from './domain-revision-plan.ts';
import { dueOf } from './domain-money.ts';
import type { Outcome } from './use-cases-requests.ts';
import { amountView, orderSchema, piecesView, statusSchema, viewOf } from './view.ts';

const sumView = z.object({ status: statusSchema, total: amountView, due: amountView });

export const previewSchema = z
  .object({
    dry_run: z.literal(true),
    before: sumView.nullable().meta({ description: 'Null when there is no order yet.' }),
    after: sumView.meta({ description: 'When everybody agrees.' }),
    order: orderSchema.meta({ description: 'The order as it would be. Ids and numbers in it are made up.' }),
    says: z
      .array(z.object({ type: z.string(), data: z.record(z.string(), z.unknown()) }))
      .meta({ description: 'The events and commands that would be said first.' }),
    effects: z
      .object({
        reserve: piecesView,
        release: piecesView,
        authorize: amountView,
        give_up: amountView,
        refund: amountView,
        recall: z.array(z.string()),
      })
      .optional()
      .meta({ description: 'What a change comes to: pieces, money, and shipments that are prepared anew.' }),
  })
  .meta({ id: 'OrderPreview', description: 'What a request would come to. Nothing was changed.' });
export type PreviewView = z.output<typeof previewSchema>;

const sumOf = (order: Order): PreviewView['after'] => {
  const { status, total, due } = viewOf(order);
  return { status, total, due };
};

/** Payment tokens are never shown. */
const saidOf = (says: readonly Says[]): PreviewView['says'] =>
  says.map(({ type, data }) => ({ type, data: Object.fromEntries(Object.entries(data).filter(([field]) => field !== 'token')) }));

export const previewOfPlacing = (order: Order, says: readonly Says[]): PreviewView => ({
  dry_run: true,
  before: null,
  after: sumOf(order),
  order: viewOf(order),
  says: saidOf(says),
});

export function previewOf({ before, asked, step }: Outcome): PreviewView {
  const next = step?.order ?? before;
  const change = asked?.type === 'revise' ? asked.change : undefined;
  const { ship_to, customer, lines } = change?.target ?? next;
  const after: Order = change === undefined ? next : { ...next, ...becoming(before, change.target), lines, ship_to, customer };
  return {
    dry_run: true,
    before: sumOf(before),
    after: change === undefined ? sumOf(after) : { ...sumOf(before), total: after.total, due: dueOf(before) + after.total - before.total },
    order: viewOf(after),
    says: saidOf(step?.says ?? []),
    ...(change === undefined ? {} : { effects: effectsView(before, change) }),
  };
}

function effectsView(order: Order, change: Parameters<typeof effectsOf>[1]): NonNullable<PreviewView['effects']> {
  const { reserve, release, recall, ...money } = effectsOf(order, change);
  return { reserve: [...reserve], release: [...release], recall: [...recall], ...money };
}
