/** The commands about shipments and returns. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type Common, ask, defined, group, several, wholeNumber, world } from './command.ts';
import * as returns from './returns.ts';
import * as shipments from './shipments.ts';

type Tried<Options = object> = Common & { dryRun: boolean } & Options;

const dryRun = (command: Command): Command => command.option('--dry-run', 'say what would come of it, and change nothing', false);
const aboutShipment = (name: string, description: string): Command =>
  dryRun(new Command(name).description(description).argument('<shipment>', 'its id, or its tracking number or that of one of its parcels'));
const aboutReturn = (name: string, description: string): Command =>
  dryRun(new Command(name).description(description).argument('<return>', 'its id or its number'));

export function shipmentCommands(): Command {
  const all = [...lookingCommands(), ...workCommands(), ...wayCommands()];
  return group('shipments', 'what leaves the warehouse, and where it is', all);
}

function lookingCommands(): Command[] {
  const list = new Command('list')
    .description('list shipments, the newest first')
    .option('--status <status>', 'pending, ready, picking, packed, in_transit, exception, delivered, returned, lost or cancelled')
    .option('--order <id>', 'only those of this order')
    .option('--warehouse <id>', 'only those that leave from there')
    .option('--limit <n>', 'at most so many', wholeNumber, 50);
  const show = new Command('show')
    .description('show a shipment, its parcels, and what happened to them on their way')
    .argument('<shipment>', 'its id, or its tracking number or that of one of its parcels');
  return [
    ask<Common & shipments.ShipmentFilter>(list, ({ client, output }, { status, order, warehouse, limit }) =>
      shipments.listShipments(client, output, { limit, ...defined({ status, order, warehouse }) }),
    ),
    ask(show, ({ client, output }, _options, [name = '']) => shipments.showShipment(client, output, name)),
  ];
}

/** A command without words of its own. */
const plain = (action: string, description: string): Command =>
  ask<Tried>(aboutShipment(action, description), ({ client, output }, options, [name = '']) =>
    shipments.act(client, output, { name, action, dryRun: options.dryRun }),
  );

function workCommands(): Command[] {
  const pack = aboutShipment('pack', 'say into which parcels it was packed; without options, one with everything')
    .option('--parcel <pieces>', 'what lies in a parcel, e.g. TEAPOT=2,CUP=6; once for each', several(String))
    .option('--weight <grams>', 'how much a parcel weighs, in the order of --parcel', several(wholeNumber))
    .option('--dims <LxWxH>', 'how large a parcel is in millimetres, in the order of --parcel', several(dims));
  const short = aboutShipment('short', 'say that something is not where it should be: the rest is shipped')
    .requiredOption('--missing <pieces>', 'e.g. TEAPOT=1')
    .requiredOption('--reason <text>', 'kept, for those who ask later');
  const labels = new Command('labels')
    .description('buy labels of a packed shipment, and save them')
    .argument('<shipment>', 'its id or its tracking number')
    .addOption(new Option('--format <format>', 'for a sheet or a label printer').choices(['pdf', 'zpl']).default('pdf'))
    .option('--out <folder>', 'where to save them', '.');
  return [
    plain('pick', 'begin to pick it'),
    plain('put-back', 'say that it was put back'),
    ask<Tried<shipments.PackOptions>>(pack, ({ client, output }, options, [name = '']) => shipments.pack(client, output, name, options)),
    plain('unpack', 'open its parcels again'),
    ask<Tried<{ missing: string; reason: string }>>(short, ({ client, output }, options, [name = '']) =>
      shipments.short(client, output, name, options),
    ),
    ask<Common & { format: string; out: string }>(labels, ({ client, output }, options, [name = '']) =>
      shipments.labels(client, world, output, name, options),
    ),
    plain('dispatch', 'ask for its dispatch; its order decides'),
  ];
}

