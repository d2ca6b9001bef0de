// The guest book: GET gives the last words, POST takes some.

import { randomUUID } from 'node:crypto';
import { call } from './aws.mjs';

const SHOWN = 20;
const NAME_MAX = 40;
const WORDS_MAX = 500;

export async function handler(event) {
  switch (event.requestContext.http.method) {
    case 'GET':
      return answer(200, { entries: await last() });
    case 'POST':
      return write(event);
    default:
      return answer(405, { error: 'A guest book is read and written.' });
  }
}

async function last() {
  const found = await call('dynamodb', 'Query', {
    TableName: process.env.WORDS,
    KeyConditionExpression: 'book = :book',
    ExpressionAttributeValues: { ':book': { S: 'guests' } },
    ScanIndexForward: false,
    Limit: SHOWN,
  });
  return found.Items.map((item) => ({ name: item.name.S, words: item.words.S, at: item.at.S.split('#')[0] }));
}

async function write(event) {
  const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString() : event.body;
  const { name, words } = read(body);
  if (!fits(name, NAME_MAX) || !fits(words, WORDS_MAX)) {
    return answer(400, { error: `A name has 1 to ${NAME_MAX} letters, and words have 1 to ${WORDS_MAX}.` });
  }
  const at = new Date().toISOString();
  const item = { book: { S: 'guests' }, at: { S: `${at}#${randomUUID()}` }, name: { S: name }, words: { S: words } };
  await call('dynamodb', 'PutItem', { TableName: process.env.WORDS, Item: item });
  return answer(201, { name, words, at });
}

function read(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

const fits = (text, max) => typeof text === 'string' && text.trim() !== '' && text.length <= max;

const answer = (statusCode, body) => ({
  statusCode,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: JSON.stringify(body),
});
