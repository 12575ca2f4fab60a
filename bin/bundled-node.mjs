/**
 * The Node this program is made for comes with it, as an optional dependency that is nothing but the binary of one platform.
 * Written so that any Node since 14.14 can read it: it runs before the right one is found.
 */
import { createRequire } from 'node:module';

/** The oldest Node the code runs on: it strips types, has node:sqlite without a flag and argon2 built in. */
const OLDEST = [24, 15];

/** Is the Node that runs this new enough? */
export function isNewEnough(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

const platform = process.platform === 'win32' ? 'win' : process.platform;

/** The package that holds the binary for this machine. It exists for Linux with glibc, macOS and Windows. */
export const bundledPackage = `${platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${platform}-${process.arch}`;

/** The path of the bundled binary; undefined when it is not installed. */
export function bundledNode() {
  try {
    return createRequire(import.meta.url).resolve(`${bundledPackage}/bin/node${platform === 'win' ? '.exe' : ''}`);
  } catch {
    return undefined;
  }
}

/** What to tell a person when there is no Node to go on with. */
export const noNode = `waybill needs Node.js ${OLDEST.join('.')} or newer. This is ${process.version}, and the one that comes with waybill (${bundledPackage}) is not installed.
Install with optional dependencies (npm ci --include=optional), or use a newer Node.js.`;
