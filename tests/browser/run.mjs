// The admin pages used as a person would, in Chromium. run.mjs [PART OF A TEST'S NAME]
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { PASSWORD, login, newPage, overflow, rawHttp, sendMail, sleep, smtpPeer, startBrowser, startMox } from './lib.mjs';
import { rooms } from './rooms.mjs';

const XSS = '<img src=x onerror=alert(1)><script>alert(2)</script>"\'>';
const tests = [];
const test = (name, run) => tests.push({ name, run });

/** Runs for both kinds of browser. */
const withAndWithout = (name, run) => {
	test(`${name}, with JavaScript`, (t) => run(t, { js: true }));
	test(`${name}, without JavaScript`, (t) => run(t, { js: false, width: 390 }));
};

async function until(what, check, ms = 10000) {
	for (const end = Date.now() + ms; ; await sleep(50)) {
		const got = await check();
		if (got) return got;
		assert.ok(Date.now() < end, `${what} did not happen`);
	}
}

let serial = 0;
const domainName = () => `d${process.pid}-${++serial}.example`;

/** A relay domain made in the browser. */
async function createDomain(page, base, name, port) {
	await page.goto(`${base}domains/new`);
	await page.fill('[name=name]', name);
	await page.check('[name=delivery][value=relay]');
	await page.fill('[name=relay_hosts]', `127.0.0.1:${port}`);
	await page.check('[name=rcpt_check][value=any]');
	await page.click('button:has-text("Create domain")');
	await page.waitForSelector('.done:has-text("Created")');
}

const queueRow = (page, address) => page.locator('tbody tr', { hasText: address });

/** Reloads the queue until the recipient was tried. */
async function tried(page, base, address) {
	await until('an attempt', async () => {
		await page.goto(`${base}queue?q=${encodeURIComponent(address)}`);
		return await queueRow(page, address).count() && !(await page.textContent('tbody')).includes('not tried yet');
	});
}

withAndWithout('log: found by address, opened, its whole life', async (t, look) => {
	const page = await t.page(look), domain = domainName(), peer = await t.peer({ RCPT: `451 4.3.0 later ${XSS}` });
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, domain, peer.port);
	await sendMail(t.mox, `ann@${domain}`, [`bob@${domain}`], [`From: "${XSS.replaceAll('"', '')}" <ann@${domain}>`, `Subject: ${XSS}`, `Message-ID: <m@${domain}>`, '', 'x']);
	await until('the attempt', async () => {
		await page.goto(`${t.mox.base}log`);
		await page.fill('[name=q]', `bob@${domain}`);
		await page.click('button:has-text("Find")');
		return await page.locator('.log tbody tr:has-text("Deferred")').count() === 1;
	});
	assert.match(await page.textContent('.found'), /the address/);
	assert.ok((await page.textContent('.log tbody')).includes('<script>'), 'the subject is text');
	await page.click('.log tbody a');
	await page.waitForSelector('h2:has-text("Its life")');
	assert.match(await page.textContent('.lead'), /will be tried again/);
	const life = await page.textContent('.life');
	assert.ok(life.includes('Received') && life.includes('Deferred') && life.includes('451') && life.includes('<script>'), life);
	await page.locator('.life details.trace summary').first().click();
	assert.ok(await page.locator('.life .steps li').first().isVisible(), 'the steps unfold');
	assert.ok(!(await overflow(page)));
	await page.click('a:has-text("still in the queue")');
	await page.waitForSelector('h1:has-text("Message")');
	await page.click('a:has-text("Its whole life")');
	await page.waitForSelector('h2:has-text("Its life")');
	for (const what of [`<m@${domain}>`, `m@${domain}`, domain]) {
		await page.goto(`${t.mox.base}log?q=${encodeURIComponent(what)}`);
		assert.equal(await page.locator('.log tbody tr').count(), 1, what);
	}
	await page.goto(`${t.mox.base}log`);
	await page.selectOption('[name=result]', 'bounced');
	await page.fill('[name=q]', `bob@${domain}`);
	await page.click('button:has-text("Find")');
	await page.waitForSelector('.nothing:has-text("matches this")');
});

test('log: pages of 50, older and newest', async (t) => {
	const page = await t.page({ js: false }), domain = domainName(), peer = await t.peer();
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, domain, peer.port);
	for (let i = 0; i < 60; i++) await sendMail(t.mox, `n${i}@${domain}`, [`x@${domain}`], [`Subject: number ${i}`, '', 'x']);
	await page.goto(`${t.mox.base}log?q=${domain}`);
	assert.equal(await page.locator('.log tbody tr').count(), 50);
	assert.ok((await page.textContent('.log tbody tr')).includes(`n59@${domain}`), 'newest first');
	await page.click('a:has-text("Older")');
	assert.equal(await page.locator('.log tbody tr').count(), 10);
	assert.ok((await page.locator('.log tbody tr').last().textContent()).includes(`n0@${domain}`));
	await page.click('a:has-text("Newest")');
	assert.equal(await page.locator('.log tbody tr').count(), 50);
});

