/**
 * Which dead letters a job is about: looked at beforehand (a dry run), or written down as the job's items.
 *
 * A filter is walked in the order of ids, a piece at a time, so that no statement reads more than a piece, however many dead letters there
 * are and however few of them fit.
 */
import type { Message } from '../contracts/envelope.ts';
import { schemaOf } from '../contracts/messages.ts';
import { type Reader, statement } from '../db/database.ts';
import { Refusal } from '../kernel/errors.ts';
import { idFloor } from '../kernel/world.ts';
import type { DeadLetter } from './dead-letters.ts';
import type { Unit } from './mailbox.ts';

/** Open dead letters that fit everything given; or those named, whatever their status. */
export interface Selection {
  readonly ids?: readonly string[];
  /** The group. */
  readonly fingerprint?: string;
  readonly consumer?: string;
  readonly type?: string;
  readonly code?: string;
  readonly correlationid?: string;
  /** First given up at or after this time, and before that, milliseconds UTC. */
  readonly since?: number;
  readonly until?: number;
}

/** Dead letters one statement looks at. */
const PIECE = 2_000;
const SAMPLES = 5;

/** What an index leads to, and what is looked at in what it leads to. */
const FOUND_BY = { fingerprint: 'fingerprint', correlationid: 'correlationid' } as const;
const LOOKED_AT = { consumer: 'destination', type: 'type', code: 'code' } as const;

interface Condition {
  readonly text: string;
  readonly parameters: readonly (string | number)[];
}

/** Open ones behind `after` and up to `last`, by equality of the columns given. */
function where(selection: Selection, columns: Readonly<Record<string, string>>, after: string, last: string): Condition {
  const parameters: (string | number)[] = [after, last];
  const texts = [`status = 'open'`, 'id > $1', 'id <= $2'];
  for (const [name, column] of Object.entries(columns)) {
    const wanted = selection[name as 'type'];
    if (wanted !== undefined) texts.push(`${column} = $${parameters.push(wanted)}`);
  }
  return { text: texts.join(' and '), parameters };
}

/** Where the next piece ends; undefined when nothing is left. */
async function endOfPiece(reader: Reader, selection: Selection, after: string, last: string): Promise<string | undefined> {
  const { text, parameters } = where(selection, FOUND_BY, after, last);
  const [row] = await reader.raw<{ last: string | null }>(
    `select max(id) as last from (select id from dead_letter where ${text} order by id limit ${PIECE}) piece`,
    parameters,
  );
  return row?.last ?? undefined;
}

const fitting = (selection: Selection, after: string, end: string): Condition => where(selection, { ...FOUND_BY, ...LOOKED_AT }, after, end);

/** The id behind which a selection begins. */
const firstOf = ({ since }: Selection): string => (since === undefined ? '' : idFloor('dl', since));

/** The newest dead letter a selection may hold. */
export async function newestId(reader: Reader, { until }: Selection): Promise<string> {
  const [newest] = await reader.raw<{ id: string | null }>('select max(id) as id from dead_letter');
  const id = newest?.id ?? '';
  const bound = until === undefined ? id : idFloor('dl', until);
  return bound < id ? bound : id;
}

/** What of a job its selection has to do with. */
export interface Selecting {
  readonly id: string;
  readonly asked: Selection;
  readonly frozen_at: number;
  /** How far the selection is written down: empty for not begun, null for the whole of it. */
  readonly selected_to: string | null;
  readonly last_id: string;
}

export interface Piece {
  readonly selected_to: string | null;
  /** Items written down. */
  readonly found: number;
}

/** Writes down the next piece of a selection. In the first one all there is was there before the job; in later ones a clock has to tell. */
export async function writeDown({ tx, now }: Unit, { id, asked, frozen_at, selected_to, last_id }: Selecting): Promise<Piece> {
  const begins = selected_to === '' || selected_to === null;
  const after = begins ? firstOf(asked) : selected_to;
  const end = await endOfPiece(tx, asked, after, last_id);
  if (end === undefined) return { selected_to: null, found: 0 };
  const { text, parameters } = fitting(asked, after, end);
  const n = parameters.length;
  const written = await tx.raw(
    `insert into dead_letter_job_item (job_id, dead_letter_id, stream, sequence, message_id, outcome, redrives, detail, changed_at)
     select cast($${n + 1} as text), id, source || ':' || subject, coalesce(sequence, 0), message_id, 'waiting', 0, '', cast($${n + 2} as bigint)
     from dead_letter where ${text} and changed_at <= $${n + 3}
     on conflict (job_id, dead_letter_id) do nothing returning dead_letter_id`,
    [...parameters, id, now, begins ? Number.MAX_SAFE_INTEGER : frozen_at],
  );
  const more = await endOfPiece(tx, asked, end, last_id);
  return { selected_to: more === undefined ? null : end, found: written.length };
}

interface NamedRow {
  readonly job_id: string;
  readonly dead_letter_id: string;
  readonly changed_at: number;
}
const insertNamed = statement<NamedRow, { dead_letter_id: string }>(
  { job_id: 'text', dead_letter_id: 'text', changed_at: 'bigint' },
  (rows) => `
    insert into dead_letter_job_item (job_id, dead_letter_id, stream, sequence, message_id, outcome, redrives, detail, changed_at)
    select row.job_id, d.id, d.source || ':' || d.subject, coalesce(d.sequence, 0), d.message_id, 'waiting', 0, '', row.changed_at
    from ${rows} join dead_letter d on d.id = row.dead_letter_id where true returning dead_letter_id`,
);

