/**
 * What is sold and where it lies: products and warehouses. Both are changed in place, counted by `version`, and archived rather than
 * deleted, because orders refer to them.
 */
import { Refusal } from '../kernel/errors.ts';
import type { Place } from './domain-distance.ts';

interface Versioned {
  readonly id: string;
  readonly archived_at: number | null;
  /** 1, 2, …: how often it was changed, and the sequence of its events. */
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export interface Product extends Versioned {
  readonly sku: string;
  readonly name: string;
  readonly description: string | null;
  /** Minor units of `currency`. */
  readonly price: number;
  readonly currency: string;
  /** Pieces nobody is promised, in each warehouse that has no rule of its own. */
  readonly safety_stock: number;
  /** `stock.low` is said at so many, likewise; null for never. */
  readonly low_at: number | null;
  /** Pieces that may wait for goods at a time. */
  readonly backorder_limit: number;
}

export interface Warehouse extends Versioned {
  readonly name: string;
  readonly location: string;
  /** The lowest is asked first; among equals the oldest. */
  readonly priority: number;
  readonly country: string | null;
  readonly postal_code: string | null;
  /** Millionths of a degree. */
  readonly latitude_e6: number | null;
  readonly longitude_e6: number | null;
}

export const PRIORITY_DEFAULT = 100;

/** What a client wants otherwise; what is undefined stays. */
type Wanted<Thing> = { readonly [K in keyof Thing]?: Thing[K] | undefined };
export type ProductChanges = Wanted<Omit<Product, 'sku' | keyof Versioned>> & Restore;
export type WarehouseChanges = Wanted<Omit<Warehouse, keyof Versioned>> & Restore;
interface Restore {
  /** Takes it out of the archive. */
  readonly archived?: false | undefined;
}

const MILLION = 1_000_000;
/** Degrees to millionths of a degree: a decimetre. */
export const toE6 = (degrees: number): number => Math.round(degrees * MILLION);
export const fromE6 = (e6: number): number => e6 / MILLION;

export const placeOfWarehouse = ({
  country,
  postal_code,
  latitude_e6,
  longitude_e6,
}: Omit<Warehouse, keyof Versioned | 'name' | 'location' | 'priority'>): Place => ({
  country,
  postal_code,
  latitude: latitude_e6 === null ? null : fromE6(latitude_e6),
  longitude: longitude_e6 === null ? null : fromE6(longitude_e6),
});

/** The start of every thing. */
export const born = (id: string, now: number): Versioned => ({ id, archived_at: null, version: 1, created_at: now, updated_at: now });

/** The thing with the changes and the next version; undefined when they change nothing. Throws the Refusal `version_mismatch`. */
export function revised<Thing extends Versioned>(
  thing: Thing,
  { archived, ...wanted }: Wanted<Thing> & Restore,
  expectedVersion: number | undefined,
  now: number,
): Thing | undefined {
  expectVersion(thing, expectedVersion);
  const changes = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => value !== undefined && value !== thing[key as keyof Thing]));
  const restored = archived === false && thing.archived_at !== null;
  if (Object.keys(changes).length === 0 && !restored) return undefined;
  return { ...thing, ...changes, ...(restored && { archived_at: null }), version: thing.version + 1, updated_at: now };
}

/** The thing in the archive; undefined when it is there already. Throws the Refusal `version_mismatch`. */
export function archived<Thing extends Versioned>(thing: Thing, expectedVersion: number | undefined, now: number): Thing | undefined {
  expectVersion(thing, expectedVersion);
  return thing.archived_at === null ? { ...thing, archived_at: now, version: thing.version + 1, updated_at: now } : undefined;
}

function expectVersion({ id, version }: Versioned, expected: number | undefined): void {
  if (expected !== undefined && expected !== version)
    throw new Refusal('version_mismatch', `${id} has version ${version}, not ${expected}`, [
      { field: 'expected_version', rule: `the version is ${version}` },
    ]);
}