test('log: live rows come by themselves, change with what happens, and can be paused', async (t) => {
	const page = await t.page({}), domain = domainName(), peer = await t.peer({ RCPT: '451 4.3.0 later' });
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, domain, peer.port);
	await page.goto(`${t.mox.base}log?q=${domain}`);
	assert.equal(await page.locator('.log tbody tr').count(), 0);
	await page.waitForSelector('.tail .chip:has-text("Live") >> visible=true');
	const row = page.locator('.log tbody tr', { hasText: `live@${domain}` });
	await sendMail(t.mox, `live@${domain}`, [`x@${domain}`], [`Subject: ${XSS}`, '', 'x']);
	await sendMail(t.mox, 'a@elsewhere.example', ['b@elsewhere.example'], ['Subject: not looked for', '', 'x']);
	await until('the row', async () => await row.count() === 1 && (await row.textContent()).includes('Deferred'));
	assert.ok((await row.textContent()).includes('<script>'), 'the subject is text');
	assert.equal(await page.locator('.log tbody tr').count(), 1, 'only what is looked for');
	assert.equal(await page.locator('.nothing').count(), 0);
	peer.replies.RCPT = '250 2.1.5 ok';
	const queue = await t.page({});
	await login(queue, t.mox.base);
	await queue.goto(`${t.mox.base}queue/${await row.getAttribute('data-id')}`);
	await queue.click('button:has-text("Try now")');
	await until('the change', async () => (await row.textContent()).includes('Delivered'));
	await page.click('.tail button:has-text("Pause")');
	await sendMail(t.mox, `paused@${domain}`, [`x@${domain}`], ['Subject: y', '', 'x']);
	await sleep(700);
	assert.equal(await page.locator('.log tbody tr').count(), 1);
	await page.click('.tail button:has-text("Go on")');
	await until('what was missed', async () => await page.locator('.log tbody tr').count() === 2);
});

