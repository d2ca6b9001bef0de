// Tables as the JavaScript document client (`lib-dynamodb`) sees them: native values in, native values out.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  TransactionCanceledException,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  ExecuteStatementCommand,
  GetCommand,
  NumberValue,
  PutCommand,
  QueryCommand,
  TransactGetCommand,
  TransactWriteCommand,
  UpdateCommand,
  paginateQuery,
  paginateScan,
} from '@aws-sdk/lib-dynamodb';

const client = new DynamoDBClient({ maxAttempts: 1 });
const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const TableName = `javascript-${randomUUID()}`;

const send = (Command, input) => documents.send(new Command({ TableName, ...input }));
const put = (Item, more) => send(PutCommand, { Item, ...more });
const get = async (pk, sk) => (await send(GetCommand, { Key: { pk, sk } })).Item;

before(async () => {
  const attribute = (AttributeName, AttributeType) => ({ AttributeName, AttributeType });
  const keys = (hash, range) => [
    { AttributeName: hash, KeyType: 'HASH' },
    { AttributeName: range, KeyType: 'RANGE' },
  ];
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [attribute('pk', 'S'), attribute('sk', 'N'), attribute('kind', 'S')],
      KeySchema: keys('pk', 'sk'),
      GlobalSecondaryIndexes: [
        { IndexName: 'by-kind', KeySchema: keys('kind', 'sk'), Projection: { ProjectionType: 'ALL' } },
      ],
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: 60, minDelay: 1 }, { TableName });
});

after(async () => {
  await client.send(new DeleteTableCommand({ TableName }));
  client.destroy();
});

test('native values come back as they were put', async () => {
  const item = {
    pk: 'values',
    sk: 1,
    text: 'grüße 🎉',
    empty: '',
    truth: true,
    nothing: null,
    list: [1, 'two', [null], { three: 3 }],
    map: { deep: { deeper: { deepest: ['here'] } }, '': 'an empty name inside' },
    bytes: new Uint8Array([0, 1, 254, 255]),
    texts: new Set(['b', 'a']),
    numbers: new Set([3, -1, 2.5]),
    blobs: new Set([new Uint8Array([1]), new Uint8Array([2])]),
    left: undefined,
  };
  await put(item);
  const found = await get('values', 1);
  const { left, ...expected } = item;
  assert.deepEqual(found, expected);
  assert(found.texts instanceof Set && found.bytes instanceof Uint8Array);
});

test('numbers keep all of their digits', async () => {
  const precise = '12345678901234567890.123456789012345678';
  const numbers = { precise: NumberValue.from(precise), big: 9007199254740993n, small: 1e-130, large: NumberValue.from('9.5e125'), negative: -0.1 };
  await put({ pk: 'numbers', sk: 1, ...numbers });
  // On a client of its own: how numbers are read belongs to that.
  const exact = DynamoDBDocumentClient.from(new DynamoDBClient({ maxAttempts: 1 }), { unmarshallOptions: { wrapNumbers: true } });
  const { Item } = await exact.send(new GetCommand({ TableName, Key: { pk: 'numbers', sk: 1 } }));
  assert.equal(Item.precise.value, precise);
  assert.equal(Item.big.value, '9007199254740993');
  assert.deepEqual([Number(Item.small.value), Number(Item.large.value), Number(Item.negative.value)], [1e-130, 9.5e125, -0.1]);
  exact.destroy();
  await assert.rejects(put({ pk: 'numbers', sk: 2, n: NumberValue.from('1'.repeat(39)) }), {
    name: 'ValidationException',
    message: /Attempting to store more than 38 significant digits in a Number/,
  });
});

