/** Numbers that people write on parcels: made of ids, with a check character. */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The number of a shipment or a parcel. */
export const trackingNumberOf = (id: string): string => checkedNumber('WB', id);

/** Two letters, the 60 random bits at the end of an id, and a check character. */
export function checkedNumber(letters: string, id: string): string {
  const body = id
    .slice(id.indexOf('_') + 1)
    .toUpperCase()
    .slice(-12)
    .padStart(12, '0');
  return `${letters}${body}${checkCharacter(body)}`;
}

/** Is this written as a tracking number is? Any one character mistyped, and nearly any two neighbours swapped, makes it wrong. */
export const isTrackingNumber = (text: string): boolean => isCheckedNumber('WB', text);

export function isCheckedNumber(letters: string, text: string): boolean {
  const match = /^([A-Z]{2})([0-9A-Z]{12})([0-9A-Z])$/.exec(text);
  return match !== null && match[1] === letters && checkCharacter(match[2]!) === match[3];
}

/** Luhn's sum over base 32: every other digit is doubled, and the digits of what that gives are added. */
function checkCharacter(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i += 1) {
    const digit = Math.max(0, ALPHABET.indexOf(body[body.length - 1 - i]!));
    const weighed = i % 2 === 0 ? 2 * digit : digit;
    sum += Math.floor(weighed / 32) + (weighed % 32);
  }
  return ALPHABET[(32 - (sum % 32)) % 32]!;
}