test('log: old mail that changes stays where it is, and moves nothing', async (t) => {
	const page = await t.page({}), queue = await t.page({}), domain = domainName(), peer = await t.peer({ RCPT: '451 4.3.0 later' });
	await login(queue, t.mox.base);
	await createDomain(queue, t.mox.base, domain, peer.port);
	for (let i = 0; i < 55; i++) await sendMail(t.mox, `n${i}@${domain}`, [`x@${domain}`], [`Subject: number ${i}`, '', 'x']);
	await until('all tries', async () => {
		await queue.goto(`${t.mox.base}log?q=${domain}&result=accepted`);
		return await queue.locator('.log tbody tr').count() === 50 && !(await queue.textContent('.log tbody')).includes('Queued');
	}, 30000);
	await queue.goto(`${t.mox.base}log?q=n0@${domain}`);
	await queue.goto(`${t.mox.base}queue/${await queue.getAttribute('.log tbody tr', 'data-id')}`);
	peer.replies.RCPT = '250 2.1.5 ok';
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}log?q=${domain}`);
	await page.waitForSelector('.tail .chip:has-text("Live") >> visible=true');
	const senders = () => page.locator('.log tbody .mail a').allTextContents();
	const before = await senders();
	await queue.click('button:has-text("Try now")');
	await until('the delivery', () => peer.mails.length === 1);
	await sendMail(t.mox, `new@${domain}`, [`x@${domain}`], ['Subject: new', '', 'x']);
	await until('the new row', async () => (await senders())[0].includes(`new@${domain}`));
	assert.deepEqual((await senders()).slice(1), before);
});

withAndWithout('log in: wrong, then right, then out', async (t, look) => {
	const page = await t.page(look);
	await page.goto(`${t.mox.base}domains`);
	assert.match(page.url(), /login\?next=domains$/);
	await page.fill('#password', 'wrong password');
	await page.click('button:has-text("Log in")');
	assert.match(await page.textContent('[role=alert]'), /not the admin password/);
	await page.fill('#password', PASSWORD);
	await page.click('button:has-text("Log in")');
	await page.waitForSelector('h1:has-text("Domains")');
	if (look.width === 390) await page.click('summary');
	await page.click('button:has-text("Log out") >> visible=true');
	await page.waitForSelector('[role=status]:has-text("logged out")');
	await page.goto(`${t.mox.base}queue`);
	assert.match(page.url(), /login/);
});

withAndWithout('a message in the queue: seen, opened, held, retried', async (t, look) => {
	const page = await t.page(look), peer = await t.peer({ MAIL: '451 4.3.2 not now, please' });
	const name = domainName(), rcpt = `ann@${name}`;
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, name, peer.port);
	await sendMail(t.mox, 'bob@sender.example', rcpt, ['Subject: x', '', 'x']);
	await tried(page, t.mox.base, rcpt);
	assert.match(await queueRow(page, rcpt).textContent(), /Deferred/);
	await page.click(`tbody a:has-text("${rcpt}")`);
	assert.match(await page.textContent('.attempts'), /451 4\.3\.2 not now, please/);
	assert.match(await page.textContent('main'), /bob@sender\.example/);
	await page.click('.title button:has-text("Hold")');
	await page.waitForSelector('.done:has-text("Put on hold: 1 recipient")');
	assert.match(await page.textContent('tbody'), /On hold/);
	await page.click('.title button:has-text("Release")');
	await page.waitForSelector('.done:has-text("Released")');
	await until('a second attempt', async () => {
		await page.reload();
		return await page.locator('.attempts > li').count() >= 2;
	});
	delete peer.replies.MAIL;
	await page.click('.title button:has-text("Try now")');
	await until('delivery', () => peer.mails.length === 1);
	await until('an empty queue', async () => {
		await page.goto(`${t.mox.base}queue?q=${rcpt}`);
		return !(await queueRow(page, rcpt).count());
	});
});

withAndWithout('a message is dropped after a question', async (t, look) => {
	const page = await t.page(look), peer = await t.peer({ MAIL: '450 4.0.0 later' });
	const name = domainName(), rcpt = `ann@${name}`;
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, name, peer.port);
	await sendMail(t.mox, 'bob@sender.example', rcpt, ['Subject: x', '', 'x']);
	await tried(page, t.mox.base, rcpt);
	await page.click(`tbody a:has-text("${rcpt}")`);
	await page.click('.title button:has-text("Drop")');
	await page.click(look.js ? 'dialog button:has-text("Cancel")' : '.confirm a:has-text("Cancel")');
	assert.equal(await page.locator('h1:has-text("Message")').count(), 1);
	await page.click('.title button:has-text("Drop")');
	await page.click(look.js ? 'dialog button.danger' : '.confirm button.danger');
	await page.waitForSelector('.done:has-text("Dropped: 1 recipient")');
	await page.goto(`${t.mox.base}queue?q=${rcpt}`);
	assert.match(await page.textContent('.nothing'), /empty|matches/);
});

test('many messages: all that match are held after a question with their number', async (t) => {
	const page = await t.page(), peer = await t.peer({ MAIL: '450 4.0.0 later' });
	const name = domainName();
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, name, peer.port);
	for (let i = 0; i < 3; i++) await sendMail(t.mox, 'bob@sender.example', [`a${i}@${name}`, `b${i}@${name}`], ['', 'x']);
	await tried(page, t.mox.base, `b2@${name}`);
	await page.goto(`${t.mox.base}queue?dest=${name}`);
	await page.check('[data-select-all]');
	assert.equal(await page.locator('[name=pick]:checked').count(), 6);
	await page.uncheck('[data-select-all]');
	await page.click('.actions button:has-text("Hold")');
	assert.match(await page.textContent('h1'), /Nothing is selected/);
	await page.goBack();
	await page.check('[name=all]');
	await page.click('.actions button:has-text("Hold")');
	assert.match(await page.textContent('h1'), /Hold: 6 recipients/);
	await page.click('button:has-text("Hold 6 recipients")');
	await page.waitForSelector('.done:has-text("Put on hold: 6 recipients")');
	assert.equal(await page.locator('.chip.held').count(), 6);
});

test('a message with many recipients: in pages, each under 100 KiB', async (t) => {
	const page = await t.page(), peer = await t.peer({ RCPT: `450 4.7.1 ${'later, please; '.repeat(15)}` });
	const name = domainName(), to = Array.from({ length: 90 }, (_, i) => `r${i}@${name}`);
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, name, peer.port);
	await sendMail(t.mox, 'bob@sender.example', to, ['Subject: x', `X-Long: ${'<>'.repeat(400)}`, '', 'x']);
	await tried(page, t.mox.base, to[0]);
	await page.goto(`${t.mox.base}queue?q=${encodeURIComponent(to[0])}`);
	await page.click(`tbody a:has-text("${to[0]}")`);
	assert.match(await page.textContent('h2:has-text("Recipients")'), /90 in all/);
	assert.equal(await page.locator('.recipients tbody tr').count(), 50);
	assert.ok((await page.content()).length < 100 * 1024);
	await page.click('.pages a:has-text("Next page")');
	assert.equal(await page.locator('.recipients tbody tr').count(), 40);
	await page.click('.title button:has-text("Hold")');
	await page.waitForSelector('.done:has-text("Put on hold: 90 recipients")');
});

withAndWithout('a domain with wrong values, then right ones, and mail for it', async (t, look) => {
	const page = await t.page(look), peer = await t.peer(), name = domainName();
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}domains/new`);
	await page.fill('[name=name]', 'not a domain!');
	await page.fill('[name=description]', 'kept <b>as typed</b>');
	await page.check('[name=delivery][value=relay]');
	await page.fill('[name=relay_hosts]', 'mail.example:123456');
	await page.click('button:has-text("Create domain")');
	assert.match(await page.textContent('#p-name'), /not a domain!/);
	assert.match(await page.textContent('#p-relay_hosts'), /123456/);
	assert.match(await page.getAttribute('[name=name]', 'aria-describedby'), /p-name/);
	assert.equal(await page.inputValue('[name=name]'), 'not a domain!');
	assert.equal(await page.evaluate(() => document.activeElement.name), 'name', 'the first wrong field has the focus');
	assert.equal(await page.inputValue('[name=description]'), 'kept <b>as typed</b>');
	assert.equal(await page.inputValue('[name=relay_hosts]'), 'mail.example:123456');
	assert.ok(await page.isChecked('[name=delivery][value=relay]'));
	await page.fill('[name=name]', name.toUpperCase());
	await page.fill('[name=relay_hosts]', `127.0.0.1:${peer.port}`);
	await page.check('[name=rcpt_check][value=any]');
	await page.click('button:has-text("Create domain")');
	await page.waitForSelector(`h1:has-text("${name}")`);
	await sendMail(t.mox, 'bob@sender.example', `ann@${name}`, ['Subject: for the new domain', '', 'x']);
	await until('the mail', () => peer.mails.some((m) => m.includes('Subject: for the new domain')));
	await page.click('a:has-text("Edit")');
	await page.click('a:has-text("Delete")');
	await page.click('button:has-text("Delete domain")');
	await page.waitForSelector('.done:has-text("Deleted")');
	assert.ok(!(await page.textContent('main')).includes(name));
});

