/** The doors for what people ask of one order. Each takes `expected_version` and `dry_run`. */
import type { z } from 'zod';
import { once } from '../messaging/idempotency.ts';
import type { RequestContext, Route } from '../messaging/service.ts';
import { route } from '../messaging/service.ts';
import * as bodies from './api-schemas.ts';
import type { Refusal } from '../kernel/errors.ts';
import type { Order, Request } from './domain-order.ts';
import { type Asked, type Deciding, ask, authorizing, cancellingLines, editing, rehearse } from './use-cases-requests.ts';
import { type PlacingDesk, onceKnown } from './use-cases-place.ts';
import { previewOf, previewSchema } from './view-preview.ts';
import { orderSchema, viewOf } from './view.ts';

interface Always {
  readonly expected_version?: number | undefined;
  readonly dry_run?: boolean | undefined;
}
type Who = Pick<Request, 'operation' | 'client'>;
type Decide = (order: Order, rules: Deciding) => Request | Refusal | undefined;

interface Door<Body extends Always | undefined, Params> {
  /** The end of the path. */
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodType<Params>;
  readonly body: z.ZodType<Body>;
  readonly refuses: readonly string[];
  /** Skus whose prices are needed. */
  skus?(body: NonNullable<Body>): readonly string[];
  decide(body: NonNullable<Body>, who: Who, params: Params): Decide;
}

const ALWAYS = ['order_not_found', 'version_mismatch'];

export function personRoutes(desk: PlacingDesk): Route[] {
  const { mailbox } = desk;
  function door<Body extends Always | undefined, Params extends { readonly order_id: string }>({
    path: end,
    summary,
    params: schema = bodies.orderParams as unknown as z.ZodType<Params>,
    body: bodySchema,
    refuses,
    skus,
    decide,
  }: Door<Body, Params>): Route {
    const path = `/v1/orders/{order_id}/${end}`;
    return route({
      method: 'POST',
      path,
      tag: 'Orders',
      summary,
      params: schema,
      body: bodySchema,
      output: orderSchema,
      previews: previewSchema,
      answers: 'ok',
      refuses: [...ALWAYS, ...refuses],
      handle({ params, body: given, context }) {
        const body = (given ?? {}) as NonNullable<Body>;
        const needed = skus?.(body) ?? [];
        const { expected_version, dry_run } = body;
        const asked: Asked = { order: params.order_id, expected_version, skus: needed, decide: decide(body, whoOf(context), params) };
        return onceKnown(desk, new Set(needed), async () => {
          if (dry_run === true) return previewOf(await rehearse(mailbox.db.read, desk, asked));
          return once(mailbox, context, `POST ${path}`, async (unit) => viewOf(await ask(unit, desk, asked)));
        });
      },
    });
  }

  return [
    door({
      path: 'place',
      summary: 'Place a draft',
      body: bodies.placeBody,
      refuses: ['order_state', 'payment_token_required'],
      decide:
        ({ payment }, who) =>
        (_order, { defaultToken }) => ({ type: 'place', token: payment?.token ?? defaultToken ?? null, ...who }),
    }),
    door({
      path: 'discard',
      summary: 'Discard a draft',
      body: bodies.plainBody,
      refuses: ['order_state'],
      decide: (_body, who) => () => ({ type: 'discard', ...who }),
    }),
    door({
      path: 'edits',
      summary: 'Change an order: its lines, charges or address',
      body: bodies.editBody,
      refuses: [
        'order_state',
        'order_busy',
        'line_not_found',
        'line_shipped',
        'unknown_sku',
        'product_archived',
        'no_price',
        'amount_out_of_range',
        'payment_token_required',
        'catalogue_away',
      ],
      skus: ({ add_lines = [] }) => add_lines.map(({ sku }) => sku),
      decide: (body, who) => editing(body, who),
    }),
    door({
      path: 'cancel-lines',
      summary: 'Cancel pieces of an order that have not left',
      body: bodies.cancelLinesBody,
      refuses: ['order_state', 'order_busy', 'line_not_found', 'line_shipped', 'order_not_cancellable'],
      decide: (body, who) => cancellingLines(body, who),
    }),
    door({
      path: 'cancel',
      summary: 'Cancel an order: what was begun is undone first',
      body: bodies.cancelBody,
      refuses: ['order_not_cancellable'],
      decide:
        ({ reason }, who) =>
        () => ({ type: 'cancel', reason, ...who }),
    }),
    door({
      path: 'resume',
      summary: 'Resume an order on hold: what it waits for is asked for again',
      body: bodies.plainBody,
      refuses: ['order_not_on_hold'],
      decide: (_body, who) => () => ({ type: 'resume', ...who }),
    }),
    door({
      path: 'holds',
      summary: 'Lay a hold on an order, a line or a shipment: what has not begun does not begin',
      body: bodies.holdBody,
      refuses: ['order_state', 'line_not_found', 'shipment_state', 'invalid_request'],
      decide:
        ({ expires_at, reason, line_id, shipment_id, note }, who) =>
        () => ({
          type: 'hold',
          hold: { reason, line_id, shipment_id, note, expires_at: expires_at === undefined ? undefined : Date.parse(expires_at) },
          ...who,
        }),
    }),
    door({
      path: 'holds/{hold_id}/release',
      summary: 'Release a hold: what it stopped goes on',
      params: bodies.holdParams,
      body: bodies.releaseBody,
      refuses: ['hold_not_found'],
      decide:
        ({ reason }, who, { hold_id }) =>
        () => ({ type: 'release', hold_id, reason, ...who }),
    }),
    door({
      path: 'refunds',
      summary: 'Give money back',
      body: bodies.refundBody,
      refuses: ['order_state', 'order_busy', 'refund_too_large'],
      decide:
        ({ amount, reason, return_id }, who) =>
        () => ({ type: 'refund', amount, reason, return_id, ...who }),
    }),
    door({
      path: 'payments',
      summary: 'Have what is missing of the money authorised, with another token',
      body: bodies.authorizeBody,
      refuses: ['order_state', 'order_busy'],
      decide: ({ payment }, who) => authorizing(payment.token, who),
    }),
    door({
      path: 'external-payments',
      summary: 'Write down what was paid elsewhere',
      body: bodies.externalPaymentBody,
      refuses: ['order_state', 'order_busy', 'amount_out_of_range'],
      decide:
        ({ amount, method, reference }, who) =>
        () => ({ type: 'pay_externally', amount, method, reference, ...who }),
    }),
    door({
      path: 'close',
      summary: 'Close an order by hand: nothing more is to happen',
      body: bodies.closeBody,
      refuses: ['order_state'],
      decide:
        ({ reason }, who) =>
        () => ({ type: 'close', reason, ...who }),
    }),
    door({
      path: 'notes',
      summary: 'Write a note into the timeline of an order',
      body: bodies.noteBody,
      refuses: ['order_state'],
      decide:
        ({ text }, who) =>
        () => ({ type: 'note', text, ...who }),
    }),
  ];
}

const whoOf = ({ client, operation }: RequestContext): Who => ({ client, ...(operation === undefined ? {} : { operation }) });
