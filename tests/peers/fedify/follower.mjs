// A person on a Fedify server: looks authors up, follows, likes, replies, and tells what reached its inbox.
//
//   node follower.mjs ORIGIN PORT [NAME]
//
// ORIGIN is the address that others use (https://localhost:9443, served by nginx, or http://localhost:PORT);
// the server itself listens on 127.0.0.1:PORT. Commands come as JSON lines on stdin,
//   {"id": 1, "do": "follow", "actor": "https://..."}
// and answers and events leave as JSON lines on stdout:
//   {"re": 1, "ok": {...}}  {"re": 1, "error": "..."}
//   {"event": "received", "activity": {...}}             its signature was good
//   {"event": "refused", "reason": "...", "activity": {...}}  its signature was not
//   {"event": "request", "method": "POST", "path": "/inbox", "status": 202, "signed": "draft-cavage"}
// It ends when stdin ends. Everything else it has to say goes to stderr.
import { Temporal } from "@js-temporal/polyfill";
globalThis.Temporal ??= Temporal;

import { createServer } from "node:http";
import { createInterface } from "node:readline";

const { createFederation, exportJwk, generateCryptoKeyPair, MemoryKvStore } = await import("@fedify/fedify");
const vocab = await import("@fedify/vocab");
const { Accept, Activity, Announce, Create, Endpoints, Follow, Like, Note, Person, PUBLIC_COLLECTION, Undo } = vocab;

const [origin, port, name = "fan"] = process.argv.slice(2);
const base = new URL(origin);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// --- the server ---------------------------------------------------------------------------------------------

const keys = [await generateCryptoKeyPair("RSASSA-PKCS1-v1_5"), await generateCryptoKeyPair("Ed25519")];
const federation = createFederation({
  kv: new MemoryKvStore(),
  origin,
  allowPrivateAddress: true,
  ...(process.env.FIRST_KNOCK ? { firstKnock: process.env.FIRST_KNOCK } : {}),
});
const followers = new Map(); // actor id -> recipient
const bodies = new Map(); // activity id -> the JSON as it came
let away = false; // answers 503 to everything

federation
  .setActorDispatcher("/users/{identifier}", async (ctx, identifier) => {
    if (identifier !== name) return null;
    const pairs = await ctx.getActorKeyPairs(identifier);
    return new Person({
      id: ctx.getActorUri(identifier),
      preferredUsername: identifier,
      name: "Han Fan",
      summary: "<p>Reads every review.</p>",
      url: new URL(`/@${identifier}`, base),
      inbox: ctx.getInboxUri(identifier),
      outbox: ctx.getOutboxUri(identifier),
      followers: ctx.getFollowersUri(identifier),
      endpoints: process.env.NO_SHARED_INBOX ? null : new Endpoints({ sharedInbox: ctx.getInboxUri() }),
      publicKey: pairs[0].cryptographicKey,
      assertionMethods: pairs.map((pair) => pair.multikey),
    });
  })
  .setKeyPairsDispatcher((_ctx, identifier) => (identifier === name ? keys : []));
federation.setOutboxDispatcher("/users/{identifier}/outbox", () => ({ items: [] }));
federation.setFollowersDispatcher("/users/{identifier}/followers", () => ({ items: [...followers.values()] }));
federation
  .setInboxListeners("/users/{identifier}/inbox", "/inbox")
  .setSharedKeyDispatcher(() => ({ identifier: name }))
  .on(Activity, async (ctx, activity) => {
    say({ event: "received", activity: bodies.get(activity.id?.href) ?? (await activity.toJsonLd()) });
    if (activity instanceof Follow) await acceptFollow(ctx, activity);
  })
  .onUnverifiedActivity((_ctx, activity, reason) => {
    say({ event: "refused", reason: reason.type, activity: bodies.get(activity.id?.href) });
  });

async function acceptFollow(ctx, follow) {
  const actor = await follow.getActor(ctx);
  followers.set(actor.id.href, actor);
  const accept = new Accept({ id: mint("accept"), actor: follow.objectId, object: follow });
  await ctx.sendActivity({ identifier: name }, actor, accept);
}

function signatureOf(request) {
  if (request.headers["signature-input"]) return "rfc9421";
  return request.headers.signature ? "draft-cavage" : "none";
}