test('accounts, addresses, aliases', async (t) => {
	const page = await t.page(), name = domainName();
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}accounts/new`);
	await page.fill('[name=name]', 'Not Good');
	await page.fill('[name=password]', 'short');
	await page.click('button:has-text("Create account")');
	assert.equal(await page.locator('#p-name').count() + await page.locator('#p-password').count(), 2);
	assert.equal(await page.inputValue('[name=password]'), '', 'a password is never sent back');
	await page.fill('[name=name]', `u${process.pid}`);
	await page.fill('[name=password]', 'long enough 1');
	await page.click('button:has-text("Create account")');
	await page.waitForSelector('.done:has-text("Created")');
	await page.goto(`${t.mox.base}domains/new`);
	await page.fill('[name=name]', name);
	await page.check('[name=delivery][value=mailbox]');
	assert.ok(!(await page.isVisible('[name=relay_hosts]')));
	await page.click('button:has-text("Create domain")');
	for (const [local, kind] of [['ann', 'mailbox'], ['team', 'alias'], ['', 'mailbox']]) {
		await page.click('a:has-text("New address")');
		await page.fill('[name=localpart]', local);
		await page.check(`[name=kind][value=${kind}]`);
		if (kind === 'alias') await page.fill('[name=members]', `ann@${name}\nbob@other.example`);
		else await page.selectOption('[name=account]', `u${process.pid}`);
		await page.click('button:has-text("Create address")');
		await page.waitForSelector('.done:has-text("Created")');
	}
	const text = await page.textContent('main');
	assert.match(text, /bob@other\.example/);
	assert.match(text, /All others/);
	await page.click('a:has-text("team")');
	await page.fill('[name=members]', 'no address');
	await page.click('button:has-text("Save")');
	assert.match(await page.textContent('#p-members'), /no address/);
});

test('routes, transports, networks', async (t) => {
	const page = await t.page(), name = `t${process.pid}`;
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}transports/new`);
	await page.fill('[name=name]', name);
	await page.fill('[name=relay_hosts]', 'relay.example:587');
	await page.fill('[name=relay_username]', 'me');
	await page.fill('[name=relay_password]', 'hidden-secret-1');
	await page.click('button:has-text("Create transport")');
	await page.click(`a:has-text("${name}")`);
	assert.ok(!(await page.content()).includes('hidden-secret-1'));
	await page.click('button:has-text("Save")');
	await page.waitForSelector('.done:has-text("Saved")');
	for (const to of ['one.example', 'two.example']) {
		await page.goto(`${t.mox.base}routes/new`);
		await page.fill('[name=to_domain]', to);
		await page.selectOption('[name=transport]', name);
		await page.click('button:has-text("Create route")');
	}
	await page.locator('tr', { hasText: 'two.example' }).locator('button[value=up]').click();
	await page.waitForSelector('.done');
	const text = await page.textContent('table');
	assert.ok(text.indexOf('two.example') < text.indexOf('one.example'));
	await page.goto(`${t.mox.base}networks/new`);
	await page.fill('[name=cidr]', '10.1.2.3/8');
	await page.click('button:has-text("Add network")');
	assert.match(await page.textContent('#p-cidr'), /10\.0\.0\.0\/8/);
});

