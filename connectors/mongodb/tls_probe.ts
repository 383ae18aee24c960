/**
 * Whether a server that gives no usable answer speaks the other protocol: TLS in place of plain text, or the other way
 * round. Neither tells so by itself: one hangs up, the other waits for ever.
 */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { after } from "@order-payment-stream/beam/io";

const PROBE_MS = 1_000;
const OP_REPLY = 1;

/** The part of a client's options that matters here. */
export interface ProbedOptions {
  readonly tls?: boolean | undefined;
  readonly hosts: readonly { readonly host?: string | undefined; readonly port?: number | undefined }[];
}

/** What to change in the URI; undefined when no server is known to speak the other protocol. Takes a second at most. */
export async function otherProtocolOf({ tls, hosts }: ProbedOptions): Promise<string | undefined> {
  const probe = tls ? speaksPlainText : speaksTls;
  const answers = await Promise.all(
    hosts.map(({ host, port }) => (host === undefined ? false : probe(host, port ?? 27017))),
  );
  if (!answers.includes(true)) return undefined;
  return tls
    ? "the server speaks plain text, and the URI asks for TLS: remove tls=true (ssl=true, or +srv, which means it)"
    : "the server requires TLS, and the URI does not ask for it: add tls=true";
}

/** Whether it answers `isMaster`, the one command that every server takes before anything else. */
function speaksPlainText(host: string, port: number): Promise<boolean> {
  return asked((settle) => {
    const socket = connectPlain({ host, port }, () => socket.write(isMasterQuery()));
    socket.on("data", (bytes) => settle(bytes.length >= 16 && bytes.readInt32LE(12) === OP_REPLY));
    return socket;
  });
}

function speaksTls(host: string, port: number): Promise<boolean> {
  return asked((settle) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false }, () => settle(true));
    // A server that asks for a client's certificate has spoken TLS, too.
    socket.on("error", (error: NodeJS.ErrnoException) =>
      settle(/ALERT/i.test(`${error.code} ${error.message}`)),
    );
    return socket;
  });
}

function asked(open: (settle: (answer: boolean) => void) => Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (answer: boolean): void => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = after(PROBE_MS, () => settle(false));
    const socket = open(settle);
    socket.on("error", () => settle(false)).on("close", () => settle(false));
  });
}

/** OP_QUERY of { isMaster: 1 } on admin.$cmd: length, request 1, no answer to, 2004 | flags | name | skip, count | BSON. */
function isMasterQuery(): Buffer {
  const name = Buffer.from("admin.$cmd\0");
  const command = Buffer.from([19, 0, 0, 0, 0x10, ...Buffer.from("isMaster\0"), 1, 0, 0, 0, 0]);
  const query = Buffer.alloc(16 + 4 + name.length + 8 + command.length);
  for (const [i, word] of [query.length, 1, 0, 2004, 0].entries()) query.writeInt32LE(word, i * 4);
  name.copy(query, 20);
  query.writeInt32LE(0, 20 + name.length);
  query.writeInt32LE(-1, 24 + name.length);
  command.copy(query, 28 + name.length);
  return query;
}
