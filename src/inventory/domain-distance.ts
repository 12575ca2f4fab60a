/** How far it is from a warehouse to a customer, by coordinates, or guessed from postal codes. README.md has the table. */

export interface Place {
  readonly country?: string | null | undefined;
  readonly postal_code?: string | null | undefined;
  /** Degrees. */
  readonly latitude?: number | null | undefined;
  readonly longitude?: number | null | undefined;
}

const EARTH_KM = 6_371;
const ABROAD_KM = 2_000;
const SOMEWHERE_KM = 800;
const SAME_CODE_KM = 10;
/** So many leading characters of a postal code say something of where it is. */
const TELLING = 3;

/** Kilometres, rounded; null when nothing is known of one of the ends. */
export function distanceBetween(a: Place, b: Place): number | null {
  const [from, to] = [coordinatesOf(a), coordinatesOf(b)];
  if (from !== undefined && to !== undefined) return Math.round(greatCircle(from, to));
  return byPostalCode(a, b);
}

interface Coordinates {
  readonly latitude: number;
  readonly longitude: number;
}
function coordinatesOf({ latitude, longitude }: Place): Coordinates | undefined {
  if (typeof latitude !== 'number' || typeof longitude !== 'number') return undefined;
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

function greatCircle(a: Coordinates, b: Coordinates): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const half = (degrees: number): number => Math.sin(radians(degrees) / 2) ** 2;
  const chord = half(b.latitude - a.latitude) + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * half(b.longitude - a.longitude);
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(chord)));
}

function byPostalCode(a: Place, b: Place): number | null {
  const [from, to] = [plain(a.postal_code), plain(b.postal_code)];
  const [home, abroad] = [plain(a.country), plain(b.country)];
  if (home !== '' && abroad !== '' && home !== abroad) return ABROAD_KM;
  if (from === '' || to === '') return null;
  if (from === to) return SAME_CODE_KM;
  let agree = 0;
  while (agree < TELLING && agree < from.length && from[agree] === to[agree]) agree += 1;
  return SOMEWHERE_KM / 2 ** agree;
}

const plain = (text: string | null | undefined): string => (text ?? '').replaceAll(/[\s-]/g, '').toUpperCase();

/** Where an address is, as far as it says: `latitude`, `longitude`, `country`, `postal_code`; what is not a number is none. */
export function placeOf(address: Readonly<Record<string, string>>): Place {
  const degrees = (text: string | undefined): number | undefined => {
    const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
    return Number.isFinite(number) ? number : undefined;
  };
  return {
    country: address.country,
    postal_code: address.postal_code ?? address.postcode ?? address.zip,
    latitude: degrees(address.latitude),
    longitude: degrees(address.longitude),
  };
}
