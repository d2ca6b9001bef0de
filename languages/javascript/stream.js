// Answers in pieces: `awslambda.streamifyResponse` and what its handlers write to, under the names that Lambda gives them.
//
// A write is sent at once and waits for room, so that a slow reader slows the handler and nothing piles up here.
'use strict';

const { Writable } = require('stream');
const { KINDS, writePieces } = require('./channel');

// Libraries mark handlers themselves by this name.
const MARK = Symbol.for('aws.lambda.runtime.handler.streaming');
const WANTS_STREAM = 'response';
// What stands between the words about an answer and the answer itself.
const DIVIDER = Buffer.alloc(8);

class ResponseStream extends Writable {
  constructor(id) {
    super({ decodeStrings: true });
    this.id = id;
    this.prelude = null;
    // Settled when the handler has ended it, or something went wrong with it.
    this.over = new Promise((resolve, reject) => {
      this.once('finish', resolve);
      this.once('error', reject);
      this.once('close', () => reject(new Error('Response stream is not finished.')));
    });
    // Nobody may ask.
    this.over.catch(() => {});
  }

  // Anything but text and bytes is sent as JSON.
  write(chunk, encoding, done) {
    const isPlain = typeof chunk === 'string' || chunk instanceof Uint8Array || chunk === null || chunk === undefined;
    return super.write(isPlain ? chunk : JSON.stringify(chunk), encoding, done);
  }

  setContentType() {}

  _write(chunk, _encoding, done) {
    this.begin();
    writePieces(KINDS.piece, this.id, chunk);
    done();
  }

  _final(done) {
    this.begin();
    done();
  }

  begin() {
    if (this.prelude === null) return;
    const words = Buffer.from(JSON.stringify(this.prelude));
    this.prelude = null;
    writePieces(KINDS.piece, this.id, Buffer.concat([words, DIVIDER]));
  }
}

function install() {
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(handler) {
      handler[MARK] = WANTS_STREAM;
      return handler;
    },
    HttpResponseStream: {
      // The stream of an answer to a request, whose status and headers are said before it.
      from(stream, prelude) {
        stream.prelude = prelude;
        return stream;
      },
    },
  };
}

function wantsStream(handler) {
  return handler[MARK] === WANTS_STREAM;
}

module.exports = { ResponseStream, install, wantsStream };
