// Every page and state as a picture, in build/screenshots/.
import { mkdir, rm } from 'node:fs/promises';
import { login, newPage, overflow, sendMail, sleep, smtpPeer, startBrowser, startMox } from './lib.mjs';
import { rooms, states } from './rooms.mjs';

const out = process.env.OUT ?? 'build/screenshots';
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const mox = await startMox();
const browser = await startBrowser();
const peer = await smtpPeer({ RCPT: '451 4.7.1 Greylisted, please come back in five minutes; see https://postmaster.example/why?client=127.0.0.1 for what that means and whom to ask' });
const taker = await smtpPeer();
let wide = 0, count = 0;

async function shot(page, name) {
	if (await overflow(page)) { console.log(`${name}: sticks out`); wide++; }
	await page.screenshot({ path: `${out}/${name}.png`, fullPage: true });
	count++;
}

const empty = await newPage(browser);
await empty.goto(`${mox.base}login`);
await shot(empty, '01-login');
await empty.fill('#password', 'not this one');
await empty.click('button:has-text("Log in")');
await shot(empty, '02-login-wrong');
await login(empty, mox.base);
for (const [name, where] of rooms)
	if (!/new$|none|not-found/.test(name)) { await empty.goto(mox.base + where); await shot(empty, `03-empty-${name}`); }

async function create(page, where, fields) {
	await page.goto(mox.base + where);
	for (const [name, value] of Object.entries(fields)) {
		const el = page.locator(`[name=${name}]`).first();
		const type = await el.getAttribute('type'), tag = await el.evaluate((e) => e.tagName);
		if (type === 'radio') await page.check(`[name=${name}][value=${value}]`);
		else if (type === 'checkbox') await el.check();
		else if (tag === 'SELECT') await el.selectOption(value);
		else await el.fill(value);
	}
	await page.click('form.form button.primary');
}
const p = empty;
await create(p, 'domains/new', { name: 'no domain!', delivery: 'relay', relay_hosts: 'mail.example:99999', relay_username: 'gateway', relay_tls: 'none' });
await shot(p, '04-domain-wrong');
await create(p, 'domains/new', { name: 'example.org', description: 'Head office, on the old Exchange', delivery: 'relay', relay_hosts: `127.0.0.1:${peer.port}\n127.0.0.1:9`, rcpt_check: 'any' });
await create(p, 'domains/new', { name: 'shop.example', delivery: 'relay', relay_hosts: `127.0.0.1:${taker.port}`, rcpt_check: 'any' });
await create(p, 'domains/new', { name: 'a-rather-long-name-for-a-domain.of-some-department.university.example', delivery: 'mailbox', disabled: '1' });
await create(p, 'accounts/new', { name: 'ann', full_name: 'Ann Zwart', password: 'correct horse' });
await create(p, 'accounts/new', { name: 'scanner', full_name: 'Scanner, third floor' });
await create(p, 'transports/new', { name: 'smarthost', relay_hosts: 'relay.provider.example:587', relay_username: 'gateway', relay_password: 'secret-secret' });
await create(p, 'routes/new', { from_domain: 'shop.example', transport: 'smarthost' });
await create(p, 'routes/new', { to_domain: '.slow.example', min_attempts: '3', transport: 'smarthost' });
await create(p, 'networks/new', { cidr: '10.20.0.0/16', comment: 'Printers and scanners' });
await create(p, 'networks/new', { cidr: '10.1.2.3/8' });
await shot(p, '05-network-wrong');
await create(p, 'destinations/new', { domain: 'partner.example', kind: 'pin', pins: 'no hash', reason: '', expires: '2020-01-01' });
await shot(p, '05-destination-wrong');
await create(p, 'destinations/new', { domain: 'partner.example', kind: 'pin', pins: 'ab'.repeat(32), reason: 'Contract with the partner, asked for by Ann', expires: '300d' });
await create(p, 'destinations/new', { domain: 'a-rather-long-name-for-a-domain.of-some-department.university.example', kind: 'plaintext', reason: 'Their TLSA records are of the old certificate; told them on Monday', expires: '3d' });
await create(p, 'domains/2/dkim', { name: 'gateway2026', kind: 'rsa2048' });
await create(p, 'holds/new', { rcpt_domain: 'slow.example', comment: 'Their server is being moved, until Monday' });
await create(p, 'lists/new', { value: '203.0.113.0/24', list: 'deny', comment: 'Has sent nothing but spam for months' });
await create(p, 'lists/new', { value: 'partner.example', list: 'allow' });
await create(p, 'tokens', { name: 'monitoring', read_only: '1' });
await shot(p, '05-token-made');
await create(p, 'domains/new', { name: 'strict.example', delivery: 'relay', relay_hosts: `127.0.0.1:${taker.port}`, rcpt_check: 'any' });
await p.goto(`${mox.base}domains`);
const strict = await p.getAttribute('a:has-text("strict.example")', 'href');
await create(p, `${strict.replace(/.*domains/, 'domains')}/policy`, { dmarc: 'quarantine', spf: 'quarantine', iprev: 'quarantine' });
const body = (subject) => ['From: Ann <ann@sender.example>', `Subject: ${subject}`, '', 'Hello.'];
for (let i = 0; i < 6; i++) await sendMail(mox, 'ann@sender.example', `user${i}@example.org`, body(`number ${i}`));
await sendMail(mox, 'newsletter-bounces+a-very-long-tag-0123456789-0123456789-0123456789@mailer.some-service.example', ['bob@example.org', 'carol@example.org', 'a.person.with.a.remarkably.long.local-part.indeed@example.org'], body('three'));
await sendMail(mox, '', 'dora@example.org', body('bounce'));
await sendMail(mox, 'ann@sender.example', 'eve@shop.example', body('delivered at once'));
await sendMail(mox, 'ann@sender.example', 'eve@strict.example', ['From: "Your bank" <security@bank.example>', 'To: eve@strict.example', 'Subject: Your account has been limited', 'MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary=b1', '', '--b1', '', 'Dear customer, open the attached form and log in within 24 hours.', '--b1', 'Content-Type: text/html', '', '<h1>Dear customer</h1><p>Open the <a href="http://bank.example.net/">attached form</a>.</p>', '--b1', 'Content-Type: application/octet-stream; name="form.html.exe"', 'Content-Disposition: attachment; filename="form.html.exe"', 'Content-Transfer-Encoding: base64', '', 'TVqQAAMAAAAEAAAA', '--b1--']);
await sleep(1500);
await p.goto(`${mox.base}queue`);
const message = await p.getAttribute('tbody tr:nth-child(7) a', 'href');
await p.goto(new URL(await p.getAttribute('tbody tr:nth-child(2) a', 'href'), p.url()).href);
await p.click('button:has-text("Hold")');

