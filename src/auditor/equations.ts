/** All equations, in the order in which they are told. README.md lists them with their reasons. */
import type { Equation } from './equation.ts';
import { JOURNEY_EQUATIONS } from './journey-equations.ts';
import { MESSAGE_EQUATIONS } from './message-equations.ts';
import { MONEY_EQUATIONS } from './money-equations.ts';
import { SHIPPING_EQUATIONS } from './shipping-equations.ts';
import { STOCK_EQUATIONS } from './stock-equations.ts';

export const EQUATIONS: readonly Equation[] = [
  ...STOCK_EQUATIONS,
  ...MONEY_EQUATIONS,
  ...JOURNEY_EQUATIONS,
  ...SHIPPING_EQUATIONS,
  ...MESSAGE_EQUATIONS,
];