test('an account, a transport, a network: made, changed, deleted, without JavaScript', async (t) => {
	const page = await t.page({ js: false, width: 390 }), name = `life${process.pid}`;
	const pressed = async (button, words) => {
		await page.click(`main button:has-text("${button}")`);
		await page.waitForSelector(`.done:has-text("${words}")`);
	};
	await login(page, t.mox.base);
	for (const one of [
		{ kind: 'account', list: 'accounts', create: 'Create account', wrong: 'name', bad: 'No Name', again: ['password', 'short'], fill: { name, password: 'long enough 1' }, change: { full_name: 'Ann Other' }, cross: `tr:has-text("${name}") >> text=Ann Other` },
		{ kind: 'transport', list: 'routes', make: 'transports/new', create: 'Create transport', wrong: 'relay_hosts', bad: 'host:no port', fill: { name, relay_hosts: 'relay.example:587' }, change: { relay_hosts: 'other.example:2525' }, cross: `tr:has-text("${name}") >> text=other.example:2525` },
		{ kind: 'network', list: 'networks', create: 'Add network', wrong: 'cidr', bad: '300.0.0.0/8', fill: { cidr: '10.77.0.0/16' }, change: { comment: 'the office' }, shown: '10.77.0.0/16', remove: 'Remove', cross: 'tr:has-text("10.77.0.0/16") >> text=the office' },
	]) {
		const shown = one.shown ?? name;
		await page.goto(t.mox.base + (one.make ?? `${one.list}/new`));
		for (const [field, value] of Object.entries({ ...one.fill, [one.wrong]: one.bad })) await page.fill(`[name=${field}]`, value);
		await page.click(`main button:has-text("${one.create}")`);
		assert.ok((await page.textContent(`#p-${one.wrong}`)).trim(), `${one.kind}: what is wrong`);
		assert.equal(await page.inputValue(`[name=${one.wrong}]`), one.bad, 'what was written is still there');
		assert.match(await page.getAttribute(`[name=${one.wrong}]`, 'aria-describedby'), new RegExp(`\\bp-${one.wrong}\\b`));
		for (const [field, value] of Object.entries(one.fill)) await page.fill(`[name=${field}]`, value);
		await pressed(one.create, '');
		await page.goto(t.mox.base + one.list);
		await page.click(`main a:has-text("${shown}")`);
		const [field, bad] = one.again ?? [one.wrong, one.bad], was = await page.inputValue(`[name=${field}]`);
		await page.fill(`[name=${field}]`, bad);
		await page.click('main button:has-text("Save")');
		assert.ok((await page.textContent(`#p-${field}`)).trim(), `${one.kind}: what is wrong when changed`);
		await page.fill(`[name=${field}]`, was);
		for (const [name, value] of Object.entries(one.change)) await page.fill(`[name=${name}]`, value);
		await pressed('Save', 'Saved');
		await page.goto(t.mox.base + one.list);
		await page.waitForSelector(one.cross);
		await page.click(`main a:has-text("${shown}")`);
		await page.click('a.remove');
		assert.ok((await page.textContent('.confirm h1, main h1')).includes(shown), 'it is asked first');
		await pressed(one.remove ?? 'Delete', '');
		assert.ok(!(await page.textContent('main')).includes(shown), `${one.kind} is gone`);
	}
});

withAndWithout('exceptions for destinations', async (t, look) => {
	const page = await t.page(look), name = domainName();
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}destinations/new`);
	await page.fill('[name=domain]', name);
	await page.check('[name=kind][value=pin]');
	await page.fill('[name=pins]', 'not a hash');
	await page.fill('[name=expires]', '2020-01-01');
	await page.click('button:has-text("Add exception")');
	assert.match(await page.textContent('#p-pins'), /64 hexadecimal/);
	assert.match(await page.textContent('#p-reason'), /why/);
	assert.match(await page.textContent('#p-expires'), /over already/);
	await page.fill('[name=pins]', 'AB:'.repeat(31) + 'AB');
	await page.fill('[name=reason]', 'asked for by <b>Ann</b>');
	await page.fill('[name=expires]', '5d');
	await page.click('button:has-text("Add exception")');
	await page.waitForSelector('.done');
	const row = page.locator('tr', { hasText: name });
	assert.match(await row.textContent(), /Pinned key.*soon.*<b>Ann<\/b>/s);
	await row.locator('a').click();
	assert.equal(await page.inputValue('[name=pins]'), 'ab'.repeat(32));
	await page.check('[name=kind][value=plaintext]');
	await page.fill('[name=pins]', '');
	await page.click('button:has-text("Save")');
	assert.match(await page.locator('tr', { hasText: name }).textContent(), /Plaintext will do/);
	await page.locator('tr', { hasText: name }).locator('a').click();
	await page.click('a:has-text("Remove"), a:has-text("Delete")');
	await page.click('button:has-text("Remove exception")');
	await page.waitForSelector('.done');
	assert.equal(await page.locator('tr', { hasText: name }).count(), 0);
});

withAndWithout('DKIM keys of a domain', async (t, look) => {
	const page = await t.page(look), name = domainName();
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, name, 9);
	assert.match(await page.textContent('#dkim'), /No key yet/);
	await page.click('#dkim a:has-text("New key")');
	await page.fill('[name=name]', 'no name!');
	await page.check('[name=kind][value=ed25519]');
	await page.click('button:has-text("Create key")');
	assert.match(await page.textContent('#p-name'), /Letters, digits/);
	await page.fill('[name=name]', 'Mail1');
	await page.click('button:has-text("Create key")');
	await page.waitForSelector('.done:has-text("Created")');
	assert.equal(await page.inputValue('#rname'), `mail1._domainkey.${name}`);
	assert.match(await page.inputValue('#rvalue'), /^v=DKIM1;h=sha256;k=ed25519;p=[A-Za-z0-9+/]{43}=$/);
	assert.match(await page.textContent('main'), /not tested|Not in the DNS yet/);
	assert.equal(await page.locator('button.copy').count(), look.js ? 3 : 0);
	await page.click('.title a:has-text("Edit")');
	await page.uncheck('[name=signing]');
	await page.fill('[name=headers]', 'Subject');
	await page.click('button:has-text("Save")');
	assert.match(await page.textContent('#p-headers'), /From has to be/);
	await page.fill('[name=headers]', 'From, Subject');
	await page.fill('[name=expiration]', '72');
	await page.click('button:has-text("Save")');
	await page.waitForSelector('.done:has-text("Saved")');
	assert.match(await page.textContent('main'), /From:Subject[^]*72 hours/);
	await page.click('.crumbs a');
	assert.match(await page.textContent('#dkim'), /stands by/);
	assert.match(await page.textContent('#dkim'), /No key signs/);
	await page.click('#dkim button:has-text("Switch off")');
	await page.waitForSelector('#dkim button:has-text("Switch on")');
	await page.click('#dkim a:has-text("mail1")');
	await page.click('.title a:has-text("Edit")');
	await page.click('a.remove');
	await page.click('button:has-text("Delete key")');
	await page.waitForSelector('.done:has-text("Deleted")');
	assert.match(await page.textContent('#dkim'), /No key yet/);
});

test('trusted forwarders', async (t) => {
	const page = await t.page(), name = `lists${process.pid}.example`;
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}sealers/new`);
	await page.fill('[name=domain]', 'a..b');
	await page.click('button:has-text("Add forwarder")');
	assert.match(await page.textContent('#p-domain'), /empty label/);
	await page.fill('[name=domain]', name.toUpperCase());
	await page.fill('[name=comment]', XSS);
	await page.click('button:has-text("Add forwarder")');
	await page.waitForSelector('.done:has-text("Created")');
	assert.ok((await page.textContent('tbody')).includes(XSS));
	await page.click(`a:has-text("${name}")`);
	await page.click('a.remove');
	await page.click('button:has-text("Remove forwarder")');
	await page.waitForSelector('.done:has-text("Deleted")');
});

