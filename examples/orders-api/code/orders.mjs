// What an order is, and where it lies. An order is `placed`, then `shipped` or `cancelled`, and never both.

import { call } from './aws.mjs';

const TableName = process.env.ORDERS;

/** Puts a new order; of two with the same id the first counts, and is given back. */
export async function place({ id, customer, lines }) {
  const order = { id, customer, lines, state: 'placed', placed: new Date().toISOString() };
  try {
    await call('dynamodb', 'PutItem', {
      TableName,
      Item: item(order),
      ConditionExpression: 'attribute_not_exists(id)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    return { order, isNew: true };
  } catch (refused) {
    if (refused.name !== 'ConditionalCheckFailedException') throw refused;
    return { order: read(refused.item), isNew: false };
  }
}

/** The order, or null. */
export async function find(id) {
  const { Item } = await call('dynamodb', 'GetItem', { TableName, Key: { id: { S: id } } });
  return Item ? read(Item) : null;
}

/** A customer's orders, newest first, a page at a time. */
export async function ofCustomer(customer, after) {
  const page = await call('dynamodb', 'Query', {
    TableName,
    IndexName: 'by-customer',
    KeyConditionExpression: 'customer = :customer',
    ExpressionAttributeValues: { ':customer': { S: customer } },
    ScanIndexForward: false,
    Limit: 10,
    ExclusiveStartKey: after ? JSON.parse(Buffer.from(after, 'base64url')) : undefined,
  });
  const last = page.LastEvaluatedKey;
  return { orders: page.Items.map(read), after: last && Buffer.from(JSON.stringify(last)).toString('base64url') };
}

/** Moves an order on from where it is `placed`. Gives the order as it is then, and whether this moved it; null if there is none. */
export async function move(id, state, more = {}) {
  const names = Object.keys(more);
  try {
    const { Attributes } = await call('dynamodb', 'UpdateItem', {
      TableName,
      Key: { id: { S: id } },
      UpdateExpression: ['SET #state = :state', ...names.map((name) => `#${name} = :${name}`)].join(', '),
      ConditionExpression: '#state = :placed',
      ExpressionAttributeNames: { '#state': 'state', ...Object.fromEntries(names.map((name) => [`#${name}`, name])) },
      ExpressionAttributeValues: {
        ':state': { S: state },
        ':placed': { S: 'placed' },
        ...Object.fromEntries(names.map((name) => [`:${name}`, { S: more[name] }])),
      },
      ReturnValues: 'ALL_NEW',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    return { order: read(Attributes), moved: true };
  } catch (refused) {
    if (refused.name !== 'ConditionalCheckFailedException') throw refused;
    return refused.item ? { order: read(refused.item), moved: false } : null;
  }
}

/** An order as it lies in the table. */
function item({ lines, ...texts }) {
  const line = ({ sku, count }) => ({ M: { sku: { S: sku }, count: { N: String(count) } } });
  const entries = Object.entries(texts).map(([name, value]) => [name, { S: value }]);
  return { ...Object.fromEntries(entries), lines: { L: lines.map(line) } };
}

/** An order as a table or its stream tells it. */
export function read({ lines, ...texts }) {
  const line = ({ M: { sku, count } }) => ({ sku: sku.S, count: Number(count.N) });
  const entries = Object.entries(texts).map(([name, { S }]) => [name, S]);
  return { ...Object.fromEntries(entries), lines: lines.L.map(line) };
}
