/** What the doors of orders take. */
import { z } from 'zod';
import { allocationSchema } from '../contracts/messages.ts';
import {
  QUANTITY_MAX,
  amountSchema,
  currencySchema,
  dryRunSchema,
  expectedVersionSchema,
  idSchema,
  longTextSchema,
  quantitySchema,
  skuSchema,
  localeSchema,
  textSchema,
} from '../contracts/rest.ts';
import { AMOUNT_MAX } from '../kernel/money.ts';
import { HOLD_REASONS } from './domain-holds.ts';

/** The most lines of one order: its messages must stay far below what brokers take. */
export const ORDER_LINES_MAX = 500;
const CHARGES_MAX = 100;
const LINE_CHARGES_MAX = 10;
const ADDRESS_FIELDS_MAX = 30;
const MILLION = 1_000_000;

const signedAmount = z.int().min(-AMOUNT_MAX).max(AMOUNT_MAX);
const chargeSchema = z.object({
  code: textSchema(64),
  amount: signedAmount.meta({ description: 'Minor units; below zero for a discount.' }),
  name: textSchema(200).optional(),
  kind: z.enum(['discount', 'shipping', 'fee', 'tax']).optional(),
  rate_ppm: z.int().min(0).max(MILLION).optional().meta({ description: 'A rate in parts of a million, as information: 190000 is 19 %.' }),
  included: z.boolean().optional().meta({ description: 'It is in the prices already and not added to them, as taxes often are.' }),
});
const chargesSchema = z
  .array(chargeSchema)
  .max(CHARGES_MAX)
  .optional()
  .meta({ description: 'What is paid beside the goods; discounts are negative.' });
const lineChargesSchema = z
  .array(chargeSchema)
  .max(LINE_CHARGES_MAX)
  .optional()
  .meta({ description: 'Taxes, discounts and fees on this line, for all its pieces.' });

const lineAskedSchema = z.object({ sku: skuSchema, quantity: quantitySchema, unit_price: amountSchema.optional(), charges: lineChargesSchema });
const addressSchema = z
  .record(textSchema(64), textSchema(500))
  .refine((fields) => Object.keys(fields).length <= ADDRESS_FIELDS_MAX, `at most ${ADDRESS_FIELDS_MAX} fields`);
const customerSchema = z.object({
  id: textSchema(128),
  name: textSchema(200).optional(),
  email: textSchema(254).optional(),
  locale: localeSchema.optional().meta({ description: 'The language to write to the customer in.' }),
});
const paymentSchema = z
  .object({ token: textSchema(255) })
  .optional()
  .meta({ description: 'Stands for the card at the provider; never shown again.' });
const reasonSchema = textSchema(200).optional();

/** What every request about one order may say. */
const always = { expected_version: expectedVersionSchema, dry_run: dryRunSchema };

export const newOrderSchema = z.object({
  external_id: textSchema(128)
    .optional()
    .meta({ description: 'Your own id, unique among your orders: the same order sent again is answered again.' }),
  customer: customerSchema,
  currency: currencySchema,
  lines: z.array(lineAskedSchema).min(1).max(ORDER_LINES_MAX).meta({ description: 'A line without unit_price takes the price of the catalogue.' }),
  charges: chargesSchema,
  ship_to: addressSchema.optional(),
  policy: textSchema(64)
    .optional()
    .meta({ description: 'Which stops the order makes.', examples: ['default', 'prepaid', 'reserve_only'] }),
  payment: paymentSchema,
  allocation: allocationSchema.omit({ ship_to: true }).optional().meta({
    description:
      'How its goods are looked for: from one warehouse or several, by which strategy, whether they may be waited for, until when they are held.',
  }),
  draft: z.boolean().optional().meta({ description: 'Keep it as a draft: priced and numbered, and nothing is promised until it is placed.' }),
  dry_run: dryRunSchema,
});

export const placeBody = z.object({ payment: paymentSchema, ...always }).optional();
export const cancelBody = z.object({ reason: reasonSchema, ...always }).optional();
export const plainBody = z.object(always).optional();

export const editBody = z.object({
  lines: z
    .array(
      z.object({
        line_id: idSchema('lin'),
        quantity: z.int().min(0).max(QUANTITY_MAX).optional().meta({ description: 'How many there are to be; 0: none.' }),
        unit_price: amountSchema.optional(),
        charges: lineChargesSchema,
      }),
    )
    .max(ORDER_LINES_MAX)
    .optional()
    .meta({ description: 'Lines to change; the others stay.' }),
  add_lines: z.array(lineAskedSchema).max(ORDER_LINES_MAX).optional(),
  charges: chargesSchema.meta({ description: 'In place of the charges on the whole order.' }),
  ship_to: addressSchema.optional().meta({ description: 'In place of the address; shipments that have not left are prepared anew.' }),
  customer: customerSchema.optional().meta({ description: 'Of a draft only.' }),
  reason: reasonSchema,
  payment: paymentSchema.meta({ description: 'For what the order costs more.' }),
  ...always,
});

export const cancelLinesBody = z
  .object({
    lines: z
      .array(z.object({ line_id: idSchema('lin'), quantity: quantitySchema }))
      .min(1)
      .max(ORDER_LINES_MAX)
      .optional()
      .meta({ description: 'How many pieces of which lines; without, all that have not left.' }),
    reason: reasonSchema,
    ...always,
  })
  .optional();

export const holdBody = z
  .object({
    reason: z.enum(HOLD_REASONS),
    line_id: idSchema('lin').optional(),
    shipment_id: idSchema('shp').optional(),
    note: textSchema(500).optional(),
    expires_at: z.iso.datetime().optional().meta({ description: 'When it goes by itself; without, when somebody releases it.' }),
    ...always,
  })
  .refine(({ line_id, shipment_id }) => line_id === undefined || shipment_id === undefined, {
    message: 'must not be given with line_id',
    path: ['shipment_id'],
  })
  .meta({ examples: [{ reason: 'address', note: 'the house number is missing' }] });
export const releaseBody = z.object({ reason: reasonSchema, ...always }).optional();

export const refundBody = z.object({
  amount: z.int().min(1).max(AMOUNT_MAX).meta({ description: 'Minor units; at most what was captured and not given back.' }),
  reason: textSchema(200),
  return_id: idSchema('rtn').optional().meta({ description: 'Instead of what would be given back for this return by itself.' }),
  ...always,
});
export const authorizeBody = z.object({ payment: z.object({ token: textSchema(255) }), ...always });
export const externalPaymentBody = z.object({
  amount: signedAmount
    .refine((amount) => amount !== 0, 'must not be 0')
    .meta({ description: 'What was paid elsewhere; below zero: what was given back there.' }),
  method: textSchema(64).meta({ examples: ['bank_transfer', 'cash'] }),
  reference: textSchema(200).optional(),
  ...always,
});
export const closeBody = z.object({ reason: textSchema(200), ...always });
export const noteBody = z.object({ text: longTextSchema(2_000).min(1), ...always });

export const orderParams = z.object({ order_id: idSchema('ord').meta({ description: 'The id of an order, or its number.' }) });
export const holdParams = orderParams.extend({ hold_id: idSchema('hld') });