withAndWithout('markup in senders, replies, hosts and searches is only text', async (t, look) => {
	const page = await t.page(look), name = domainName();
	const peer = await t.peer({ MAIL: `451 4.7.1 ${XSS}` });
	const sender = '"<img/src=x/onerror=alert(3)>"@evil.example';
	await login(page, t.mox.base);
	await createDomain(page, t.mox.base, name, peer.port);
	await sendMail(t.mox, sender, `ann@${name}`, [`Subject: ${XSS}`, `From: ${XSS} <a@evil.example>`, `To: =?utf-8?b?${Buffer.from(XSS).toString('base64')}?=`, `Message-ID: <${XSS}@x>`, '', XSS]);
	await tried(page, t.mox.base, `ann@${name}`);
	assert.match(await page.textContent('tbody'), /<script>alert\(2\)<\/script>/);
	await page.click(`tbody a:has-text("ann@${name}")`);
	assert.match(await page.textContent('.attempts'), /<script>alert\(2\)<\/script>/);
	for (const field of ['Subject', 'From', 'To'])
		assert.match(await page.locator('.pairs div', { hasText: field }).first().textContent(), /<img src=x onerror=alert\(1\)>/, field);
	assert.equal(await page.locator('img, script:not([src]), [onerror]').count(), 0);
	assert.ok(!(await page.isVisible('pre.headers')));
	await page.click('summary:has-text("Whole header")');
	assert.match(await page.textContent('pre.headers'), /Subject: <img src=x/);
	for (const where of ['queue', `queue?q=${encodeURIComponent(XSS)}&dest=${encodeURIComponent(XSS)}&state=${encodeURIComponent(XSS)}`,
		`queue?done=${encodeURIComponent(XSS)}&n=${encodeURIComponent(XSS)}`, `${encodeURIComponent(XSS)}`, `login?next=${encodeURIComponent(XSS)}`]) {
		await page.goto(t.mox.base + where);
		assert.equal(await page.locator('img, script:not([src]), [onerror]').count(), 0, where);
	}
});

test('HTTPS: the cookie is bound to the host, the pages work through it', async (t) => {
	const page = await t.page();
	await login(page, t.mox.secure);
	const cookie = (await page.context().cookies()).find((c) => c.name === '__Host-mox');
	assert.ok(cookie && cookie.secure && cookie.httpOnly && cookie.sameSite === 'Strict' && cookie.path === '/');
	for (const room of ['queue', 'domains', 'accounts', 'routes', 'networks', 'password', ''])
		{ const answer = await page.goto(t.mox.secure + room); assert.equal(answer.status(), 200); }
});