function wayCommands(): Command[] {
  const parcel = ['--parcel <id>', 'which parcel, where there are several'] as const;
  const exception = aboutShipment('exception', 'say that a parcel is in trouble')
    .option(...parcel)
    .addOption(new Option('--code <code>', 'of what kind').choices(['exception', 'delivery_attempted', 'returning']).default('exception'))
    .requiredOption('--note <text>', 'what happened');
  const resolve = aboutShipment('resolve', 'say what has become of a parcel in trouble')
    .option(...parcel)
    .addOption(new Option('--as <status>', 'what it is now').choices(['in_transit', 'delivered', 'returned', 'lost']).makeOptionMandatory())
    .option('--note <text>', 'what happened');
  const track = dryRun(
    new Command('track')
      .description('enter what a carrier says of a parcel')
      .argument('<number>', 'the tracking number of the parcel')
      .requiredOption(
        '--code <code>',
        'picked_up, in_transit, out_for_delivery, delivery_attempted, exception, returning, delivered, returned or lost',
      )
      .option('--at <time>', 'when it happened, e.g. 2026-03-01T09:30:00Z (default: now)')
      .option('--event <id>', "the carrier's id of the event: the same one counts once")
      .option('--place <text>', 'where')
      .option('--note <text>', 'what else there is to say'),
  );
  return [
    plain('deliver', 'say that it has arrived'),
    ask<Tried<{ parcel?: string; code: string; note: string }>>(exception, ({ client, output }, options, [name = '']) => {
      const { parcel: parcel_id, code, note } = options;
      return shipments.act(client, output, { name, action: 'exception', body: { code, note, ...defined({ parcel_id }) }, dryRun: options.dryRun });
    }),
    ask<Tried<{ parcel?: string; as: string; note?: string }>>(resolve, ({ client, output }, options, [name = '']) => {
      const { parcel: parcel_id, as, note } = options;
      return shipments.act(client, output, { name, action: 'resolve', body: { as, ...defined({ parcel_id, note }) }, dryRun: options.dryRun });
    }),
    ask<Tried<shipments.TrackOptions>>(track, ({ client, output }, options, [number = '']) =>
      shipments.track(client, world, output, number, options),
    ),
  ];
}

export function returnCommands(): Command {
  const order = ['<order>', 'the id or the number of an order'] as const;
  const list = new Command('list')
    .description('list returns, the newest first')
    .option('--status <status>', 'requested, approved, receiving, received, closed, rejected or cancelled')
    .option('--order <id>', 'only those of this order')
    .option('--limit <n>', 'at most so many', wholeNumber, 50);
  const show = new Command('show').description('show a return').argument('<return>', 'its id or its number');
  const returnable = new Command('returnable').description('what may still be returned of an order').argument(...order);
  const request = dryRun(new Command('request').description('ask to return what was delivered').argument(...order))
    .requiredOption('--pieces <pieces>', 'e.g. TEAPOT=1,CUP=2')
    .requiredOption('--reason <text>', 'why')
    .option('--note <text>', 'what else there is to say');
  const reject = aboutReturn('reject', 'do not take it back').requiredOption('--reason <text>', 'why');
  const receive = aboutReturn('receive', 'say what came; without options, everything, back on the shelf')
    .option('--restock <pieces>', 'for sale again, e.g. TEAPOT=1', several(String))
    .option('--quarantine <pieces>', 'to be looked at', several(String))
    .option('--scrap <pieces>', 'thrown away', several(String))
    .option('--warehouse <id>', 'where it came (default: where it was expected)');
  const decision = (action: string, description: string): Command =>
    ask<Tried>(aboutReturn(action, description), ({ client, output }, options, [name = '']) =>
      returns.decide(client, output, { name, action, dryRun: options.dryRun }),
    );
  return group('returns', 'goods that come back', [
    ask<Common & returns.ReturnFilter>(list, ({ client, output }, { status, order: of, limit }) =>
      returns.listReturns(client, output, { limit, ...defined({ status, order: of }) }),
    ),
    ask(show, ({ client, output }, _options, [name = '']) => returns.showReturn(client, output, name)),
    ask(returnable, ({ client, output }, _options, [id = '']) => returns.listReturnable(client, output, id)),
    ask<Tried<returns.RequestOptions>>(request, ({ client, output }, options, [id = '']) => returns.requestReturn(client, output, id, options)),
    decision('approve', 'let the customer send it'),
    ask<Tried<{ reason: string }>>(reject, ({ client, output }, { reason, dryRun: dry }, [name = '']) =>
      returns.decide(client, output, { name, action: 'reject', body: { reason }, dryRun: dry }),
    ),
    ask<Tried<returns.ReceiveOptions>>(receive, ({ client, output }, options, [name = '']) => returns.receive(client, output, name, options)),
    decision('cancel', 'forget about it: nothing will come'),
    decision('close', 'say that everything about it is settled'),
  ]);
}

function dims(text: string): string {
  if (!/^\d{1,6}x\d{1,6}x\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be of the form 300x200x150, in millimetres.');
  return text;
}
