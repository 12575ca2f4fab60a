/** SQL of what customers want to hear and of the texts they read. */
import { type Reader, type Tx, statement } from '../db/database.ts';
import type { Text, Topic } from './domain.ts';
import { type Template, type Templates, templateKey } from './domain-texts.ts';

/** A row of `customer_preference`. */
export interface Preference {
  readonly customer_id: string;
  /** BCP 47; null: as the order says. */
  readonly locale: string | null;
  readonly opted_out: readonly Topic[];
  readonly version: number;
  readonly updated_at: number;
}

const readPreferences = statement<{ customer_id: string }, Preference>(
  { customer_id: 'text' },
  (rows) => `
    select p.customer_id, p.locale, p.opted_out, p.version, p.updated_at from ${rows}
    join customer_preference p on p.customer_id = row.customer_id`,
  { json: ['opted_out'] },
);
const writePreferences = statement<{ customer_id: string; locale: string | null; opted_out: string; updated_at: number }, Preference>(
  { customer_id: 'text', locale: 'text', opted_out: 'text', updated_at: 'bigint' },
  (rows) => `
    insert into customer_preference (customer_id, locale, opted_out, version, updated_at)
    select row.customer_id, row.locale, row.opted_out, 1, row.updated_at from ${rows} where true
    on conflict (customer_id) do update set locale = excluded.locale, opted_out = excluded.opted_out, version = customer_preference.version + 1,
      updated_at = excluded.updated_at
    returning customer_id, locale, opted_out, version, updated_at`,
  { json: ['opted_out'] },
);

/** What these customers want, as far as they ever said. */
export async function preferencesOf(reader: Reader, customerIds: Iterable<string>): Promise<Map<string, Preference>> {
  const rows = await reader.run(
    readPreferences,
    Array.from(new Set(customerIds), (customer_id) => ({ customer_id })),
  );
  return new Map(rows.map((row) => [row.customer_id, row]));
}

export async function writePreference(tx: Tx, preference: Omit<Preference, 'version'>): Promise<Preference> {
  const [written] = await tx.run(writePreferences, [{ ...preference, opted_out: JSON.stringify(preference.opted_out) }]);
  return written!;
}

const readTexts = statement<{ topic: string }, Text & { topic: Topic; locale: string }>(
  { topic: 'text' },
  (rows) => `select t.topic, t.locale, t.subject, t.body from ${rows} join notification_template t on t.topic = row.topic`,
);
const writeTemplates = statement<Text & { topic: string; locale: string; at: number }, Template>(
  { topic: 'text', locale: 'text', subject: 'text', body: 'text', at: 'bigint' },
  (rows) => `
    insert into notification_template (topic, locale, subject, body, version, created_at, updated_at)
    select row.topic, row.locale, row.subject, row.body, 1, row.at, row.at from ${rows} where true
    on conflict (topic, locale) do update set subject = excluded.subject, body = excluded.body, version = notification_template.version + 1,
      updated_at = excluded.updated_at
    returning topic, locale, subject, body, version, created_at, updated_at`,
);
const deleteTemplates = statement<{ topic: string; locale: string }, { topic: string }>(
  { topic: 'text', locale: 'text' },
  (rows) => `
    delete from notification_template where exists (
      select 1 from ${rows} where row.topic = notification_template.topic and row.locale = notification_template.locale)
    returning topic`,
);

/** The shop's own texts for these topics, in all languages. */
export async function templatesOf(reader: Reader, topics: Iterable<Topic>): Promise<Templates> {
  const rows = await reader.run(
    readTexts,
    Array.from(new Set(topics), (topic) => ({ topic })),
  );
  return new Map(rows.map(({ topic, locale, subject, body }) => [templateKey(topic, locale), { subject, body }]));
}

/** All there are: topics are few, and languages too. */
export const listTemplates = (reader: Reader): Promise<Template[]> =>
  reader.raw<Template & Record<string, never>>('select * from notification_template order by topic, locale limit 1000');

export async function writeTemplate(tx: Tx, template: Pick<Template, 'topic' | 'locale' | 'subject' | 'body'>, at: number): Promise<Template> {
  const [written] = await tx.run(writeTemplates, [{ ...template, at }]);
  return written!;
}

/** Answers whether there was one. */
export const deleteTemplate = async (tx: Tx, topic: Topic, locale: string): Promise<boolean> =>
  (await tx.run(deleteTemplates, [{ topic, locale }])).length > 0;
