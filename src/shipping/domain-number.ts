/** Tracking numbers: ours, made of ids, with a check character. */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `WB`, the 60 random bits at the end of the id of a shipment or parcel, and a check character. */
export function trackingNumberOf(id: string): string {
  const body = id
    .slice(id.indexOf('_') + 1)
    .toUpperCase()
    .slice(-12)
    .padStart(12, '0');
  return `WB${body}${checkCharacter(body)}`;
}

/** Is this written as a tracking number is? Any one character mistyped, and nearly any two neighbours swapped, makes it wrong. */
export function isTrackingNumber(text: string): boolean {
  const match = /^WB([0-9A-Z]{12})([0-9A-Z])$/.exec(text);
  return match !== null && checkCharacter(match[1]!) === match[2];
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
