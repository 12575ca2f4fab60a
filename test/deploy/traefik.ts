/**
 * What Traefik would do with deploy/traefik/routes.yaml: as much of its rules as is used there, read strictly.
 * https://doc.traefik.io/traefik/reference/routing-configuration/http/routing/rules-and-priority/
 */
export interface TraefikFile {
  readonly http: {
    readonly routers: Readonly<Record<string, { readonly rule: string; readonly service: string; readonly priority: number }>>;
    readonly services: Readonly<
      Record<
        string,
        { readonly loadBalancer: { readonly healthCheck: { readonly path: string }; readonly servers: readonly { readonly url: string }[] } }
      >
    >;
  };
}

interface Asked {
  readonly host: string;
  readonly path: string;
}
type Rule = (asked: Asked) => boolean;

const MATCHERS: Readonly<Record<string, (value: string) => Rule>> = {
  Host: (value) => (asked) => asked.host === value,
  Path: (value) => (asked) => asked.path === value,
  PathPrefix: (value) => (asked) => asked.path.startsWith(value), // by characters, as Traefik does
};

/** Reads a rule: matchers, `!`, `&&`, `||` and brackets. Throws on anything else. */
export function readRule(text: string): Rule {
  const tokens = [...text.matchAll(/\s*(?:(\w+)\(`([^`]*)`\)|(&&|\|\||!|\(|\)))\s*/gy)];
  if (tokens.reduce((length, [token]) => length + token.length, 0) !== text.length) throw new Error(`cannot read the rule ${text}`);
  let at = 0;
  const take = (sign: string): boolean => tokens[at]?.[3] === sign && ++at > 0;
  function either(): Rule {
    let rule = both();
    while (take('||')) {
      const [left, right] = [rule, both()];
      rule = (asked) => left(asked) || right(asked);
    }
    return rule;
  }
  function both(): Rule {
    let rule = one();
    while (take('&&')) {
      const [left, right] = [rule, one()];
      rule = (asked) => left(asked) && right(asked);
    }
    return rule;
  }
  function one(): Rule {
    if (take('!')) {
      const rule = one();
      return (asked) => !rule(asked);
    }
    if (take('(')) {
      const rule = either();
      if (!take(')')) throw new Error(`a bracket is not closed in ${text}`);
      return rule;
    }
    const [, name = '', value = ''] = tokens[at++] ?? [];
    const matcher = MATCHERS[name];
    if (matcher === undefined) throw new Error(`no matcher ${name} in ${text}`);
    return matcher(value);
  }
  const rule = either();
  if (at !== tokens.length) throw new Error(`cannot read the end of the rule ${text}`);
  return rule;
}

/** The services of the routers that would take a request: one, unless the file is ambiguous. */
export function servicesFor({ http: { routers } }: TraefikFile, asked: Asked): string[] {
  const taking = Object.values(routers).filter(({ rule }) => readRule(rule)(asked));
  const most = Math.max(...taking.map(({ priority }) => priority));
  return taking.filter(({ priority }) => priority === most).map(({ service }) => service);
}
