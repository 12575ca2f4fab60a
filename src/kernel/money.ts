/**
 * Money is an integer number of minor units and an ISO 4217 currency code. There are no floats here, and none elsewhere.
 */

/** Digits after the point, by currency; ISO 4217 gives 2 to all that are not listed. */
// oxfmt-ignore
const EXPONENTS: Readonly<Record<string, number>> = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, UYI: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0,
  BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4,
};

/** The largest amount accepted anywhere: sums of a million such amounts stay exact in a double and in a bigint column. */
export const AMOUNT_MAX = 9_000_000_000;

/** How many digits a currency has after the point. */
export const exponentOf = (currency: string): number => EXPONENTS[currency] ?? 2;

/** `1250, "EUR"` → `"12.50 EUR"`; for people, never for programs. */
export function formatMoney(amount: number, currency: string): string {
  const exponent = exponentOf(currency);
  const digits = String(Math.abs(amount)).padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const sign = amount < 0 ? '-' : '';
  return exponent === 0 ? `${sign}${whole} ${currency}` : `${sign}${whole}.${digits.slice(-exponent)} ${currency}`;
}

/** An exact decimal number of major units as an integer of 10^-scale units: `"12.5", 3` → 12500n. Undefined when it is not one. */
export function parseDecimal(text: string, scale: number): bigint | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text.trim());
  if (!match) return undefined;
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  if (fraction.length > scale) return undefined;
  const units = BigInt(match[2]! + fraction.padEnd(scale, '0'));
  return match[1] === '-' ? -units : units;
}