/** Writes down the ones named. Throws the Refusal `dead_letter_not_found` for one there is none of. */
export async function writeDownNamed({ tx, now }: Unit, job_id: string, ids: readonly string[]): Promise<Piece> {
  const written = await tx.run(
    insertNamed,
    [...new Set(ids)].map((dead_letter_id) => ({ job_id, dead_letter_id, changed_at: now })),
  );
  const known = new Set(written.map(({ dead_letter_id }) => dead_letter_id));
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined) throw new Refusal('dead_letter_not_found', `there is no dead letter ${unknown}`);
  return { selected_to: null, found: written.length };
}

/** Dead letters of one kind in a selection. */
export interface Kind {
  readonly consumer: string | null;
  readonly type: string;
  readonly code: string;
  readonly count: number;
}

export type Sample = Pick<DeadLetter, 'id' | 'type' | 'subject' | 'correlationid' | 'code' | 'error' | 'first_failed_at'> & {
  /** Why it would be given up again at once; null when its data fit the contract of its type. */
  readonly misfit: string | null;
};

export interface Preview {
  readonly total: number;
  readonly kinds: readonly Kind[];
  readonly samples: readonly Sample[];
  /** Of the ids named, those that are not open (any more), or not here. */
  readonly others: readonly string[];
}

const SAMPLE = 'id, type, subject, correlationid, code, error, first_failed_at, message';
type SampleRow = Omit<Sample, 'misfit'> & { readonly message: string };

/** What a job over a selection would be about. Changes nothing. */
export const preview = (reader: Reader, selection: Selection): Promise<Preview> =>
  selection.ids === undefined ? previewOfFilter(reader, selection) : previewOfNamed(reader, selection.ids);

/** What is open and fits, piece by piece. */
async function* walk(reader: Reader, selection: Selection): AsyncGenerator<Condition> {
  const last = await newestId(reader, selection);
  let after = firstOf(selection);
  for (;;) {
    const end = await endOfPiece(reader, selection, after, last);
    if (end === undefined) return;
    yield fitting(selection, after, end);
    after = end;
    await new Promise<void>((resolve) => setImmediate(resolve)); // a million of them must not keep everybody else waiting
  }
}

/** Whether a job over the selection would have anything to do here. */
export async function holdsAny(reader: Reader, selection: Selection): Promise<boolean> {
  if (selection.ids !== undefined) return (await previewOfNamed(reader, selection.ids)).total > 0;
  for await (const { text, parameters } of walk(reader, selection))
    if ((await reader.raw(`select id from dead_letter where ${text} limit 1`, parameters)).length > 0) return true;
  return false;
}

async function previewOfFilter(reader: Reader, selection: Selection): Promise<Preview> {
  const kinds = new Map<string, Kind>();
  const samples: Sample[] = [];
  for await (const { text, parameters } of walk(reader, selection)) {
    const found = await reader.raw<Kind>(
      `select destination as consumer, type, code, cast(count(*) as bigint) as count from dead_letter where ${text} group by destination, type, code`,
      parameters,
    );
    addTo(kinds, found);
    if (found.length > 0 && samples.length < SAMPLES) {
      const rows = await reader.raw<SampleRow>(`select ${SAMPLE} from dead_letter where ${text} order by id limit ${SAMPLES}`, parameters);
      samples.push(...rows.slice(0, SAMPLES - samples.length).map(toSample));
    }
  }
  return { ...summed(kinds), samples, others: [] };
}

const findNamed = statement<{ id: string }, SampleRow & { consumer: string | null }>(
  { id: 'text' },
  (rows) => `
    select d.${SAMPLE.replaceAll(', ', ', d.')}, d.destination as consumer from dead_letter d join ${rows} on d.id = row.id where d.status = 'open'`,
);

async function previewOfNamed(reader: Reader, ids: readonly string[]): Promise<Preview> {
  const rows = await reader.run(
    findNamed,
    [...new Set(ids)].map((id) => ({ id })),
  );
  const kinds = new Map<string, Kind>();
  for (const { consumer, type, code } of rows) addTo(kinds, [{ consumer, type, code, count: 1 }]);
  const open = new Set(rows.map(({ id }) => id));
  const samples = rows.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, SAMPLES);
  return { ...summed(kinds), samples: samples.map(toSample), others: ids.filter((id) => !open.has(id)) };
}

function addTo(kinds: Map<string, Kind>, found: readonly Kind[]): void {
  for (const kind of found) {
    const name = [kind.consumer, kind.type, kind.code].join('\n');
    kinds.set(name, { ...kind, count: kind.count + (kinds.get(name)?.count ?? 0) });
  }
}

function summed(kinds: ReadonlyMap<string, Kind>): Pick<Preview, 'total' | 'kinds'> {
  const all = [...kinds.values()].sort((a, b) => b.count - a.count);
  return { total: all.reduce((sum, { count }) => sum + count, 0), kinds: all };
}

/** A message that broke its contract fits it after a release that knows better, and not before. */
function toSample(row: SampleRow & { readonly consumer?: string | null }): Sample {
  const { message, consumer: _consumer, ...sample } = row;
  const { type, data } = JSON.parse(message) as Message;
  const checked = schemaOf(type)?.safeParse(data);
  const misfit = checked === undefined ? `nobody defined ${type}` : checked.success ? null : `it breaks the contract of ${type}`;
  return { ...sample, misfit };
}