test('updates count, add to sets and answer what they changed', async () => {
  const Key = { pk: 'updates', sk: 1 };
  const update = (input) => send(UpdateCommand, { Key, ...input });
  const first = await update({
    UpdateExpression: 'SET #n = if_not_exists(#n, :zero) + :one, #l = list_append(if_not_exists(#l, :none), :item) ADD tags :tags',
    ExpressionAttributeNames: { '#n': 'n', '#l': 'list' },
    ExpressionAttributeValues: { ':zero': 0, ':one': 1, ':none': [], ':item': [{ at: 'first' }], ':tags': new Set(['a', 'b']) },
    ReturnValues: 'ALL_NEW',
  });
  assert.deepEqual(first.Attributes, { ...Key, n: 1, list: [{ at: 'first' }], tags: new Set(['a', 'b']) });
  const second = await update({
    UpdateExpression: 'SET #l[0].#at = :at REMOVE n DELETE tags :gone',
    ExpressionAttributeNames: { '#l': 'list', '#at': 'at' },
    ExpressionAttributeValues: { ':at': 'changed', ':gone': new Set(['a']) },
    ReturnValues: 'UPDATED_OLD',
  });
  assert.deepEqual(second.Attributes, { list: [{ at: 'first' }], n: 1, tags: new Set(['a', 'b']) });
  assert.deepEqual(await get('updates', 1), { ...Key, list: [{ at: 'changed' }], tags: new Set(['b']) });
});

