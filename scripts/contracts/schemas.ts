/**
 * The published language as JSON Schemas: what docs/schemas, the AsyncAPI document and the check of compatibility are all made of.
 *
 * Draft 07, because that is the one AsyncAPI speaks without being told. The schemas are those of what is read: fields nobody knows
 * are no fault, as consumers promise (contracts/messages.ts).
 */
import { z } from 'zod';

export type Schema = z.core.JSONSchema.JSONSchema;

/** A type of message and what was promised of it. */
export interface Contract {
  readonly kind: 'event' | 'command';
  /** The service a command is for. */
  readonly to?: string;
  readonly data: Schema;
}
export type Contracts = Readonly<Record<string, Contract>>;

/** All types, in the order they are defined. */
export function contractsOf(
  events: Readonly<Record<string, z.ZodType>>,
  commands: Readonly<Record<string, { readonly to: string; readonly data: z.ZodType }>>,
): Contracts {
  return Object.fromEntries([
    ...Object.entries(events).map(([type, data]): [string, Contract] => [type, { kind: 'event', data: schemaOf(data) }]),
    ...Object.entries(commands).map(([type, { to, data }]): [string, Contract] => [type, { kind: 'command', to, data: schemaOf(data) }]),
  ]);
}

function schemaOf(data: z.ZodType): Schema {
  const { $schema: _, '~standard': _standard, ...schema } = z.toJSONSchema(data, { target: 'draft-07', io: 'input' });
  return schema;
}

/** Where the schema of a type stands. Every type has a dot in its name, so that these files can be told from others beside them. */
export const schemaPath = (type: string): string => `docs/schemas/${type}.json`;

/** The file itself: the data of one type, to be used by any validator. */
export function schemaFile(type: string, { kind, to, data }: Contract): string {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: `urn:waybill:${type}`,
    title: type,
    description: to === undefined ? `The data of the ${kind} ${type}.` : `The data of the ${kind} ${type} to ${to}.`,
    ...data,
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
