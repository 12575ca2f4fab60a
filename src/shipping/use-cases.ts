/**
 * Load, decide, save, say; for sets of commands, for sets of answers of the carrier, and for what people do with one parcel.
 */
import { Refusal } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Saying, Unit } from '../messaging/mailbox.ts';
import { LEASE_MS, type TaskKind, type Tasks, runTasks } from '../messaging/tasks.ts';
import type { Carrier } from './carrier.ts';
import { type Outcome, type Shipment, type ShipmentCommand, type Step, about, obey, pauseAfter, shipmentIdOf } from './domain.ts';
import { type RegistrationTask, claimShipments, lockShipments, markReady, postpone, saveShipments } from './store.ts';

export interface ShippingContext {
  readonly mailbox: Mailbox;
  readonly telemetry: Telemetry;
  readonly carrier: Carrier;
}

export interface ShippingUseCases {
  obeyAll(unit: Unit, commands: readonly ShipmentCommand[]): Promise<void>;
  /** Telling the carrier of shipments. */
  readonly registrations: TaskKind<RegistrationTask, Outcome>;
  /** What tells it. */
  readonly tasks: Tasks<RegistrationTask>;
}

export function shippingUseCases({ mailbox, telemetry, carrier }: ShippingContext): ShippingUseCases {
  const { world } = mailbox;

  async function obeyAll(unit: Unit, commands: readonly ShipmentCommand[]): Promise<void> {
    const { tx, now } = unit;
    const known = await lockShipments(
      tx,
      commands.map(({ data }) => shipmentIdOf(data.order_id)),
    );
    const shipments = new Map(known.map((shipment) => [shipment.id, shipment]));
    const changed = new Set<string>();
    const sayings: Saying[] = [];
    for (const command of commands) {
      const id = shipmentIdOf(command.data.order_id);
      const step = obey(shipments.get(id), command, now, now + LEASE_MS);
      if (step === undefined) continue;
      shipments.set(id, step.shipment);
      changed.add(id);
      sayings.push(...sayingsOf(step, command));
    }
    const saved = [...changed].map((id) => shipments.get(id)!);
    await saveShipments(tx, saved);
    unit.say(sayings);
    const begun = saved.filter(({ version, status }) => version === 0 && status === 'pending');
    if (begun.length > 0) tx.afterCommit(() => tasks.poke(begun));
  }

  const registrations: TaskKind<RegistrationTask, Outcome> = {
    name: 'shipment registrations',
    claim: ({ tx, now }, { limit, leaseUntil }) => claimShipments(tx, { now, limit, leaseUntil }),
    async perform(task) {
      const begun = world.now();
      const outcome = await tellCarrier(carrier, task);
      telemetry.metrics.providerCalls.observe({ provider: carrier.name, call: 'register', outcome: outcome.result }, (world.now() - begun) / 1_000);
      return outcome;
    },
    unanswered: { result: 'failed', error: 'the carrier did not answer in time' },
    async conclude({ tx, now, say }, done) {
      const registered = new Map(
        done.flatMap(({ task: { id }, outcome }) =>
          outcome.result === 'registered'
            ? [[id, { id, carrier: outcome.carrier, label_ref: outcome.label_ref, estimated_delivery: outcome.estimated_delivery, updated_at: now }]]
            : [],
        ),
      );
      const ready = await markReady(tx, [...registered.values()]);
      say(
        done.flatMap(({ task, outcome }): Saying[] => {
          const sequence = ready.get(task.id);
          if (sequence === undefined || outcome.result !== 'registered') return [];
          ready.delete(task.id); // of two answers for one shipment the first speaks
          return [{ type: 'shipment.ready', subject: task.id, sequence, correlationid: task.order_id!, data: about(task) }];
        }),
      );
      await postpone(
        tx,
        done.flatMap(({ task: { id, attempts }, outcome }) =>
          outcome.result === 'failed' && !registered.has(id)
            ? [{ id, attempts: attempts + 1, due_at: now + pauseAfter(attempts + 1), error: outcome.error, updated_at: now }]
            : [],
        ),
      );
    },
  };
  const tasks = runTasks(mailbox, telemetry, registrations);

  return { obeyAll, registrations, tasks };
}

/** One call to the carrier. What it throws is an outcome too. */
async function tellCarrier(carrier: Carrier, { id, tracking_number, warehouse_id, recipient, ship_to, lines }: RegistrationTask): Promise<Outcome> {
  try {
    const known = await carrier.register({
      id,
      tracking_number: tracking_number!,
      warehouse_id: warehouse_id!,
      recipient: recipient!,
      ship_to,
      lines,
    });
    return { result: 'registered', carrier: carrier.name, ...known };
  } catch (error) {
    return { result: 'failed', error: error instanceof Error ? error.message : String(error) };
  }
}

/** What somebody does with one parcel, e.g. `deliver`. Throws the Refusal of the domain. */
export async function change(unit: Unit, id: string, decide: (shipment: Shipment, now: number) => Step | Refusal): Promise<Shipment> {
  const [shipment] = await lockShipments(unit.tx, [id]);
  if (shipment === undefined) throw new Refusal('shipment_not_found', `there is no shipment ${id}`);
  const step = decide(shipment, unit.now);
  if (step instanceof Refusal) throw step;
  if (step.shipment === shipment) return shipment;
  await saveShipments(unit.tx, [step.shipment]);
  unit.say(sayingsOf(step));
  return { ...step.shipment, version: shipment.version + 1 };
}

const sayingsOf = ({ shipment, events }: Step, cause?: ShipmentCommand): Saying[] =>
  events.map(({ type, data }) => ({
    type,
    data,
    subject: shipment.id,
    sequence: shipment.sequence,
    correlationid: shipment.order_id ?? shipment.id,
    ...(cause && { cause }),
  }));