withAndWithout('what was typed survives the end of the session, and nothing is done unseen', async (t, look) => {
	const page = await t.page(look), name = domainName();
	await login(page, t.mox.base);
	await page.goto(`${t.mox.base}domains/new`);
	await page.fill('[name=name]', name);
	await page.fill('[name=description]', `kept ${XSS}`);
	await page.check('[name=delivery][value=relay]');
	await page.fill('[name=relay_hosts]', 'mail.example:25');
	await page.fill('[name=relay_username]', 'me');
	await page.fill('[name=relay_password]', 'typed-secret-1');
	await page.context().clearCookies();
	await page.click('button:has-text("Create domain")');
	await page.waitForSelector('[role=status]:has-text("what you had typed")');
	assert.ok(!(await page.content()).includes('typed-secret-1'), 'a password is never sent back');
	await page.fill('#password', 'wrong');
	await page.click('button:has-text("Log in")');
	await page.waitForSelector('[role=alert]');
	await page.fill('#password', PASSWORD);
	await page.click('button:has-text("Log in")');
	await page.waitForSelector('h1:has-text("New domain")');
	assert.equal(await page.inputValue('[name=name]'), name);
	assert.equal(await page.inputValue('[name=description]'), `kept ${XSS}`);
	assert.ok(await page.isChecked('[name=delivery][value=relay]'));
	assert.equal(await page.inputValue('[name=relay_hosts]'), 'mail.example:25');
	assert.equal(await page.inputValue('[name=relay_password]'), '');
	const other = await t.page();
	await login(other, t.mox.base);
	await other.goto(`${t.mox.base}domains`);
	assert.ok(!(await other.textContent('main')).includes(name), 'not saved by itself');
	await other.goto(`${t.mox.base}domains/new?kept=1`);
	assert.equal(await other.inputValue('[name=name]'), '', 'another session sees nothing of it');
	await page.fill('[name=relay_password]', 'typed-secret-1');
	await page.click('button:has-text("Create domain")');
	await page.waitForSelector('.done:has-text("Created")');
});

test('a planted session cookie is worth nothing, and logging in makes a new one', async (t) => {
	const page = await t.page(), value = 'a'.repeat(64);
	await page.context().addCookies([{ name: 'mox-session', value, domain: t.mox.ip, path: '/admin/' }]);
	await page.goto(`${t.mox.base}queue`);
	assert.match(page.url(), /login/);
	await login(page, t.mox.base);
	const cookie = (await page.context().cookies()).find((c) => c.name === 'mox-session');
	assert.notEqual(cookie.value, value);
});

test('odd requests: two meanings, traversal, sizes, methods', async (t) => {
	const form = 'Content-Type: application/x-www-form-urlencoded\r\n', close = 'Connection: close\r\n';
	const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${close}${more}\r\n`;
	const post = (head, body = '') => `POST /admin/login HTTP/1.1\r\nHost: x\r\n${form}${head}\r\n${body}`;
	const second = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
	for (const [what, text, status] of [
		['no Host', `GET /healthz HTTP/1.1\r\n${close}\r\n`, 400],
		['two Hosts', get('/healthz', 'Host: y\r\n'), 400],
		['length and coding', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${second}`), 400],
		['two lengths', post('Content-Length: 5\r\nContent-Length: 0\r\n', `hello${second}`), 400],
		['an unknown coding', post('Transfer-Encoding: xchunked\r\n', second), 400],
		['a space before the colon', get('/healthz', 'Content-Length : 5\r\n'), 400],
		['a signed length', post('Content-Length: +5\r\n', 'hello'), 400],
		['too long a body', post('Content-Length: 99999999\r\n'), 413],
		['too long a header', get('/healthz', `X: ${'a'.repeat(70000)}\r\n`), 431],
		['traversal', get('/admin/static/x/../../../../etc/passwd'), 404],
		['encoded traversal', get('/admin/static/%2e%2e/%2e%2e/etc/passwd'), 404],
		['a method nobody knows', get('/admin/login').replace('GET', 'FOO'), 405],
		['no token', post(`${close}Content-Length: 17\r\n`, 'password=moxadmin'), 403],
		['no form', post(`${close}Content-Length: 2\r\n`, '{}').replace('x-www-form-urlencoded', 'json'), 415],
		['from elsewhere', post(`${close}Sec-Fetch-Site: cross-site\r\nContent-Length: 3\r\n`, 'a=b'), 403],
		['alive', get('/healthz'), 200],
		['ready', get('/readyz'), 200],
	]) {
		const got = await rawHttp(t.mox, text);
		assert.match(got, new RegExp(`^HTTP/1\\.1 ${status} `), what);
		assert.doesNotMatch(got, /root:/, what);
		if (status === 400) assert.doesNotMatch(got, / 200 OK/, what);
	}
	const other = await rawHttp(t.mox, 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
	assert.doesNotMatch(other, /evil/);
	const away = await rawHttp(t.mox, get('/admin/login?next=//evil.example'));
	assert.match(away, /Content-Security-Policy: default-src 'none'; style-src 'self'/);
});

test('500 clients that never finish a request hold nobody up', async (t) => {
	const slow = [], page = await t.page();
	for (let i = 0; i < 500; i++) {
		const s = net.connect(1080, t.mox.ip, () => s.write('GET /admin/ HTTP/1.1\r\nHost: x\r\nX-Slow: '));
		s.on('error', () => {});
		slow.push(s);
	}
	await sleep(300);
	await login(page, t.mox.base);
	const start = Date.now();
	await page.goto(`${t.mox.base}queue`);
	assert.ok(Date.now() - start < 3000);
	for (const s of slow) s.destroy();
});

test('no page takes an address elsewhere as where to go after the log-in', async (t) => {
	for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', '..//evil.example', '@evil.example']) {
		const page = await t.page();
		await page.goto(`${t.mox.base}login?next=${encodeURIComponent(next)}`);
		await page.fill('#password', PASSWORD);
		await page.click('button:has-text("Log in")');
		await page.waitForSelector('h1:has-text("Overview")');
		assert.equal(page.url(), t.mox.base);
	}
});

