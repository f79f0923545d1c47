// What test_imapflow asks imapflow to do; prints what it saw as one JSON object.
// Arguments: directory of the modules, port, address, password.
import { createRequire } from 'node:module';
import { once } from 'node:events';

const [modules, port, user, pass] = process.argv.slice(2);
const { ImapFlow } = createRequire(`${modules}/`)('imapflow');
const NEWS_MS = 30000;

function client(options = {}) {
    return new ImapFlow({
        host: 'localhost', port: Number(port), secure: true, auth: { user, pass }, logger: false, ...options
    });
}

const soon = (emitter, event) => once(emitter, event, { signal: AbortSignal.timeout(NEWS_MS) });

const found = {};
const first = client({ qresync: true });
await first.connect();
found.server = first.serverInfo;
found.enabled = [...first.enabled];
const listed = await first.list({ statusQuery: { messages: true, unseen: true } });
found.special = Object.fromEntries(listed.filter(box => box.specialUse).map(box => [box.path, box.specialUse]));
await first.mailboxCreate('Projets/2026');

const opened = await first.mailboxOpen('INBOX');
found.subjects = (await first.fetchAll('1:*', { envelope: true, bodyStructure: true, flags: true }))
    .map(message => message.envelope.subject);
found.searched = await first.search({ subject: 'message 3' }, { uid: true });
const { content } = await first.download('1');
const pieces = [];
for await (const piece of content) pieces.push(piece);
found.downloaded = Buffer.concat(pieces).toString();
const moved = await first.messageMove('2', 'Projets/2026', { uid: true });
found.moved = Object.fromEntries(moved.uidMap);

// News in IDLE: a second connection flags, deletes and adds; flags, expunge and exists must come.
const flagsNews = soon(first, 'flags');
const second = client();
await second.connect();
await second.mailboxOpen('INBOX');
const idling = first.idle();
await second.messageFlagsAdd('3', ['\\Answered'], { uid: true });
const [flagged] = await flagsNews;
found.flags = flagged.uid === 3 && flagged.flags.has('\\Answered');
const expungeNews = soon(first, 'expunge');
await second.messageDelete('4', { uid: true });
const [expunged] = await expungeNews;
found.expunged = expunged.vanished && expunged.uid === 4;
const existsNews = soon(first, 'exists');
await second.append('INBOX', 'Subject: nouveau\r\n\r\nbonjour\r\n');
const [exists] = await existsNews;
found.exists = exists.count === 4;
const status = await first.status('INBOX', { highestModseq: true });
await idling;
await first.logout();

// QRESYNC: what happened while the first was away comes with SELECT.
await second.messageFlagsAdd('1', ['\\Flagged'], { uid: true });
await second.messageDelete('5', { uid: true });
await second.logout();
const third = client({ qresync: true });
const resynced = { vanished: [], flags: {} };
third.on('expunge', news => { if (news.earlier) resynced.vanished.push(news.uid); });
third.on('flags', news => { resynced.flags[news.uid] = [...news.flags]; });
await third.connect();
await third.mailboxOpen('INBOX', { changedSince: status.highestModseq, uidValidity: opened.uidValidity });
found.resynced = resynced;
await third.logout();
console.log(JSON.stringify(found, (_, value) => (typeof value === 'bigint' ? Number(value) : value)));
