/**
 * What the doors of operations share: the services they reach into, and who asks.
 */
import { z } from 'zod';
import { longTextSchema } from '../contracts/rest.ts';
import { Refusal } from '../kernel/errors.ts';
import type { Messaging } from '../messaging/messaging.ts';
import type { RequestContext } from '../messaging/service.ts';

/** What the routes need of a service's messaging. */
export type Operated = Pick<Messaging, 'service' | 'mailbox' | 'control'>;

export const TAG = 'Operations';

export const reasonSchema = longTextSchema(500)
  .min(1)
  .meta({ description: 'Kept, for those who ask later.', examples: ['the supplier mended the data'] });
export const reasonBody = z.object({ reason: reasonSchema });

/** The services asked for; all of them when none is named. */
export const named = (services: readonly Operated[], service: string | undefined): readonly Operated[] =>
  services.filter((one) => service === undefined || one.service === service);

/** Who did it, as it is kept: the client, and what it calls what it is doing. */
export const actorOf = ({ client, operation }: RequestContext): string => (operation === undefined ? client : `${client}: ${operation}`);

/** What a service answers, or undefined when it does not know the thing. */
export async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
/** Without the fields that are undefined. */
export const definedOf = <T extends object>(filter: T): Defined<T> =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as Defined<T>;
