// Loaded before the emulator of blob storage (`node --require`). A read of an append blob is made of as many pieces as there were appends, and the emulator opens a file for each of them at
// once: a few reads of a long ledger stream pass the limit of open files, what such a read had opened is never closed, and from then on every read of that stream is answered with 500.
// Here pieces are read one after the other, and a file is opened once for those of it that follow each other.
// And it writes all that it knows of its blobs into one file, every five seconds, while nobody is answered: with hundreds of thousands of blobs for seconds. Where nobody kills it, it need not
// do so that often: `AZURITE_SAVE_SECONDS` says how often.
// It looks for a blob among all of its account's, sorts all blobs anew to forget one, and filters and sorts all of them twice for each page of a listing: with tens of thousands of blobs for
// seconds, while nobody is answered. Here a blob is looked up by its name first, one is forgotten by itself, and a listing goes along an index, a thousand a page, so that others are answered
// between; and what each request is compared with, and its query, are parsed once.
// With a certificate, without which it takes no tokens, it serves over TLS alone: `AZURITE_PLAIN` is a further port, without.
"use strict";
const { open } = require("fs/promises");
const http = require("http");
const https = require("https");
const { Readable } = require("stream");
const Loki = require("./node_modules/lokijs");
const { ZERO_EXTENT_ID } = require("./node_modules/azurite/dist/src/blob/persistence/IBlobMetadataStore.js");
const templates = require.resolve("./node_modules/uri-templates");
const template = require(templates);
const parsed = new Map();
require.cache[templates].exports = (text) => parsed.get(text) ?? parsed.set(text, template(text)).get(text);
const { default: ExpressRequestAdapter } = require("./node_modules/azurite/dist/src/blob/generated/ExpressRequestAdapter.js");
const { default: LokiBlobMetadataStore } = require("./node_modules/azurite/dist/src/blob/persistence/LokiBlobMetadataStore.js");
const { default: FSExtentStore } = require("./node_modules/azurite/dist/src/common/persistence/FSExtentStore.js");

const saveEvery = Number(process.env.AZURITE_SAVE_SECONDS);
const enable = Loki.prototype.autosaveEnable;
if (saveEvery > 0) {
  Loki.prototype.autosaveEnable = function (...given) {
    this.autosaveInterval = saveEvery * 1000;
    return enable.apply(this, given);
  };
}

const plain = Number(process.env.AZURITE_PLAIN);
const create = https.createServer;
if (plain > 0) {
  https.createServer = (...given) => {
    const server = create(...given);
    const beside = http.createServer((request, response) => server.emit("request", request, response));
    server.once("listening", () => {
      beside.keepAliveTimeout = server.keepAliveTimeout;
      beside.listen(plain, server.address().address);
    });
    return server;
  };
}

const getQuery = ExpressRequestAdapter.prototype.getQuery;
ExpressRequestAdapter.prototype.getQuery = function (key) {
  if (this.queryOf !== this.req.url) Object.assign(this, { queryOf: this.req.url, asked: { req: { query: this.req.query } } });
  return getQuery.call(this.asked, key);
};

// The database orders names that are numbers as numbers, and finds those by their value.
const isName = (name) => typeof name === "string" && Number.isNaN(Number(name));
const find = Loki.Resultset.prototype.find;
Loki.Resultset.prototype.find = function (query, ...given) {
  return find.call(this, isName(query?.name) ? { name: query.name, ...query } : query, ...given);
};

const findAndRemove = Loki.Collection.prototype.findAndRemove;
Loki.Collection.prototype.findAndRemove = function (query) {
  const found = this.find(query);
  // Many at once: one sort of all is less.
  if (found.length > 100) return findAndRemove.call(this, query);
  for (const doc of found) this.remove(doc);
};

/** The blobs of a collection in order of their names, those of each container apart. */
class Names {
  static #of = new WeakMap();
  #containers = new Map();

