/**
 * A real SMTP server in this process that keeps what it is sent and refuses as it is told.
 */
import { type AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface MailServer {
  readonly url: string;
  /** Every message it took, as sent. */
  readonly mails: string[];
  /** The SMTP code to refuse recipients with; undefined takes them. */
  refuse: { code: number; at: 'RCPT TO' | 'DATA' } | undefined;
  close(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const mails: string[] = [];
  const answer = (at: 'RCPT TO' | 'DATA', callback: (error?: Error | null) => void): void => {
    const refused = mailServer.refuse?.at === at ? mailServer.refuse : undefined;
    callback(refused && Object.assign(new Error('not now, or not ever'), { responseCode: refused.code }));
  };
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: (_address, _session, callback) => answer('RCPT TO', callback),
    onData(stream, _session, callback) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        if (mailServer.refuse === undefined) mails.push(Buffer.concat(parts).toString());
        answer('DATA', callback);
      });
    },
  });
  server.on('error', () => undefined); // of a client that was killed
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mailServer: MailServer = {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    mails,
    refuse: undefined,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return mailServer;
}
