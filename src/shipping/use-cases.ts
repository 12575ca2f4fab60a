/**
 * Load, decide, save, say; for sets of commands, for sets of answers of the carrier, and for what people do with one parcel.
 */
import { Refusal } from '../kernel/errors.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Tx } from '../db/database.ts';
import type { Mailbox, Saying, Unit } from '../messaging/mailbox.ts';
import type { RequestContext } from '../messaging/service.ts';
import { LEASE_MS, type TaskKind, type Tasks, runTasks } from '../messaging/tasks.ts';
import type { Carrier } from './carrier.ts';
import { type Outcome, type ShipmentCommand, obey, pauseAfter } from './domain.ts';
import { unwanted } from './domain-labels.ts';
import type { Parcel } from './domain-parcels.ts';
import { cameBack } from './domain-returns.ts';
import { type Shipment, type Step, about, shipmentIdOf } from './domain-shipment.ts';
import { type RegistrationTask, claimShipments, lockShipments, markReady, postpone, saveShipments, shipmentsOfOrders } from './store.ts';
import { type HistoryEntry, writeHistory } from './store-history.ts';
import { lockLiveLabels, saveLabels } from './store-labels.ts';
import { keepEvents } from './store-parcels.ts';
import { saveReturns } from './store-returns.ts';

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
    const others = await shipmentsOfOrders(
      tx,
      commands.filter(meansAll).map(({ data }) => data.order_id),
    );
    const known = new Map((await lockShipments(tx, [...commands.map(addressOf), ...others.map(({ id }) => id)])).map((one) => [one.id, one]));
    const shipments = new Map(known);
    const changed = new Set<string>();
    const sayings: Saying[] = [];
    for (const command of commands) {
      for (const id of addresseesOf(command, shipments)) {
        const step = obey({ id, shipment: shipments.get(id) }, command, now, now + LEASE_MS);
        if (step === undefined) continue;
        shipments.set(id, step.shipment);
        changed.add(id);
        sayings.push(...sayingsOf(step, command));
      }
    }
    const saved = [...changed].map((id) => shipments.get(id)!);
    await keepShipments(unit, saved, known);
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

/** The shipment a command names, or the ordinary one of its order. */
const addressOf = ({ data }: ShipmentCommand): string => data.shipment_id ?? shipmentIdOf(data.order_id);
/** Without a name these mean every shipment of the order. */
const meansAll = ({ type, data }: ShipmentCommand): boolean =>
  data.shipment_id === undefined && (type === 'shipment.cancel' || type === 'shipment.hold' || type === 'shipment.release_hold');

function addresseesOf(command: ShipmentCommand, shipments: ReadonlyMap<string, Shipment>): readonly string[] {
  if (!meansAll(command)) return [addressOf(command)];
  const all = [...shipments.values()].filter(({ order_id }) => order_id === command.data.order_id).map(({ id }) => id);
  return all.length > 0 ? all : [addressOf(command)];
}

/** One person's act. */
export interface Act {
  /** As the history calls it. */
  readonly action: string;
  readonly context: Pick<RequestContext, 'client' | 'operation'>;
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly expected_version?: number | undefined;
  /** Say what would come of it, and change nothing. */
  readonly dry_run?: boolean | undefined;
}

/** What somebody does with one shipment, e.g. `deliver`. Throws the Refusal of the domain. */
export async function change(unit: Unit, id: string, act: Act, decide: (shipment: Shipment, now: number) => Step | Refusal): Promise<Shipment> {
  const shipment = await lockShipment(unit, id);
  refuseOtherVersion(`shipment ${id}`, shipment.version, act.expected_version);
  const step = decide(shipment, unit.now);
  if (step instanceof Refusal) throw step;
  return keepStep(unit, shipment, step, act);
}

export async function lockShipment({ tx }: Unit, id: string): Promise<Shipment> {
  const [shipment] = await lockShipments(tx, [id]);
  if (shipment === undefined) throw new Refusal('shipment_not_found', `there is no shipment ${id}`);
  return shipment;
}

export function refuseOtherVersion(name: string, version: number, expected: number | undefined): void {
  if (expected !== undefined && expected !== version)
    throw new Refusal('version_mismatch', `${name} has version ${version}, not ${expected}`, [
      { field: 'expected_version', rule: `the version is ${version}` },
    ]);
}

/** Saves and says what came of an act; answers the shipment as it is then. */
export async function keepStep(unit: Unit, before: Shipment, step: Step, act: Act): Promise<Shipment> {
  const { tx, now } = unit;
  const { shipment, tracked = [] } = step;
  if (shipment === before) return before;
  const after = { ...shipment, version: before.version + 1 };
  if (act.dry_run === true) return after;
  await keepShipments(unit, [shipment], new Map([[before.id, before]]));
  await keepEvents(
    tx,
    tracked.map((event) => ({ ...event, shipment_id: shipment.id, received_at: now, entered_by: act.context.client })),
  );
  await record(tx, act, { subject: shipment.id, version: after.version, at: now });
  unit.say(sayingsOf(step));
  return after;
}

/** Saves shipments with their parcels: labels of parcels that are none any more are given back, parcels that came back are returns. */
async function keepShipments(unit: Unit, shipments: readonly Shipment[], known: ReadonlyMap<string, Shipment>): Promise<void> {
  await saveShipments(unit.tx, shipments, known);
  await saveReturns(
    unit.tx,
    shipments.flatMap((shipment) => newlyBack(shipment, known.get(shipment.id)).map((parcel) => cameBack(shipment, parcel, unit.now))),
  );
  const opened = shipments.flatMap(({ parcels }) => parcels.filter(({ status }) => status === 'cancelled'));
  const labels = await lockLiveLabels(unit.tx, opened.map(({ id }) => id)); // oxfmt-ignore
  await saveLabels(unit.tx, labels.map((label) => unwanted(label, unit.now))); // oxfmt-ignore
}

const newlyBack = ({ parcels }: Shipment, before: Shipment | undefined): Parcel[] =>
  parcels.filter(({ id, status }) => status === 'returned' && before?.parcels.find((parcel) => parcel.id === id)?.status !== 'returned');

/** The short way, and what carriers say (which is kept anyhow), are spared an entry unless they were given a name. */
const ORDINARY: ReadonlySet<string> = new Set(['dispatch', 'deliver', 'track']);

export async function record(tx: Tx, { action, context, detail = {} }: Act, of: Pick<HistoryEntry, 'subject' | 'version' | 'at'>): Promise<void> {
  if (ORDINARY.has(action) && context.operation === undefined) return;
  await writeHistory(tx, [{ ...of, action, client: context.client, operation: context.operation ?? null, detail }]);
}

/** Events are numbered on from those that were said of the shipment before. */
const sayingsOf = ({ shipment, events }: Step, cause?: ShipmentCommand): Saying[] =>
  events.map(({ type, data }, i) => ({
    type,
    data,
    subject: shipment.id,
    sequence: shipment.sequence - events.length + i + 1,
    correlationid: shipment.order_id ?? shipment.id,
    ...(cause && { cause }),
  }));
