/**
 * Time as people and programs outside read it. Inside it is integer milliseconds, UTC.
 */

/** `1700000000000` → `"2023-11-14T22:13:20.000Z"`: RFC 3339, UTC, always with milliseconds. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString();

/** The same where there may be no time: null stays null. */
export const rfc3339OrNull = (ms: number | null): string | null => (ms === null ? null : rfc3339(ms));
