/**
 * Do the messages still keep what was released? `npm run contracts:check`, and CI asks the same.
 *
 * docs/schemas/released.json is what the last release promised. `npm run docs` does not write it, so that writing the documents anew hides
 * nothing. Only `npm run contracts:release` does, as a step of each release, and it refuses what would break a promise.
 * What came since the last release is promised to nobody and may still change. A version whose messages were not released is a fault, so
 * that the step cannot be forgotten.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { breaches } from './contracts/compatibility.ts';
import { type Contracts, contractsOf } from './contracts/schemas.ts';
import { COMMANDS, EVENTS } from '../src/contracts/messages.ts';
import { VERSION } from '../src/version.ts';

export const RELEASED = 'docs/schemas/released.json';

export interface Release {
  /** Of the package. */
  readonly version: string;
  readonly contracts: Contracts;
}

/** What keeps a version with these messages from being what was released, one sentence each. */
export function complaintsAbout(released: Release, current: Release): string[] {
  const broken = breaches(released.contracts, current.contracts);
  if (broken.length > 0 || released.version === current.version) return broken;
  return [`this is version ${current.version}, ${RELEASED} is of ${released.version}: npm run contracts:release`];
}

/** The file after a release of `current`. Throws an Error that names every promise it would break. */
export function releaseOf(released: Release, current: Release): string {
  const broken = breaches(released.contracts, current.contracts);
  if (broken.length > 0) throw new Error(broken.join('\n'));
  return `${JSON.stringify(current, null, 2)}\n`;
}

/** The release that `file` tells of, and the messages of this version. */
export const releaseIn = (file: string): Release => JSON.parse(readFileSync(file, 'utf8')) as Release;
export const thisVersion = (): Release => ({ version: VERSION, contracts: contractsOf(EVENTS, COMMANDS) });

if (import.meta.main) {
  const [released, current] = [releaseIn(RELEASED), thisVersion()];
  try {
    if (process.argv.includes('--release')) writeFileSync(RELEASED, releaseOf(released, current));
    else if (complaintsAbout(released, current).length > 0) throw new Error(complaintsAbout(released, current).join('\n'));
    console.log(`${Object.keys(current.contracts).length} types of messages keep what ${RELEASED} says`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