const wanted = process.argv[2]; // part of a name: only these
const pictures = [...rooms, ...states, ['message', message]].filter(([name]) => !wanted || name.includes(wanted));
for (const look of [{ width: 1300 }, { width: 1300, dark: true }, { width: 390 }, { width: 390, dark: true }]) {
	const page = await newPage(browser, look);
	await login(page, mox.base);
	const suffix = `${look.width}${look.dark ? '-dark' : ''}`;
	for (const [name, where] of pictures) {
		await page.goto(new URL(where, mox.base).href);
		await shot(page, `${name}-${suffix}`);
	}
	if (wanted && !'queue'.includes(wanted)) continue;
	await page.goto(`${mox.base}queue`);
	if (look.width < 900) {
		await page.click('summary');
		await shot(page, `menu-${suffix}`);
	}
	await page.check('tbody tr:nth-child(1) [name=pick]');
	await page.check('tbody tr:nth-child(2) [name=pick]');
	await page.click('.actions button:has-text("Drop")');
	await shot(page, `queue-confirm-${suffix}`);
	await page.goto(new URL(message, mox.base).href);
	await page.click('.title button:has-text("Drop")');
	await shot(page, `message-drop-${suffix}`);
	if (page.wrong.length) console.log(suffix, page.wrong);
	await page.context().close();
}
await browser.close();
peer.close();
taker.close();
await mox.stop();
console.log(`screenshots: ${count} in ${out}${wide ? `, ${wide} stick out` : ''}`);
process.exit(wide ? 1 : 0);
