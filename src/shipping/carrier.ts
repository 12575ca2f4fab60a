/**
 * The carrier: the port, and a simulated carrier for trying things out.
 *
 * A shipment is registered under its id, and registering it again changes nothing, so a call whose answer was lost is simply made again.
 * A label costs money: it is bought under its id, and one whose answer was lost is asked about before it is bought again.
 */
import { Fault } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { LabelFormat } from './domain-labels.ts';
import type { ShipmentLine } from './domain-shipment.ts';
import { labelPdf, labelZpl } from './label-document.ts';

type Address = Readonly<Record<string, string>>;

/** What a carrier is told of a shipment. */
export interface Registration {
  readonly id: string;
  readonly tracking_number: string;
  readonly warehouse_id: string;
  readonly recipient: string;
  readonly ship_to: Address | null;
  readonly lines: readonly ShipmentLine[];
}

export interface Registered {
  /** Where the label is to be had. */
  readonly label_ref: string;
  /** Milliseconds UTC. */
  readonly estimated_delivery: number;
}

/** A label to buy, for one parcel. */
export interface LabelCall {
  /** The idempotency key. */
  readonly id: string;
  readonly format: LabelFormat;
  readonly shipment_id: string;
  readonly parcel_id: string;
  readonly order_number: string;
  readonly tracking_number: string;
  /** Name and place of the warehouse it leaves from. */
  readonly from: readonly string[];
  readonly recipient: string;
  readonly ship_to: Address | null;
  readonly weight_g: number | null;
  /** Length, width, height. */
  readonly dims_mm: readonly number[] | null;
  readonly lines: readonly ShipmentLine[];
}

export type LabelAnswer =
  | { readonly result: 'bought'; readonly carrier_ref: string; readonly content_type: string; readonly content: Uint8Array }
  /** A final no, in words for a person. */
  | { readonly result: 'refused'; readonly error: string };

/**
 * A carrier. `register` throws when a shipment could not be registered; it will be called again. What has to do with labels throws the
 * Fault `provider_unavailable` when it has certainly not been done and may be sent again; whatever else is thrown, and an answer that takes
 * longer than 20 s, counts as not known.
 */
export interface Carrier {
  readonly name: string;
  register(shipment: Registration): Promise<Registered>;
  /** Buys a label; the same one when it was bought before. */
  buyLabel(call: LabelCall): Promise<LabelAnswer>;
  /** What became of a label; `absent`: the carrier never heard of it. */
  findLabel(call: LabelCall): Promise<LabelAnswer | { readonly result: 'absent' }>;
  /** Gives a label back; one that was given back before as well. */
  voidLabel(call: LabelCall): Promise<{ readonly result: 'voided' } | { readonly result: 'refused'; readonly error: string }>;
}

const DELIVERY_MS = 3 * 24 * 3_600_000;
const SLOW_MS = 2_000;
/** Things whose failures, and labels that, the simulated carrier remembers at most. */
const REMEMBERED = 10_000;

/**
 * A carrier that moves nothing. It registers everything and sells labels for everything; a field `simulate` in the address makes it
 * misbehave: `error_twice` fails the first two calls about a thing, `unavailable` all of them, `slow` takes two seconds, `label_refused`
 * sells no label, `label_lost` sells it and loses the first answer.
 */
export function simulatedCarrier({ world }: { world: World }): Carrier {
  const failures = new Map<string, number>();
  const sold = new Set<string>();

  async function answerTo(id: string, ship_to: Address | null): Promise<void> {
    const simulate = ship_to?.['simulate'];
    if (simulate === 'slow') await world.sleep(SLOW_MS);
    const failed = failures.get(id) ?? 0;
    if (simulate === 'unavailable' || (simulate === 'error_twice' && failed < 2)) {
      if (failures.size >= REMEMBERED) failures.clear();
      failures.set(id, failed + 1);
      throw new Fault('provider_unavailable', 'the simulated carrier is out of order');
    }
  }

  return {
    name: 'simulated',
    async register({ id, ship_to }) {
      await answerTo(id, ship_to);
      return { label_ref: `label_${id.slice(id.indexOf('_') + 1)}`, estimated_delivery: world.now() + DELIVERY_MS };
    },
    async buyLabel(call) {
      await answerTo(call.id, call.ship_to);
      if (call.ship_to?.['simulate'] === 'label_refused') return { result: 'refused', error: 'the address cannot be delivered to' };
      const known = sold.has(call.id);
      if (sold.size >= REMEMBERED) sold.clear();
      sold.add(call.id);
      if (!known && call.ship_to?.['simulate'] === 'label_lost') throw new Error('the answer did not come in time');
      return labelOf(call);
    },
    async findLabel(call) {
      return sold.has(call.id) ? labelOf(call) : { result: 'absent' };
    },
    async voidLabel(call) {
      await answerTo(`void ${call.id}`, call.ship_to);
      sold.delete(call.id);
      return { result: 'voided' };
    },
  };
}

/** The same document for the same call. */
function labelOf({ id, format, from, recipient, ship_to, ...call }: LabelCall): LabelAnswer {
  const { simulate: _simulate, ...address } = ship_to ?? {};
  const text = { ...call, from, to: [recipient, ...Object.values(address)] };
  const carrier_ref = `sim_${id.slice(id.indexOf('_') + 1)}`;
  return format === 'pdf'
    ? { result: 'bought', carrier_ref, content_type: 'application/pdf', content: labelPdf(text) }
    : { result: 'bought', carrier_ref, content_type: 'application/zpl', content: labelZpl(text) };
}