  static of(collection) {
    if (!this.#of.has(collection)) this.#of.set(collection, new Names(collection));
    return this.#of.get(collection);
  }

  constructor(collection) {
    for (const doc of collection.data) this.in(doc.accountName, doc.containerName).push({ name: doc.name, id: doc.$loki });
    for (const names of this.#containers.values()) names.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id));
    collection.on("insert", (docs) => { for (const doc of [docs].flat()) this.#add(doc); });
    collection.on("delete", (doc) => this.#remove(doc));
  }

  in(account, container) {
    const key = `${account}/${container}`;
    if (!this.#containers.has(key)) this.#containers.set(key, []);
    return this.#containers.get(key);
  }

  /** Where the first one stands whose name, and number, is not before these. */
  static from(names, name, id = 0) {
    let low = 0;
    for (let high = names.length; low < high;) {
      const middle = (low + high) >> 1, at = names[middle];
      if (at.name < name || (at.name === name && at.id < id)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #add(doc) {
    const names = this.in(doc.accountName, doc.containerName);
    names.splice(Names.from(names, doc.name, doc.$loki), 0, { name: doc.name, id: doc.$loki });
  }

  #remove(doc) {
    const names = this.in(doc.accountName, doc.containerName), at = Names.from(names, doc.name, doc.$loki);
    if (names[at]?.id === doc.$loki) names.splice(at, 1);
  }
}

/** What the emulator's own listing asks of the database, answered along the index. */
class Listing {
  #wanted = []; #offset = 0; #limit = Infinity;

  constructor(collection, account, container, prefix, after) {
    Object.assign(this, { collection, account, container, prefix, after });
  }

  find() { return this; }
  sort() { return this; }
  where(wanted) { this.#wanted.push(wanted); return this; }
  offset(count) { this.#offset = count; return this; }
  limit(count) { this.#limit = count; return this; }

  data() {
    const names = Names.of(this.collection).in(this.account, this.container), found = [];
    let skipped = 0;
    for (let at = Names.from(names, this.after > this.prefix ? this.after : this.prefix); at < names.length && found.length < this.#limit; at++) {
      if (!names[at].name.startsWith(this.prefix)) break;
      const doc = this.collection.get(names[at].id);
      if (this.#wanted.every((wanted) => wanted(doc)) && ++skipped > this.#offset) found.push(doc);
    }
    return found;
  }
}

const page = 1000;
const listBlobs = LokiBlobMetadataStore.prototype.listBlobs;
LokiBlobMetadataStore.prototype.listBlobs = function (context, account, container, delimiter, blob, prefix = "", maxResults = page, marker = "", ...given) {
  const all = [context, account, container, delimiter, blob, prefix, Math.min(maxResults, page), marker, ...given];
  if (blob !== undefined || account === undefined || container === undefined) return listBlobs.apply(this, all);
  const chain = () => new Listing(this.db.getCollection(this.BLOBS_COLLECTION), account, container, prefix, marker);
  return listBlobs.apply(Object.create(this, { db: { value: { getCollection: () => ({ chain }) } } }), all);
};

const readAll = FSExtentStore.prototype.readExtents;

FSExtentStore.prototype.readExtents = async function (chunks, offset = 0, count = Infinity, contextId) {
  const pieces = [];
  // The emulator's own arithmetic, with a note of each piece in place of its stream.
  const collector = Object.create(this, { readExtent: { value: async (piece) => { pieces.push(piece); return () => null; } } });
  await readAll.call(collector, chunks, offset, count, contextId);
  return Readable.from(octetsOf(this, pieces), { objectMode: false });
};

async function* octetsOf(store, pieces) {
  let file, id;
  try {
    for (const piece of pieces) {
      // Of a page blob that nobody has written to.
      if (piece.id === ZERO_EXTENT_ID) {
        yield Buffer.alloc(piece.count);
        continue;
      }
      if (piece.id !== id) {
        await file?.close();
        file = undefined;
        file = await open(store.generateExtentPath(await store.metadataStore.getExtentLocationId(piece.id), piece.id));
        id = piece.id;
      }
      for (let sent = 0; sent < piece.count;) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(piece.count - sent, 1 << 20)), 0, undefined, piece.offset + sent);
        if (bytesRead === 0) throw new Error(`extent ${id} ends early`);
        yield buffer.subarray(0, bytesRead);
        sent += bytesRead;
      }
    }
  } finally {
    await file?.close();
  }
}
