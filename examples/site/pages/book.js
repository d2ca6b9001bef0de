// Shows the book, and writes into it. The site leads from api/ to the function; where that is, is where words are sent.

const book = document.querySelector('#book');
const form = document.querySelector('#write');
const told = form.querySelector('output');
let api = '/api/';

async function show() {
  const answer = await fetch(api);
  if (!answer.ok) throw new Error(`The book cannot be read now (${answer.status}).`);
  api = answer.url;
  const { entries } = await answer.json();
  book.replaceChildren(...entries.map(line));
}

/** Text is put as text: what guests write is never a part of the page. */
function line({ name, words, at }) {
  const item = document.createElement('li');
  const when = document.createElement('time');
  when.dateTime = at;
  when.textContent = ` ${new Date(at).toLocaleString()}`;
  const who = document.createElement('strong');
  who.textContent = name;
  item.append(who, when, document.createElement('br'), words);
  return item;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const answer = await fetch(api, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  told.textContent = answer.ok ? '' : (await answer.json()).error;
  if (answer.ok) {
    form.reset();
    await show();
  }
});

show().catch((error) => {
  told.textContent = error.message;
});
