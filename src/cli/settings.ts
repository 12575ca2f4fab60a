/**
 * What the command line takes from its environment: where Waybill is, when `--url` does not say.
 */
export const DEFAULT_URL = 'http://127.0.0.1:8000';

/** The address of the server, without a slash at its end. */
export const urlFrom = (given: string | undefined, environment: Readonly<Record<string, string | undefined>> = process.env): string =>
  (given ?? (environment['WAYBILL_URL'] || DEFAULT_URL)).replace(/\/+$/, '');

/** The folder a server on this machine keeps its data in, for `doctor`. */
export const dataDirFrom = (environment: Readonly<Record<string, string | undefined>> = process.env): string => environment['DATA_DIR'] || './data';
