/** Labels: asked for, bought between two transactions, given back when their parcel is opened or cancelled. */
import { createHash } from 'node:crypto';
import { Refusal, codeOf } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import type { Telemetry } from '../kernel/telemetry.ts';
import type { Mailbox, Unit } from '../messaging/mailbox.ts';
import { type TaskKind, type Tasks, runTasks } from '../messaging/tasks.ts';
import type { Carrier, LabelAnswer } from './carrier.ts';
import { type Label, type LabelFormat, type LabelOutcome, concluded, isLive, unwanted } from './domain-labels.ts';
import type { Parcel } from './domain-parcels.ts';
import { type Shipment, impossible, silent } from './domain-shipment.ts';
import { type LabelTask, claimLabels, insertLabels, labelTasks, listLabels, lockLabels, lockLiveLabels, saveLabels } from './store-labels.ts';
import { type Act, keepStep, lockShipment, refuseOtherVersion } from './use-cases.ts';

export interface LabelDesk {
  /** What buys labels and gives them back. */
  readonly labels: TaskKind<LabelTask, LabelOutcome>;
  readonly tasks: Tasks<LabelTask>;
  /** Asks for labels of parcels of a packed shipment, all of them when none is named; answers all labels of the shipment. */
  order(unit: Unit, shipmentId: string, wanted: LabelOrder, act: Act): Promise<Label[]>;
  /** Gives the label of a parcel back. */
  giveBack(unit: Unit, shipmentId: string, parcelId: string, act: Act): Promise<Label[]>;
}

export interface LabelOrder {
  readonly format: LabelFormat;
  readonly parcel_ids?: readonly string[] | undefined;
}

export function labelDesk({ mailbox, telemetry, carrier }: { mailbox: Mailbox; telemetry: Telemetry; carrier: Carrier }): LabelDesk {
  const { world } = mailbox;
  const labels: TaskKind<LabelTask, LabelOutcome> = {
    name: 'labels',
    claim: ({ tx, now }, { limit, leaseUntil }) => claimLabels(tx, { now, limit, leaseUntil }),
    async perform(task) {
      const begun = world.now();
      const outcome = await askCarrier(carrier, task);
      telemetry.metrics.providerCalls.observe({ provider: carrier.name, call: 'label', outcome: outcome.result }, (world.now() - begun) / 1_000);
      return outcome;
    },
    unanswered: { result: 'unknown', error: 'the carrier did not answer in time' },
    async conclude({ tx, now }, done) {
      const known = new Map((await lockLabels(tx, [...new Set(done.map(({ task }) => task.id))])).map((label) => [label.id, label]));
      const saved = done.flatMap(({ task, outcome }) => {
        const label = known.get(task.id);
        if (label?.attempts !== task.attempts) return []; // of two answers for one call the first counts
        known.delete(task.id);
        return [{ ...concluded(label, outcome, now), document: outcome.result === 'bought' ? outcome.document : undefined }];
      });
      await saveLabels(tx, saved);
    },
  };
  const tasks = runTasks(mailbox, telemetry, labels);

  async function order(unit: Unit, shipmentId: string, { format, parcel_ids }: LabelOrder, act: Act): Promise<Label[]> {
    const { tx, now } = unit;
    const shipment = await lockShipment(unit, shipmentId);
    refuseOtherVersion(`shipment ${shipmentId}`, shipment.version, act.expected_version);
    if (shipment.status !== 'packed') throw impossible(shipment, 'labelled');
    const parcels = parcelsNamed(shipment, parcel_ids);
    const live = new Map(
      (
        await lockLiveLabels(
          tx,
          parcels.map(({ id }) => id),
        )
      ).map((label) => [label.parcel_id, label]),
    );
    const fresh = parcels
      .filter(({ id }) => !isOrdered(live.get(id), format))
      .map((parcel) => newLabel(parcel, format, { world, now, dueAt: tasks.leaseFrom(now) }));
    const before = await listLabels(tx, shipmentId);
    if (fresh.length === 0) return before;
    await keepStep(unit, shipment, silent({ ...shipment, updated_at: now }), act);
    if (act.dry_run !== true) {
      await insertLabels(tx, fresh);
      const begun = await labelTasks(tx, fresh);
      tx.afterCommit(() => tasks.poke(begun));
    }
    return [...fresh.toReversed(), ...before];
  }

  async function giveBack(unit: Unit, shipmentId: string, parcelId: string, act: Act): Promise<Label[]> {
    const { tx, now } = unit;
    const shipment = await lockShipment(unit, shipmentId);
    const [parcel] = parcelsNamed(shipment, [parcelId]);
    if (shipment.status !== 'packed') throw impossible(shipment, 'parted from its label');
    const live = await lockLiveLabels(tx, [parcel!.id]);
    const given = live.map((label) => unwanted(label, now));
    if (given.length > 0) await keepStep(unit, shipment, silent({ ...shipment, updated_at: now }), act);
    if (act.dry_run !== true) await saveLabels(tx, given);
    const after = new Map(given.map((label) => [label.id, label]));
    return (await listLabels(tx, shipmentId)).map((label) => after.get(label.id) ?? label);
  }

  return { labels, tasks, order, giveBack };
}

function parcelsNamed({ id, parcels }: Shipment, ids: readonly string[] | undefined): readonly Parcel[] {
  if (ids === undefined) return parcels;
  const missing = ids.find((wanted) => !parcels.some((parcel) => parcel.id === wanted));
  if (missing !== undefined) throw new Refusal('parcel_not_found', `shipment ${id} has no parcel ${missing}`);
  return parcels.filter((parcel) => ids.includes(parcel.id));
}

function isOrdered(label: Label | undefined, format: LabelFormat): boolean {
  if (label === undefined || !isLive(label)) return false;
  if (label.format === format) return true;
  throw new Refusal('label_state', `parcel ${label.parcel_id} has a label as ${label.format}, which is ${label.status}: give it back first`);
}

const newLabel = (
  { id: parcel_id, shipment_id }: Parcel,
  format: LabelFormat,
  { world, now, dueAt }: { readonly world: World; readonly now: number; readonly dueAt: number },
): Label => ({
  id: world.id('lbl'),
  shipment_id,
  parcel_id,
  format,
  status: 'requested',
  unwanted: 0,
  attempts: 0,
  due_at: dueAt,
  carrier: null,
  carrier_ref: null,
  content_type: null,
  sha256: null,
  error: null,
  created_at: now,
  updated_at: now,
});

/** One call to the carrier. What it throws is an outcome too. */
async function askCarrier(carrier: Carrier, task: LabelTask): Promise<LabelOutcome> {
  const { status, unwanted: given, attempts: _attempts, ...call } = task;
  let asking = false;
  try {
    if (status === 'voiding') return await carrier.voidLabel(call);
    if (status === 'unknown' || given === 1) {
      asking = true;
      const found = await carrier.findLabel(call);
      if (found.result !== 'absent') return outcomeOf(carrier, found);
      if (given === 1) return found;
      asking = false;
    }
    return outcomeOf(carrier, await carrier.buyLabel(call));
  } catch (error) {
    const untaken = !asking && codeOf(error) === 'provider_unavailable';
    return { result: untaken ? 'untaken' : 'unknown', error: error instanceof Error ? error.message : String(error) };
  }
}

function outcomeOf({ name }: Carrier, answer: LabelAnswer): LabelOutcome {
  if (answer.result === 'refused') return answer;
  const { carrier_ref, content_type, content } = answer;
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { result: 'bought', carrier: name, carrier_ref, document: { content_type, content, sha256 } };
}
