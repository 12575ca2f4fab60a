/** The door of what-if: the orders of a while by another strategy, or without some warehouses. Reads only. */
import { z } from 'zod';
import { amountSchema, flagSchema, timestamp } from '../contracts/rest.ts';
import { rfc3339 } from '../kernel/time.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { DIFFERENCES_MAX } from './domain-what-if.ts';
import { type Destinations, whatIf } from './use-cases-what-if.ts';

const figuresSchema = z
  .object({
    orders: z.int(),
    parcels: z.int(),
    split_orders: z.int().meta({ description: 'In more than one parcel.' }),
    unfilled_orders: z.int().meta({ description: 'Not all of it was held.' }),
    unfilled_pieces: z.int(),
    distance_km: z.int().meta({ description: 'From the warehouses to the customers, one way for each parcel, where both are known.' }),
    parcels_of_unknown_distance: z.int(),
    cost: z.int().nullable().meta({ description: 'Minor units; null when nobody said what a parcel or a kilometre costs.' }),
  })
  .meta({ id: 'AllocationFigures' });
const comparisonSchema = z
  .object({
    from: timestamp,
    to: timestamp,
    was: figuresSchema,
    would_be: figuresSchema,
    different_orders: z.int(),
    differences: z
      .array(
        z.object({
          order_id: z.string(),
          was: z.array(z.string()).meta({ description: 'Warehouses.' }),
          would_be: z.array(z.string()),
          unfilled_was: z.int(),
          unfilled_would_be: z.int(),
        }),
      )
      .meta({ description: `Some of the orders that would have come from elsewhere, at most ${DIFFERENCES_MAX}.` }),
    missing_pieces: z.int().meta({ description: 'Taken by hand then, and would not have been there.' }),
  })
  .meta({ id: 'AllocationComparison', description: 'What was, and what would have been. Nothing is changed by it.' });

const DAY_MS = 24 * 3_600_000;
const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const price = z.coerce.number().pipe(amountSchema).optional();
const questionSchema = z.object({
  from: moment.optional().meta({ description: 'RFC 3339; a day before `to` when absent.' }),
  to: moment.optional().meta({ description: 'RFC 3339; now when absent. At most 31 days after `from`.' }),
  strategy: z
    .enum(['priority', 'fewest_parcels', 'nearest'])
    .optional()
    .meta({ description: 'As each order asked when absent; so with the next two.' }),
  split: flagSchema.optional(),
  backorder: flagSchema.optional(),
  without_warehouse: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){0,19}$/, 'ids with commas between them, at most 20')
    .optional()
    .meta({ description: 'Warehouses that are closed; with commas between them.', examples: ['whs_01jm8r3v9qe7bvkc1xk6w2t4nz'] }),
  cost_per_parcel: price.meta({ description: 'Minor units.' }),
  cost_per_km: price.meta({ description: 'Minor units.' }),
});

export function whatIfRoutes({ db, world }: Mailbox, destinations: Destinations): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/what-if/allocation',
      tag: 'Stock',
      summary: 'Let the orders of a while be allocated again by another strategy or without some warehouses, and compare',
      query: questionSchema,
      output: comparisonSchema,
      answers: 'ok',
      refuses: ['invalid_request', 'warehouse_not_found'],
      async handle({ query: { to = world.now(), from = to - DAY_MS, without_warehouse, ...otherwise } }) {
        const without = new Set(without_warehouse?.split(',') ?? []);
        const comparison = await whatIf(db.read, { from, to, otherwise: { ...otherwise, without } }, destinations);
        const differences = comparison.differences.map((one) => ({ ...one, was: [...one.was], would_be: [...one.would_be] }));
        return { ...comparison, differences, from: rfc3339(from), to: rfc3339(to) };
      },
    }),
  ];
}
