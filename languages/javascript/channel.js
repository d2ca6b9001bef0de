// Frames, read from descriptor 3 and written to 4. Reading blocks: between invocations this process does nothing at all.
'use strict';

const fs = require('fs');

const EVENTS = 3;
const ANSWERS = 4;
// What the host sends at a time, at most. A read into less room would lose the rest.
const PACKET_BYTES = 4096;
const HEADER_BYTES = 12;
const KINDS = { ready: 16, initError: 17, result: 18, error: 19, fatal: 20, tooLarge: 21, log: 22, text: 23, piece: 24 };
// The most that Lambda lets a function answer.
const RESPONSE_BYTES_MAX = 6291556;

let incoming = Buffer.allocUnsafeSlow(64 * 1024);
let start = 0;
let end = 0;
const outgoing = Buffer.allocUnsafeSlow(64 * 1024);

// Calls the system until it does not ask to be called again.
function persist(call) {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (error.code !== 'EINTR' && error.code !== 'EAGAIN') throw error;
      if (error.code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

// Makes sure that so many bytes are there to be parsed.
function fill(bytes) {
  if (end - start >= bytes) return;
  if (start + bytes + PACKET_BYTES > incoming.length) {
    const room = bytes + PACKET_BYTES > incoming.length ? Buffer.allocUnsafeSlow(bytes + PACKET_BYTES) : incoming;
    incoming.copy(room, 0, start, end);
    incoming = room;
    end -= start;
    start = 0;
  }
  while (end - start < bytes) {
    const count = persist(() => fs.readSync(EVENTS, incoming, end, incoming.length - end, null));
    // The host is gone.
    if (count === 0) process.exit(0);
    end += count;
  }
}

// The next frame: its text and its body, as strings.
function read() {
  fill(HEADER_BYTES);
  const textBytes = incoming.readUInt32LE(start + 4);
  const bodyBytes = incoming.readUInt32LE(start + 8);
  fill(HEADER_BYTES + textBytes + bodyBytes);
  const textAt = start + HEADER_BYTES;
  const bodyAt = textAt + textBytes;
  const text = incoming.utf8Slice(textAt, bodyAt);
  const body = incoming.utf8Slice(bodyAt, bodyAt + bodyBytes);
  start = bodyAt + bodyBytes;
  if (start === end) {
    start = 0;
    end = 0;
    // A large event does not cost its memory for ever.
    if (incoming.length > 1024 * 1024) incoming = Buffer.allocUnsafeSlow(64 * 1024);
  }
  return { text, body };
}

function writeAll(buffer, length) {
  let written = 0;
  while (written < length) {
    const from = written;
    written += persist(() => fs.writeSync(ANSWERS, buffer, from, length - from));
  }
}

// Sends one frame of text, in one system call where it is not huge. An answer has the id of its request, other frames have ''.
function write(kind, id, body) {
  const bodyAt = HEADER_BYTES + id.length;
  let frame = outgoing;
  let bytes;
  // A character takes three bytes at most; only if that could be too many they are counted first.
  if (body.length * 3 + bodyAt <= outgoing.length) {
    bytes = outgoing.utf8Write(body, bodyAt);
  } else {
    bytes = Buffer.byteLength(body);
    if (bytes > RESPONSE_BYTES_MAX) {
      if (kind === KINDS.result) return write(KINDS.tooLarge, id, '');
      const words = 'the error is too large to be told';
      return write(kind, id, `{"errorType":"Runtime.Unknown","errorMessage":"${words}","trace":[]}`);
    }
    frame = Buffer.allocUnsafe(bodyAt + bytes);
    frame.utf8Write(body, bodyAt);
  }
  frame.writeUInt32LE(kind, 0);
  frame.writeUInt32LE(id.length, 4);
  frame.writeUInt32LE(bytes, 8);
  frame.latin1Write(id, HEADER_BYTES);
  writeAll(frame, bodyAt + bytes);
}

// The longest piece that is sent at a time, where it need not be sent whole; the host makes lines of text, and cuts events that are
// longer.
const PIECE_BYTES_MAX = 256 * 1024;

// Sends bytes, in as many frames as they need. Pieces of an answer have the id of its request, other frames have ''.
function writePieces(kind, id, bytes) {
  for (let from = 0; from < bytes.length; from += PIECE_BYTES_MAX) {
    writeBytes(kind, id, bytes.subarray(from, from + PIECE_BYTES_MAX));
  }
}

// Sends one frame of bytes.
function writeBytes(kind, id, body) {
  const bodyAt = HEADER_BYTES + id.length;
  const frame = Buffer.allocUnsafe(bodyAt + body.length);
  frame.writeUInt32LE(kind, 0);
  frame.writeUInt32LE(id.length, 4);
  frame.writeUInt32LE(body.length, 8);
  frame.latin1Write(id, HEADER_BYTES);
  frame.set(body, bodyAt);
  writeAll(frame, frame.length);
}

module.exports = { KINDS, PIECE_BYTES_MAX, read, write, writePieces };