const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/** What the checker of accessibility finds against WCAG 2.2 AA: one line a rule. */
async function axeFinds(page) {
	await page.evaluate(axe); // not by the page itself, so its CSP stays as it is
	const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
	return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(' | ')}`);
}

/** What of the page moved by itself since it was opened, when it is enough to be seen. */
const shifted = (page) => page.evaluate(() => new Promise((resolve) => {
	const moved = [];
	let sum = 0;
	new PerformanceObserver((list) => {
		for (const e of list.getEntries().filter((one) => !one.hadRecentInput)) {
			sum += e.value;
			moved.push(...e.sources.map((s) => `${s.node?.nodeName} ${s.node?.textContent?.slice(0, 60)}: from ${s.previousRect.y} to ${s.currentRect.y}`));
		}
	}).observe({ type: 'layout-shift', buffered: true });
	setTimeout(() => resolve(sum < 0.001 ? [] : moved), 150);
}));

/** Markup that a strict Content-Security-Policy would refuse. */
const inline = (html) => [...html.replaceAll(/ (?:title|value|alt|aria-label|placeholder)="[^"]*"/g, '').matchAll(/<script(?![^>]*\ssrc=)[^>]*>|<style\b|<[a-z][^>]*\s(?:style|on[a-z]+)=|javascript:/gi)].map((m) => m[0]);

for (const look of [{ width: 1300 }, { width: 1300, dark: true }, { width: 390 }, { width: 390, dark: true }])
	test(`every room at ${look.width} pixels${look.dark ? ', dark' : ''}: fits, light, still, readable, strict`, async (t) => {
		const page = await t.page(look);
		await login(page, t.mox.base);
		for (const [name, where] of rooms) {
			const answer = await page.goto(t.mox.base + where);
			assert.ok(!(await overflow(page)), `${name} sticks out`);
			const bytes = await page.evaluate(() => [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')].reduce((n, e) => n + e.decodedBodySize, 0));
			assert.ok(bytes < 100 * 1024, `${name}: ${bytes} octets`);
			assert.equal(await page.locator('h1').count(), 1, name);
			assert.deepEqual(await shifted(page), [], `${name} moves`);
			assert.deepEqual(await page.evaluate(unreadable), [], name);
			assert.deepEqual(await page.evaluate(unnamed), [], name);
			assert.deepEqual(await axeFinds(page), [], name);
			assert.deepEqual(inline(await answer.text()), [], name);
			const csp = (await answer.allHeaders())['content-security-policy'];
			assert.match(csp, /^default-src 'none'; style-src 'self'; script-src 'self';/, name);
			assert.doesNotMatch(csp, /unsafe|\*|data:|https?:/, name);
		}
	});

/** In the page: texts with less contrast than WCAG AA asks for. */
function unreadable() {
	const rgb = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (el) => {
		for (; el; el = el.parentElement) {
			const c = rgb(getComputedStyle(el).backgroundColor);
			if (c.length === 3 || c[3] === 1) return c;
		}
		return [255, 255, 255];
	};
	const bad = [];
	for (const el of document.querySelectorAll('body *')) {
		const text = [...el.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join('');
		if (!text || !el.checkVisibility() || el.closest('.vh, .skip, [aria-hidden=true]')) continue;
		const style = getComputedStyle(el), [a, b] = [light(rgb(style.color)), light(behind(el))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05), large = parseFloat(style.fontSize) >= 24;
		if (ratio < (large ? 3 : 4.5)) bad.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
	}
	return bad;
}

/** In the page: controls without a name for people who do not see them. */
function unnamed() {
	return [...document.querySelectorAll('input:not([type=hidden], [hidden]), select, textarea, button, a')]
		.filter((el) => !el.labels?.length && !el.ariaLabel && !el.textContent.trim())
		.map((el) => el.outerHTML.slice(0, 80));
}

const mox = await startMox();
const browser = await startBrowser();
let passed = 0, failed = 0;
for (const { name, run } of tests.filter((t) => t.name.includes(process.argv[2] ?? ''))) {
	const pages = [], peers = [];
	try {
		await run({
			mox,
			async page(look) { pages.push(await newPage(browser, look)); return pages.at(-1); },
			async peer(replies) { peers.push(await smtpPeer(replies)); return peers.at(-1); },
		});
		assert.deepEqual(pages.flatMap((p) => p.wrong), [], 'errors in the page');
		passed++;
	} catch (e) {
		failed++;
		console.log(`FAILED: ${name}\n  ${String(e.stack ?? e).split('\n').slice(0, 12).join('\n  ')}`);
		for (const p of pages) console.log(`  at ${p.url()}`);
	}
	for (const p of pages) await p.context().close();
	for (const p of peers) p.close();
}
await browser.close();
const code = await mox.stop();
if (code !== 0) {
	failed++;
	console.log(`FAILED: mox ended with status ${code}:\n${mox.log().slice(-3000)}`);
}
console.log(`browser: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