function remember(body) {
  try {
    const activity = JSON.parse(body);
    bodies.set(activity.id, activity);
  } catch {
    // Not JSON: Fedify answers it, and the request event shows the answer.
  }
}

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (request.method === "POST") remember(body.toString("utf8"));
  const headers = new Headers();
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    headers.append(request.rawHeaders[i], request.rawHeaders[i + 1]);
  }
  headers.set("host", base.host);
  const hasBody = request.method !== "GET" && request.method !== "HEAD";
  const asked = new Request(new URL(request.url, base), {
    method: request.method,
    headers,
    body: hasBody ? body : undefined,
  });
  const result = away
    ? new Response("Away.", { status: 503 })
    : await federation.fetch(asked, { contextData: undefined });
  response.writeHead(result.status, Object.fromEntries(result.headers));
  response.end(Buffer.from(await result.arrayBuffer()));
  say({
    event: "request",
    method: request.method,
    path: request.url,
    status: result.status,
    signed: signatureOf(request),
  });
}

// --- the person ---------------------------------------------------------------------------------------------

let minted = 0;
const mint = (kind) => new URL(`/activities/${kind}-${++minted}`, base);
const context = () => federation.createContext(base, undefined);
const me = (ctx) => ctx.getActorUri(name);

async function find(ctx, what) {
  const documentLoader = await ctx.getDocumentLoader({ identifier: name });
  const object = await ctx.lookupObject(what, { documentLoader });
  if (object == null) throw new Error(`${what} was not found`);
  return object;
}

async function send(ctx, recipient, activity) {
  await ctx.sendActivity({ identifier: name }, recipient, activity, { preferSharedInbox: false });
  return { id: activity.id.href };
}

// What it did to an actor or an object, so that it can be undone.
const done = new Map();

async function act(kind, Type, target) {
  const ctx = context();
  const object = await find(ctx, target);
  const author = object.attributionId ? await object.getAttribution(ctx) : object;
  const activity = new Type({
    id: mint(kind),
    actor: me(ctx),
    object: object.id,
    ...(Type === Announce ? { to: PUBLIC_COLLECTION, cc: author.id } : {}),
  });
  done.set(`${kind} ${object.id.href}`, { activity, author });
  return await send(ctx, author, activity);
}

async function undo(kind, target) {
  const ctx = context();
  const object = await find(ctx, target);
  const { activity, author } = done.get(`${kind} ${object.id.href}`);
  return await send(ctx, author, new Undo({ id: mint("undo"), actor: me(ctx), object: activity }));
}

async function reply({ object: target, content }) {
  const ctx = context();
  const object = await find(ctx, target);
  const author = await object.getAttribution(ctx);
  const note = new Note({
    id: mint("note"),
    attribution: me(ctx),
    replyTarget: object.id,
    content,
    published: Temporal.Now.instant(),
    to: PUBLIC_COLLECTION,
    cc: author.id,
  });
  published.set(note.id.pathname, await note.toJsonLd());
  const create = new Create({ id: mint("create"), actor: me(ctx), object: note, to: PUBLIC_COLLECTION, cc: author.id });
  return { ...(await send(ctx, author, create)), note: note.id.href };
}

const published = new Map(); // path -> a note of ours, for servers that fetch it

const commands = {
  lookup: async ({ what }) => {
    const ctx = context();
    return await (await find(ctx, what)).toJsonLd();
  },
  webfinger: async ({ what }) => await context().lookupWebFinger(what),
  follow: ({ actor }) => act("follow", Follow, actor),
  unfollow: ({ actor }) => undo("follow", actor),
  like: ({ object }) => act("like", Like, object),
  unlike: ({ object }) => undo("like", object),
  boost: ({ object }) => act("boost", Announce, object),
  unboost: ({ object }) => undo("boost", object),
  reply,
  pause: () => void (away = true),
  resume: () => void (away = false),
  keys: async () => await Promise.all(keys.map((pair) => exportJwk(pair.publicKey))),
};

async function obey(line) {
  const { id, do: word, ...rest } = JSON.parse(line);
  try {
    if (!(word in commands)) throw new Error(`no such command: ${word}`);
    say({ re: id, ok: (await commands[word](rest)) ?? null });
  } catch (error) {
    console.error(error);
    say({ re: id, error: String(error?.message ?? error) });
  }
}

const server = createServer((request, response) => {
  const note = published.get(request.url);
  if (note && request.method === "GET") {
    response.writeHead(200, { "content-type": "application/activity+json" });
    response.end(JSON.stringify(note));
    return;
  }
  answer(request, response).catch((error) => {
    console.error(error);
    say({ event: "request", method: request.method, path: request.url, status: 500, signed: signatureOf(request) });
    response.writeHead(500).end();
  });
});
server.listen(Number(port), "127.0.0.1", () => {
  say({ event: "ready", handle: `@${name}@${base.host}`, actor: me(context()).href, node: process.versions.node });
});

const stdin = createInterface({ input: process.stdin });
stdin.on("line", (line) => void obey(line));
stdin.on("close", () => process.exit(0));
