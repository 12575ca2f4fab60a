/**
 * What may be wrong with the address of a database or a broker, beyond its form: what it trusts, and whom it lets answer.
 */
import { accessSync, constants } from 'node:fs';
import { z } from 'zod';
import type { AmqpConfig } from './config.ts';

/** Loopback: what only this machine reaches. */
export const isLoopback = (address: string): boolean => address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);

export const readableFile = z.string().refine((path) => {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}, 'must name a file that can be read');

/** The modes between the two either verify nothing or mean something else to each program that reads them. */
export function databaseFaults(text: string): string[] {
  const { searchParams } = new URL(text);
  const faults: string[] = [];
  const mode = searchParams.get('sslmode');
  if (mode !== null && mode !== 'verify-full' && mode !== 'disable')
    faults.push(
      `DATABASE_URL has sslmode=${mode}, which does not make sure who answers. Write sslmode=verify-full, with sslrootcert=FILE for an authority of your own; or disable, in a network you trust.`,
    );
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const path = searchParams.get(name);
    if (path !== null && !readableFile.safeParse(path).success) faults.push(`DATABASE_URL has ${name}=${path}, which is no file that can be read.`);
    if (path !== null && mode !== 'verify-full')
      faults.push(`DATABASE_URL has ${name}, which is for TLS. Write sslmode=verify-full beside it, or remove it.`);
  }
  return faults;
}

export function amqpFaults({ url: text, tls }: AmqpConfig): string[] {
  const { protocol, hostname, username } = new URL(text);
  const faults: string[] = [];
  const files = Object.keys(tls).length > 0;
  if ((username === '' || username === 'guest') && !isLoopback(hostname.replace(/^\[|\]$/g, '')))
    faults.push(
      `AMQP_URL takes the user guest to ${hostname}, whose password everybody knows. Make a user at the broker and name it: amqps://user:secret@${hostname}.`,
    );
  if (protocol === 'amqp:' && files)
    faults.push('AMQP_CA, AMQP_CERT and AMQP_KEY are for TLS, but AMQP_URL begins with amqp://. Write amqps://, or remove them.');
  if ((tls.certificate === undefined) !== (tls.key === undefined)) faults.push('AMQP_CERT and AMQP_KEY belong together. Set both or none.');
  return faults;
}
