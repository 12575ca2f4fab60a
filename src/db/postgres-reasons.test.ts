import { expect, test } from 'vitest';
import { SESSION_LOST, placeOf, reasonOf } from './postgres-reasons.ts';

const place = placeOf('postgres://shop:secret@db.internal:5433/waybill', 'waybill_orders');
const error = (message: string, code?: string): Error => Object.assign(new Error(message), code === undefined ? {} : { code });

test('a place is read from the address, with what it leaves out', () => {
  expect(place).toEqual({ host: 'db.internal:5433', database: 'waybill', user: 'shop', schema: 'waybill_orders' });
  expect(placeOf('postgres://me@localhost?host=/run/postgresql', 's')).toEqual({ host: '/run/postgresql', database: 'me', user: 'me', schema: 's' });
});

test('each reason names the thing and the remedy, and none the password', () => {
  const reasons = [
    reasonOf(error('password authentication failed for user "shop"', '28P01'), place),
    reasonOf(error('sorry, too many clients already', '53300'), place),
    reasonOf(error('getaddrinfo ENOTFOUND db.internal', 'ENOTFOUND'), place),
    reasonOf(new AggregateError([error('connect ECONNREFUSED', 'ECONNREFUSED')]), place),
    reasonOf(error('timeout exceeded when trying to connect'), place),
    reasonOf(error('certificate has expired', 'CERT_HAS_EXPIRED'), place),
  ];
  expect(reasons).toEqual([
    'db.internal:5433 refuses the password of shop. Correct DATABASE_URL',
    'db.internal:5433 has no connection left. Raise its max_connections, or lower DATABASE_POOL',
    'nobody knows the name db.internal:5433. Correct DATABASE_URL',
    'nobody listens at db.internal:5433. Start PostgreSQL, or correct DATABASE_URL',
    'no connection to db.internal:5433 became free or was made in 10 s. It is overloaded or out of reach, or DATABASE_POOL is too small',
    'the certificate of db.internal:5433 has expired. Renew it',
  ]);
  expect(reasons.join()).not.toContain('secret');
});

test('a pooler nobody told of is named, and what is unknown keeps its own words', () => {
  const [refused, swallowed] = [reasonOf(error('unsupported startup parameter: options', '08P01'), place), reasonOf(error(SESSION_LOST), place)];
  expect([refused, swallowed]).toEqual([expect.stringContaining('DATABASE_POOLER=transaction'), refused]);
  expect(reasonOf(error("the proxy currently doesn't support command-line options"), place)).toBe(refused);
  expect(reasonOf(error('the moon is full', 'XX999'), place)).toBe('the moon is full');
  expect(reasonOf('text', place)).toBe('text');
});
