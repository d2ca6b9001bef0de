// The shop's HTTP API: it takes orders, shows them, and cancels those that are not shipped.

import { randomUUID } from 'node:crypto';
import { find, move, ofCustomer, place } from './orders.mjs';

const LINES_MAX = 50;

export async function handler(event) {
  const method = event.requestContext.http.method;
  const [id, verb] = event.rawPath.split('/').filter(Boolean).map(decodeURIComponent);
  const query = event.queryStringParameters ?? {};
  switch (`${method} ${id ? ':id' : ''}${verb ? `/${verb}` : ''}`.trim()) {
    case 'POST':
      return take(event);
    case 'GET':
      return query.customer
        ? answer(200, await ofCustomer(query.customer, query.after))
        : answer(400, { error: 'Say whose orders: ?customer=NAME' });
    case 'GET :id':
      return found(await find(id));
    case 'POST :id/cancel':
      return cancel(id);
    default:
      return answer(404, { error: 'There is nothing here.' });
  }
}

async function take(event) {
  let asked;
  try {
    const body = event.body ?? '';
    asked = check(JSON.parse(event.isBase64Encoded ? Buffer.from(body, 'base64').toString() : body));
  } catch (why) {
    return answer(400, { error: why.message });
  }
  // Who is not sure whether an order was taken sends it again with the same key.
  const id = event.headers['idempotency-key'] ?? randomUUID();
  const { order, isNew } = await place({ id, ...asked });
  return answer(isNew ? 201 : 200, order);
}

function check({ customer, lines }) {
  if (typeof customer !== 'string' || !customer) throw new Error('An order needs a customer.');
  if (!Array.isArray(lines) || !lines.length || lines.length > LINES_MAX) {
    throw new Error(`An order has between 1 and ${LINES_MAX} lines.`);
  }
  for (const { sku, count } of lines) {
    if (typeof sku !== 'string' || !sku) throw new Error('A line names a sku.');
    if (!Number.isInteger(count) || count < 1) throw new Error('A line has a count of 1 or more.');
  }
  return { customer, lines: lines.map(({ sku, count }) => ({ sku, count })) };
}

async function cancel(id) {
  const moved = await move(id, 'cancelled');
  if (moved && !moved.moved) return answer(409, { error: `The order is ${moved.order.state}.` });
  return found(moved?.order);
}

const found = (order) => (order ? answer(200, order) : answer(404, { error: 'There is no such order.' }));

const answer = (statusCode, body) => ({ statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
