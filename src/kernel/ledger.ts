/**
 * Double-entry ledgers of one shape: stock and money move only as postings, and a balance is a cached sum of postings.
 *
 * A posting moves a quantity (> 0) out of one account into another of the same book. The accounts named `outside:…` stand for
 * the world beyond the ledger and may be negative; every other account is never below zero. The sum over all accounts of a
 * book is therefore always zero, and an auditor can recompute each balance from nothing.
 */

/** An account whose balance may be negative: where things come from and go to. */
export type OutsideAccount = `outside:${string}`;

export interface Posting<Account extends string> {
  readonly from: Account | OutsideAccount;
  readonly to: Account | OutsideAccount;
  readonly quantity: number;
}

export type Balances<Account extends string> = Readonly<Record<Account, number>>;

/** Is this one of the accounts that may go below zero? */
export const isOutside = (account: string): account is OutsideAccount => account.startsWith('outside:');

/**
 * The balances after a posting, or undefined when an inner account would fall below zero: the guard that makes overselling
 * and over-capturing impossible to write down. Throws on a quantity that is no positive integer: that is a programmer's error.
 */
export function post<Account extends string>(balances: Balances<Account>, posting: Posting<Account>): Balances<Account> | undefined {
  const { from, to, quantity } = posting;
  if (!Number.isSafeInteger(quantity) || quantity <= 0) throw new RangeError(`a posting moves a positive integer, not ${quantity}`);
  if (from === to) throw new RangeError(`a posting needs two accounts, not ${from} twice`);
  const next: Record<string, number> = { ...balances };
  if (!isOutside(from)) {
    next[from] = (next[from] ?? 0) - quantity;
    if (next[from] < 0) return undefined;
  }
  if (!isOutside(to)) next[to] = (next[to] ?? 0) + quantity;
  return next as Balances<Account>;
}
