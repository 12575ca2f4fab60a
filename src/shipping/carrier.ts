/**
 * The carrier: the port, and a simulated carrier for trying things out.
 *
 * A shipment is registered under its id, and registering it again changes nothing, so a call whose answer was lost is simply made again.
 */
import { Fault } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { ShipmentLine } from './domain-shipment.ts';

/** What a carrier is told of a shipment. */
export interface Registration {
  readonly id: string;
  readonly tracking_number: string;
  readonly warehouse_id: string;
  readonly recipient: string;
  readonly ship_to: Readonly<Record<string, string>> | null;
  readonly lines: readonly ShipmentLine[];
}

export interface Registered {
  /** Where the label is to be had. */
  readonly label_ref: string;
  /** Milliseconds UTC. */
  readonly estimated_delivery: number;
}

/** A carrier. Throws when a shipment could not be registered; it will be called again. */
export interface Carrier {
  readonly name: string;
  register(shipment: Registration): Promise<Registered>;
}

const DELIVERY_MS = 3 * 24 * 3_600_000;
const SLOW_MS = 2_000;
/** Shipments whose failures the simulated carrier remembers at most. */
const REMEMBERED = 10_000;

/**
 * A carrier that moves nothing. It registers everything; a field `simulate` in the address makes it misbehave: `error_twice` fails the
 * first two calls of a shipment, `unavailable` all of them, `slow` takes two seconds.
 */
export function simulatedCarrier({ world }: { world: World }): Carrier {
  const failures = new Map<string, number>();
  return {
    name: 'simulated',
    async register({ id, ship_to }) {
      const simulate = ship_to?.['simulate'];
      if (simulate === 'slow') await world.sleep(SLOW_MS);
      const failed = failures.get(id) ?? 0;
      if (simulate === 'unavailable' || (simulate === 'error_twice' && failed < 2)) {
        if (failures.size >= REMEMBERED) failures.clear();
        failures.set(id, failed + 1);
        throw new Fault('provider_unavailable', 'the simulated carrier is out of order');
      }
      return { label_ref: `label_${id.slice(id.indexOf('_') + 1)}`, estimated_delivery: world.now() + DELIVERY_MS };
    },
  };
}
