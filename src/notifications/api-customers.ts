/** The doors of what customers want to hear, and of the texts they read. */
import { z } from 'zod';
import { localeSchema, longTextSchema, textSchema, timestamp } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import { rfc3339, rfc3339OrNull } from '../kernel/time.ts';
import { once } from '../messaging/idempotency.ts';
import type { Mailbox } from '../messaging/mailbox.ts';
import { type Route, route } from '../messaging/service.ts';
import { TOPICS } from './domain.ts';
import { type Template, checkTemplate, variablesOf } from './domain-texts.ts';
import { type Preference, deleteTemplate, listTemplates, preferencesOf, writePreference, writeTemplate } from './store-customers.ts';

const topicSchema = z.enum(TOPICS);
const wishesSchema = z.object({
  locale: localeSchema.nullable().default(null).meta({ description: 'The language to write in; null: as the order says, else English.' }),
  opted_out: z
    .array(topicSchema)
    .max(TOPICS.length)
    .transform((topics) => [...new Set(topics)])
    .meta({ description: 'What the customer wants to hear nothing of.', examples: [['order.delivered']] }),
});
const preferenceSchema = z
  .object({
    customer_id: z.string(),
    locale: z.string().nullable(),
    opted_out: z.array(topicSchema),
    version: z.int().meta({ description: '0 while the customer has never said anything.' }),
    updated_at: timestamp.nullable(),
  })
  .meta({ id: 'CustomerPreferences', description: 'What a customer wants to hear, and in which language.' });

const templateSchema = z
  .object({
    topic: topicSchema,
    locale: z.string(),
    subject: z.string(),
    body: z.string(),
    variables: z.array(z.string()).meta({ description: 'What a template of this topic may speak of.' }),
    version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'NotificationTemplate', description: 'What customers who read this language are told of this topic, in the words of the shop.' });

const presentTemplate = (template: Template): z.output<typeof templateSchema> => ({
  ...template,
  variables: [...variablesOf(template.topic)],
  created_at: rfc3339(template.created_at),
  updated_at: rfc3339(template.updated_at),
});
const presentPreference = (
  preference: Omit<Preference, 'updated_at'> & { readonly updated_at: number | null },
): z.output<typeof preferenceSchema> => ({
  ...preference,
  opted_out: [...preference.opted_out],
  updated_at: rfc3339OrNull(preference.updated_at),
});

const customer = z.object({ customer_id: textSchema(128).meta({ description: 'As orders name the customer.', examples: ['ada'] }) });
const one = z.object({ topic: topicSchema.meta({ examples: ['order.shipped'] }), locale: localeSchema });

export function customerRoutes(mailbox: Mailbox): Route[] {
  const path = '/v1/customers/{customer_id}/preferences';
  return [
    route({
      method: 'GET',
      path,
      tag: 'Notifications',
      summary: 'Read what a customer wants to hear',
      params: customer,
      output: preferenceSchema,
      answers: 'ok',
      async handle({ params: { customer_id } }) {
        const known = (await preferencesOf(mailbox.db.read, [customer_id])).get(customer_id);
        return presentPreference(known ?? { customer_id, locale: null, opted_out: [], version: 0, updated_at: null });
      },
    }),
    route({
      method: 'PUT',
      path,
      tag: 'Notifications',
      summary: 'Set what a customer wants to hear: topics he has opted out of are kept as suppressed and not sent',
      params: customer,
      body: wishesSchema,
      output: preferenceSchema,
      answers: 'ok',
      handle: ({ params: { customer_id }, body, context }) =>
        once(mailbox, context, `PUT ${path}`, async ({ tx, now }) =>
          presentPreference(await writePreference(tx, { customer_id, ...body, updated_at: now })),
        ),
    }),
  ];
}

export function templateRoutes(mailbox: Mailbox): Route[] {
  const list = '/v1/notification-templates';
  const path = `${list}/{topic}/{locale}`;
  return [
    route({
      method: 'GET',
      path: list,
      tag: 'Notifications',
      summary: 'List the texts the shop has written; where there is none, plain English is sent',
      output: z.object({ items: z.array(templateSchema), next_cursor: z.null() }),
      answers: 'ok',
      handle: async () => ({ items: (await listTemplates(mailbox.db.read)).map(presentTemplate), next_cursor: null }),
    }),
    route({
      method: 'PUT',
      path,
      tag: 'Notifications',
      summary: 'Write the text of a topic in a language; somebody who reads de-AT gets de-AT, else de, else en',
      params: one,
      body: z.object({
        subject: textSchema(200).meta({ examples: ['Ihre Bestellung {{order_number}} ist unterwegs'] }),
        body: longTextSchema(10_000)
          .min(1)
          .meta({ examples: ['Guten Tag {{customer_name}},\n\nverfolgen Sie sie mit {{tracking_number}}.\n'] }),
      }),
      output: templateSchema,
      answers: 'ok',
      refuses: ['invalid_request'],
      async handle({ params: { topic, locale }, body, context }) {
        checkTemplate(topic, body);
        return once(mailbox, context, `PUT ${path}`, async ({ tx, now }) =>
          presentTemplate(await writeTemplate(tx, { topic, locale, ...body }, now)),
        );
      },
    }),
    route({
      method: 'DELETE',
      path,
      tag: 'Notifications',
      summary: 'Go back to plain English, or to the text of a wider language',
      params: one,
      output: z.object({ topic: topicSchema, locale: z.string() }),
      answers: 'ok',
      refuses: ['template_not_found'],
      handle: ({ params: { topic, locale }, context }) =>
        once(mailbox, context, `DELETE ${path}`, async ({ tx }) => {
          if (!(await deleteTemplate(tx, topic, locale))) throw new Refusal('template_not_found', `there is no text of ${topic} in ${locale}`);
          return { topic, locale };
        }),
    }),
  ];
}
