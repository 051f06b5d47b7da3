// Loaded before the emulator of blob storage (`node --require`). A read of an append blob is made of as many pieces as there were appends, and the emulator opens a file for each of them at
// once: a few reads of a long ledger stream pass the limit of open files, what such a read had opened is never closed, and from then on every read of that stream is answered with 500.
// Here pieces are read one after the other, and a file is opened once for those of it that follow each other.
// And it writes all that it knows of its blobs into one file, every five seconds, while nobody is answered: with hundreds of thousands of blobs for seconds. Where nobody kills it, it need not
// do so that often: `AZURITE_SAVE_SECONDS` says how often.
// With a certificate, without which it takes no tokens, it serves over TLS alone: `AZURITE_PLAIN` is a further port, without.
"use strict";
const { open } = require("fs/promises");
const http = require("http");
const https = require("https");
const { Readable } = require("stream");
const Loki = require("./node_modules/lokijs");
const { ZERO_EXTENT_ID } = require("./node_modules/azurite/dist/src/blob/persistence/IBlobMetadataStore.js");
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