test('a failed condition brings the item that is there', async () => {
  await put({ pk: 'conditions', sk: 1, version: 7, tags: new Set(['x']) });
  const failed = await put(
    { pk: 'conditions', sk: 1, version: 8 },
    {
      ConditionExpression: 'version = :version',
      ExpressionAttributeValues: { ':version': 6 },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  ).catch((error) => error);
  assert(failed instanceof ConditionalCheckFailedException);
  assert.equal(failed.message, 'The conditional request failed');
  // The document client hands a refusal's item over as it came.
  assert.deepEqual(failed.Item, { pk: { S: 'conditions' }, sk: { N: '1' }, version: { N: '7' }, tags: { SS: ['x'] } });
  const quiet = await send(DeleteCommand, {
    Key: { pk: 'conditions', sk: 1 },
    ConditionExpression: 'attribute_not_exists(pk)',
  }).catch((error) => error);
  assert(quiet instanceof ConditionalCheckFailedException);
  assert.equal(quiet.Item, undefined);
});

test('pages follow each other', async () => {
  const requests = Array.from({ length: 60 }, (_, sk) => ({ PutRequest: { Item: { pk: 'pages', sk, kind: 'paged', even: sk % 2 === 0 } } }));
  for (let first = 0; first < requests.length; first += 25) {
    const answer = await documents.send(new BatchWriteCommand({ RequestItems: { [TableName]: requests.slice(first, first + 25) } }));
    assert.deepEqual(answer.UnprocessedItems, {});
  }
  const query = {
    TableName,
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :low AND :high',
    ExpressionAttributeValues: { ':pk': 'pages', ':low': 5, ':high': 54 },
    ScanIndexForward: false,
  };
  const seen = [];
  let pages = 0;
  for await (const page of paginateQuery({ client: documents, pageSize: 7 }, query)) {
    pages += 1;
    assert(page.Items.length <= 7);
    seen.push(...page.Items.map((item) => item.sk));
  }
  assert.deepEqual(seen, Array.from({ length: 50 }, (_, index) => 54 - index));
  assert.equal(pages, 8);
  const indexed = [];
  const byKind = {
    TableName,
    IndexName: 'by-kind',
    KeyConditionExpression: 'kind = :kind',
    FilterExpression: 'even = :even',
    ExpressionAttributeValues: { ':kind': 'paged', ':even': true },
    ProjectionExpression: 'sk',
  };
  for await (const page of paginateQuery({ client: documents, pageSize: 9 }, byKind)) indexed.push(...page.Items);
  assert.deepEqual(indexed, Array.from({ length: 30 }, (_, index) => ({ sk: index * 2 })));
  let scanned = 0;
  const scan = { TableName, FilterExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': 'pages' } };
  for (const Segment of [0, 1, 2]) {
    for await (const page of paginateScan({ client: documents, pageSize: 11 }, { ...scan, Segment, TotalSegments: 3 })) {
      scanned += page.Count;
    }
  }
  assert.equal(scanned, 60);
  const { Count, Items } = await send(QueryCommand, {
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': 'pages' },
    Select: 'COUNT',
  });
  assert.deepEqual([Count, Items], [60, undefined]);
});

test('batches read what is there', async () => {
  await put({ pk: 'batch', sk: 1, value: 'one' });
  await put({ pk: 'batch', sk: 2, value: 'two' });
  const Keys = [1, 2, 3].map((sk) => ({ pk: 'batch', sk }));
  const { Responses, UnprocessedKeys } = await documents.send(
    new BatchGetCommand({ RequestItems: { [TableName]: { Keys, ConsistentRead: true } } }),
  );
  const found = Responses[TableName].sort((one, other) => one.sk - other.sk);
  assert.deepEqual(found, [{ pk: 'batch', sk: 1, value: 'one' }, { pk: 'batch', sk: 2, value: 'two' }]);
  assert.deepEqual(UnprocessedKeys, {});
});

test('a transaction is done whole, and once for its token', async () => {
  await put({ pk: 'transaction', sk: 1, balance: 10 });
  await put({ pk: 'transaction', sk: 2, balance: 0 });
  const move = (sk, amount) => ({
    Update: {
      TableName,
      Key: { pk: 'transaction', sk },
      UpdateExpression: 'SET balance = balance + :amount',
      ConditionExpression: 'balance >= :least',
      ExpressionAttributeValues: { ':amount': amount, ':least': -amount },
    },
  });
  const note = { Put: { TableName, Item: { pk: 'transaction', sk: 3, moved: new Set([7]) } } };
  const transfer = { TransactItems: [move(1, -7), move(2, 7), note], ClientRequestToken: randomUUID() };
  await documents.send(new TransactWriteCommand(transfer));
  await documents.send(new TransactWriteCommand(transfer));
  const read = (sk) => ({ Get: { TableName, Key: { pk: 'transaction', sk } } });
  const { Responses } = await documents.send(new TransactGetCommand({ TransactItems: [read(1), read(2), read(3), read(4)] }));
  assert.deepEqual(Responses.map(({ Item }) => Item?.balance ?? Item?.moved), [3, 7, new Set([7]), undefined]);
  await assert.rejects(documents.send(new TransactWriteCommand({ ...transfer, TransactItems: [move(1, -1)] })), {
    name: 'IdempotentParameterMismatchException',
  });
});

test('a cancelled transaction says which of its parts did not hold', async () => {
  await put({ pk: 'cancelled', sk: 1, state: 'shut' });
  const check = {
    ConditionCheck: {
      TableName,
      Key: { pk: 'cancelled', sk: 1 },
      ConditionExpression: '#state = :open',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: { ':open': 'open' },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  };
  const made = { Put: { TableName, Item: { pk: 'cancelled', sk: 2 } } };
  const cancelled = await documents.send(new TransactWriteCommand({ TransactItems: [made, check] })).catch((error) => error);
  assert(cancelled instanceof TransactionCanceledException);
  assert.match(cancelled.message, /\[None, ConditionalCheckFailed\]/);
  const [none, failed] = cancelled.CancellationReasons;
  assert.equal(none.Code, 'None');
  assert.deepEqual([failed.Code, failed.Message], ['ConditionalCheckFailed', 'The conditional request failed']);
  assert.deepEqual(failed.Item, { pk: { S: 'cancelled' }, sk: { N: '1' }, state: { S: 'shut' } });
  assert.equal(await get('cancelled', 2), undefined);
});

test('statements take native parameters', async () => {
  const say = (Statement, ...Parameters) => documents.send(new ExecuteStatementCommand({ Statement, Parameters }));
  await say(`INSERT INTO "${TableName}" VALUE {'pk': ?, 'sk': ?, 'tags': ?}`, 'said', 1, ['a', { b: 2 }]);
  const { Items } = await say(`SELECT tags FROM "${TableName}" WHERE pk = ? AND sk = ?`, 'said', 1);
  assert.deepEqual(Items, [{ tags: ['a', { b: 2 }] }]);
  await say(`DELETE FROM "${TableName}" WHERE pk = ? AND sk = ?`, 'said', 1);
  assert.equal(await get('said', 1), undefined);
});
