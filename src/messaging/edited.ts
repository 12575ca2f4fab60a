/**
 * A dead letter sent again with other data, because its sender got them wrong and cannot be asked.
 *
 *   open ── the row takes the edited message, under a new id, caused by the old one ──> redriving       one transaction
 *
 * Only data can be edited, and only into what the contract allows. The new id is new to every inbox: so it is refused once the old message
 * was handled after all. What was changed, by whom and why, stands in the log; if the edited message fails, the same dead letter is open
 * again, with the edited message in it.
 */
import type { Message } from '../contracts/envelope.ts';
import { schemaOf } from '../contracts/messages.ts';
import { type FieldError, Refusal } from '../kernel/errors.ts';
import type { World } from '../kernel/world.ts';
import { type Act, type DeadLetterStatus, log, redriveMany } from './dead-letters.ts';
import type { Unit } from './mailbox.ts';

/** Characters of the log that tell of changes. */
const CHANGES_MAX = 2_000;

/**
 * Throws the Refusals `dead_letter_not_found`, `dead_letter_state` (not open, or its message was handled after all) and `invalid_request`
 * (the data break the contract, or nothing was changed).
 */
export async function redriveEdited(unit: Unit, id: string, data: unknown, { actor, reason }: Act, world: World): Promise<void> {
  const { tx, now } = unit;
  const message = await lockOpen(unit, id);
  checkData(message, data);
  const changes = changesOf(message.data, data);
  if (changes.length === 0) throw new Refusal('invalid_request', 'nothing is changed: send it again as it is', [{ field: 'data', rule: 'changed' }]);
  const handled = await tx.raw('select 1 as found from inbox where message_id = $1', [message.id]);
  if (handled.length > 0) throw new Refusal('dead_letter_state', `the message of dead letter ${id} was handled after all: discard it`);
  const edited: Message = { ...message, id: world.id('msg'), causationid: message.id, data };
  await tx.raw('update dead_letter set message_id = $1, message = $2 where id = $3', [edited.id, JSON.stringify(edited), id]);
  await log(tx, [{ dead_letter_id: id, at: now, actor, action: 'edited', detail: changes.join('; ').slice(0, CHANGES_MAX) }]);
  await redriveMany(unit, [id], { actor, reason });
}

async function lockOpen({ tx }: Unit, id: string): Promise<Message> {
  const text = `select d.status, d.message from dead_letter d where d.id = $1 ${tx.dialect.forUpdate('d')}`;
  const [found] = await tx.raw<{ status: DeadLetterStatus; message: string }>(text, [id]);
  if (found === undefined) throw new Refusal('dead_letter_not_found', `there is no dead letter ${id}`);
  if (found.status !== 'open') throw new Refusal('dead_letter_state', `dead letter ${id} is ${found.status}, not open`);
  return JSON.parse(found.message) as Message;
}

function checkData({ type }: Message, data: unknown): void {
  const checked = schemaOf(type)?.safeParse(data);
  if (checked === undefined)
    throw new Refusal('invalid_request', `nobody here knows messages of type ${type}: send it again as it is, or discard it`);
  if (checked.success) return;
  const errors = checked.error.issues.map(({ path, message }): FieldError => ({ field: ['data', ...path].join('.'), rule: message }));
  throw new Refusal('invalid_request', `this does not fit the contract of ${type}`, errors);
}

/** One sentence a field that differs, e.g. `lines.0.quantity: "2" → 2`. A token is not written down. Pure. */
export function changesOf(before: unknown, after: unknown, path = ''): string[] {
  if (isTree(before) && isTree(after) && Array.isArray(before) === Array.isArray(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return names.flatMap((name) => changesOf(before[name], after[name], path === '' ? name : `${path}.${name}`));
  }
  if (Object.is(before, after)) return [];
  const secret = path.split('.').at(-1) === 'token';
  const shown = (value: unknown): string => (value === undefined ? 'nothing' : secret ? '[redacted]' : JSON.stringify(value));
  return [`${path === '' ? 'data' : path}: ${shown(before)} → ${shown(after)}`];
}

const isTree = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
