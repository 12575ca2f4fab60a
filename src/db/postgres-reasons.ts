/**
 * Why there is no connection to PostgreSQL, in a sentence that says what to do. The driver's own words name neither the server nor the
 * setting; and the way through TLS has its own codes, which are Node's.
 */

/** Where a connection was to lead. */
export interface Place {
  readonly host: string;
  readonly database: string;
  readonly user: string;
  readonly schema: string;
}

export function placeOf(url: string, schema: string): Place {
  const { host, searchParams, pathname, username } = new URL(url);
  return {
    host: searchParams.get('host') ?? (host === '' ? 'localhost' : host),
    database: decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username),
    user: decodeURIComponent(username) || (searchParams.get('user') ?? ''),
    schema,
  };
}

/** What a session without its settings means; thrown by postgres-pool.ts. */
export const SESSION_LOST = 'the settings of the session did not arrive';

const UNTRUSTED = 'name the authority it comes from in DATABASE_URL (sslrootcert=FILE), or correct the address';
const POOLER = 'a pooler such as PgBouncer answers in its place, which hands connections around: set DATABASE_POOLER=transaction';

type Sentence = (place: Place) => string;
/** By SQLSTATE, by Node's code, or by the driver's words where there is no code. */
const REASONS: Readonly<Record<string, Sentence>> = {
  '28P01': ({ host, user }) => `${host} refuses the password of ${user}. Correct DATABASE_URL`,
  '28000': ({ host, user }) => `${host} does not let ${user} in from here. Correct DATABASE_URL, or pg_hba.conf at the server`,
  '3D000': ({ host, database }) => `there is no database ${database} at ${host}. Make it (createdb ${database}), or correct DATABASE_URL`,
  '42501': ({ database, schema, user }) =>
    `${user} may not make the schema ${schema}. Let it (grant create on database ${database} to ${user}), or make the schema for it beforehand`,
  '53300': ({ host }) => `${host} has no connection left. Raise its max_connections, or lower DATABASE_POOL`,
  ECONNREFUSED: ({ host }) => `nobody listens at ${host}. Start PostgreSQL, or correct DATABASE_URL`,
  ENOENT: ({ host }) => `there is no socket in ${host}. Start PostgreSQL, or correct DATABASE_URL`,
  ENOTFOUND: ({ host }) => `nobody knows the name ${host}. Correct DATABASE_URL`,
  SELF_SIGNED_CERT_IN_CHAIN: ({ host }) => `the certificate of ${host} comes from an authority nobody named: ${UNTRUSTED}`,
  DEPTH_ZERO_SELF_SIGNED_CERT: ({ host }) => `the certificate of ${host} vouches for itself: ${UNTRUSTED}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ({ host }) => `the certificate of ${host} comes from another authority than the one named: ${UNTRUSTED}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ({ host }) => `the certificate of ${host} comes from another authority than the one named: ${UNTRUSTED}`,
  CERT_SIGNATURE_FAILURE: ({ host }) => `the certificate of ${host} comes from another authority of that name: ${UNTRUSTED}`,
  CERT_HAS_EXPIRED: ({ host }) => `the certificate of ${host} has expired. Renew it`,
  ERR_TLS_CERT_ALTNAME_INVALID: ({ host }) => `the certificate of the server is not for ${host}. Write the name it is for into DATABASE_URL`,
  'The server does not support SSL connections': ({ host }) =>
    `${host} does not speak TLS. Switch it on there (ssl = on), or take sslmode out of DATABASE_URL`,
  'timeout exceeded when trying to connect': ({ host }) =>
    `no connection to ${host} became free or was made in 10 s. It is overloaded or out of reach, or DATABASE_POOL is too small`,
  [SESSION_LOST]: () => POOLER,
};

/** What is wrong, and what to do about it. Pure. */
export function reasonOf(error: unknown, place: Place): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0], place);
  const { message } = error;
  if (/unsupported startup parameter|support command-line options/.test(message)) return POOLER; // PgBouncer's words, and those of a managed one
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (REASONS[code] ?? REASONS[message])?.(place) ?? message;
}
