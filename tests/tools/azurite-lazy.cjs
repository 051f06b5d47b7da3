// Loaded before the emulator of blob storage (`node --require`). A read of an append blob is made of as many pieces as there were appends, and the emulator opens a file for each of them at
// once: a few reads of a long ledger stream pass the limit of open files, what such a read had opened is never closed, and from then on every read of that stream is answered with 500.
// Here each piece is opened when the one before it has been sent.
// And it writes all that it knows of its blobs into one file, every five seconds, while nobody is answered: with hundreds of thousands of blobs for seconds. Where nobody kills it, it need not
// do so that often: `AZURITE_SAVE_SECONDS` says how often.
"use strict";
const Loki = require("./node_modules/lokijs");
const multistream = require("multistream");
const { default: FSExtentStore } = require("./node_modules/azurite/dist/src/common/persistence/FSExtentStore.js");

const saveEvery = Number(process.env.AZURITE_SAVE_SECONDS);
const enable = Loki.prototype.autosaveEnable;
if (saveEvery > 0) {
  Loki.prototype.autosaveEnable = function (...given) {
    this.autosaveInterval = saveEvery * 1000;
    return enable.apply(this, given);
  };
}

const readAll = FSExtentStore.prototype.readExtents;

FSExtentStore.prototype.readExtents = async function (chunks, offset = 0, count = Infinity, contextId) {
  const pieces = [];
  // The emulator's own arithmetic, with a note of each piece in place of its stream.
  const collector = Object.create(this, { readExtent: { value: async (piece) => { pieces.push(piece); return () => null; } } });
  await readAll.call(collector, chunks, offset, count, contextId);
  return new multistream((next) => {
    const piece = pieces.shift();
    if (piece === undefined) return next(null, null);
    this.readExtent(piece, contextId).then((stream) => next(null, stream), next);
  });
};
