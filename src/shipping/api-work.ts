/** The doors of the warehouse: picking, packing, what is missing, handing over. */
import { z } from 'zod';
import { LINES_MAX, idSchema, quantitySchema, textSchema } from '../contracts/rest.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import type { Route } from '../messaging/service.ts';
import { actFields, plainAct, shipmentAct } from './api-acts.ts';
import { requestDispatch } from './domain.ts';
import { pack, pick, putBack, short, unpack } from './domain-work.ts';

/** The most parcels of one shipment. */
const PARCELS_MAX = 100;
const WEIGHT_MAX_G = 10_000_000;
const LENGTH_MAX_MM = 100_000;

const quantityLines = z
  .array(z.object({ line_id: idSchema('lin'), quantity: quantitySchema }))
  .min(1)
  .max(LINES_MAX);

const packSchema = z.object({
  ...actFields,
  parcels: z
    .array(
      z.object({
        weight_g: z
          .int()
          .min(1)
          .max(WEIGHT_MAX_G)
          .optional()
          .meta({ description: 'Grams.', examples: [1_200] }),
        dims_mm: z
          .array(z.int().min(1).max(LENGTH_MAX_MM))
          .length(3)
          .optional()
          .meta({ description: 'Length, width and height in millimetres.', examples: [[300, 200, 150]] }),
        lines: quantityLines.optional().meta({ description: 'What lies in it; everything, when it is the only parcel and says nothing.' }),
      }),
    )
    .min(1)
    .max(PARCELS_MAX)
    .default([{}])
    .meta({ description: 'Together they hold exactly what is shipped. One parcel with everything when absent.' }),
});

const shortSchema = z.object({
  ...actFields,
  lines: quantityLines.meta({ description: 'What is missing, and how much of it.' }),
  reason: textSchema(200).meta({ examples: ['the shelf was empty'] }),
});

const HELD = ['shipment_on_hold'];

export function workRoutes(mailbox: Mailbox): Route[] {
  const { world } = mailbox;
  return [
    plainAct(mailbox, { action: 'pick', summary: 'Begin to pick a ready shipment', refuses: HELD, decide: pick }),
    plainAct(mailbox, { action: 'put-back', summary: 'Say that a shipment being picked was put back', decide: putBack }),
    shipmentAct(mailbox, {
      action: 'pack',
      summary: 'Say into which parcels a shipment was packed',
      body: packSchema,
      refuses: [...HELD, 'lines_do_not_match'],
      decide: (shipment, { parcels }, now) =>
        pack(
          shipment,
          parcels,
          parcels.map(() => world.id('prc')),
          now,
        ),
    }),
    plainAct(mailbox, { action: 'unpack', summary: 'Open the parcels of a packed shipment again', decide: unpack }),
    shipmentAct(mailbox, {
      action: 'short',
      summary: 'Report that something is not where it should be: the shipment goes on with the rest, or is cancelled',
      body: shortSchema,
      refuses: ['lines_do_not_match'],
      decide: short,
    }),
    plainAct(mailbox, {
      action: 'dispatch',
      summary: 'Ask for the dispatch of a ready or packed shipment; its order decides',
      refuses: HELD,
      decide: requestDispatch,
    }),
  ];
}
